//! Every operation ends exactly once.

use std::collections::BTreeSet;

use memberlist_proto::{Event, Instant, Memberlist, OpId};

use super::Law;

/// What has ended, and what was begun through the simulator and has not.
#[derive(Debug, Default)]
pub(super) struct Completion {
    running: BTreeSet<OpId>,
    ended: BTreeSet<OpId>,
    broadcasts: BTreeSet<u64>,
}

impl Law for Completion {
    fn name(&self) -> &'static str {
        "every operation ends once"
    }

    fn event(&mut self, _: Instant, event: &Event) -> Result<(), String> {
        match event {
            Event::Finished { op, .. } => {
                self.running.remove(op);
                if self.ended.insert(*op) {
                    Ok(())
                } else {
                    Err(format!("operation {} ended twice", op.as_u64()))
                }
            }
            Event::BroadcastFinished { id, .. } if !self.broadcasts.insert(id.as_u64()) => {
                Err(format!("broadcast {} ended twice", id.as_u64()))
            }
            _ => Ok(()),
        }
    }

    fn rest(&mut self, node: &Memberlist) -> Result<(), String> {
        let (known, here) = (self.running.len() as u64, node.stats().gauges.operations);
        if known <= here { Ok(()) } else { Err(format!("{known} begun, but {here} under way")) }
    }

    fn begun(&mut self, op: OpId) {
        if !self.ended.contains(&op) {
            self.running.insert(op);
        }
    }
}
