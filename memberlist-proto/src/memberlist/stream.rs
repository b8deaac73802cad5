//! Streams: opened and accepted, read, written, ended.

use core::net::SocketAddr;

use bytes::Bytes;

use super::{Memberlist, Timer};
use crate::event::{Channel, Event, ExchangeError, OpId};
use crate::exchange::{Exchange, Phase, Purpose, Sender};
use crate::node::{Node, NodeName};
use crate::time::Instant;
use crate::transmit::{StreamFailure, StreamId, StreamOp};
use crate::wire::frame::{
    Frame, FrameLimits, FrameReader, FrameRules, FrameSealing, FrameTooLong, Role, StreamMessage,
    seal_frame,
};
use crate::wire::message::{Ack, ErrorReply, Message, MessageType, Ping};
use crate::wire::{label, push_pull};

impl Memberlist {
    /// Takes in a new connection; `None` refuses it, and the driver closes it.
    pub fn accept_stream(&mut self, now: Instant, from: SocketAddr) -> Option<StreamId> {
        let now = self.advance(now);
        let from = SocketAddr::new(from.ip().to_canonical(), from.port());
        let limits = &self.config.limits;
        if self.exchanges.len() >= limits.streams
            || self.exchanges.accepted_from(from.ip()) >= limits.streams_per_source
        {
            self.counters.streams_refused += 1;
            return None;
        }
        self.counters.streams_accepted += 1;
        let id = self.exchanges.insert(Exchange {
            peer: from,
            begun: now,
            purpose: Purpose::Accepted,
            phase: Phase::Reading,
            reader: FrameReader::new(Role::Acceptor),
            timer: None,
            queued: 0,
            written: 0,
            serves_push_pull: false,
            held: 0,
        });
        self.set_stream_timer(id, now + self.config.tcp_timeout);
        Some(id)
    }

    /// The connection that was asked for stands.
    pub fn handle_stream_connected(&mut self, now: Instant, id: StreamId) {
        let now = self.advance(now);
        let Some(exchange) = self.exchanges.get_mut(id) else {
            return;
        };
        if !matches!(exchange.phase, Phase::Connecting) {
            return;
        }
        exchange.phase = Phase::Reading;
        let (write, ends) = match &mut exchange.purpose {
            Purpose::Accepted | Purpose::PushPull(_) => (Bytes::new(), false),
            Purpose::Message { frame, .. } => (core::mem::take(frame), true),
            Purpose::Ping { frame, .. } => (core::mem::take(frame), false),
        };
        let is_ping = matches!(exchange.purpose, Purpose::Ping { .. });
        if !is_ping {
            self.set_stream_timer(id, now + self.config.tcp_timeout);
        }
        if !self.config.label.is_empty() {
            let mut header = alloc::vec::Vec::with_capacity(2 + self.config.label.len());
            label::write_header(&mut header, &self.config.label);
            self.write(id, header.into());
        }
        if write.is_empty() {
            return self.push_pull_connected(now, id);
        }
        self.write(id, write);
        if ends {
            self.out.streams.push_back(StreamOp::Close { id });
        }
    }

    /// Bytes have arrived, in pieces of any size.
    ///
    /// # Errors
    ///
    /// Why the exchange has failed with them. It has been dealt with, the peer told where the
    /// protocol says so; the error is for counting and logging.
    pub fn handle_stream_data(
        &mut self,
        now: Instant,
        id: StreamId,
        data: &[u8],
    ) -> Result<(), ExchangeError> {
        let now = self.advance(now);
        self.counters.stream_bytes_received += data.len() as u64;
        let rules = FrameRules {
            label: &self.config.label,
            skip_inbound_label_check: self.config.skip_inbound_label_check,
            keyring: Some(&self.keyring),
            verify_incoming: self.config.gossip_verify_incoming,
            limits: frame_limits(&self.config.limits),
        };
        let Some(exchange) = self.exchanges.get_mut(id) else {
            return Ok(());
        };
        let reads =
            matches!(exchange.phase, Phase::Reading | Phase::AskingState { received: None, .. });
        if !reads || data.is_empty() {
            return Ok(());
        }
        match exchange.reader.feed(data, &rules) {
            Ok(None) => self.hold(now, id),
            Ok(Some(frame)) => {
                self.received(now, id, frame)?;
                self.hold(now, id)
            }
            Err(error) => {
                let replies = error.replies().then(|| alloc::string::ToString::to_string(&error));
                let accepted = matches!(exchange.purpose, Purpose::Accepted);
                if let Some(text) = replies.filter(|_| accepted) {
                    self.reply_error(now, id, &text);
                    return self.failed_but_replied(id, ExchangeError::Frame(error));
                }
                self.fail(now, id, ExchangeError::Frame(error))
            }
        }
    }

