//! Failure detection: one member at a time is probed, directly, then through others and over a
//! stream (SWIM §3.1, Lifeguard §III).

use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use smallvec::SmallVec;

use super::accuse::Accusation;
use super::ticks::next_tick;
use super::{Memberlist, Timer};
use crate::event::Event;
use crate::exchange::{PingFor, PingStep, Stage};
use crate::members::{MemberId, ProbeStep, ProbeTick};
use crate::node::{Node, State};
use crate::probes::{Fallback, Probe};
use crate::stats::add_time;
use crate::time::Instant;
use crate::wire::message::{Ack, IndirectPing, Message, Ping};

/// The lowest `PMax` of a helper that understands a request for a nack.
const NACK_VERSION: u8 = 4;
/// The lowest `PMax` of a target that answers a ping over a stream.
const STREAM_PING_VERSION: u8 = 3;
/// How many times the ping of a probe is repeated at most, however long it lasts.
const REPEATS: u32 = 8;

impl Memberlist {
    pub(super) fn start_probing(&mut self, was: Duration) {
        let due = self.stop_ticking(self.periodic.probe);
        self.periodic.probe = None;
        let interval = self.config.probe_interval;
        if !interval.is_zero() {
            let at = self.next_phase(due, was, interval);
            self.periodic.probe = Some(self.timers.insert(at, Timer::Probe));
        }
    }

    pub(super) fn probe_tick(&mut self, due: Instant) {
        let at = next_tick(self.now, due, self.config.probe_interval);
        self.periodic.probe = Some(self.timers.insert(at, Timer::Probe));
        // A lengthened probe (Lifeguard) may outlast the interval: one at a time.
        if !self.probes.postpone() {
            self.probe_next();
        }
    }

    /// The ping of a running probe could not be sent: other members are asked at once (Go: a
    /// remote-type error of `WriteTo`).
    pub(super) fn ping_unsent(&mut self, sequence: u32) {
        let Some(probe) = self.probes.current(sequence) else {
            return;
        };
        if probe.awaits_direct_ack() {
            probe.fail_to_send();
            self.probe_indirectly(sequence);
            self.ping_again_later(sequence);
        }
    }

    /// No ack came directly in time.
    pub(super) fn probe_timed_out(&mut self, sequence: u32) {
        self.probe_indirectly(sequence);
        self.ping_again(sequence);
    }

    /// Pings the target of a running probe once more.
    ///
    /// Differs from Go: in Go the loss of a ping or its ack leaves the probe to helpers, each of which
    /// needs four packets to arrive, even where a node in bad health waits for several seconds.
    pub(super) fn ping_again(&mut self, sequence: u32) {
        let Some(probe) = self.probes.current(sequence) else {
            return;
        };
        if self.config.differences.repeat_pings {
            let target = probe.target().clone();
            self.counters.pings_repeated += 1;
            self.send_probe(sequence, &target);
            self.ping_again_later(sequence);
        }
    }

    fn ping_again_later(&mut self, sequence: u32) {
        let Some(probe) = self.probes.current(sequence) else { return };
        let whole = probe.deadline().saturating_duration_since(probe.started());
        let at = self.now + (self.config.probe_timeout / 2).max(whole / REPEATS);
        if self.config.differences.repeat_pings && at < probe.deadline() {
            let timer = self.timers.insert(at, Timer::ProbeRepeat(sequence));
            if let Some(probe) = self.probes.current(sequence) {
                probe.repeat_by(timer);
            }
        }
    }

    /// No ack came directly in time: asks other members, and tries a stream.
    fn probe_indirectly(&mut self, sequence: u32) {
        let Some(probe) = self.probes.current(sequence) else {
            return;
        };
        let Some(timer) = probe.go_indirect() else {
            return;
        };
        let (target, deadline) = (probe.target().clone(), probe.deadline());
        self.timers.cancel(timer);
        let helpers = self.choose_helpers(&target);
        let expected = self.ask_helpers(sequence, &target, &helpers);
        let fallback = self.start_fallback(sequence, &target, deadline);
        if let Some(probe) = self.probes.current(sequence) {
            probe.expect_nacks(helpers.len() as u32, expected);
            probe.set_fallback(fallback);
        }
    }

