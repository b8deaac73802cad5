//! Freeing the memory of a queue after a burst.

use alloc::vec::Vec;

use super::TransmitLimitedQueue;
use crate::index::Index;

/// The most slots that an empty queue keeps.
const KEEP: usize = 64;

impl<B> TransmitLimitedQueue<B> {
    /// Frees the memory that a burst took, once the queue is empty.
    pub(super) fn shrink(&mut self) {
        // Decided by the number of slots and not by the capacity, which is not part of the state.
        if self.order.is_empty() && self.entries.len() > KEEP {
            self.entries = Vec::new();
            self.free = Vec::new();
            self.taken = Vec::new();
            self.names = Index::default();
        }
    }
}
