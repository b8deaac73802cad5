//! What an adapter asks its user.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::string::String;
use std::sync::Arc;
use std::vec::Vec;

use bytes::Bytes;

use memberlist_proto::{Candidate, View};
use memberlist_proto::{Name, Node};

/// Everything an application can be asked; every method has a default, which is what happens
/// without a delegate.
///
/// The first four methods are asked inside the node: they must be quick, and what they call on the
/// handle of any node fails with [`Error::Reentrant`](super::Error::Reentrant). The last two may
/// take their time: they are asked on a thread of their own and delay only the exchange they
/// belong to.
pub trait Delegate: Send + Sync + 'static {
    /// See [`Delegate::admit`](memberlist_proto::Hooks::admit).
    ///
    /// # Errors
    ///
    /// The reason for refusing.
    fn admit(&self, candidate: &Candidate<'_>) -> Result<(), String> {
        let _ = candidate;
        Ok(())
    }

    /// See [`Delegate::ack_payload`](memberlist_proto::Hooks::ack_payload).
    fn ack_payload(&self) -> Option<Bytes> {
        None
    }

    /// See [`Delegate::broadcasts`](memberlist_proto::Hooks::broadcasts).
    fn broadcasts(&self, view: &View<'_>, overhead: usize, limit: usize) -> Vec<Bytes> {
        let _ = (view, overhead, limit);
        Vec::new()
    }

    /// See [`Delegate::stream_ping`](memberlist_proto::Hooks::stream_ping).
    fn stream_ping(&self, node: Name<'_>) -> bool {
        let _ = node;
        true
    }

    /// The application's state, sent in every full state exchange (Go: `LocalState`).
    fn local_state(&self, join: bool) -> Bytes {
        let _ = join;
        Bytes::new()
    }

    /// Whether to merge what a joining peer, or the peer joined, knows (Go: `NotifyMerge`).
    ///
    /// # Errors
    ///
    /// The reason for refusing.
    fn admit_merge(&self, peers: &[Node]) -> Result<(), String> {
        let _ = peers;
        Ok(())
    }
}

/// The half that the core asks at once, while the node is locked.
pub(super) struct AskedNow(pub(super) Arc<dyn Delegate>);

impl memberlist_proto::Hooks for AskedNow {
    fn admit(&self, candidate: &Candidate<'_>) -> Result<(), String> {
        ask(|| self.0.admit(candidate)).unwrap_or_else(|| Err("the delegate panicked".into()))
    }

    fn ack_payload(&self) -> Option<Bytes> {
        ask(|| self.0.ack_payload()).flatten()
    }

    fn broadcasts(&self, view: &View<'_>, overhead: usize, limit: usize) -> Vec<Bytes> {
        ask(|| self.0.broadcasts(view, overhead, limit)).unwrap_or_default()
    }

    fn stream_ping(&self, node: Name<'_>) -> bool {
        ask(|| self.0.stream_ping(node)).unwrap_or(true)
    }
}

std::thread_local! {
    static ASKED: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is answering a question that cannot wait. It then holds the lock of the
/// node that asks; waiting for another node's lock could be waiting for each other. So it must
/// not wait for any.
pub(super) fn is_asked() -> bool {
    ASKED.get()
}

/// Asks the application. A panic of its delegate is an answer like the default, except that nobody
/// is admitted by it: the core is in the middle of something and must end it.
fn ask<T>(question: impl FnOnce() -> T) -> Option<T> {
    ASKED.set(true);
    let answer = catch_unwind(AssertUnwindSafe(question));
    ASKED.set(false);
    answer.ok()
}
