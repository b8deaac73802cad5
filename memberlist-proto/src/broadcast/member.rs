//! The membership messages that every instance gossips.

use bytes::Bytes;

use super::Broadcast;
use crate::node::{Identity, Name};

/// A message about one node, which replaces the queued message about that node.
///
/// Source: `memberlistBroadcast`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberBroadcast {
    subject: Identity,
    message: Bytes,
    waiter: Option<u64>,
}

impl MemberBroadcast {
    /// A message about `subject`; `waiter` names whoever waits for it to be finished.
    pub const fn new(subject: Identity, message: Bytes, waiter: Option<u64>) -> Self {
        Self {
            subject,
            message,
            waiter,
        }
    }

    /// The name of the node that it is about.
    pub fn subject(&self) -> Name<'_> {
        self.subject.name()
    }

    /// Who waits for it to be finished.
    pub const fn waiter(&self) -> Option<u64> {
        self.waiter
    }
}

impl Broadcast for MemberBroadcast {
    fn invalidates(&self, other: &Self) -> bool {
        self.subject() == other.subject()
    }

    fn message(&self) -> &[u8] {
        &self.message
    }

    fn name(&self) -> Option<&[u8]> {
        Some(self.subject().as_bytes())
    }
}