    pub(super) fn probe_deadline(&mut self, sequence: u32) {
        let Some(probe) = self.probes.current(sequence) else {
            return;
        };
        if probe.fallback() == Fallback::Contacted {
            let node = probe.target().clone();
            self.counters.probes_by_stream += 1;
            self.out.event(Event::OnlyByStream { node });
            self.note_silence();
            return self.probe_succeeded();
        }
        self.probe_failed();
    }

    /// The stream ping of a probe has ended. As in Go, the probe still waits for its deadline: an
    /// ack by packet would say more.
    pub(super) fn fallback_ended(&mut self, sequence: u32, contacted: bool) {
        if let Some(probe) = self.probes.current(sequence) {
            probe.set_fallback(if contacted { Fallback::Contacted } else { Fallback::Failed });
        }
    }

    /// A peer pings this node.
    pub(super) fn answer_ping(&mut self, from: SocketAddr, ping: &Ping<'_>) {
        // An ack in another node's name would keep a dead member alive whose address this node took
        // over.
        if !ping.node.is_empty() && !self.is_me(ping.node) {
            self.counters.pings_misdirected += 1;
            return;
        }
        self.hearing.ping(self.now);
        let known = self.members.get(ping.source_node);
        if !self.may_reply(from, known) {
            self.counters.pings_too_fast += 1;
            return;
        }
        let to = super::send::reply_address(from, ping.source_addr, ping.source_port);
        let payload = self.decider.ack_payload();
        let ack = Message::Ack(Ack { seq_no: ping.seq_no, payload: payload.as_deref() });
        self.reply_to(to, ping.source_node, known, &ack);
    }

    /// Whether to answer a ping for this node that came from `from` and names `known` as its
    /// sender, if that is a known node.
    ///
    /// A recorded ping can be sent again and again by any host, and each answer costs an encryption
    /// and a packet to the address that the ping names. Pings of members are few, and not counted.
    fn may_reply(&mut self, from: SocketAddr, known: Option<MemberId>) -> bool {
        let from = SocketAddr::new(from.ip().to_canonical(), from.port());
        self.is_at(known, from) || self.rates.take_reply(self.now, from.ip(), &self.config.limits)
    }

    pub(super) fn probe_succeeded(&mut self) {
        let Some(probe) = self.end_probe() else {
            return;
        };
        if let Some(id) = self.members.get(probe.target().name().as_bytes()) {
            self.members.set_answered(id);
            self.suspect_answered(id);
        }
        if !probe.has_failed_to_send() {
            self.add_health(-1);
        }
        self.probe_again();
    }

    /// No packet has answered a probe: if that goes on, it is a sign that this node receives none
    /// at all.
    fn note_silence(&mut self) {
        if let Some(silent) = self.hearing.unanswered(self.now) {
            let announced = self.own_address();
            self.out.event(Event::NothingReceived { silent, announced });
        }
    }

    fn probe_next(&mut self) {
        let me = self.me.id;
        let mut tick = ProbeTick::new(!self.config.differences.free_wrap);
        loop {
            let step =
                self.members.next_probe(&mut tick, &mut self.rng.probe_order, |id, record| {
                    id == me || !record.state().is_live()
                });
            match step {
                ProbeStep::Member(id) => return self.probe(id),
                // As in Go: the dead are forgotten when the probe order wraps around.
                ProbeStep::Wrapped => self.reap(),
                ProbeStep::Idle => return,
            }
        }
    }

    fn probe(&mut self, id: MemberId) {
        let target = self.members.node(id);
        let sequence = self.next_sequence();
        let deadline = self.now + self.awareness.scale(self.config.probe_interval);
        self.counters.probes += 1;
        if self.awareness.score() > 0 {
            self.counters.probes_degraded += 1;
        }
        let sent = self.send_probe(sequence, &target);
        if !sent && !self.config.differences.require_usable_address {
            // As in Go: a member that cannot be sent to is never suspected.
            return;
        }
        let indirectly = self.now + self.config.probe_timeout;
        let timeout = self.timers.insert(indirectly, Timer::ProbeTimeout(sequence));
        let expiry = self.timers.insert(deadline, Timer::ProbeDeadline(sequence));
        self.probes.begin(Probe::new(target, sequence, (self.now, deadline), (timeout, expiry)));
        if !sent {
            self.ping_unsent(sequence);
        }
    }

