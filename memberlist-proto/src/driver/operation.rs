//! Futures for operations.

use alloc::sync::Arc;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use super::Error;
use super::shared::{Shared, Waiter};
use crate::event::{OpId, Outcome};

/// An operation under way. Dropped before its end, it is cancelled: a join stops trying, a ping
/// stops waiting; of a leave or a change of metadata only the wait ends.
#[must_use = "an operation is cancelled when it is dropped"]
pub struct Operation<T> {
    shared: Arc<Shared>,
    state: Running<T>,
}

enum Running<T> {
    /// It never began.
    Failed(Option<Error>),
    Waiting(OpId, fn(Outcome) -> Result<T, Error>),
    Ended,
}

impl<T> Operation<T> {
    pub(super) fn begin(
        shared: &Arc<Shared>,
        begun: Result<OpId, Error>,
        take: fn(Outcome) -> Result<T, Error>,
    ) -> Self {
        let state = match begun {
            Ok(op) => Running::Waiting(op, take),
            Err(error) => Running::Failed(Some(error)),
        };
        Self { shared: Arc::clone(shared), state }
    }
}

/// Notes that somebody waits for an operation; called under the lock that began it, before its
/// end can be told.
pub(super) fn expect(state: &mut super::shared::State, op: OpId) {
    state.waiters.insert(op, Waiter::default());
}

impl<T> Future for Operation<T> {
    type Output = Result<T, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let (op, take) = match &mut this.state {
            Running::Failed(error) => {
                return Poll::Ready(Err(error.take().unwrap_or(Error::Shutdown)));
            }
            Running::Ended => return Poll::Ready(Err(Error::Shutdown)),
            Running::Waiting(op, take) => (*op, *take),
        };
        let result = {
            let mut state = this.shared.lock();
            let stopped = state.stopped;
            let Some(waiter) = state.waiters.get_mut(&op) else {
                return Poll::Ready(Err(Error::Shutdown));
            };
            match waiter.outcome.take() {
                Some(outcome) => take(outcome),
                None if stopped => Err(Error::Shutdown),
                None => {
                    waiter.waker = Some(cx.waker().clone());
                    return Poll::Pending;
                }
            }
        };
        this.shared.lock().waiters.remove(&op);
        this.state = Running::Ended;
        Poll::Ready(result)
    }
}

impl<T> Drop for Operation<T> {
    fn drop(&mut self) {
        if let Running::Waiting(op, _) = self.state {
            // After the end there is nothing to cancel; from inside a delegate the operation
            // simply goes on to its end, which nobody hears of.
            let _ = self.shared.operate(|state, now| {
                state.waiters.remove(&op);
                state.core.cancel(now, op);
            });
        }
    }
}

impl<T> Unpin for Operation<T> {}
