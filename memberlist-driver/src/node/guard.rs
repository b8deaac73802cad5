//! Guards that report the end of tasks and streams in every case, even if a task panics or is
//! dropped with its runtime.

use std::sync::Arc;

use memberlist_proto::{StreamFailure, StreamId};

use crate::driver::Driver;

/// Held by each of the two tasks that own a socket, which must drop it after the socket. The first
/// guard that is dropped stops the node, which cannot go on with only one of the tasks. The last
/// one reports the end.
#[derive(Debug)]
pub(super) struct TaskGuard {
    driver: Driver,
    /// Dropped after the node was stopped.
    last: Arc<Last>,
}

#[derive(Debug)]
struct Last(Driver);

impl TaskGuard {
    /// Creates the guards for the tasks of a new node.
    pub(super) fn pair(driver: &Driver) -> [Self; 2] {
        let last = Arc::new(Last(driver.clone()));
        [Arc::clone(&last), last].map(|last| Self { driver: driver.clone(), last })
    }

    pub(super) fn driver(&self) -> &Driver {
        &self.driver
    }

    /// Returns a value for whatever else must end before the node's end is reported.
    pub(super) fn keep(&self) -> Keep {
        Keep { _last: Arc::clone(&self.last) }
    }
}

/// The end of the node is not reported before every clone of this is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Keep {
    _last: Arc<Last>,
}

#[cfg(test)]
impl Keep {
    /// For a node that has no tasks.
    pub(crate) fn of(driver: &Driver) -> Self {
        Self { _last: Arc::new(Last(driver.clone())) }
    }
}

impl Drop for TaskGuard {
    fn drop(&mut self) {
        self.driver.stop();
    }
}

impl Drop for Last {
    fn drop(&mut self) {
        self.0.ended();
    }
}

/// Held by the task of a stream. Reports the stream's end once, when it is dropped, which must be
/// after the connection.
#[derive(Debug)]
pub(super) struct StreamGuard {
    pub(super) driver: Driver,
    pub(super) id: StreamId,
    /// Why the stream ends; set when it does.
    pub(super) cause: Option<StreamFailure>,
}

impl StreamGuard {
    pub(super) fn new(driver: Driver, id: StreamId) -> Self {
        // This remains if the task does not complete, but is dropped by its runtime.
        Self { driver, id, cause: Some(StreamFailure::Shutdown) }
    }
}

impl Drop for StreamGuard {
    fn drop(&mut self) {
        self.driver.closed(self.id, self.cause);
    }
}
