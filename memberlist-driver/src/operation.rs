//! Futures for operations.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use memberlist_proto::{OpId, Outcome};

use crate::error::Error;
use crate::shared::Shared;
use crate::state::{Last, State, Waiter};

/// An operation that is under way. It began when the method that returned it was called; this
/// future waits for its result.
///
/// Dropping the future before its end cancels the operation: a join stops trying, a ping stops
/// waiting, and a message that has not been sent completely is cut off. A leave or a change of
/// metadata is not undone: only the wait for it ends. The future can be polled on any runtime.
///
/// # Errors
///
/// Each method of [`Handle`](crate::Handle) that returns an operation lists its own errors. Every
/// operation also ends with [`Error::Shutdown`] if the node is shut down first, or was before it
/// began; and with [`Error::Reentrant`] if it was begun, or is polled, inside a method of a
/// [`Delegate`](crate::Delegate) that the node is waiting for.
#[must_use = "an operation is cancelled when it is dropped"]
pub struct Operation<T> {
    shared: Arc<Shared>,
    state: Running<T>,
}

enum Running<T> {
    /// The operation never began; the error is returned once.
    Failed(Option<Error>),
    Waiting(OpId, fn(Outcome) -> Result<T, Error>),
    Ended,
}

impl<T> Operation<T> {
    pub(crate) fn begin(
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

/// Registers a waiter for an operation; called under the same lock as its beginning, before its end
/// can be reported.
pub(crate) fn expect(state: &mut State, op: OpId) {
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
        let looked = this.shared.look(|state| state.poll_outcome(cx, op, &mut replaced));
        let result = match looked {
            Err(error) => return Poll::Ready(Err(error)),
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(outcome)) => outcome.map_or(Err(Error::Shutdown), take),
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

impl<T> std::fmt::Debug for Operation<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = match &self.state {
            Running::Failed(error) => format!("{error:?}"),
            Running::Waiting(op, _) => format!("{op:?}"),
            Running::Ended => "ended".to_owned(),
        };
        f.debug_tuple("Operation").field(&state).finish()
    }
}
