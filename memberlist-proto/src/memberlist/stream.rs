//! Handling of what arrives by stream: connections, bytes, progress and ends.

use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;

use bytes::Bytes;

use super::Memberlist;
use super::own_state::OwnState;
use crate::event::{Channel, Event, ExchangeError};
use crate::exchange::{Exchange, MessageStep, Opening, PushPullStep, Stage};
use crate::job::{For, Open};
use crate::shares::may_take_place;
use crate::transmit::{StreamFailure, StreamId, StreamOp};
use crate::wire::frame::{Frame, FrameError, FrameRules, Progress, StreamMessage};
use crate::wire::message::{Ack, ErrorReply, Message};

impl Memberlist {
    pub(super) fn stream_accepted(&mut self, from: SocketAddr) -> Option<StreamId> {
        let from = SocketAddr::new(from.ip().to_canonical(), from.port());
        let limits = &self.config.limits;
        let (own, all) = (self.exchanges.accepted_from(from.ip()), self.exchanges.accepted());
        if own >= limits.streams_per_source
            || !may_take_place(own, all, limits.streams, limits.share_per_source)
        {
            self.counters.streams_refused += 1;
            return None;
        }
        self.counters.streams_accepted += 1;
        let id = self.exchanges.insert(Exchange::accepted(from, self.now));
        self.set_stream_timer(id, self.now + self.config.tcp_timeout);
        Some(id)
    }

    pub(super) fn stream_connected(&mut self, id: StreamId) {
        let Some(opening) = self.exchanges.get_mut(id).and_then(Exchange::connect) else {
            return;
        };
        self.write_label(id);
        let deadline = self.now + self.config.tcp_timeout;
        match opening {
            Opening::PushPull(why) => {
                self.set_stream_timer(id, deadline);
                if let Err(error) = self.ask_state(id, why.is_join(), None) {
                    self.fail(id, &error);
                }
            }
            Opening::Message(frame) => {
                self.set_stream_timer(id, deadline);
                self.write(id, frame);
                self.out.stream(StreamOp::Close { id });
            }
            // A probe keeps its own deadline, however much of it the connection took.
            Opening::Ping(frame) => self.write(id, frame),
        }
    }

    pub(super) fn stream_data(&mut self, id: StreamId, data: &[u8]) -> Result<(), ExchangeError> {
        self.counters.stream_bytes_received += data.len() as u64;
        let known = self.known_state().map(|known| known.message().clone());
        let rules = FrameRules {
            label: &self.config.label,
            skip_inbound_label_check: self.config.skip_inbound_label_check,
            accept_labels: &self.accept_labels,
            keyring: Some(&self.keyring),
            verify_incoming: self.config.gossip_verify_incoming,
            limits: self.config.frame_limits(),
            known: known.as_deref(),
        };
        let hands_out = self.config.hand_out_jobs;
        let at_once = if hands_out { self.config.limits.bytes_at_once } else { usize::MAX };
        let Some(exchange) = self.exchanges.get_mut(id) else {
            return Ok(());
        };
        if !exchange.stage().reads() || exchange.is_opening() || data.is_empty() {
            return Ok(());
        }
        let http = exchange.is_silent() && looks_like_http(data);
        let read = match exchange.reader().feed_some(data, &rules, at_once) {
            Ok(Progress::Reading) => Ok(()),
            Ok(Progress::Complete(frame)) => self.received(id, frame),
            Ok(Progress::Whole) => {
                self.open_later(id);
                Ok(())
            }
            Err(error) => Err(self.unreadable(id, error)),
        };
        let read = if http { read.map_err(|_| ExchangeError::Http) } else { read };
        self.kept_or_failed(id, read)
    }

    /// A peer's message cannot be read.
    fn unreadable(&mut self, id: StreamId, error: FrameError) -> ExchangeError {
        let accepted = self.exchanges.get(id).is_some_and(Exchange::is_accepted);
        if accepted && error.replies() {
            self.reply_error(id, &error.to_string());
        }
        ExchangeError::Frame(error)
    }

