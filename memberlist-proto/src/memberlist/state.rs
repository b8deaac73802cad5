//! The membership decisions: alive, suspect, dead, refute.

use core::net::SocketAddr;

use super::admission::identity_of;
use super::{Memberlist, Timer};
use crate::event::{Change, Departure, Event, OpId, Refusal};
use crate::members::MemberId;
use crate::node::{Name, Node, NodeName, State};
use crate::suspects::Suspect;
use crate::suspicion::{Confirmation, Suspicion, SuspicionParams};
use crate::time::Instant;
use crate::wire::message::{self, Alive, Dead};

/// Who is accused of what: the common part of suspect and dead messages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Accusation<'a> {
    pub(super) incarnation: u32,
    pub(super) node: &'a [u8],
    pub(super) from: &'a [u8],
    /// Who sent it, unless this node accuses by itself.
    pub(super) via: Option<SocketAddr>,
}

impl Memberlist {
    /// News that a node is alive (Go: `aliveNode`).
    pub(super) fn alive(&mut self, now: Instant, from: SocketAddr, alive: &Alive<'_>) {
        let mine = self.is_me(alive.node);
        if mine && self.me.left {
            self.decisions.alive_after_leaving += 1;
            return;
        }
        let known = self.members.get(alive.node);
        if let Err(reason) = self.judge(alive, known) {
            return self.refused(now, from, alive, reason);
        }
        let Some(id) = known else {
            return self.alive_new(now, from, alive);
        };
        let record = self.members.record(id);
        let moved = record.identity().addr_bytes().unwrap_or_default()
            != alive.addr.unwrap_or_default()
            || record.identity().port() != alive.port;
        if moved && !self.may_take_over(now, id) {
            return self.conflict(now, from, id, alive);
        }
        if mine {
            return self.alive_about_me(now, alive);
        }
        if !moved && alive.incarnation <= record.incarnation() {
            self.counters.alive_old += 1;
            let state = record.state();
            if state.is_live() {
                self.decisions.alive_nothing_new += 1;
            } else {
                self.decisions.alive_old_of_gone += 1;
            }
            if state == State::Dead {
                self.tell_the_dead(now, id);
            }
            return;
        }
        self.alive_accepted(now, id, alive);
    }

    /// A member whose probe failed, or whom another accuses, may have failed (Go: `suspectNode`).
    pub(super) fn suspect(&mut self, now: Instant, accusation: Accusation<'_>) {
        let Some(id) = self.members.get(accusation.node) else {
            self.counters.accusations_old += 1;
            self.decisions.suspect_unknown += 1;
            return;
        };
        let record = self.members.record(id);
        if accusation.incarnation < record.incarnation() {
            self.counters.accusations_old += 1;
            self.decisions.suspect_old += 1;
            return;
        }
        match record.state() {
            State::Suspect => return self.confirm(now, id, accusation),
            State::Dead | State::Left => {
                self.counters.accusations_old += 1;
                self.decisions.suspect_gone += 1;
                return self.keep_higher(id, accusation.incarnation);
            }
            State::Alive => {}
        }
        if id == self.me.id {
            self.decisions.suspect_mine_refuted += 1;
            return self.refute(now, accusation.incarnation, Some(accusation.from));
        }
        if !self.config.suspicion {
            self.decisions.suspect_skipped += 1;
            return self.dead(now, accusation, None);
        }
        self.broadcast_suspect(accusation);
        self.counters.suspect_accepted += 1;
        self.decisions.suspect_begun += 1;
        self.members.set_state(id, State::Suspect, accusation.incarnation, now);
        let by = NodeName::from(accusation.from);
        self.start_suspicion(now, id, by.clone());
        self.out.event(Event::Suspected { node: self.members.node(id), by });
    }

