//! What the application sends: messages, broadcasts, pings.

use core::net::SocketAddr;
use core::time::Duration;

use bytes::Bytes;

use super::{Memberlist, Timer};
use crate::event::{BroadcastId, Event, ExchangeError, OpId, Outcome, PingError, Pong, SendError};
use crate::exchange::Sender;
use crate::node::{Name, Node, NodeName};
use crate::operations::Operation;
use crate::peer::Target;
use crate::probes::Awaiting;
use crate::queues::{BroadcastKind, Priority};
use crate::time::Instant;
use crate::transmit::StreamId;
use crate::wire::message::{Message, Ping};

impl Memberlist {
    /// Sends a message by datagram, best effort (Go: `SendBestEffort`, `SendToAddress`).
    ///
    /// # Errors
    ///
    /// Whatever keeps it from being sent at all; one too long for a packet of `udp_buffer_size`
    /// is refused with the limit.
    pub fn send(&mut self, now: Instant, to: Target, message: &[u8]) -> Result<(), SendError> {
        self.advance(now);
        let limit = self.message_limit();
        if message.len() > limit {
            return Err(SendError::TooLong { len: message.len(), limit });
        }
        let (address, name, member) = self.locate(to)?;
        let checksum = member.is_some_and(|node| super::send::wants_checksum(&node));
        self.send_bare(address, name, &Message::User(message), checksum);
        Ok(())
    }

    /// Sends a message over a stream (Go: `SendReliable`). Ends as [`Outcome::SendReliable`] when
    /// it has been handed to the network whole: the protocol has no acknowledgement of it.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from being tried.
    pub fn send_reliable(
        &mut self,
        now: Instant,
        to: Target,
        message: &[u8],
    ) -> Result<OpId, SendError> {
        let now = self.advance(now);
        let limit = self.config.limits.stream_bytes;
        if message.len() > limit {
            return Err(SendError::TooLong { len: message.len(), limit });
        }
        if self.operations.len() >= self.config.limits.operations {
            self.counters.operations_refused += 1;
            return Err(SendError::TooMany);
        }
        let (address, name, _) = self.locate(to)?;
        let op = self.operations.next_id();
        let stream =
            self.open_message(now, address, name, op, message).map_err(|_| SendError::TooMany)?;
        self.operations.insert(op, Operation::SendReliable { stream });
        Ok(op)
    }

    /// Gossips a message (Go: `QueueBroadcast` on a queue of the application). It goes to
    /// `retransmit_mult` × (decimal digits of the cluster's size) random members, and ends as
    /// [`Event::BroadcastFinished`]. To reach everybody, whoever receives it for the first time
    /// must broadcast it again, as Serf does: the protocol does not know which are new.
    ///
    /// # Errors
    ///
    /// One too long for a gossip packet is refused with the limit.
    pub fn broadcast(
        &mut self,
        now: Instant,
        message: &[u8],
        kind: BroadcastKind,
        priority: Priority,
    ) -> Result<BroadcastId, SendError> {
        self.advance(now);
        let limit = self.broadcast_limit();
        if message.len() > limit {
            return Err(SendError::TooLong { len: message.len(), limit });
        }
        let id = self.queues.push_user(message, kind, priority);
        self.told_finished();
        Ok(id)
    }

    /// Pings a node by datagram, known or not (Go: `Ping`): no effect on membership. Ends as
    /// [`Outcome::Ping`], at the latest after `probe_timeout`.
    pub fn ping(&mut self, now: Instant, target: Target) -> OpId {
        let now = self.advance(now);
        let op = self.operations.next_id();
        if self.operations.len() >= self.config.limits.operations {
            self.counters.operations_refused += 1;
            self.finish_ping(op, Err(PingError::Send(SendError::TooMany)));
            return op;
        }
        let (address, name, _) = match self.locate(target) {
            Ok(found) => found,
            Err(error) => {
                self.finish_ping(op, Err(PingError::Send(error)));
                return op;
            }
        };
        let sequence = self.next_sequence();
        let timer = self.timers.insert(now + self.config.probe_timeout, Timer::Ping(sequence));
        if let Some(old) = self.probes.wait(sequence, Awaiting::Ping { op, sent: now, timer }) {
            self.forget_awaiting(&old);
        }
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
        op
    }

    /// The longest message that [`broadcast`](Self::broadcast) takes now, in bytes.
    pub fn broadcast_limit(&self) -> usize {
        self.gossip_budget().saturating_sub(super::send::PART_OVERHEAD + 1)
    }

    /// The longest message that [`send`](Self::send) takes now, in bytes.
    pub fn message_limit(&self) -> usize {
        let checksum = crate::wire::checksum::OVERHEAD;
        self.config.udp_buffer_size.saturating_sub(1 + self.sealing_overhead() + checksum)
    }

    pub(super) fn ping_expired(&mut self, sequence: u32) {
        if let Some(Awaiting::Ping { op, .. }) = self.probes.stop_waiting(sequence) {
            self.ping_failed(op, PingError::NoResponse);
        }
    }

    pub(super) fn ping_answered(&mut self, op: OpId, rtt: Duration, payload: &[u8]) {
        self.finish_ping(op, Ok(Pong { rtt, payload: Bytes::copy_from_slice(payload) }));
    }

    pub(super) fn ping_failed(&mut self, op: OpId, error: PingError) {
        self.finish_ping(op, Err(error));
    }

    pub(super) fn sent_reliably(&mut self, op: OpId, result: Result<(), ExchangeError>) {
        if self.operations.remove(op).is_some() {
            let outcome = Outcome::SendReliable(result);
            self.out.event(Event::Finished { op, outcome });
        }
    }

    /// The stream of a message has ended, or all of it has been written.
    pub(super) fn message_ended(
        &mut self,
        now: Instant,
        stream: StreamId,
        sender: Sender,
        result: Result<(), ExchangeError>,
    ) {
        match sender {
            Sender::Op(op) => self.sent_reliably(op, result),
            Sender::Everybody(id) => self.disseminated(now, id, stream, result.is_ok()),
        }
    }

    fn finish_ping(&mut self, op: OpId, result: Result<Pong, PingError>) {
        self.operations.remove(op);
        self.out.event(Event::Finished { op, outcome: Outcome::Ping(result) });
    }

    /// Where a target is.
    fn locate(
        &self,
        target: Target,
    ) -> Result<(SocketAddr, Option<NodeName>, Option<Node>), SendError> {
        match target {
            Target::Member(name) => {
                let node = self.member(&name).ok_or(SendError::UnknownMember)?;
                let address = node.address().ok_or(SendError::UnusableAddress)?;
                Ok((address, Some(name), Some(node)))
            }
            Target::Addr { addr, node } => {
                if addr.port() == 0 || addr.ip().is_unspecified() {
                    return Err(SendError::UnusableAddress);
                }
                if node.is_none() && self.config.require_node_names {
                    return Err(SendError::NameRequired);
                }
                Ok((addr, node, None))
            }
        }
    }
}
