//! The counters and notices of a recorder.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of what a recorder has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordStats {
    /// Inputs recorded.
    pub inputs: u64,
    /// Inputs not recorded, because the disk was too slow or had failed.
    pub dropped: u64,
    /// Bytes written, including those of segments that have been deleted since.
    pub bytes: u64,
    /// Segments begun.
    pub segments: u64,
    /// Errors of the disk, after each of which a new segment is tried.
    pub errors: u64,
}

/// What a recorder reports while it writes.
#[derive(Debug)]
#[non_exhaustive]
pub enum Notice {
    /// This many inputs have not been recorded since the last such notice, because the disk was too
    /// slow or had failed. It is reported when the next segment is begun.
    Dropped(u64),
    /// The disk failed, and nothing more is written to this segment. Another one is tried after
    /// five seconds, or after up to five minutes if failures follow each other.
    Failed(std::io::Error),
}

/// The counters, shared by the recorder, the node's tap and the thread.
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
