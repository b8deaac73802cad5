//! The laws of the protocol, checked over the events of every node.

mod alternation;
mod completion;
mod incarnations;

use std::time::Duration;

use memberlist_proto::{Event, Instant, Memberlist, OpId};

use self::alternation::Alternation;
use self::completion::Completion;
use self::incarnations::Incarnations;

/// One law, over the life of one node from its start to its crash.
pub(crate) trait Law {
    /// Its name in a report.
    fn name(&self) -> &'static str;

    /// The node told something.
    fn event(&mut self, now: Instant, event: &Event) -> Result<(), String>;

    /// Something that must hold whenever the node's events have been drained.
    fn rest(&mut self, node: &Memberlist) -> Result<(), String> {
        let _ = node;
        Ok(())
    }

    /// The application began an operation.
    fn begun(&mut self, op: OpId) {
        let _ = op;
    }
}

/// Every law, for one node.
pub(crate) struct Laws(Vec<Box<dyn Law>>);

impl Laws {
    /// For a node that remembers the departed for `memory` at least.
    pub(crate) fn new(memory: Duration) -> Self {
        Self(vec![
            Box::new(Alternation::default()),
            Box::new(Incarnations::new(memory)),
            Box::new(Completion::default()),
        ])
    }

    pub(crate) fn begun(&mut self, op: OpId) {
        for law in &mut self.0 {
            law.begun(op);
        }
    }

    pub(crate) fn event(&mut self, now: Instant, event: &Event) -> Result<(), String> {
        self.0.iter_mut().try_for_each(|law| {
            law.event(now, event).map_err(|broken| format!("{}: {broken}", law.name()))
        })
    }

    pub(crate) fn rest(&mut self, node: &Memberlist) -> Result<(), String> {
        self.0.iter_mut().try_for_each(|law| {
            law.rest(node).map_err(|broken| format!("{}: {broken}", law.name()))
        })
    }
}