    /// The driver has written so many more bytes.
    pub fn handle_stream_written(&mut self, now: Instant, id: StreamId, bytes: usize) {
        let now = self.advance(now);
        self.counters.stream_bytes_sent += bytes as u64;
        let Some(exchange) = self.exchanges.get_mut(id) else {
            return;
        };
        exchange.written = exchange.written.saturating_add(bytes as u64);
        if exchange.written < exchange.queued {
            return;
        }
        if let Purpose::Message { sender, .. } = exchange.purpose
            && !matches!(exchange.phase, Phase::Connecting)
        {
            exchange.phase = Phase::Closing;
            self.message_ended(now, id, sender, Ok(()));
        } else if matches!(exchange.phase, Phase::Reading) && exchange.queued > 0 {
            // What was said is on its way: now the peer has its time to answer.
            if matches!(exchange.purpose, Purpose::PushPull(_)) {
                self.set_stream_timer(id, now + self.config.tcp_timeout);
            }
        }
    }

    /// The peer sends no more; it may still read.
    pub fn handle_stream_eof(&mut self, now: Instant, id: StreamId) {
        let now = self.advance(now);
        let Some(exchange) = self.exchanges.get_mut(id) else {
            return;
        };
        let waits =
            matches!(exchange.phase, Phase::Reading | Phase::AskingState { received: None, .. });
        if !waits || matches!(exchange.purpose, Purpose::Message { .. }) {
            return;
        }
        // Its failure is told by `fail`; nothing else hears of it here.
        let _ = self.fail(now, id, ExchangeError::Closed);
    }

    /// The stream has ended, for whatever reason: to be told exactly once for each stream that
    /// was connected, accepted or tried.
    pub fn handle_stream_closed(
        &mut self,
        now: Instant,
        id: StreamId,
        cause: Option<StreamFailure>,
    ) {
        let now = self.advance(now);
        let Some(exchange) = self.exchanges.get_mut(id) else {
            return;
        };
        let ended = match exchange.purpose {
            Purpose::Message { sender, .. } => {
                let whole = cause.is_none() || exchange.written >= exchange.queued;
                let sent = whole && !matches!(exchange.phase, Phase::Connecting);
                if sent {
                    self.message_ended(now, id, sender, Ok(()));
                }
                sent
            }
            _ => matches!(exchange.phase, Phase::Closing),
        };
        if !ended {
            let error = cause.map_or(ExchangeError::Closed, ExchangeError::Stream);
            self.report(now, id, &error);
        }
        self.forget_stream(id);
    }

    /// A step of an exchange took too long.
    pub(super) fn stream_expired(&mut self, now: Instant, id: StreamId) {
        let Some(exchange) = self.exchanges.get_mut(id) else {
            return;
        };
        exchange.timer = None;
        let doing = match exchange.phase {
            Phase::Connecting => "connecting",
            Phase::Reading if exchange.written < exchange.queued => "writing",
            Phase::Reading => "reading",
            Phase::AskingState { .. } => "waiting for the application's state",
            Phase::AskingMerge { .. } => "waiting for the application to admit a merge",
            Phase::Closing => return self.abort_stream(id),
        };
        self.report(now, id, &ExchangeError::TimedOut(doing));
        self.abort_stream(id);
    }

    /// Opens a probe over a stream, which has to be through by `deadline`.
    pub(super) fn open_stream_ping(
        &mut self,
        sequence: u32,
        target: &Node,
        to: SocketAddr,
        deadline: Instant,
    ) -> Option<StreamId> {
        let me = self.local();
        let mut message = alloc::vec::Vec::with_capacity(128);
        Message::Ping(Ping {
            seq_no: sequence,
            node: target.name().as_bytes(),
            source_addr: me.addr_bytes(),
            source_port: me.port(),
            source_node: me.name().as_bytes(),
        })
        .encode(&mut message);
        let frame = self.seal_stream(&message).ok()?;
        let purpose = Purpose::Ping { sequence, frame };
        self.open_stream(to, Some(target.identity().node_name()), purpose, deadline).ok()
    }

