//! Full state exchanges (Go: `pushPullNode`, `mergeState`).

use alloc::vec::Vec;
use core::net::SocketAddr;

use bytes::Bytes;

use super::admission::versions_of;
use super::state::Accusation;
use super::{Memberlist, Timer};
use crate::event::{Event, ExchangeError, VersionMismatch};
use crate::exchange::{Exchange, Phase, Purpose, Why};
use crate::node::{Identity, IdentityParts, Node, NodeName, State};
use crate::stats::add_time;
use crate::time::{Instant, push_pull_scale};
use crate::transmit::{Answer, Request, RequestId, RequestKind, StreamId};
use crate::wire::frame::{Frame, StreamMessage};
use crate::wire::message::Alive;
use crate::wire::push_pull::{self, NodeState};

impl Memberlist {
    pub(super) fn start_push_pull(&mut self) {
        if let Some(timer) = self.periodic.push_pull.take() {
            self.timers.cancel(timer);
        }
        let interval = self.config.push_pull_interval;
        if !interval.is_zero() {
            let phase = self.rng.jitter.duration(core::time::Duration::ZERO..interval);
            self.arm_push_pull(self.now + phase);
        }
    }

    pub(super) fn push_pull_tick(&mut self, now: Instant) {
        self.arm_push_pull(now);
        let me = self.me.id;
        let mut chosen = smallvec::SmallVec::new();
        self.members.choose(1, &mut self.rng.gossip, &mut chosen, |id, record| {
            id != me && record.state() == State::Alive
        });
        let Some(id) = chosen.first() else { return };
        let identity = self.members.record(*id).identity().clone();
        if let Some(to) = identity.socket_addr() {
            // A full table of streams has been counted; the next tick tries again.
            let _ = self.open_push_pull(now, to, Some(identity.node_name()), Why::AntiEntropy);
        }
    }

    /// Begins an exchange of the full state.
    pub(super) fn open_push_pull(
        &mut self,
        now: Instant,
        to: SocketAddr,
        node: Option<NodeName>,
        why: Why,
    ) -> Result<StreamId, ExchangeError> {
        self.counters.push_pulls += 1;
        let deadline = now + self.config.tcp_timeout;
        self.open_stream(to, node, Purpose::PushPull(why), deadline)
    }

    pub(super) fn push_pull_connected(&mut self, now: Instant, id: StreamId) {
        let Some(exchange) = self.exchanges.get_mut(id) else {
            return;
        };
        let Purpose::PushPull(why) = exchange.purpose else {
            return;
        };
        self.ask_state(now, id, why.is_join(), None);
    }

    /// A peer has sent its state and wants ours.
    pub(super) fn push_pull_asked(
        &mut self,
        now: Instant,
        id: StreamId,
        frame: Frame,
    ) -> Result<(), ExchangeError> {
        // As in Go: the one that reaches the limit is closed unanswered.
        if self.exchanges.push_pulls_served() + 1 >= self.config.limits.push_pulls {
            self.counters.push_pulls_refused += 1;
            return self.fail(now, id, ExchangeError::TooMany);
        }
        self.exchanges.serve_push_pull(id);
        self.set_stream_timer(id, now + self.config.tcp_timeout);
        let join = match frame.message() {
            StreamMessage::PushPull(body) => body.join(),
            _ => false,
        };
        self.ask_state(now, id, join, Some(frame));
        Ok(())
    }

    /// The peer has answered an exchange begun here.
    pub(super) fn push_pull_answered(
        &mut self,
        now: Instant,
        id: StreamId,
        frame: Frame,
    ) -> Result<(), ExchangeError> {
        // Whoever answers before it has our state does not know us: that is no exchange.
        let asking = self
            .exchanges
            .get_mut(id)
            .is_some_and(|it| matches!(it.phase, Phase::AskingState { .. }));
        let error = match frame.message() {
            StreamMessage::PushPull(_) if !asking => return self.ask_merge(now, id, frame),
            StreamMessage::Error(text) => ExchangeError::Remote(
                alloc::string::String::from_utf8_lossy(text.error).into_owned(),
            ),
            other => ExchangeError::Unexpected(super::stream::code_of(&other)),
        };
        self.fail(now, id, error)
    }

