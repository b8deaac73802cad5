//! Messages of any size to every member.

use alloc::vec::Vec;

use bytes::Bytes;

use super::Memberlist;
use crate::event::{BroadcastEnd, BroadcastId, Event, SendError};
use crate::exchange::{MessageStep, Sender, Stage};
use crate::letters::Addressee;
use crate::members::MemberId;
use crate::queues::{BroadcastKind, Priority};
use crate::transmit::StreamId;
use crate::wire::frame::FrameTooLong;

impl Memberlist {
    pub(super) fn begin_dissemination(&mut self, message: Bytes) -> Result<BroadcastId, SendError> {
        if message.len() <= self.broadcast_limit() / 2 {
            return self.queue_broadcast(&message, BroadcastKind::Unique, Priority::default());
        }
        let limits = &self.config.limits;
        let limit = limits.stream_bytes;
        if message.len() > limit {
            return Err(SendError::TooLong { len: message.len(), limit });
        }
        let (most, bytes) = (limits.disseminations, limits.dissemination_bytes);
        let room = bytes.saturating_sub(self.disseminations.bytes());
        if self.disseminations.len() >= most {
            self.counters.disseminations_dropped += 1;
            return Err(SendError::TooMany);
        }
        if self.is_long_letter(&message) {
            return self.begin_long_dissemination(message, room);
        }
        let too_long = |_| SendError::TooLong { len: message.len(), limit };
        let frame = self.seal_letter(&message).map_err(too_long)?;
        if frame.len() > room {
            self.counters.disseminations_dropped += 1;
            return Err(SendError::TooMany);
        }
        let to = self.others();
        let id = self.queues.next_id();
        self.disseminations.push(id, frame, to);
        self.disseminate_on();
        Ok(id)
    }

    /// Lets a job seal the message. Until then it counts with its plain length.
    fn begin_long_dissemination(
        &mut self,
        message: Bytes,
        room: usize,
    ) -> Result<BroadcastId, SendError> {
        if message.len() > room {
            self.counters.disseminations_dropped += 1;
            return Err(SendError::TooMany);
        }
        let to = self.others();
        let id = self.queues.next_id();
        if to.is_empty() {
            self.disseminations.push(id, Bytes::new(), to);
            self.disseminate_on();
            return Ok(id);
        }
        let len = message.len();
        self.seal_letter_later(message, Addressee::All(id))?;
        self.disseminations.push_unsealed(id, len, to);
        Ok(id)
    }

    /// A message for every member has been sealed.
    pub(super) fn parcel_sealed(&mut self, id: BroadcastId, frame: Result<Bytes, FrameTooLong>) {
        let end = match frame {
            Err(_) => Some(BroadcastEnd::TooLong),
            Ok(frame) => {
                self.disseminations.sealed(id, frame);
                // A message that does not compress can become longer.
                let over = self.disseminations.bytes() > self.config.limits.dissemination_bytes;
                over.then_some(BroadcastEnd::Dropped)
            }
        };
        if let Some(end) = end {
            self.disseminations.remove(id);
            self.counters.disseminations_dropped += 1;
            self.out.event(Event::BroadcastFinished { id, end });
        }
        self.disseminate_on();
    }

    /// A stream that carried a message for every member to one of them has ended.
    pub(super) fn disseminated(&mut self, id: BroadcastId, stream: StreamId, sent: bool) {
        if self.disseminations.ended(id, stream, sent) {
            let counter = if sent {
                &mut self.counters.disseminated_sent
            } else {
                &mut self.counters.disseminated_failed
            };
            *counter += 1;
            self.disseminate_on();
        }
    }

    /// Begins as many transfers as may run at once, and reports the messages that are done.
    pub(super) fn disseminate_on(&mut self) {
        while self.disseminations.running() < self.config.limits.dissemination_streams {
            let Some((id, frame, to)) = self.disseminations.next(&mut self.rng.misc) else {
                break;
            };
            // A node that has since joined in the place of one that was forgotten may be sent the
            // message, too.
            let member = self.members.try_record(to).filter(|it| it.state().is_live());
            let Some(identity) = member.map(|it| it.identity().clone()) else { continue };
            let Some(address) = identity.socket_addr() else { continue };
            let stage = Stage::Message(Sender::Dissemination(id), MessageStep::Connecting(frame));
            let deadline = self.now + self.config.tcp_timeout;
            let opened = self.open_stream(address, Some(identity.node_name()), stage, deadline);
            let Ok(stream) = opened else {
                // No room: the end of any stream makes some.
                self.disseminations.put_back(id, to);
                break;
            };
            self.disseminations.begun(id, stream);
        }
        while let Some(done) = self.disseminations.take_done() {
            let end = BroadcastEnd::Streamed { sent: done.sent, failed: done.failed };
            self.out.event(Event::BroadcastFinished { id: done.id, end });
        }
    }

    /// Every live member but this node.
    fn others(&self) -> Vec<MemberId> {
        let me = self.me.id;
        let others = self.members.iter().filter(|(id, it)| *id != me && it.state().is_live());
        others.map(|(id, _)| id).collect()
    }
}