    /// Opens a stream for one message of the application.
    pub(super) fn open_message(
        &mut self,
        now: Instant,
        to: SocketAddr,
        node: Option<NodeName>,
        op: OpId,
        payload: &[u8],
    ) -> Result<StreamId, ExchangeError> {
        let mut message = alloc::vec::Vec::with_capacity(payload.len() + 24);
        push_pull::encode_user(&mut message, payload);
        let frame = self.seal_stream(&message)?;
        let deadline = now + self.config.tcp_timeout;
        self.open_stream(to, node, Purpose::Message { sender: Sender::Op(op), frame }, deadline)
    }

    pub(super) fn open_stream(
        &mut self,
        to: SocketAddr,
        node: Option<NodeName>,
        purpose: Purpose,
        deadline: Instant,
    ) -> Result<StreamId, ExchangeError> {
        if self.exchanges.len() >= self.config.limits.streams {
            self.counters.streams_refused += 1;
            return Err(ExchangeError::TooMany);
        }
        self.counters.streams_opened += 1;
        let id = self.exchanges.insert(Exchange {
            peer: to,
            begun: self.now,
            purpose,
            phase: Phase::Connecting,
            reader: FrameReader::new(Role::Initiator),
            timer: None,
            queued: 0,
            written: 0,
            serves_push_pull: false,
            held: 0,
        });
        self.set_stream_timer(id, deadline);
        self.out.streams.push_back(StreamOp::Connect { id, to, node });
        Ok(id)
    }

    /// Drops a stream at once; whoever waits for it must be told by the caller.
    pub(super) fn abort_stream(&mut self, id: StreamId) {
        if self.exchanges.get_mut(id).is_some() {
            self.forget_stream(id);
            self.out.streams.push_back(StreamOp::Abort { id });
        }
    }

    pub(super) fn write(&mut self, id: StreamId, data: Bytes) {
        let Some(exchange) = self.exchanges.get_mut(id) else {
            return;
        };
        exchange.queued = exchange.queued.saturating_add(data.len() as u64);
        self.out.streams.push_back(StreamOp::Write { id, data });
    }

    /// Everything is said: the driver flushes what is queued and ends the stream.
    pub(super) fn close(&mut self, now: Instant, id: StreamId) {
        let Some(exchange) = self.exchanges.get_mut(id) else {
            return;
        };
        if matches!(exchange.phase, Phase::Closing) {
            return;
        }
        if let Some(request) = exchange.request() {
            self.exchanges.answered(request);
        }
        let mut told = false;
        if let Some(exchange) = self.exchanges.get_mut(id) {
            // A message was followed by its close when the connection stood.
            told = matches!(exchange.purpose, Purpose::Message { .. })
                && !matches!(exchange.phase, Phase::Connecting);
            exchange.phase = Phase::Closing;
            exchange.reader = FrameReader::new(Role::Initiator);
            self.exchanges.hold(id);
        }
        self.set_stream_timer(id, now + self.config.tcp_timeout);
        if !told {
            self.out.streams.push_back(StreamOp::Close { id });
        }
    }

    /// An exchange has failed: whoever waits for it is told, and the stream is closed.
    pub(super) fn fail(
        &mut self,
        now: Instant,
        id: StreamId,
        error: ExchangeError,
    ) -> Result<(), ExchangeError> {
        self.report(now, id, &error);
        self.close(now, id);
        Err(error)
    }

    pub(super) fn set_stream_timer(&mut self, id: StreamId, at: Instant) {
        let Some(exchange) = self.exchanges.get_mut(id) else { return };
        match exchange.timer {
            Some(timer) if self.timers.reschedule(timer, at) => {}
            _ => exchange.timer = Some(self.timers.insert(at, Timer::Stream(id))),
        }
    }

    /// A message of one stream, compressed and encrypted as configured.
    pub(super) fn seal_stream(&mut self, message: &[u8]) -> Result<Bytes, FrameTooLong> {
        let encrypts = self.encrypts();
        let key = if encrypts { self.keyring.primary() } else { None };
        let version = self.encryption_version();
        let sealing = FrameSealing {
            label: &self.config.label,
            key: key.map(|key| (key, version)),
            nonce: if encrypts { self.rng.nonces.nonce() } else { [0; 12] },
            compress: self.config.enable_compression,
            only_if_smaller: self.config.differences.compress_streams_if_smaller,
        };
        seal_frame(message, &sealing, &mut self.layers)
    }

    /// Counts what is held for a stream now, and ends it if that is too much.
    fn hold(&mut self, now: Instant, id: StreamId) -> Result<(), ExchangeError> {
        let (source, all) = self.exchanges.hold(id);
        let limits = &self.config.limits;
        if source <= limits.stream_memory_per_source && all <= limits.stream_memory {
            return Ok(());
        }
        self.counters.streams_over_memory += 1;
        self.fail(now, id, ExchangeError::TooManyBytes)
    }

