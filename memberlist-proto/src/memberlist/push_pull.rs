//! Full state exchanges (Go: `pushPullNode`): begun, asked for and answered.

use core::net::SocketAddr;
use core::time::Duration;

use bytes::Bytes;

use super::merge::reported_size;
use super::ticks::moved;
use super::{Memberlist, Timer};
use crate::event::ExchangeError;
use crate::exchange::{PushPullStep, Question, Stage, Why};
use crate::node::{NodeName, State};
use crate::time::push_pull_scale;
use crate::transmit::{Answer, Request, RequestId, RequestKind, StreamId};
use crate::wire::frame::{Frame, StreamMessage};

impl Memberlist {
    pub(super) fn start_push_pull(&mut self, was: Duration) {
        let due = self.stop_ticking(self.periodic.push_pull);
        self.periodic.push_pull = None;
        let interval = self.config.push_pull_interval;
        if interval.is_zero() {
            return;
        }
        if let Some(due) = due {
            let scaled = |interval| push_pull_scale(interval, self.members.len());
            let at = moved(self.now, due, scaled(was), scaled(interval));
            self.periodic.push_pull = Some(self.timers.insert(at, Timer::PushPull));
        } else {
            // Nodes started together must not exchange their states together (Go: the random
            // stagger of `pushPullTrigger`).
            let phase = self.rng.jitter.duration(Duration::ZERO..interval);
            self.arm_push_pull(phase);
        }
    }

    pub(super) fn push_pull_tick(&mut self) {
        self.arm_push_pull(Duration::ZERO);
        let me = self.me.id;
        let mut chosen = smallvec::SmallVec::new();
        let routed = self.members.choose_routed(
            self.config.exchange_nodes(),
            self.config.zone_rules(),
            &mut self.rng.gossip,
            &mut chosen,
            |id, record| id != me && record.state() == State::Alive,
        );
        self.count_routed(routed);
        for id in chosen {
            let identity = self.members.record(id).identity().clone();
            if let Some(to) = identity.socket_addr() {
                // A full table of streams has been counted; the next tick tries again.
                let _ = self.open_push_pull(to, Some(identity.node_name()), Why::AntiEntropy);
            }
        }
    }

    /// Begins an exchange of the full state.
    pub(super) fn open_push_pull(
        &mut self,
        to: SocketAddr,
        node: Option<NodeName>,
        why: Why,
    ) -> Result<StreamId, ExchangeError> {
        self.counters.push_pulls += 1;
        let deadline = self.now + self.config.tcp_timeout;
        self.open_stream(to, node, Stage::PushPull(why, PushPullStep::Connecting), deadline)
    }

    /// A peer has sent its state and wants ours.
    pub(super) fn push_pull_asked(
        &mut self,
        id: StreamId,
        frame: Frame,
    ) -> Result<(), ExchangeError> {
        if let Some(address) = self.exchanges.sent_same(frame.as_bytes()) {
            self.wanted.suspect_myself(address);
        }
        // As in Go: the one that reaches the limit is closed unanswered.
        if self.exchanges.push_pulls_served() + 1 >= self.config.limits.push_pulls {
            self.counters.push_pulls_refused += 1;
            return Err(ExchangeError::TooMany);
        }
        self.exchanges.serve_push_pull(id);
        self.set_stream_timer(id, self.now + self.config.tcp_timeout);
        let join = says_join(&frame);
        self.ask_state(id, join, Some(frame))
    }

    /// The peer has answered an exchange begun here.
    pub(super) fn push_pull_answered(
        &mut self,
        id: StreamId,
        frame: &Frame,
    ) -> Result<(), ExchangeError> {
        let stage = self.exchanges.get(id).map(crate::exchange::Exchange::stage);
        let has_ours = matches!(stage, Some(Stage::PushPull(_, PushPullStep::Reading)));
        match frame.message() {
            // A peer that answers before it has our state does not know us: that is no exchange.
            StreamMessage::PushPull(_) | StreamMessage::Known if has_ours => {
                self.ask_merge(id, frame)
            }
            StreamMessage::Error(text) => Err(ExchangeError::remote(text.error)),
            other => Err(ExchangeError::Unexpected(other.code())),
        }
    }

