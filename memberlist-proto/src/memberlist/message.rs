//! Messages of the application: by datagram, by stream, by gossip.

use core::net::SocketAddr;

use bytes::Bytes;

use super::Memberlist;
use crate::event::{BroadcastId, ExchangeError, OpId, Outcome, SendError};
use crate::exchange::{MessageStep, Sender, Stage};
use crate::letters::Addressee;
use crate::node::{Node, NodeName};
use crate::operations::Operation;
use crate::peer::Target;
use crate::queues::{BroadcastKind, Priority};
use crate::transmit::StreamId;
use crate::wire::frame::FrameTooLong;
use crate::wire::message::Message;

impl Memberlist {
    pub(super) fn send_message(&mut self, to: Target, message: &[u8]) -> Result<(), SendError> {
        let limit = self.message_limit();
        if message.len() > limit {
            return Err(SendError::TooLong { len: message.len(), limit });
        }
        let (address, name, member) = self.locate(to)?;
        let checksum = member.is_some_and(|node| super::send::wants_checksum(&node));
        self.send_bare(address, name, &Message::User(message), checksum);
        Ok(())
    }

    pub(super) fn begin_send_reliable(
        &mut self,
        to: Target,
        message: Bytes,
    ) -> Result<OpId, SendError> {
        let limit = self.config.limits.stream_bytes;
        if message.len() > limit {
            return Err(SendError::TooLong { len: message.len(), limit });
        }
        if self.operations.is_full(self.config.limits.operations) {
            self.counters.operations_refused += 1;
            return Err(SendError::TooMany);
        }
        let (address, node, _) = self.locate(to)?;
        let op = self.operations.next_id();
        if self.is_long_letter(&message) {
            // Each message being sealed will need a stream.
            let streams = self.exchanges.opened() + self.letters.len();
            if streams >= self.config.limits.streams_opened {
                self.counters.streams_refused += 1;
                return Err(SendError::TooMany);
            }
            self.seal_letter_later(message, Addressee::One { op, address, node })?;
            self.operations.insert(op, Operation::SendReliable { stream: None });
            return Ok(op);
        }
        let too_long = |_| SendError::TooLong { len: message.len(), limit };
        let frame = self.seal_letter(&message).map_err(too_long)?;
        let stream = self.open_for_message(op, address, node, frame);
        let stream = Some(stream.map_err(|_| SendError::TooMany)?);
        self.operations.insert(op, Operation::SendReliable { stream });
        Ok(op)
    }

    fn open_for_message(
        &mut self,
        op: OpId,
        address: SocketAddr,
        node: Option<NodeName>,
        frame: Bytes,
    ) -> Result<StreamId, ExchangeError> {
        let stage = Stage::Message(Sender::Op(op), MessageStep::Connecting(frame));
        self.open_stream(address, node, stage, self.now + self.config.tcp_timeout)
    }

    /// A long message has been sealed.
    pub(super) fn post(
        &mut self,
        op: OpId,
        address: SocketAddr,
        node: Option<NodeName>,
        frame: Result<Bytes, FrameTooLong>,
    ) {
        let frame = frame.map_err(ExchangeError::from);
        match frame.and_then(|frame| self.open_for_message(op, address, node, frame)) {
            Ok(stream) => {
                self.operations.insert(op, Operation::SendReliable { stream: Some(stream) });
            }
            Err(error) => self.sent_reliably(op, Err(error)),
        }
    }

    pub(super) fn queue_broadcast(
        &mut self,
        message: &[u8],
        kind: BroadcastKind,
        priority: Priority,
    ) -> Result<BroadcastId, SendError> {
        let limit = self.broadcast_limit();
        if message.len() > limit {
            return Err(SendError::TooLong { len: message.len(), limit });
        }
        Ok(self.queues.push_user(message, kind, priority))
    }

    pub(super) fn sent_reliably(&mut self, op: OpId, result: Result<(), ExchangeError>) {
        if self.operations.remove(op).is_some() {
            self.out.finished(op, Outcome::SendReliable(result));
        }
    }

    /// The address and name of a target, and its record if it is a member.
    pub(super) fn locate(
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
