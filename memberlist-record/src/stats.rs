//! What a recorder counts and reports.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a recorder has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordStats {
    /// Inputs recorded.
    pub inputs: u64,
    /// Inputs that were not, because the disk was too slow or full.
    pub dropped: u64,
    /// Bytes written, those of segments that were dropped since included.
    pub bytes: u64,
    /// Segments begun.
    pub segments: u64,
    /// Errors of the disk.
    pub errors: u64,
}

/// What a recorder has to report: at most one of each kind within a second.
#[derive(Debug)]
#[non_exhaustive]
pub enum Notice {
    /// The disk was too slow: this many inputs were not recorded. A new segment begins as soon as it
    /// has caught up.
    Dropped(u64),
    /// The disk failed, and the segment that was being written is gone from there on. Another is
    /// tried soon.
    Failed(std::io::Error),
}

/// Shared by the recorder and its thread.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) inputs: AtomicU64,
    pub(crate) dropped: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) segments: AtomicU64,
    pub(crate) errors: AtomicU64,
}

impl Counts {
    pub(crate) fn add(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn stats(&self) -> RecordStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        RecordStats {
            inputs: read(&self.inputs),
            dropped: read(&self.dropped),
            bytes: read(&self.bytes),
            segments: read(&self.segments),
            errors: read(&self.errors),
        }
    }
}