    /// Takes in the application's answer to a question. One that comes too late, twice or for
    /// another question is ignored.
    pub fn answer(&mut self, now: Instant, id: RequestId, answer: Answer) {
        let now = self.advance(now);
        let Some(stream) = self.exchanges.answered(id) else {
            return;
        };
        let Some(exchange) = self.exchanges.get_mut(stream) else {
            return;
        };
        let phase = core::mem::replace(&mut exchange.phase, Phase::Reading);
        match (phase, answer) {
            (Phase::AskingState { received, .. }, Answer::LocalState(state)) => {
                self.state_known(now, stream, received, &state);
            }
            (Phase::AskingMerge { received, .. }, Answer::AdmitMerge(Ok(()))) => {
                // Who is known may have changed since the application was asked.
                match self.verify_versions(&received) {
                    Ok(()) => self.merge(now, stream, &received),
                    Err(mismatch) => {
                        let _ = self.fail(now, stream, ExchangeError::Versions(mismatch));
                    }
                }
            }
            (Phase::AskingMerge { .. }, Answer::AdmitMerge(Err(reason))) => {
                let _ = self.fail(now, stream, ExchangeError::Vetoed(reason));
            }
            (Phase::AskingState { .. } | Phase::AskingMerge { .. }, _) => {
                let reason = "the application answered another question".into();
                let _ = self.fail(now, stream, ExchangeError::Vetoed(reason));
            }
            (phase, _) => exchange.phase = phase,
        }
    }

    /// Asks the application for its state, or goes on without.
    fn ask_state(&mut self, now: Instant, id: StreamId, join: bool, received: Option<Frame>) {
        if !self.config.ask_local_state {
            return self.state_known(now, id, received, &Bytes::new());
        }
        let request = self.exchanges.next_request(id);
        let deadline = now + self.config.tcp_timeout;
        self.set_stream_timer(id, deadline);
        if let Some(exchange) = self.exchanges.get_mut(id) {
            exchange.phase = Phase::AskingState { request, received };
            let kind = RequestKind::LocalState { join };
            self.out.requests.push_back(Request { id: request, deadline, kind });
        }
    }

    /// The local state is complete: it is sent, and as acceptor the peer's is merged.
    fn state_known(&mut self, now: Instant, id: StreamId, received: Option<Frame>, user: &Bytes) {
        let join = match (&received, self.exchanges.get_mut(id).map(|it| &it.purpose)) {
            (Some(frame), _) => {
                matches!(frame.message(), StreamMessage::PushPull(body) if body.join())
            }
            (None, Some(Purpose::PushPull(why))) => why.is_join(),
            (None, _) => return,
        };
        if user.len() > self.config.limits.stream_bytes {
            let _ = self.fail(
                now,
                id,
                ExchangeError::Vetoed("the application's state is too long".into()),
            );
            return;
        }
        let body = self.local_state(join, user);
        self.exchanges.local_state_bytes = body.len() as u64;
        match self.seal_stream(&body) {
            Ok(frame) => self.write(id, frame),
            Err(error) => {
                let _ = self.fail(now, id, error.into());
                return;
            }
        }
        self.set_stream_timer(id, now + self.config.tcp_timeout);
        if let Some(received) = received {
            let _ = self.ask_merge(now, id, received);
        }
    }

    /// Asks the application whether to merge a join, or goes on without.
    fn ask_merge(&mut self, now: Instant, id: StreamId, frame: Frame) -> Result<(), ExchangeError> {
        if let Err(mismatch) = self.verify_versions(&frame) {
            return self.fail(now, id, ExchangeError::Versions(mismatch));
        }
        if !self.config.ask_admit_merge || !self.is_join(id, &frame) {
            self.merge(now, id, &frame);
            return Ok(());
        }
        let peers = self.reported(now, &frame);
        let request = self.exchanges.next_request(id);
        let deadline = now + self.config.tcp_timeout;
        self.set_stream_timer(id, deadline);
        if let Some(exchange) = self.exchanges.get_mut(id) {
            exchange.phase = Phase::AskingMerge { request, received: frame };
            let kind = RequestKind::AdmitMerge { peers };
            self.out.requests.push_back(Request { id: request, deadline, kind });
        }
        Ok(())
    }

