//! The pings of the application (Go: `Ping`), which have no effect on membership, and how the ping
//! of a probe is sent.

use core::time::Duration;

use bytes::Bytes;

use super::{Memberlist, Timer};
use crate::event::{OpId, Outcome, PingError, Pong, SendError};
use crate::node::{Name, Node, State};
use crate::operations::Operation;
use crate::peer::Target;
use crate::probes::Awaiting;
use crate::wire::message::{Message, Ping, Suspect};

impl Memberlist {
    pub(super) fn begin_ping(&mut self, target: Target) -> OpId {
        let op = self.operations.next_id();
        if let Err(error) = self.send_ping(op, target) {
            self.finish_ping(op, Err(PingError::Send(error)));
        }
        op
    }

    pub(super) fn ping_expired(&mut self, sequence: u32) {
        if let Some(Awaiting::Ping { op, .. }) = self.probes.stop_waiting(sequence) {
            self.finish_ping(op, Err(PingError::NoResponse));
        }
    }

    pub(super) fn ping_answered(&mut self, op: OpId, rtt: Duration, payload: &[u8]) {
        self.finish_ping(op, Ok(Pong { rtt, payload: Bytes::copy_from_slice(payload) }));
    }

    pub(super) fn cancel_ping(&mut self, op: OpId, sequence: u32) {
        if let Some(Awaiting::Ping { timer, .. }) = self.probes.stop_waiting(sequence) {
            self.timers.cancel(timer);
        }
        self.finish_ping(op, Err(PingError::Cancelled));
    }

    fn send_ping(&mut self, op: OpId, target: Target) -> Result<(), SendError> {
        if self.operations.is_full(self.config.limits.operations) {
            self.counters.operations_refused += 1;
            return Err(SendError::TooMany);
        }
        let (address, name, _) = self.locate(target)?;
        let sequence = self.next_sequence();
        let timer = self.timers.insert(self.now + self.config.probe_timeout, Timer::Ping(sequence));
        self.await_ack(sequence, Awaiting::Ping { op, sent: self.now, timer });
        self.operations.insert(op, Operation::Ping { sequence });
        let me = self.local();
        let name = name.unwrap_or_default();
        let ping = Message::Ping(Ping {
            seq_no: sequence,
            node: name.as_bytes(),
            source_addr: me.addr_bytes(),
            source_port: me.port(),
            source_node: me.name().as_bytes(),
        });
        self.send_piggybacked(address, Name::new(name.as_bytes()), &ping, None);
        Ok(())
    }

    fn finish_ping(&mut self, op: OpId, result: Result<Pong, PingError>) {
        self.operations.remove(op);
        self.out.finished(op, Outcome::Ping(result));
    }

    /// Sends the ping of a probe; returns whether it could be sent. A suspect learns of the
    /// suspicion by the same packet, so that it can refute (Lifeguard's buddy system).
    pub(super) fn send_probe(&mut self, sequence: u32, target: &Node) -> bool {
        let Some(to) = target.address() else {
            return false;
        };
        let me = self.local();
        let ping = Message::Ping(Ping {
            seq_no: sequence,
            node: target.name().as_bytes(),
            source_addr: me.addr_bytes(),
            source_port: me.port(),
            source_node: me.name().as_bytes(),
        });
        if target.state() == State::Alive || !self.config.buddy_ping {
            return self.send_piggybacked(to, target.name(), &ping, Some(sequence));
        }
        let suspect = Message::Suspect(Suspect {
            incarnation: target.incarnation(),
            node: target.name().as_bytes(),
            from: me.name().as_bytes(),
        });
        self.send_pair(target, &ping, &suspect, sequence)
    }
}
