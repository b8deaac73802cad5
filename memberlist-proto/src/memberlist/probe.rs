//! Failure detection: one member at a time is probed, directly, then through others and over a
//! stream (SWIM §3.1, Lifeguard §III).

use core::net::SocketAddr;
use core::time::Duration;

use bytes::Bytes;
use smallvec::SmallVec;

use super::state::Accusation;
use super::{Memberlist, Timer, next_tick};
use crate::event::Event;
use crate::members::{MemberId, ProbeStep, ProbeTick};
use crate::node::{Node, State};
use crate::probes::{Awaiting, Fallback, Probe};
use crate::stats::add_time;
use crate::time::Instant;
use crate::transmit::Transmit;
use crate::wire::message::{Ack, IndirectPing, Message, Ping, Suspect};

/// The lowest `PMax` of a helper that understands a request for a nack.
const NACK_VERSION: u8 = 4;
/// The lowest `PMax` of a target that answers a ping over a stream.
const STREAM_PING_VERSION: u8 = 3;

impl Memberlist {
    pub(super) fn start_probing(&mut self) {
        if let Some(timer) = self.periodic.probe.take() {
            self.timers.cancel(timer);
        }
        let interval = self.config.probe_interval;
        if !interval.is_zero() {
            let at = self.now + self.first_phase(interval);
            self.periodic.probe = Some(self.timers.insert(at, Timer::Probe));
        }
    }

    pub(super) fn probe_tick(&mut self, now: Instant, due: Instant) {
        let at = next_tick(now, due, self.config.probe_interval);
        self.periodic.probe = Some(self.timers.insert(at, Timer::Probe));
        if self.probes.current.is_some() {
            self.probes.pending = true;
            return;
        }
        self.probe_next(now);
    }

    /// The driver could not send a datagram (Go: a remote-type error of `WriteTo`): if it was the
    /// ping of a running probe, others are asked at once.
    pub fn handle_transmit_failed(&mut self, now: Instant, transmit: &Transmit) {
        let now = self.advance(now);
        self.counters.packets_unsent += 1;
        let Some(sequence) = transmit.probe else {
            return;
        };
        let Some(probe) = self.probes.current(sequence) else {
            return;
        };
        if probe.timeout.is_none() {
            return;
        }
        probe.send_failed = true;
        self.probe_indirectly(now, sequence);
    }

    /// No ack came directly in time: ask others, and try a stream.
    pub(super) fn probe_indirectly(&mut self, now: Instant, sequence: u32) {
        let Some(probe) = self.probes.current(sequence) else {
            return;
        };
        let Some(timer) = probe.timeout.take() else {
            return;
        };
        let target = probe.target.clone();
        let deadline = probe.deadline;
        self.timers.cancel(timer);
        let helpers = self.choose_helpers(&target);
        let expected = self.ask_helpers(now, sequence, &target, &helpers);
        let fallback = self.start_fallback(now, sequence, &target, deadline);
        if let Some(probe) = self.probes.current(sequence) {
            probe.expected_nacks = expected;
            probe.nacks_max = helpers.len() as u32 + 1;
            probe.fallback = fallback;
        }
    }

    pub(super) fn probe_deadline(&mut self, now: Instant, sequence: u32) {
        let Some(probe) = self.probes.current(sequence) else {
            return;
        };
        if probe.fallback == Fallback::Contacted {
            let node = probe.target.clone();
            self.counters.probes_by_stream += 1;
            self.out.event(Event::OnlyByStream { node });
            return self.probe_succeeded(now);
        }
        self.probe_failed(now);
    }

    /// The stream ping of a probe has ended.
    pub(super) fn fallback_ended(&mut self, sequence: u32, contacted: bool) {
        if let Some(probe) = self.probes.current(sequence) {
            probe.fallback = if contacted { Fallback::Contacted } else { Fallback::Failed };
        }
    }