    /// Merges a state whose versions have been verified.
    fn merge(&mut self, now: Instant, id: StreamId, frame: &Frame) {
        let StreamMessage::PushPull(body) = frame.message() else {
            return;
        };
        let Some(exchange) = self.exchanges.get_mut(id) else {
            return;
        };
        let from = exchange.peer;
        self.exchanges.remote_state_bytes = frame.as_bytes().len() as u64;
        for state in body.states() {
            self.merge_state(now, from, &state);
        }
        let state = body.user_state();
        let join = self.is_join(id, frame);
        if !state.is_empty() {
            let state = Bytes::copy_from_slice(state);
            self.out.event(Event::RemoteState { from, join, state });
        }
        let why = match self.exchanges.get_mut(id) {
            Some(Exchange { purpose: Purpose::PushPull(why), begun, .. }) => {
                self.counters.push_pulls_ended += 1;
                add_time(&mut self.counters.push_pull_nanos, *begun, now);
                Some(*why)
            }
            _ => None,
        };
        self.close(now, id);
        match why {
            Some(Why::Join(op)) => self.join_exchanged(now, op, id, Ok(())),
            Some(Why::Rejoin) => self.rejoin_ended(now, id, Ok(())),
            Some(Why::AntiEntropy) | None => {}
        }
    }

    /// One record of a peer's state. What a peer holds for dead is only an accusation: the member
    /// must have the chance to refute.
    fn merge_state(&mut self, now: Instant, from: SocketAddr, remote: &NodeState<'_>) {
        let me = self.me.name.clone();
        let (incarnation, node, via) = (remote.incarnation, remote.name, Some(from));
        let accused = |from| Accusation { incarnation, node, from, via };
        *match remote.state {
            0 => &mut self.decisions.merged_alive,
            1 => &mut self.decisions.merged_suspect,
            2 => &mut self.decisions.merged_dead,
            3 => &mut self.decisions.merged_left,
            _ => &mut self.decisions.merged_unknown,
        } += 1;
        match remote.state {
            0 => {
                let alive = Alive {
                    incarnation: remote.incarnation,
                    node: remote.name,
                    addr: remote.addr,
                    port: self.substitute_port(remote.port),
                    meta: remote.meta,
                    vsn: remote.vsn,
                };
                self.alive(now, from, &alive);
            }
            1 | 2 => self.suspect(now, accused(me.as_bytes())),
            3 => self.dead(now, accused(remote.name), None),
            _ => {}
        }
    }

    /// Everything this node knows, as a message.
    fn local_state(&self, join: bool, user: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + self.members.len() * 96 + user.len());
        push_pull::encode_header(&mut out, join, self.members.len(), user.len());
        for (_, record) in self.members.iter() {
            let identity = record.identity();
            let vsn = identity.vsn_bytes().unwrap_or_default();
            let state = NodeState {
                name: identity.name().as_bytes(),
                addr: identity.addr_bytes(),
                port: identity.port(),
                meta: identity.meta(),
                incarnation: record.incarnation(),
                state: record.state() as i64,
                vsn: Some(&vsn),
            };
            push_pull::encode_state(&mut out, &state);
        }
        out.extend_from_slice(user);
        out
    }

    /// Every node that the peer reports, as the application is shown it.
    fn reported(&self, now: Instant, frame: &Frame) -> Vec<Node> {
        let StreamMessage::PushPull(body) = frame.message() else {
            return Vec::new();
        };
        let node = |remote: NodeState<'_>| {
            let identity = Identity::new(IdentityParts {
                name: remote.name,
                addr: remote.addr,
                port: self.substitute_port(remote.port),
                meta: remote.meta,
                versions: remote.vsn.and_then(versions_of),
            });
            let state = State::from_u8(u8::try_from(remote.state).ok()?)?;
            Some(Node::new(identity.ok()?, remote.incarnation, state, now))
        };
        body.states().filter_map(node).collect()
    }

    /// Whether an exchange is part of a join: what this side began it for, or what the peer said.
    fn is_join(&mut self, id: StreamId, frame: &Frame) -> bool {
        match self.exchanges.get_mut(id).map(|exchange| &exchange.purpose) {
            Some(Purpose::PushPull(why)) => why.is_join(),
            _ => matches!(frame.message(), StreamMessage::PushPull(body) if body.join()),
        }
    }

    /// Whether everybody could understand everybody (Go: `verifyProtocol`).
    ///
    /// Differs from Go: there nodes whose versions nobody knows, which travel as zeros, and those
    /// that are not alive take part, and one of them can block every exchange.
    fn verify_versions(&self, frame: &Frame) -> Result<(), VersionMismatch> {
        let StreamMessage::PushPull(body) = frame.message() else { return Ok(()) };
        let lenient = self.config.differences.lenient_version_check;
        let skips = |vsn: &[u8]| lenient && (vsn.len() < 6 || vsn[1] == 0);
        let local = || self.members.iter().map(|(_, record)| record);
        let (mut ranges, mut spoken) = (Ranges::default(), Spoken::default());
        let mut look = |alive: bool, vsn: &[u8]| {
            if alive && !skips(vsn) {
                ranges.narrow(vsn);
            }
            if (alive || !lenient) && !skips(vsn) {
                spoken.widen(vsn);
            }
        };
        for remote in body.states() {
            look(remote.state == 0, remote.vsn.unwrap_or_default());
        }
        for record in local() {
            let vsn = record.identity().vsn_bytes().unwrap_or_default();
            look(record.state() == State::Alive, &vsn);
        }
        if ranges.hold(spoken) {
            return Ok(());
        }
        // The first that is outside.
        for remote in body.states().filter(|remote| remote.state == 0 || !lenient) {
            let vsn = remote.vsn.unwrap_or_default();
            if !skips(vsn) {
                ranges.check(remote.name, vsn)?;
            }
        }
        for record in local().filter(|record| record.state() == State::Alive || !lenient) {
            let vsn = record.identity().vsn_bytes().unwrap_or_default();
            if !skips(&vsn) {
                ranges.check(record.name().as_bytes(), &vsn)?;
            }
        }
        Ok(())
    }

    fn arm_push_pull(&mut self, from: Instant) {
        let wait = push_pull_scale(self.config.push_pull_interval, self.members.len());
        self.periodic.push_pull = Some(self.timers.insert(from + wait, Timer::PushPull));
    }
}