    /// The peer's message is complete.
    fn received(&mut self, now: Instant, id: StreamId, frame: Frame) -> Result<(), ExchangeError> {
        let Some(exchange) = self.exchanges.get_mut(id) else {
            return Ok(());
        };
        match exchange.purpose {
            Purpose::Accepted => self.accepted(now, id, frame),
            Purpose::PushPull(_) => self.push_pull_answered(now, id, frame),
            Purpose::Ping { sequence, .. } => match frame.message() {
                StreamMessage::Ack(ack) if ack.seq_no == sequence => {
                    self.fallback_ended(sequence, true);
                    self.close(now, id);
                    Ok(())
                }
                other => {
                    let error = ExchangeError::Unexpected(code_of(&other));
                    self.fail(now, id, error)
                }
            },
            Purpose::Message { .. } => match frame.message() {
                // The peer cannot read what is still being written.
                StreamMessage::Error(reply) => {
                    let text = alloc::string::String::from_utf8_lossy(reply.error).into_owned();
                    self.fail(now, id, ExchangeError::Remote(text))
                }
                _ => Ok(()),
            },
        }
    }

    fn accepted(&mut self, now: Instant, id: StreamId, frame: Frame) -> Result<(), ExchangeError> {
        let Some(from) = self.exchanges.get_mut(id).map(|exchange| exchange.peer) else {
            return Ok(());
        };
        match frame.message() {
            StreamMessage::PushPull(_) => return self.push_pull_asked(now, id, frame),
            StreamMessage::User(payload) => {
                self.counters.messages_received += 1;
                // As in Go: an empty message over a stream is not delivered.
                if !payload.is_empty() {
                    let payload = Bytes::copy_from_slice(payload);
                    self.out.event(Event::Message { from, channel: Channel::Stream, payload });
                }
            }
            StreamMessage::Ping(ping) if ping.node.is_empty() || self.is_me(ping.node) => {
                let mut ack = alloc::vec::Vec::with_capacity(32);
                Message::Ack(Ack { seq_no: ping.seq_no, payload: None }).encode(&mut ack);
                match self.seal_stream(&ack) {
                    Ok(reply) => self.write(id, reply),
                    Err(error) => return self.fail(now, id, error.into()),
                }
            }
            StreamMessage::Ping(_) => self.counters.pings_misdirected += 1,
            other => {
                let error = ExchangeError::Unexpected(code_of(&other));
                return self.fail(now, id, error);
            }
        }
        self.close(now, id);
        Ok(())
    }

    fn reply_error(&mut self, now: Instant, id: StreamId, text: &str) {
        let mut message = alloc::vec::Vec::with_capacity(text.len() + 16);
        ErrorReply { error: text.as_bytes() }.encode(&mut message);
        if let Ok(reply) = self.seal_stream(&message) {
            self.write(id, reply);
        }
        self.close(now, id);
    }

    fn failed_but_replied(
        &mut self,
        id: StreamId,
        error: ExchangeError,
    ) -> Result<(), ExchangeError> {
        self.report(self.now, id, &error);
        Err(error)
    }

    fn forget_stream(&mut self, id: StreamId) {
        if let Some(exchange) = self.exchanges.remove(id)
            && let Some(timer) = exchange.timer
        {
            self.timers.cancel(timer);
        }
        if self.disseminations.len() > 0 {
            self.disseminate_on(self.now);
        }
    }
}

/// The type of a message, as it is on the wire.
pub(super) fn code_of(message: &StreamMessage<'_>) -> u8 {
    let known = match message {
        StreamMessage::PushPull(_) => MessageType::PushPull,
        StreamMessage::User(_) => MessageType::User,
        StreamMessage::Ping(_) => MessageType::Ping,
        StreamMessage::Ack(_) => MessageType::Ack,
        StreamMessage::Error(_) => MessageType::Error,
        StreamMessage::Other(code) => return *code,
    };
    known.code()
}

/// The bounds that a stream's reader keeps to.
fn frame_limits(limits: &crate::config::Limits) -> FrameLimits {
    FrameLimits {
        max_encrypted: limits.stream_bytes,
        max_nodes: limits.push_pull_nodes,
        max_user_state: limits.stream_bytes,
        max_user_message: limits.stream_bytes,
        max_decompressed: limits.stream_decompressed_bytes,
        max_compressed: limits.stream_bytes,
        max_plain_push_pull: limits.stream_decompressed_bytes,
        ..FrameLimits::default()
    }
}