    /// Counts what a stream holds, if nothing has failed so far; otherwise lets the stream fail.
    fn kept_or_failed(
        &mut self,
        id: StreamId,
        result: Result<(), ExchangeError>,
    ) -> Result<(), ExchangeError> {
        let held = result.and_then(|()| self.hold(id));
        if let Err(error) = &held {
            self.fail(id, error);
        }
        held
    }

    /// A message has arrived that takes much work to open: a job does it.
    pub(super) fn open_later(&mut self, id: StreamId) {
        let known = self.known_state().map(OwnState::edition);
        let Some(exchange) = self.exchanges.get_mut(id) else { return };
        *exchange.opening() = Some(self.jobs.push(For::Open(id, known)));
        // A probe keeps its own deadline.
        if !matches!(exchange.stage(), Stage::Ping(..)) {
            self.set_stream_timer(id, self.now + self.config.tcp_timeout);
        }
    }

    /// The job that opens the message of a stream.
    pub(super) fn open_job(&mut self, id: StreamId, known: Option<Bytes>) -> Option<Open> {
        let exchange = self.exchanges.get_mut(id)?;
        Some(Open {
            reader: exchange.reader().clone(),
            label: self.config.label.clone(),
            keyring: Arc::clone(&self.keyring),
            limits: self.config.frame_limits(),
            known,
        })
    }

    /// The message of a stream has been opened; it may be this node's own state of this edition.
    pub(super) fn opened(
        &mut self,
        id: StreamId,
        opened: Option<(Result<Frame, FrameError>, Option<Bytes>)>,
        known: Option<u64>,
    ) {
        let Some(exchange) = self.exchanges.get_mut(id) else { return };
        *exchange.opening() = None;
        // The state that the job compared the message with may be gone, or did not exist yet.
        let known = self.known_message(known);
        let counts = |frame: &Frame, was: &Option<Bytes>| {
            *was == known || (known.is_none() && !frame.is_known())
        };
        let opened = match opened {
            Some((Ok(frame), was)) if counts(&frame, &was) => Ok(frame),
            Some((Err(error), _)) => Err(error),
            _ => match self.open_job(id, known) {
                Some(job) => job.run(),
                None => return,
            },
        };
        if let Some(exchange) = self.exchanges.get_mut(id) {
            exchange.reader().finish_whole();
        }
        let read = match opened {
            Ok(frame) => self.received(id, frame),
            Err(error) => Err(self.unreadable(id, error)),
        };
        let _ = self.kept_or_failed(id, read);
    }

    pub(super) fn stream_written(&mut self, id: StreamId, bytes: usize) {
        self.counters.stream_bytes_sent += bytes as u64;
        let Some(exchange) = self.exchanges.get_mut(id) else {
            return;
        };
        if !exchange.wrote(bytes) {
            return;
        }
        match exchange.stage() {
            Stage::Message(_, MessageStep::Writing) => {
                self.succeed(id);
                self.exchanges.close(id);
            }
            // All of this node's message has been written: from now on the peer has its time to
            // answer.
            Stage::PushPull(_, PushPullStep::Reading) if exchange.has_queued() => {
                self.set_stream_timer(id, self.now + self.config.tcp_timeout);
            }
            _ => {}
        }
    }

    pub(super) fn stream_eof(&mut self, id: StreamId) {
        let Some(exchange) = self.exchanges.get(id) else {
            return;
        };
        // A message needs no answer, so the peer may end its side early.
        if exchange.stage().reads()
            && !exchange.is_opening()
            && !matches!(exchange.stage(), Stage::Message(..))
        {
            self.fail(id, &exchange.closed(self.label_bytes()));
        }
    }

