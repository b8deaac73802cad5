//! What a node asks of its driver makes sense: streams in order, questions once.

use std::collections::{BTreeMap, BTreeSet};

use memberlist_proto::{Event, Instant, RequestId, StreamId, StreamOp};

use super::Law;

/// How far each stream of this node has come, and what was asked.
#[derive(Debug, Default)]
pub(super) struct Contract {
    ended: BTreeMap<StreamId, Ended>,
    connected: BTreeSet<StreamId>,
    asked: BTreeSet<RequestId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Closing,
    Aborted,
}

impl Law for Contract {
    fn name(&self) -> &'static str {
        "a driver can do what it is asked"
    }

    fn event(&mut self, _: Instant, _: &Event) -> Result<(), String> {
        Ok(())
    }

    fn stream(&mut self, op: &StreamOp) -> Result<(), String> {
        let id = op.id();
        let ended = self.ended.get(&id).copied();
        let sound = match op {
            StreamOp::Connect { .. } => ended.is_none() && self.connected.insert(id),
            StreamOp::Write { .. } => ended.is_none(),
            StreamOp::Close { .. } => {
                ended.is_none() && {
                    self.ended.insert(id, Ended::Closing);
                    true
                }
            }
            StreamOp::Abort { .. } => self.ended.insert(id, Ended::Aborted) != Some(Ended::Aborted),
        };
        if sound { Ok(()) } else { Err(format!("{op:?} after {ended:?}")) }
    }

    fn asked(&mut self, id: RequestId) -> Result<(), String> {
        if self.asked.insert(id) { Ok(()) } else { Err(format!("{id:?} was asked before")) }
    }
}