    /// A member has died or left (Go: `deadNode`). `accusers` are told if its suspicion ran out
    /// here.
    pub(super) fn dead(
        &mut self,
        now: Instant,
        accusation: Accusation<'_>,
        ran_out: Option<&Suspicion>,
    ) {
        let Some(id) = self.members.get(accusation.node) else {
            self.counters.accusations_old += 1;
            self.decisions.dead_unknown += 1;
            return;
        };
        let record = self.members.record(id);
        if accusation.incarnation < record.incarnation() {
            self.counters.accusations_old += 1;
            self.decisions.dead_old += 1;
            return;
        }
        if !record.state().is_live() {
            self.counters.accusations_old += 1;
            self.decisions.dead_gone += 1;
            return self.keep_higher(id, accusation.incarnation);
        }
        if id == self.me.id && !self.me.left {
            self.decisions.dead_mine_refuted += 1;
            return self.refute(now, accusation.incarnation, Some(accusation.from));
        }
        self.end_suspicion(id);
        self.broadcast_dead(accusation, None);
        let left = accusation.from == accusation.node;
        let reason = match ran_out {
            _ if left => Departure::Left,
            Some(suspicion) => Departure::Failed {
                by: suspicion.accusers().to_vec(),
                confirmations: suspicion.confirmations(),
            },
            None => Departure::Declared { by: NodeName::from(accusation.from) },
        };
        self.depart(now, id, accusation.incarnation, reason, accusation.via);
    }

    /// Marks a live member as gone and tells it.
    pub(super) fn depart(
        &mut self,
        now: Instant,
        id: MemberId,
        incarnation: u32,
        reason: Departure,
        from: Option<SocketAddr>,
    ) {
        self.counters.dead_accepted += 1;
        match reason {
            Departure::Left if id == self.me.id => self.decisions.dead_mine_left += 1,
            Departure::Left => self.decisions.dead_left += 1,
            Departure::Declared { .. } => self.decisions.dead_declared += 1,
            Departure::Failed { .. } => self.decisions.dead_ran_out += 1,
        }
        let state = if reason == Departure::Left { State::Left } else { State::Dead };
        self.members.set_state(id, state, incarnation, now);
        if state == State::Dead {
            self.lose(now, id);
        }
        self.me.changed = now;
        self.departures.insert(id, reason.clone());
        self.out.event(Event::Departed { node: self.members.node(id), reason, from });
    }

    /// The suspicion of a member has run out.
    pub(super) fn suspicion_expired(&mut self, now: Instant, id: MemberId) {
        let Some(suspect) = self.take_suspicion(id) else {
            return;
        };
        let suspicion = suspect.suspicion;
        if suspicion.lacks_confirmations() {
            self.counters.suspicions_degraded += 1;
        }
        let record = self.members.record(id);
        let incarnation = record.incarnation();
        let node = record.identity().name().to_owned_name();
        let me = self.me.name.clone();
        let (node, from) = (node.as_bytes(), me.as_bytes());
        let accusation = Accusation { incarnation, node, from, via: None };
        self.dead(now, accusation, Some(&suspicion));
    }

    pub(super) fn broadcast_dead(&mut self, accusation: Accusation<'_>, waiter: Option<OpId>) {
        let Accusation { incarnation, node, from, .. } = accusation;
        let dead = message::Message::Dead(Dead { incarnation, node, from });
        self.queue_membership(NodeName::from(node), &dead, waiter);
    }

    /// Changes the health score and tells it.
    pub(super) fn add_health(&mut self, delta: i32) {
        if let Some(score) = self.awareness.apply(delta) {
            self.out.event(Event::Health { score });
        }
    }

