//! Full state exchanges (Go: `pushPullNode`): begun, asked for and answered.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use bytes::Bytes;

use super::merge::{Taken, says_join};
use super::ticks::moved;
use super::{Memberlist, Timer};
use crate::event::ExchangeError;
use crate::exchange::{Intake, PushPullStep, Question, Stage, Why};
use crate::node::{Node, NodeName, State};
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

    /// A peer has sent its state and wants this node's.
    pub(super) fn push_pull_asked(
        &mut self,
        id: StreamId,
        mut frame: Frame,
    ) -> Result<(), ExchangeError> {
        if let Some(address) = self.exchanges.sent_same(frame.as_bytes()) {
            self.wanted.suspect_myself(address);
        }
        // As in Go: the exchange that reaches the limit is closed unanswered.
        if self.exchanges.push_pulls_served() + 1 >= self.config.limits.push_pulls {
            self.counters.push_pulls_refused += 1;
            return Err(ExchangeError::TooMany);
        }
        self.exchanges.serve_push_pull(id);
        self.set_stream_timer(id, self.now + self.config.tcp_timeout);
        self.note_peer_state(&mut frame);
        let join = says_join(&frame);
        self.ask_state(id, join, Some(frame))
    }

    /// The peer has answered an exchange begun here.
    pub(super) fn push_pull_answered(
        &mut self,
        id: StreamId,
        mut frame: Frame,
    ) -> Result<(), ExchangeError> {
        self.note_peer_state(&mut frame);
        let stage = self.exchanges.get(id).map(crate::exchange::Exchange::stage);
        let has_ours = matches!(stage, Some(Stage::PushPull(_, PushPullStep::Reading)));
        match frame.message() {
            // A peer that answers before it has this node's state does not know this node: that is
            // no exchange.
            StreamMessage::PushPull(_) | StreamMessage::Known if has_ours => {
                self.take_in(id, frame, false)
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
            (Question::Merge(received), Answer::AdmitMerge(Ok(()))) => {
                self.take_in(stream, received, true)
            }
            (Question::Merge(_), Answer::AdmitMerge(Err(reason))) => {
                Err(ExchangeError::Vetoed(reason))
            }
            _ => Err(ExchangeError::WrongAnswer),
        };
        if let Err(error) = result.and_then(|()| self.hold(stream)) {
            self.fail(stream, &error);
        }
    }

    /// Asks the application for its state, or goes on without one.
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

    /// The local state is complete: it is sent, and an acceptor then merges the peer's.
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
        if let Some(frame) = self.state_for(id, join, user)? {
            return self.state_built(id, frame, received);
        }
        self.set_stream_timer(id, self.now + self.config.tcp_timeout);
        if let Some(exchange) = self.exchanges.get_mut(id) {
            exchange.build(received);
        }
        Ok(())
    }

    /// Goes on with the states that this node builds.
    pub(super) fn build_states(&mut self) {
        let Some((id, frame)) = self.build_on() else { return };
        let received = self.exchanges.get_mut(id).and_then(crate::exchange::Exchange::built);
        let result = frame.map_err(ExchangeError::from);
        let result = result.and_then(|frame| self.state_built(id, frame, received));
        if let Err(error) = result.and_then(|()| self.hold(id)) {
            self.fail(id, &error);
        }
    }

    /// Sends the local state; an acceptor then merges the peer's.
    fn state_built(
        &mut self,
        id: StreamId,
        frame: Bytes,
        received: Option<Frame>,
    ) -> Result<(), ExchangeError> {
        self.write(id, frame);
        self.set_stream_timer(id, self.now + self.config.tcp_timeout);
        received.map_or(Ok(()), |received| self.take_in(id, received, false))
    }

    /// Merges a peer's state: at once if it is short, otherwise some records at each turn. The
    /// application has `admitted` it, or has yet to be asked.
    fn take_in(&mut self, id: StreamId, frame: Frame, admitted: bool) -> Result<(), ExchangeError> {
        let StreamMessage::PushPull(body) = frame.message() else {
            self.merge_known(id)?;
            self.end_push_pull(id);
            return Ok(());
        };
        let nodes = body.states().len();
        let lenient = self.config.differences.lenient_version_check;
        let intake = Box::new(Intake::new(frame, lenient, admitted));
        if self.config.hand_out_jobs && nodes > self.config.limits.records_at_once {
            self.set_stream_timer(id, self.now + self.config.tcp_timeout);
            self.put_off(id, intake);
            return Ok(());
        }
        self.take_on(id, intake, usize::MAX)
    }

    /// Merges some records of the next state that is being merged in parts.
    pub(super) fn take_in_more(&mut self) {
        let Some(id) = self.jobs.next_intake() else { return };
        let intake = self.exchanges.get_mut(id).and_then(crate::exchange::Exchange::take_intake);
        let Some(intake) = intake else { return };
        let result = self.take_on(id, intake, self.config.limits.records_at_once);
        if let Err(error) = result.and_then(|()| self.hold(id)) {
            self.fail(id, &error);
        }
    }

    fn put_off(&mut self, id: StreamId, intake: Box<Intake>) {
        if let Some(exchange) = self.exchanges.get_mut(id) {
            exchange.take_in(intake);
            self.jobs.want_intake(id);
        }
    }

    /// Merges at most `most` more records.
    fn take_on(
        &mut self,
        id: StreamId,
        mut intake: Box<Intake>,
        most: usize,
    ) -> Result<(), ExchangeError> {
        let mut left = most;
        while left > 0 {
            match self.survey_or_merge(id, &mut intake, left)? {
                Taken::Some(records) => left = left.saturating_sub(records),
                Taken::All(holder) => {
                    match holder {
                        None => self.end_push_pull(id),
                        Some(holder) => self.fail(id, &ExchangeError::NameTaken { holder }),
                    }
                    return Ok(());
                }
                Taken::Asks(peers) => {
                    self.ask_merge(id, intake.frame, peers);
                    return Ok(());
                }
            }
        }
        self.put_off(id, intake);
        Ok(())
    }

    fn end_push_pull(&mut self, id: StreamId) {
        self.succeed(id);
        self.close(id);
    }

    /// Asks the application whether to merge a join.
    fn ask_merge(&mut self, id: StreamId, frame: Frame, peers: Vec<Node>) {
        let request = self.exchanges.next_request(id);
        if let Some(exchange) = self.exchanges.get_mut(id) {
            exchange.ask_merge(request, frame);
        }
        self.put(id, request, RequestKind::AdmitMerge { peers });
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
