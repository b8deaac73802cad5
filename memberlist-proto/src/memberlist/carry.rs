//! How streams are opened, written and ended, and how the end of an exchange is reported.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;

use bytes::Bytes;

use super::{Memberlist, Timer};
use crate::event::{Event, ExchangeError, ExchangeKind};
use crate::exchange::{Exchange, Stage};
use crate::follow::Follow;
use crate::node::NodeName;
use crate::security::Keyring;
use crate::time::Instant;
use crate::transmit::{StreamFailure, StreamId, StreamOp};
use crate::wire::frame::{FrameSealing, FrameTooLong, encrypt_frame, seal_frame};

impl Memberlist {
    /// Opens a stream for an exchange that has until `deadline` to connect.
    pub(super) fn open_stream(
        &mut self,
        to: SocketAddr,
        node: Option<NodeName>,
        stage: Stage,
        deadline: Instant,
    ) -> Result<StreamId, ExchangeError> {
        if self.exchanges.opened() >= self.config.limits.streams_opened {
            self.counters.streams_refused += 1;
            return Err(ExchangeError::TooMany);
        }
        self.counters.streams_opened += 1;
        let id = self.exchanges.insert(Exchange::opened(to, self.now, stage));
        self.set_stream_timer(id, deadline);
        self.out.stream(StreamOp::Connect { id, to, node });
        Ok(id)
    }

    pub(super) fn write(&mut self, id: StreamId, data: Bytes) {
        let Some(exchange) = self.exchanges.get_mut(id) else {
            return;
        };
        exchange.queue(data.len());
        self.out.stream(StreamOp::Write { id, data });
    }

    /// Ends a stream on which everything has been written: the driver has `tcp_timeout` to flush
    /// and close it.
    pub(super) fn close(&mut self, id: StreamId) {
        self.cancel_job(id);
        let Some(asks_driver) = self.exchanges.close(id) else {
            return;
        };
        self.set_stream_timer(id, self.now + self.config.tcp_timeout);
        if asks_driver {
            self.out.stream(StreamOp::Close { id });
        }
    }

    /// Drops a stream at once. What waits for it is not notified: the caller knows that it ends.
    pub(super) fn abort_stream(&mut self, id: StreamId) {
        if self.exchanges.get(id).is_some() {
            self.forget_stream(id);
            self.out.stream(StreamOp::Abort { id });
        }
    }

    pub(super) fn forget_stream(&mut self, id: StreamId) {
        self.cancel_job(id);
        if let Some(mut exchange) = self.exchanges.remove(id) {
            if let Some(timer) = exchange.timer().take() {
                self.timers.cancel(timer);
            }
            self.follows.push(Follow::StreamGone);
        }
    }

    /// Cancels the job that opens the peer's message: its result is not needed any more.
    fn cancel_job(&mut self, id: StreamId) {
        if let Some(job) = self.exchanges.get_mut(id).and_then(|it| it.opening().take()) {
            self.jobs.cancel(job);
        }
    }

    /// An exchange has done what it was for: what waits for it is notified.
    pub(super) fn succeed(&mut self, id: StreamId) {
        if let Some(waiter) = self.exchanges.get(id).and_then(|it| it.stage().waiter()) {
            self.follows.push(Follow::Exchanged { stream: id, waiter, result: Ok(()) });
        }
    }

    /// An exchange has failed: that is reported, and the stream is closed.
    pub(super) fn fail(&mut self, id: StreamId, error: &ExchangeError) {
        self.report_failure(id, error);
        self.close(id);
    }

    /// Notifies what waits for an exchange that it failed, or else the application.
    pub(super) fn report_failure(&mut self, id: StreamId, error: &ExchangeError) {
        let Some(exchange) = self.exchanges.get(id) else { return };
        let (peer, kind, waiter) = (exchange.peer(), exchange.kind(), exchange.stage().waiter());
        let Some(kind) = kind else { return };
        // A peer that connects, sends nothing and closes has done no harm: health checks do that.
        let ended =
            matches!(error, ExchangeError::Closed | ExchangeError::Stream(StreamFailure::Reset));
        if exchange.is_silent() && ended {
            self.counters.streams_silent += 1;
            return;
        }
        self.counters.exchanges_failed += 1;
        if let Some(waiter) = waiter {
            let result = Err(error.clone());
            self.follows.push(Follow::Exchanged { stream: id, waiter, result });
        }
        let reported = match kind {
            // A peer that breaks off in the middle of a message leads to another error.
            ExchangeKind::Accepted => *error != ExchangeError::Closed && self.may_report(peer),
            ExchangeKind::PushPull | ExchangeKind::Rejoin => true,
            // An operation or a probe waits for these.
            ExchangeKind::Join | ExchangeKind::SendReliable | ExchangeKind::StreamPing => false,
        };
        if reported {
            let error = error.clone();
            self.out.event(Event::ExchangeFailed { peer, exchange: kind, error });
        }
    }

