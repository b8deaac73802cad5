//! What is left of a queue after a burst.

use alloc::vec::Vec;

use super::TransmitLimitedQueue;
use crate::index::Index;

/// Entries whose memory is kept.
const KEEP: usize = 64;

impl<B> TransmitLimitedQueue<B> {
    /// Returns the memory that a burst took, once all of it is gone.
    pub(super) fn shrink(&mut self) {
        // By the entries, not by the capacity: that is not part of the state.
        if self.order.is_empty() && self.entries.len() > KEEP {
            self.entries = Vec::new();
            self.free = Vec::new();
            self.taken = Vec::new();
            self.names = Index::default();
        }
    }
}