    pub(super) fn ack(&mut self, now: Instant, ack: &Ack<'_>) {
        if let Some(probe) = self.probes.current(ack.seq_no) {
            if probe.timeout.is_some() {
                let rtt = now.saturating_duration_since(probe.started);
                let node = probe.target.clone();
                let payload = Bytes::copy_from_slice(ack.payload.unwrap_or_default());
                self.out.event(Event::Pinged { node, rtt, payload });
            }
            return self.probe_succeeded(now);
        }
        match self.probes.stop_waiting(ack.seq_no) {
            Some(Awaiting::Ping { op, sent, timer }) => {
                self.timers.cancel(timer);
                let rtt = now.saturating_duration_since(sent);
                self.ping_answered(op, rtt, ack.payload.unwrap_or_default());
            }
            Some(Awaiting::Relay { requester, expiry, nack }) => {
                self.timers.cancel(expiry);
                if let Some(nack) = nack {
                    self.timers.cancel(nack);
                }
                self.relay_ack(&requester);
            }
            None => self.counters.acks_unknown += 1,
        }
    }

    pub(super) fn nack(&mut self, sequence: u32) {
        match self.probes.current(sequence) {
            Some(probe) => probe.nacks = (probe.nacks + 1).min(probe.nacks_max),
            None => self.counters.acks_unknown += 1,
        }
    }

    /// A peer asks whether this node is there.
    pub(super) fn answer_ping(&mut self, _now: Instant, from: SocketAddr, ping: &Ping<'_>) {
        if !ping.node.is_empty() && !self.is_me(ping.node) {
            self.counters.pings_misdirected += 1;
            return;
        }
        let to = super::send::reply_address(from, ping.source_addr, ping.source_port);
        let payload = self.delegate.as_ref().and_then(|delegate| delegate.ack_payload());
        let ack = Message::Ack(Ack { seq_no: ping.seq_no, payload: payload.as_deref() });
        self.reply(to, ping.source_node, &ack);
    }

    fn probe_next(&mut self, now: Instant) {
        let me = self.me.id;
        let mut tick = ProbeTick::new(!self.config.differences.free_wrap);
        loop {
            let step =
                self.members.next_probe(&mut tick, &mut self.rng.probe_order, |id, record| {
                    id == me || !record.state().is_live()
                });
            match step {
                ProbeStep::Member(id) => return self.probe(now, id),
                // As in Go: the dead are forgotten when the probe order wraps around.
                ProbeStep::Wrapped => self.reap(now),
                ProbeStep::Nobody => return,
            }
        }
    }

    fn probe(&mut self, now: Instant, id: MemberId) {
        let target = self.members.node(id);
        let sequence = self.next_sequence();
        let deadline = now + self.awareness.scale(self.config.probe_interval);
        self.counters.probes += 1;
        if self.awareness.score() > 0 {
            self.counters.probes_degraded += 1;
        }
        let sent = self.send_probe(sequence, &target);
        if !sent && !self.config.differences.require_usable_address {
            // As in Go: a member that cannot be sent to is never suspected.
            return;
        }
        let timeout =
            self.timers.insert(now + self.config.probe_timeout, Timer::ProbeTimeout(sequence));
        let expiry = self.timers.insert(deadline, Timer::ProbeDeadline(sequence));
        self.probes.current = Some(Probe {
            target,
            sequence,
            started: now,
            deadline,
            timeout: Some(timeout),
            expiry,
            expected_nacks: 0,
            nacks: 0,
            nacks_max: 0,
            send_failed: !sent,
            fallback: Fallback::None,
        });
        if !sent {
            self.probe_indirectly(now, sequence);
        }
    }

