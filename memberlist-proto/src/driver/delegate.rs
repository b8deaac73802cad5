//! What an adapter asks its user.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::delegate::{Candidate, View};
use crate::node::{Name, Node};

/// Everything an application can be asked. The first four methods are asked inside the node, must
/// be quick and must not call the node's handle ([`Error::Reentrant`](super::Error::Reentrant)).
/// The last two may take their time: they are asked on a thread of their own and delay only the
/// exchange they belong to.
pub trait Delegate: Send + Sync + 'static {
    /// See [`Delegate::admit`](crate::Delegate::admit).
    ///
    /// # Errors
    ///
    /// The reason for refusing.
    fn admit(&self, candidate: &Candidate<'_>) -> Result<(), String> {
        let _ = candidate;
        Ok(())
    }

    /// See [`Delegate::ack_payload`](crate::Delegate::ack_payload).
    fn ack_payload(&self) -> Option<Bytes> {
        None
    }

    /// See [`Delegate::broadcasts`](crate::Delegate::broadcasts).
    fn broadcasts(&self, view: &View<'_>, overhead: usize, limit: usize) -> Vec<Bytes> {
        let _ = (view, overhead, limit);
        Vec::new()
    }

    /// See [`Delegate::stream_ping`](crate::Delegate::stream_ping).
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

/// The half that the core asks at once.
pub(super) struct AskedNow(pub(super) Arc<dyn Delegate>);

impl crate::delegate::Delegate for AskedNow {
    fn admit(&self, candidate: &Candidate<'_>) -> Result<(), String> {
        self.0.admit(candidate)
    }

    fn ack_payload(&self) -> Option<Bytes> {
        self.0.ack_payload()
    }

    fn broadcasts(&self, view: &View<'_>, overhead: usize, limit: usize) -> Vec<Bytes> {
        self.0.broadcasts(view, overhead, limit)
    }

    fn stream_ping(&self, node: Name<'_>) -> bool {
        self.0.stream_ping(node)
    }
}