    /// A name that nobody here has heard of, or that was forgotten.
    fn alive_new(&mut self, now: Instant, from: SocketAddr, alive: &Alive<'_>) {
        let Some(identity) = identity_of(alive, None) else {
            let reason = Refusal::Meta(alive.meta.map_or(0, <[u8]>::len));
            return self.refused(now, from, alive, reason);
        };
        if alive.incarnation == 0 {
            self.counters.alive_old += 1;
            self.decisions.alive_zero += 1;
            if !self.config.differences.ignore_zero_incarnation {
                // As in Go: a placeholder, dead since forever, that counts until it is reaped.
                let order = &mut self.rng.probe_order;
                self.members.insert(identity, 0, State::Dead, Instant::ORIGIN, order);
            }
            return;
        }
        if !self.takes_new_name(now, from) {
            return self.refused(now, from, alive, Refusal::TooFast);
        }
        let order = &mut self.rng.probe_order;
        let id = self.members.insert(identity, alive.incarnation, State::Alive, now, order);
        self.broadcast_alive(alive);
        self.wanted.found(alive.node);
        self.me.changed = now;
        self.counters.alive_accepted += 1;
        self.decisions.alive_new += 1;
        self.out.event(Event::Joined { node: self.members.node(id) });
    }

    fn alive_accepted(&mut self, now: Instant, id: MemberId, alive: &Alive<'_>) {
        let record = self.members.record(id);
        let (old_state, old) = (record.state(), record.identity().clone());
        let Some(identity) = identity_of(alive, old.versions()) else {
            self.counters.alive_refused += 1;
            self.decisions.alive_meta += 1;
            return;
        };
        self.end_suspicion(id);
        self.broadcast_alive(alive);
        let change = Change {
            meta: old.meta().unwrap_or_default() != identity.meta().unwrap_or_default(),
            address: old.addr_bytes() != identity.addr_bytes() || old.port() != identity.port(),
            versions: old.versions() != identity.versions(),
        };
        let changed = change.meta || change.address || change.versions;
        if changed || old.meta() != identity.meta() {
            self.members.replace_identity(id, identity);
        }
        if old_state == State::Alive {
            self.raise_incarnation(id, alive.incarnation);
        } else {
            self.members.set_state(id, State::Alive, alive.incarnation, now);
        }
        self.counters.alive_accepted += 1;
        match old_state {
            State::Left if change.address => self.decisions.alive_after_left += 1,
            State::Dead if change.address => self.decisions.alive_reclaimed += 1,
            State::Left | State::Dead => self.decisions.alive_back += 1,
            State::Suspect => self.decisions.alive_cleared += 1,
            State::Alive if changed => self.decisions.alive_updated += 1,
            State::Alive => self.decisions.alive_renewed += 1,
        }
        let node = self.members.node(id);
        match old_state {
            State::Dead | State::Left => {
                self.wanted.found(alive.node);
                self.departures.remove(&id);
                self.me.changed = now;
                self.out.event(Event::Joined { node });
            }
            State::Suspect => self.out.event(Event::Refuted { node: node.clone(), by: None }),
            State::Alive => {}
        }
        if old_state.is_live() && changed {
            self.out.event(Event::Updated { node: self.members.node(id), change });
        }
    }

    /// Whether another address may take over the name of a known node.
    fn may_take_over(&self, now: Instant, id: MemberId) -> bool {
        let record = self.members.record(id);
        let reclaim = self.config.dead_node_reclaim_time;
        match record.state() {
            State::Left => true,
            State::Dead => !reclaim.is_zero() && age(now, record.since()) > reclaim,
            State::Alive | State::Suspect => false,
        }
    }

    fn conflict(&mut self, now: Instant, from: SocketAddr, id: MemberId, alive: &Alive<'_>) {
        self.counters.conflicts += 1;
        self.decisions.alive_conflict += 1;
        if !self.may_report(now, from) {
            return;
        }
        let Some(identity) = identity_of(alive, None) else {
            return;
        };
        let claimant = Node::new(identity, alive.incarnation, State::Alive, now);
        self.out.event(Event::Conflict { existing: self.members.node(id), claimant });
    }