    /// Sends the ping; a suspect is told of the suspicion in the same packet (Lifeguard's buddy
    /// system).
    fn send_probe(&mut self, sequence: u32, target: &Node) -> bool {
        let Some(to) = target.address() else {
            return false;
        };
        let me = self.local();
        let ping = Message::Ping(Ping {
            seq_no: sequence,
            node: target.name().as_bytes(),
            source_addr: me.addr_bytes(),
            source_port: me.port(),
            source_node: me.name().as_bytes(),
        });
        if target.state() == State::Alive || !self.config.buddy_ping {
            return self.send_piggybacked(to, target.name(), &ping, Some(sequence));
        }
        let suspect = Message::Suspect(Suspect {
            incarnation: target.incarnation(),
            node: target.name().as_bytes(),
            from: me.name().as_bytes(),
        });
        self.send_pair(target, &ping, &suspect, sequence)
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
    fn ask_helpers(
        &mut self,
        _now: Instant,
        sequence: u32,
        target: &Node,
        helpers: &[MemberId],
    ) -> u32 {
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

    fn start_fallback(
        &mut self,
        now: Instant,
        sequence: u32,
        target: &Node,
        deadline: Instant,
    ) -> Fallback {
        let allowed = !self.config.disable_tcp_pings
            && target.versions().is_some_and(|versions| versions.pmax >= STREAM_PING_VERSION)
            && self.delegate.as_ref().is_none_or(|delegate| delegate.stream_ping(target.name()));
        let Some(to) = target.address().filter(|_| allowed && deadline > now) else {
            return Fallback::None;
        };
        match self.open_stream_ping(sequence, target, to, deadline) {
            Some(stream) => Fallback::Running(stream),
            None => Fallback::Failed,
        }
    }

    fn probe_succeeded(&mut self, now: Instant) {
        let Some(probe) = self.end_probe() else {
            return;
        };
        if !probe.send_failed {
            self.add_health(-1);
        }
        self.probe_again(now);
    }

    fn probe_failed(&mut self, now: Instant) {
        let Some(probe) = self.end_probe() else {
            return;
        };
        self.counters.probes_failed += 1;
        if probe.expected_nacks > 0 {
            let missing = probe.expected_nacks.saturating_sub(probe.nacks);
            self.add_health(missing.cast_signed());
        } else {
            self.add_health(1);
        }
        let me = self.me.name.clone();
        let accusation = Accusation {
            incarnation: probe.target.incarnation(),
            node: probe.target.name().as_bytes(),
            from: me.as_bytes(),
            via: None,
        };
        self.suspect(now, accusation);
        self.probe_again(now);
    }

    fn end_probe(&mut self) -> Option<Probe> {
        let probe = self.probes.current.take()?;
        self.counters.probes_ended += 1;
        add_time(&mut self.counters.probe_nanos, probe.started, self.now);
        if let Some(timeout) = probe.timeout {
            self.timers.cancel(timeout);
        }
        self.timers.cancel(probe.expiry);
        Some(probe)
    }

    /// Makes up for the tick that fell while the last probe ran.
    fn probe_again(&mut self, now: Instant) {
        if core::mem::take(&mut self.probes.pending) {
            self.probe_next(now);
        }
    }

    pub(super) fn start_reaping(&mut self) {
        if let Some(timer) = self.periodic.reap.take() {
            self.timers.cancel(timer);
        }
        let own_timer = self.config.differences.reap_without_probes;
        if own_timer && self.config.probe_interval.is_zero() {
            let at = self.now + self.reap_interval();
            self.periodic.reap = Some(self.timers.insert(at, Timer::Reap));
        }
    }

    pub(super) fn reap_tick(&mut self, now: Instant, due: Instant) {
        self.reap(now);
        let at = next_tick(now, due, self.reap_interval());
        self.periodic.reap = Some(self.timers.insert(at, Timer::Reap));
    }

    fn reap_interval(&self) -> Duration {
        self.config.gossip_to_the_dead_time.max(Duration::from_secs(1))
    }

    fn reap(&mut self, now: Instant) {
        let (me, limit) = (self.me.id, self.config.gossip_to_the_dead_time);
        // Its own record a node keeps, even after it has left.
        let mine = self.members.record(me).identity().clone();
        let reaped = self.members.reap(|record| {
            !record.identity().ptr_eq(&mine) && super::state::age(now, record.since()) > limit
        });
        for (id, _) in &reaped {
            self.departures.remove(id);
        }
        self.counters.reaped += reaped.len() as u64;
    }
}