    fn choose_helpers(&mut self, target: &Node) -> SmallVec<[MemberId; 8]> {
        let me = self.me.id;
        let avoid = self.members.get(target.name().as_bytes());
        let mut helpers = SmallVec::new();
        self.members.choose(
            self.config.indirect_checks,
            &mut self.rng.gossip,
            &mut helpers,
            |id, record| id != me && Some(id) != avoid && record.state() == State::Alive,
        );
        helpers
    }

    /// Asks each helper to probe the target; returns how many nacks to expect.
    fn ask_helpers(&mut self, sequence: u32, target: &Node, helpers: &[MemberId]) -> u32 {
        let me = self.local();
        let mut expected = 0;
        for helper in helpers {
            let helper = self.members.node(*helper);
            let nack = self.config.nacks
                && helper.versions().is_some_and(|versions| versions.pmax >= NACK_VERSION);
            expected += u32::from(nack);
            let Some(to) = helper.address() else { continue };
            let ping = Message::IndirectPing(IndirectPing {
                seq_no: sequence,
                target: target.addr_bytes(),
                port: target.port(),
                node: target.name().as_bytes(),
                nack,
                source_addr: me.addr_bytes(),
                source_port: me.port(),
                source_node: me.name().as_bytes(),
            });
            self.send_piggybacked(to, helper.name(), &ping, None);
        }
        expected
    }

    fn start_fallback(&mut self, sequence: u32, target: &Node, deadline: Instant) -> Fallback {
        let understood = target.versions().is_some_and(|it| it.pmax >= STREAM_PING_VERSION);
        if self.config.disable_tcp_pings
            || !understood
            || deadline <= self.now
            || !self.decider.stream_ping(target.name())
        {
            return Fallback::None;
        }
        let Some(to) = target.address() else { return Fallback::None };
        if self.open_stream_ping(sequence, target, to, deadline) {
            Fallback::Running
        } else {
            Fallback::Failed
        }
    }

    /// Opens a stream for a probe, which must end by `deadline`. Returns whether there was room for
    /// it.
    fn open_stream_ping(
        &mut self,
        sequence: u32,
        target: &Node,
        to: SocketAddr,
        deadline: Instant,
    ) -> bool {
        let me = self.local();
        let mut message = Vec::with_capacity(128);
        Message::Ping(Ping {
            seq_no: sequence,
            node: target.name().as_bytes(),
            source_addr: me.addr_bytes(),
            source_port: me.port(),
            source_node: me.name().as_bytes(),
        })
        .encode(&mut message);
        let Ok(frame) = self.seal_stream(&message) else { return false };
        let stage = Stage::Ping(PingFor::Probe(sequence), PingStep::Connecting(frame));
        self.open_stream(to, Some(target.identity().node_name()), stage, deadline).is_ok()
    }

    fn probe_failed(&mut self) {
        let Some(probe) = self.end_probe() else {
            return;
        };
        self.counters.probes_failed += 1;
        self.note_silence();
        // Lifeguard: a missing nack says that the fault may be this node's own.
        self.add_health(probe.missing_nacks().map_or(1, u32::cast_signed));
        let me = self.me.name.clone();
        let target = probe.target();
        self.suspect(Accusation {
            incarnation: target.incarnation(),
            node: target.name().as_bytes(),
            from: me.as_bytes(),
            via: None,
        });
        if let Some(id) = self.members.get(target.name().as_bytes()) {
            self.notify_suspect(id);
        }
        self.probe_again();
    }

    fn end_probe(&mut self) -> Option<Probe> {
        let probe = self.probes.take_current()?;
        self.counters.probes_ended += 1;
        add_time(&mut self.counters.probe_nanos, probe.started(), self.now);
        for timer in probe.timers() {
            self.timers.cancel(timer);
        }
        Some(probe)
    }

    /// Makes up for a tick that came while the last probe was running.
    fn probe_again(&mut self) {
        if self.probes.take_postponed() {
            self.probe_next();
        }
    }
}