    /// Counts the bytes that a stream's exchange buffers now.
    ///
    /// # Errors
    ///
    /// They exceed a limit on memory, with those of other streams.
    pub(super) fn hold(&mut self, id: StreamId) -> Result<(), ExchangeError> {
        self.hold_with(id, 0)
    }

    /// The same with `more` bytes in addition.
    pub(super) fn hold_with(&mut self, id: StreamId, more: usize) -> Result<(), ExchangeError> {
        let (source, all) = self.exchanges.hold(id);
        let (source, all) = (source.saturating_add(more), all.saturating_add(more));
        let limits = &self.config.limits;
        if source <= limits.stream_memory_per_source && all <= limits.stream_memory {
            return Ok(());
        }
        self.counters.streams_over_memory += 1;
        Err(ExchangeError::TooManyBytes)
    }

    pub(super) fn set_stream_timer(&mut self, id: StreamId, at: Instant) {
        let Some(exchange) = self.exchanges.get_mut(id) else { return };
        let timer = exchange.timer();
        match *timer {
            Some(set) if self.timers.reschedule(set, at) => {}
            _ => *timer = Some(self.timers.insert(at, Timer::Stream(id))),
        }
    }

    /// Seals a message of one stream: compressed and encrypted as configured.
    pub(super) fn seal_stream(&mut self, message: &[u8]) -> Result<Bytes, FrameTooLong> {
        let label = self.config.label.clone();
        self.seal_under(&label, message)
    }

    /// Seals a message of this stream. On a stream that a peer opened under another accepted label,
    /// it is encrypted under that label, the only one that the peer need know.
    pub(super) fn seal_answer(
        &mut self,
        id: StreamId,
        message: &[u8],
    ) -> Result<Bytes, FrameTooLong> {
        let label = self.answer_label(id);
        self.seal_under(&label, message)
    }

    /// The same for a message that has been compressed.
    pub(super) fn encrypt_answer(
        &mut self,
        id: StreamId,
        message: Bytes,
    ) -> Result<Bytes, FrameTooLong> {
        let label = self.answer_label(id);
        let keyring = Arc::clone(&self.keyring);
        encrypt_frame(message, &self.frame_sealing(&label, &keyring))
    }

    pub(super) fn answer_label(&mut self, id: StreamId) -> Bytes {
        let accepted = self.exchanges.get_mut(id).and_then(|it| it.reader().accepted_label());
        match accepted {
            Some(label) => Bytes::copy_from_slice(label.as_bytes()),
            None => self.config.label.clone(),
        }
    }

    fn seal_under(&mut self, label: &[u8], message: &[u8]) -> Result<Bytes, FrameTooLong> {
        let keyring = Arc::clone(&self.keyring);
        let sealing = self.frame_sealing(label, &keyring);
        let mut layers = self.layers.lend();
        let frame = seal_frame(message, &sealing, &mut layers);
        self.layers.give_back(layers);
        frame
    }

    fn frame_sealing<'a>(&mut self, label: &'a [u8], keyring: &'a Keyring) -> FrameSealing<'a> {
        let encrypts = self.encrypts();
        let key = if encrypts { keyring.primary() } else { None };
        FrameSealing {
            label,
            key: key.map(|key| (key, self.encryption_version())),
            nonce: if encrypts { self.rng.nonces.nonce() } else { [0; 12] },
            compress: self.config.compression.algorithm(),
            only_if_smaller: self.config.differences.compress_streams_if_smaller,
        }
    }

    /// The length of the header of [`write_label`](Self::write_label).
    pub(super) fn label_bytes(&self) -> usize {
        if self.config.label.is_empty() { 0 } else { 2 + self.config.label.len() }
    }

    /// The header that comes first on every stream opened here: the label, if there is one.
    pub(super) fn write_label(&mut self, id: StreamId) {
        if !self.config.label.is_empty() {
            let mut header = Vec::with_capacity(self.label_bytes());
            crate::wire::label::write_header(&mut header, &self.config.label);
            self.write(id, header.into());
        }
    }
}