    pub(super) fn stream_closed(&mut self, id: StreamId, cause: Option<StreamFailure>) {
        let Some(exchange) = self.exchanges.get(id) else {
            return;
        };
        let sent = match exchange.stage() {
            Stage::Message(_, MessageStep::Writing) => {
                cause.is_none() || exchange.has_written_all()
            }
            _ => false,
        };
        if sent {
            self.succeed(id);
        } else {
            // Whether the end of a connection arrives as an end or as a reset depends on what the
            // peer left unread: a peer that refuses this node's label may do either.
            let refused = cause == Some(StreamFailure::Reset) && exchange.awaits_answer();
            let error = match cause.filter(|_| !refused) {
                Some(cause) => ExchangeError::Stream(cause),
                None => exchange.closed(self.label_bytes()),
            };
            self.report_failure(id, &error);
        }
        self.forget_stream(id);
    }

    /// A step of an exchange took too long.
    pub(super) fn stream_expired(&mut self, id: StreamId) {
        let Some(exchange) = self.exchanges.get_mut(id) else {
            return;
        };
        *exchange.timer() = None;
        if let Some(step) = exchange.step() {
            self.report_failure(id, &ExchangeError::TimedOut(step));
        }
        self.abort_stream(id);
    }

    /// The peer's message is complete.
    fn received(&mut self, id: StreamId, frame: Frame) -> Result<(), ExchangeError> {
        let Some(exchange) = self.exchanges.get(id) else {
            return Ok(());
        };
        match *exchange.stage() {
            Stage::Accepted(_) => self.accepted(id, exchange.peer(), frame),
            Stage::PushPull(..) => self.push_pull_answered(id, frame),
            Stage::Ping(ping, _) => match frame.message() {
                StreamMessage::Ack(ack) if ack.seq_no == ping.sequence() => {
                    self.succeed(id);
                    self.close(id);
                    Ok(())
                }
                other => Err(ExchangeError::Unexpected(other.code())),
            },
            // The peer cannot read what is still being written.
            Stage::Message(..) => match frame.message() {
                StreamMessage::Error(reply) => Err(ExchangeError::remote(reply.error)),
                _ => Ok(()),
            },
            Stage::Closing => Ok(()),
        }
    }

    /// Handles the message with which a peer opened a stream.
    fn accepted(
        &mut self,
        id: StreamId,
        from: SocketAddr,
        frame: Frame,
    ) -> Result<(), ExchangeError> {
        match frame.message() {
            StreamMessage::PushPull(_) | StreamMessage::Known => {
                return self.push_pull_asked(id, frame);
            }
            StreamMessage::User(_) => {
                self.counters.messages_received += 1;
                // As in Go: an empty message over a stream is not delivered.
                let payload = frame.payload().unwrap_or_default();
                if !payload.is_empty() {
                    self.out.event(Event::Message { from, channel: Channel::Stream, payload });
                }
            }
            StreamMessage::Ping(ping) if ping.node.is_empty() || self.is_me(ping.node) => {
                let mut ack = Vec::with_capacity(32);
                Message::Ack(Ack { seq_no: ping.seq_no, payload: None }).encode(&mut ack);
                let reply = self.seal_answer(id, &ack)?;
                self.write(id, reply);
            }
            StreamMessage::Ping(_) => self.counters.pings_misdirected += 1,
            other => return Err(ExchangeError::Opening(other.code())),
        }
        self.close(id);
        Ok(())
    }

    fn reply_error(&mut self, id: StreamId, text: &str) {
        let mut message = Vec::with_capacity(text.len() + 16);
        ErrorReply { error: text.as_bytes() }.encode(&mut message);
        if let Ok(reply) = self.seal_answer(id, &message) {
            self.write(id, reply);
        }
    }
}

/// Whether the first bytes of a stream are those of an HTTP request. No message begins like one,
/// nor does a label.
fn looks_like_http(data: &[u8]) -> bool {
    const METHODS: [&[u8]; 6] =
        [b"GET ", b"HEAD ", b"POST ", b"PUT ", b"OPTIONS ", b"PRI * HTTP/2"];
    METHODS.iter().any(|method| data.starts_with(method))
}
