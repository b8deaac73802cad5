//! A driver can do what the node asks of it: streams are used in order, questions are asked once
//! and early enough to be answered, and no timer stays due once timers have been handled.

use std::collections::{BTreeMap, BTreeSet};

use memberlist_proto::{Event, Memberlist, Request, RequestId, StreamId, StreamOp};

use super::Law;
use super::picture::Picture;

/// Every stream and every question that there has been.
#[derive(Debug, Default)]
pub(super) struct Contract {
    streams: BTreeMap<StreamId, Phase>,
    open: u64,
    asked: BTreeSet<RequestId>,
    /// How many times in a row timers were still due after some had been handled.
    late: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// The node has closed it, and the driver has not yet.
    Closing,
    /// Aborted, or reported as closed: the node has nothing to do with it any more.
    Gone,
}

impl Contract {
    fn open(&mut self, id: StreamId) -> Result<(), String> {
        if self.streams.insert(id, Phase::Open).is_some() {
            return Err(format!("{id:?} was used before"));
        }
        self.open += 1;
        Ok(())
    }

    fn go(&mut self, id: StreamId) {
        if let Some(phase) = self.streams.get_mut(&id)
            && *phase != Phase::Gone
        {
            *phase = Phase::Gone;
            self.open -= 1;
        }
    }
}

impl Law for Contract {
    fn name(&self) -> &'static str {
        "contract"
    }

    fn accepted(&mut self, id: StreamId) -> Result<(), String> {
        self.open(id)
    }

    fn closed(&mut self, id: StreamId) {
        self.go(id);
    }

    fn stream(&mut self, op: &StreamOp) -> Result<(), String> {
        let id = op.id();
        if let StreamOp::Connect { .. } = op {
            return self.open(id);
        }
        match (op, self.streams.get(&id)) {
            (StreamOp::Write { data, .. }, _) if data.is_empty() => {
                Err(format!("{id:?}: nothing to write"))
            }
            (StreamOp::Write { .. } | StreamOp::Close { .. }, Some(Phase::Open)) => {
                if let StreamOp::Close { .. } = op {
                    self.streams.insert(id, Phase::Closing);
                }
                Ok(())
            }
            (StreamOp::Abort { .. }, Some(Phase::Open | Phase::Closing)) => {
                self.go(id);
                Ok(())
            }
            (_, phase) => Err(format!("{op:?}, where the stream is {phase:?}")),
        }
    }

    fn asked(&mut self, picture: &Picture, request: &Request) -> Result<(), String> {
        if !self.asked.insert(request.id) {
            return Err(format!("{:?} was asked before", request.id));
        }
        if request.deadline < picture.now() {
            return Err(format!("{:?} is too late to be answered", request.id));
        }
        Ok(())
    }

    fn event(&mut self, _: &Picture, event: &Event) -> Result<(), String> {
        match event {
            Event::Coalesced { .. }
            | Event::Overflow { .. }
            | Event::MembershipOverflow { .. }
            | Event::BroadcastsFinished { .. } => Err(format!("only adapters emit this: {event}")),
            Event::RemoteState { state, .. } if state.is_empty() => {
                Err(format!("an empty state: {event}"))
            }
            Event::Updated { change, .. }
                if !(change.meta || change.address || change.versions) =>
            {
                Err(format!("nothing has changed: {event}"))
            }
            _ => Ok(()),
        }
    }

    fn fired(&mut self, picture: &Picture, node: &Memberlist) -> Result<(), String> {
        let Some(due) = node.poll_timeout().filter(|due| *due <= picture.now()) else {
            self.late = 0;
            return Ok(());
        };
        // One call handles only some of them. Timers that are set meanwhile are not due at once.
        self.late += 1;
        if self.late > node.stats().gauges.timers {
            return Err(format!("a timer of {due:?} is due, however many were handled"));
        }
        Ok(())
    }

    fn rest(&mut self, _: &Picture, node: &Memberlist) -> Result<(), String> {
        let gauges = node.stats().gauges;
        if gauges.streams != self.open {
            return Err(format!("{} streams are open, and {} known", self.open, gauges.streams));
        }
        if gauges.requests > gauges.streams {
            return Err(format!("{} questions of {} streams", gauges.requests, gauges.streams));
        }
        Ok(())
    }
}
