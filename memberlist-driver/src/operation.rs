//! Futures for operations.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::Error;
use super::shared::{Last, Shared, Waiter, keep};
use memberlist_proto::{OpId, Outcome};

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
        let mut replaced = None;
        let looked = this.shared.look(|state| {
            let stopped = state.stopped;
            match state.waiters.get_mut(&op) {
                Some(Waiter { outcome: None, waker }) if !stopped => {
                    replaced = keep(waker, cx);
                    None
                }
                _ => Some(state.waiters.remove(&op).and_then(|waiter| waiter.outcome)),
            }
        });
        let result = match looked {
            Err(error) => return Poll::Ready(Err(error)),
            Ok(None) => return Poll::Pending,
            Ok(Some(outcome)) => outcome.map_or(Err(Error::Shutdown), take),
        };
        this.state = Running::Ended;
        Poll::Ready(result)
    }
}

impl<T> Drop for Operation<T> {
    fn drop(&mut self) {
        if let Running::Waiting(op, _) = self.state {
            self.shared.surely(Last::GiveUp(op));
        }
    }
}

impl<T> Unpin for Operation<T> {}