/// The versions that everybody understands: of memberlist itself and of the application.
#[derive(Clone, Copy, Debug)]
struct Ranges {
    protocol: (u8, u8),
    delegate: (u8, u8),
}

impl Default for Ranges {
    fn default() -> Self {
        Self { protocol: (0, u8::MAX), delegate: (0, u8::MAX) }
    }
}

impl Ranges {
    fn narrow(&mut self, vsn: &[u8]) {
        let [pmin, pmax, _, dmin, dmax, ..] = *vsn else { return };
        let within = |(min, max): (u8, u8), low: u8, high: u8| (min.max(low), max.min(high));
        self.protocol = within(self.protocol, pmin, pmax);
        self.delegate = within(self.delegate, dmin, dmax);
    }

    /// Whether everything that is spoken lies within.
    fn hold(self, spoken: Spoken) -> bool {
        let within = |(low, high): (u8, u8), (min, max): (u8, u8)| min <= low && high <= max;
        within(spoken.protocol, self.protocol) && within(spoken.delegate, self.delegate)
    }

    fn check(self, name: &[u8], vsn: &[u8]) -> Result<(), VersionMismatch> {
        let (pcur, dcur) = current(vsn);
        for (what, current, (min, max)) in
            [("memberlist", pcur, self.protocol), ("delegate", dcur, self.delegate)]
        {
            if !(min..=max).contains(&current) {
                return Err(VersionMismatch {
                    what,
                    node: NodeName::from(name),
                    current,
                    min,
                    max,
                });
            }
        }
        Ok(())
    }
}

/// The lowest and the highest version that anybody speaks: of memberlist itself and of the
/// application.
#[derive(Clone, Copy, Debug)]
struct Spoken {
    protocol: (u8, u8),
    delegate: (u8, u8),
}

impl Default for Spoken {
    fn default() -> Self {
        Self { protocol: (u8::MAX, 0), delegate: (u8::MAX, 0) }
    }
}

impl Spoken {
    fn widen(&mut self, vsn: &[u8]) {
        let with = |(low, high): (u8, u8), version: u8| (low.min(version), high.max(version));
        let (pcur, dcur) = current(vsn);
        self.protocol = with(self.protocol, pcur);
        self.delegate = with(self.delegate, dcur);
    }
}

/// The versions that are spoken, of memberlist and of the application; zeros if unknown.
fn current(vsn: &[u8]) -> (u8, u8) {
    match *vsn {
        [_, _, pcur, _, _, dcur, ..] => (pcur, dcur),
        _ => (0, 0),
    }
}
