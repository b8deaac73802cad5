//! Every operation and every broadcast ends exactly once.

use std::collections::BTreeSet;

use memberlist_proto::{BroadcastId, Event, Memberlist, OpId};

use super::Law;
use super::picture::Picture;

/// What was begun and has not ended, and what has.
#[derive(Debug)]
pub(super) struct Completion {
    /// Whether everything that is begun is reported to the observer.
    complete: bool,
    operations: Ends<OpId>,
    broadcasts: Ends<BroadcastId>,
}

#[derive(Debug)]
struct Ends<T> {
    running: BTreeSet<T>,
    ended: BTreeSet<T>,
}

impl<T: Ord + Copy + std::fmt::Display> Ends<T> {
    fn begin(&mut self, what: &str, id: T) -> Result<(), String> {
        if self.ended.contains(&id) || !self.running.insert(id) {
            return Err(format!("the number of {what} {id} was used before"));
        }
        Ok(())
    }

    fn end(&mut self, what: &str, id: T, complete: bool) -> Result<(), String> {
        let ran = self.running.remove(&id);
        if !self.ended.insert(id) {
            return Err(format!("{what} {id} ended twice"));
        }
        if complete && !ran {
            return Err(format!("{what} {id} ended, but was not begun"));
        }
        Ok(())
    }

    /// Compares what is running with the number that the node itself counts.
    fn rest(&self, what: &str, counted: u64, complete: bool) -> Result<(), String> {
        let running = self.running.len() as u64;
        if running > counted || (complete && running < counted) {
            return Err(format!("{running} {what} begun and not ended, but {counted} under way"));
        }
        Ok(())
    }
}

impl Completion {
    pub(super) fn new(complete: bool) -> Self {
        Self {
            complete,
            operations: Ends { running: BTreeSet::new(), ended: BTreeSet::new() },
            broadcasts: Ends { running: BTreeSet::new(), ended: BTreeSet::new() },
        }
    }
}

impl Law for Completion {
    fn name(&self) -> &'static str {
        "completion"
    }

    fn begun(&mut self, op: OpId) -> Result<(), String> {
        self.operations.begin("operation", op)
    }

    fn queued(&mut self, id: BroadcastId) -> Result<(), String> {
        self.broadcasts.begin("broadcast", id)
    }

    fn event(&mut self, _: &Picture, event: &Event) -> Result<(), String> {
        match event {
            Event::Finished { op, .. } => self.operations.end("operation", *op, self.complete),
            Event::BroadcastFinished { id, .. } => {
                self.broadcasts.end("broadcast", *id, self.complete)
            }
            _ => Ok(()),
        }
    }

    fn rest(&mut self, _: &Picture, node: &Memberlist) -> Result<(), String> {
        let gauges = node.stats().gauges;
        self.operations.rest("operations", gauges.operations, self.complete)?;
        let under_way = gauges.user_queue + gauges.disseminations;
        self.broadcasts.rest("broadcasts", under_way, self.complete)
    }
}
