//! The laws of the protocol, checked over the events of every node.

mod alternation;
mod bounds;
mod completion;
mod contract;
mod incarnations;
mod myself;

use std::time::Duration;

use memberlist_proto::{Event, Instant, Memberlist, OpId, RequestId, StreamOp};

use self::alternation::Alternation;
use self::bounds::Bounds;
use self::completion::Completion;
use self::contract::Contract;
use self::incarnations::Incarnations;
use self::myself::Myself;

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

    /// The node wants something done with a stream.
    fn stream(&mut self, op: &StreamOp) -> Result<(), String> {
        let _ = op;
        Ok(())
    }

    /// The node asks its application.
    fn asked(&mut self, id: RequestId) -> Result<(), String> {
        let _ = id;
        Ok(())
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
            Box::new(Myself::default()),
            Box::new(Bounds),
            Box::new(Contract::default()),
        ])
    }

    pub(crate) fn begun(&mut self, op: OpId) {
        for law in &mut self.0 {
            law.begun(op);
        }
    }

    pub(crate) fn event(&mut self, now: Instant, event: &Event) -> Result<(), String> {
        self.each(|law| law.event(now, event))
    }

    pub(crate) fn stream(&mut self, op: &StreamOp) -> Result<(), String> {
        self.each(|law| law.stream(op))
    }

    pub(crate) fn asked(&mut self, id: RequestId) -> Result<(), String> {
        self.each(|law| law.asked(id))
    }

    pub(crate) fn rest(&mut self, node: &Memberlist) -> Result<(), String> {
        self.each(|law| law.rest(node))
    }

    /// The first law that is broken, by its name.
    fn each(
        &mut self,
        mut check: impl FnMut(&mut dyn Law) -> Result<(), String>,
    ) -> Result<(), String> {
        self.0.iter_mut().try_for_each(|law| {
            check(law.as_mut()).map_err(|broken| format!("{}: {broken}", law.name()))
        })
    }
}

#[cfg(test)]
mod tests;
