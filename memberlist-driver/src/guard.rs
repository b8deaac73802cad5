//! Ends that are told whatever happens: also when a task panics, or is dropped with its runtime.

use super::Driver;
use memberlist_proto::{StreamFailure, StreamId};

/// Tells the end of a node's tasks when it is dropped, which must be after their sockets.
#[derive(Debug)]
pub struct Running(Driver);

impl Running {
    /// For a node whose tasks are about to begin.
    pub fn new(driver: Driver) -> Self {
        Self(driver)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.ended();
    }
}

/// One stream for its task. Tells its end, once: when it is dropped, which must be after the
/// connection.
#[derive(Debug)]
pub struct StreamTask {
    /// The node.
    pub driver: Driver,
    /// The stream.
    pub id: StreamId,
    /// Why it ends; to be set when it does.
    pub cause: Option<StreamFailure>,
}

impl StreamTask {
    /// Bytes to read at once.
    pub const READ: usize = 64 << 10;
    /// Bytes of a peer's last words to read and throw away, so that closing does not cut off what
    /// it has yet to read.
    pub const LAST_WORDS: usize = 1 << 20;

    /// For a stream that [`Work::connects`](super::Work::connects) or
    /// [`Driver::accept`] named.
    pub fn new(driver: Driver, id: StreamId) -> Self {
        // A task that does not come to its own end is dropped by its runtime.
        Self { driver, id, cause: Some(StreamFailure::Shutdown) }
    }

    /// Ends the stream, for this reason.
    pub fn end(mut self, cause: Option<StreamFailure>) {
        self.cause = cause;
    }
}

impl Drop for StreamTask {
    fn drop(&mut self) {
        self.driver.closed(self.id, self.cause);
    }
}
