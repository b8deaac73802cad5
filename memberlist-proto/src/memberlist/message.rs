//! Messages of the application: by datagram, by stream, by gossip.

use alloc::vec::Vec;
use core::net::SocketAddr;

use super::Memberlist;
use crate::event::{BroadcastId, ExchangeError, OpId, Outcome, SendError};
use crate::exchange::{MessageStep, Sender, Stage};
use crate::node::{Node, NodeName};
use crate::operations::Operation;
use crate::peer::Target;
use crate::queues::{BroadcastKind, Priority};
use crate::wire::message::Message;
use crate::wire::push_pull;

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
        message: &[u8],
    ) -> Result<OpId, SendError> {
        let limit = self.config.limits.stream_bytes;
        if message.len() > limit {
            return Err(SendError::TooLong { len: message.len(), limit });
        }
        if self.operations.is_full(self.config.limits.operations) {
            self.counters.operations_refused += 1;
            return Err(SendError::TooMany);
        }
        let (address, name, _) = self.locate(to)?;
        let op = self.operations.next_id();
        let mut body = Vec::with_capacity(message.len() + 24);
        push_pull::encode_user(&mut body, message);
        let frame = self
            .seal_stream(&body)
            .map_err(|_| SendError::TooLong { len: message.len(), limit })?;
        let stage = Stage::Message(Sender::Op(op), MessageStep::Connecting(frame));
        let deadline = self.now + self.config.tcp_timeout;
        let stream =
            self.open_stream(address, name, stage, deadline).map_err(|_| SendError::TooMany)?;
        self.operations.insert(op, Operation::SendReliable { stream });
        Ok(op)
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

    /// Where a target is, and its record if it is a member.
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