    /// The application has answered a question. An answer that comes too late or twice is ignored.
    pub(super) fn answered(&mut self, id: RequestId, answer: Answer) {
        let Some((stream, question)) = self.exchanges.answered(id) else {
            return;
        };
        let result = match (question, answer) {
            (Question::State(received), Answer::LocalState(state)) => {
                self.state_known(stream, received, &state)
            }
            // Which nodes are known may have changed since the application was asked.
            (Question::Merge(received), Answer::AdmitMerge(Ok(()))) => self
                .verify_versions(&received)
                .map_err(ExchangeError::Versions)
                .map(|()| self.merge(stream, &received)),
            (Question::Merge(_), Answer::AdmitMerge(Err(reason))) => {
                Err(ExchangeError::Vetoed(reason))
            }
            _ => Err(ExchangeError::WrongAnswer),
        };
        if let Err(error) = result {
            self.fail(stream, &error);
        }
    }

    /// Asks the application for its state, or goes on without.
    pub(super) fn ask_state(
        &mut self,
        id: StreamId,
        join: bool,
        received: Option<Frame>,
    ) -> Result<(), ExchangeError> {
        if !self.config.ask_local_state {
            return self.state_known(id, received, &Bytes::new());
        }
        let request = self.exchanges.next_request(id);
        self.put(id, request, RequestKind::LocalState { join });
        if let Some(exchange) = self.exchanges.get_mut(id) {
            exchange.ask_state(request, received);
        }
        Ok(())
    }

    /// The local state is complete: it is sent, and as acceptor the peer's is merged.
    fn state_known(
        &mut self,
        id: StreamId,
        received: Option<Frame>,
        user: &Bytes,
    ) -> Result<(), ExchangeError> {
        let join = match (&received, self.exchanges.get(id).map(crate::exchange::Exchange::stage)) {
            (Some(frame), _) => says_join(frame),
            (None, Some(Stage::PushPull(why, _))) => why.is_join(),
            (None, _) => return Ok(()),
        };
        let (len, limit) = (user.len(), self.config.limits.stream_bytes);
        if len > limit {
            return Err(ExchangeError::StateTooLong { len, limit });
        }
        let frame = if join || !user.is_empty() {
            let body = self.local_state(join, user);
            self.exchanges.note_local_state(id, &body);
            self.seal_answer(id, &body)?
        } else {
            let (message, len) = self.own_state();
            self.exchanges.note_local_state_len(len);
            self.encrypt_answer(id, message)?
        };
        self.write(id, frame);
        self.set_stream_timer(id, self.now + self.config.tcp_timeout);
        received.map_or(Ok(()), |received| self.ask_merge(id, &received))
    }

    /// Asks the application whether to merge a join, or goes on without.
    fn ask_merge(&mut self, id: StreamId, frame: &Frame) -> Result<(), ExchangeError> {
        self.verify_versions(frame)?;
        if !self.config.ask_admit_merge || !self.is_join(id, frame) {
            self.merge(id, frame);
            return Ok(());
        }
        let request = self.exchanges.next_request(id);
        // A few bytes that decompress well can be made into many nodes: they are counted before
        // they are made.
        let (nodes, bytes) = reported_size(frame);
        if let Some(exchange) = self.exchanges.get_mut(id) {
            exchange.ask_merge(request, frame.clone(), bytes);
        }
        self.hold(id)?;
        let peers = self.reported(frame, nodes);
        self.put(id, request, RequestKind::AdmitMerge { peers });
        Ok(())
    }

    /// Puts a question to the application, which has `tcp_timeout` to answer it.
    fn put(&mut self, id: StreamId, request: RequestId, kind: RequestKind) {
        let deadline = self.now + self.config.tcp_timeout;
        self.set_stream_timer(id, deadline);
        self.out.request(Request { id: request, deadline, kind });
    }

    fn arm_push_pull(&mut self, phase: Duration) {
        let wait = push_pull_scale(self.config.push_pull_interval, self.members.len());
        self.periodic.push_pull =
            Some(self.timers.insert(self.now + phase + wait, Timer::PushPull));
    }
}

/// Whether the sender of a full state says that it joins.
pub(super) fn says_join(frame: &Frame) -> bool {
    matches!(frame.message(), StreamMessage::PushPull(body) if body.join())
}