    fn confirm(&mut self, now: Instant, id: MemberId, accusation: Accusation<'_>) {
        self.keep_higher(id, accusation.incarnation);
        let Some(slot) = self.members.record(id).suspicion() else {
            self.decisions.suspect_repeated += 1;
            return;
        };
        let suspect = self.suspects.get_mut(slot);
        let from = Name::new(accusation.from);
        let Confirmation::New { deadline } = suspect.suspicion.confirm(now, from) else {
            self.counters.accusations_old += 1;
            self.decisions.suspect_repeated += 1;
            return;
        };
        self.decisions.suspect_confirmed += 1;
        self.timers.reschedule(suspect.timer, deadline);
        self.broadcast_suspect(accusation);
    }

    /// Differs from Go: there evidence that changes nothing else does not raise the stored
    /// incarnation, so that a stale alive message can revive the node.
    fn keep_higher(&mut self, id: MemberId, incarnation: u32) {
        if self.config.differences.keep_higher_incarnation
            && id != self.me.id
            && incarnation > self.members.record(id).incarnation()
        {
            self.raise_incarnation(id, incarnation);
        }
    }

    fn start_suspicion(&mut self, now: Instant, id: MemberId, by: NodeName) {
        let params = SuspicionParams::new(
            self.config.suspicion_mult,
            self.config.suspicion_max_timeout_mult,
            self.members.len(),
            self.config.probe_interval,
        );
        let suspicion = Suspicion::new(now, by, params);
        let timer = self.timers.insert(suspicion.deadline().max(now), Timer::Suspicion(id));
        let slot = self.suspects.insert(Suspect { suspicion, timer });
        self.members.set_suspicion(id, Some(slot));
    }

    fn end_suspicion(&mut self, id: MemberId) {
        if let Some(suspect) = self.take_suspicion(id) {
            self.timers.cancel(suspect.timer);
        }
    }

    fn take_suspicion(&mut self, id: MemberId) -> Option<Suspect> {
        let slot = self.members.record(id).suspicion()?;
        self.members.set_suspicion(id, None);
        Some(self.suspects.remove(slot))
    }

    fn broadcast_alive(&mut self, alive: &Alive<'_>) {
        // A vector of one to five bytes crashes Go nodes up to v0.6.0: pass it on as unknown.
        let vsn = alive.vsn.filter(|vsn| vsn.is_empty() || vsn.len() >= 6);
        let message = message::Message::Alive(Alive { vsn, ..*alive });
        self.queue_membership(NodeName::from(alive.node), &message, None);
    }

    fn broadcast_suspect(&mut self, accusation: Accusation<'_>) {
        let Accusation { incarnation, node, from, .. } = accusation;
        let suspect = message::Message::Suspect(message::Suspect { incarnation, node, from });
        self.queue_membership(NodeName::from(node), &suspect, None);
    }

    /// Lets a member that announces itself, and that we hold for dead, know that it must refute.
    ///
    /// Differs from Go: there a node that restarts and meets only members that forgot it stays
    /// dead for the others (hashicorp/memberlist#311).
    fn tell_the_dead(&mut self, now: Instant, id: MemberId) {
        if !self.config.differences.tell_the_dead {
            return;
        }
        let window = self.config.probe_interval;
        if !self.probes.may_tell(now, id, window, self.config.limits.told_dead) {
            return;
        }
        let record = self.members.record(id);
        let (incarnation, identity) = (record.incarnation(), record.identity().clone());
        let me = self.me.name.clone();
        let accusation =
            message::Suspect { incarnation, node: identity.name().as_bytes(), from: me.as_bytes() };
        self.counters.told_dead += 1;
        self.send_to_node(&identity, &message::Message::Suspect(accusation));
    }
}

/// The age of a state; one that was never set is infinitely old.
pub(super) fn age(now: Instant, since: Instant) -> core::time::Duration {
    if since == Instant::ORIGIN {
        return core::time::Duration::MAX;
    }
    now.saturating_duration_since(since)
}
