//! Accusations: a member is suspected, confirmed, refuted, dies or leaves (Go: `suspectNode`,
//! `deadNode`).

use core::net::SocketAddr;

use super::{Memberlist, Timer};
use crate::event::{Departure, Event, OpId};
use crate::follow::Follow;
use crate::members::MemberId;
use crate::node::{Name, NodeName, State};
use crate::suspects::Suspect;
use crate::suspicion::{Confirmation, Suspicion, SuspicionParams};
use crate::time::Instant;
use crate::wire::message::{self, Dead, Message};

/// An accusation: the common part of suspect and dead messages. `from` accuses `node`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Accusation<'a> {
    pub(super) incarnation: u32,
    pub(super) node: &'a [u8],
    pub(super) from: &'a [u8],
    /// The sender of the message, unless this node itself accuses.
    pub(super) via: Option<SocketAddr>,
}

impl Memberlist {
    /// A member whose probe failed, or that another accuses, may have failed (Go: `suspectNode`).
    pub(super) fn suspect(&mut self, accusation: Accusation<'_>) {
        if self.is_name_too_long(accusation.from) {
            self.decisions.suspect_accuser += 1;
            return;
        }
        let Some(id) = self.members.get(accusation.node) else {
            self.decisions.suspect_unknown += 1;
            return;
        };
        let record = self.members.record(id);
        if accusation.incarnation < record.incarnation() {
            self.decisions.suspect_old += 1;
            return self.answer_old(id, accusation);
        }
        match record.state() {
            State::Suspect if self.has_refuted(id, accusation.incarnation) => {
                self.decisions.suspect_renewed += 1;
                self.clear_suspicion(id, accusation.incarnation);
                return self.begin_suspicion(id, accusation, Suspicion::new);
            }
            State::Suspect => return self.confirm(id, accusation),
            state @ (State::Dead | State::Left) => {
                self.decisions.suspect_gone += 1;
                if state == State::Dead {
                    self.keep_higher(id, accusation.incarnation);
                } else if accusation.incarnation == record.incarnation() {
                    self.answer_about_left(id, accusation);
                }
                return;
            }
            State::Alive => {}
        }
        if id == self.me.id {
            self.decisions.suspect_mine_refuted += 1;
            return self.refute(accusation.incarnation, Some(accusation.from));
        }
        if !self.config.suspicion {
            self.decisions.suspect_skipped += 1;
            return self.dead(accusation, None);
        }
        self.decisions.suspect_begun += 1;
        self.begin_suspicion(id, accusation, Suspicion::new);
    }

    /// A member has died or left (Go: `deadNode`). `ran_out` is its suspicion, if that ran out
    /// here.
    pub(super) fn dead(&mut self, accusation: Accusation<'_>, ran_out: Option<&Suspicion>) {
        if self.is_name_too_long(accusation.from) {
            self.decisions.dead_accuser += 1;
            return;
        }
        let Some(id) = self.members.get(accusation.node) else {
            self.decisions.dead_unknown += 1;
            return;
        };
        let record = self.members.record(id);
        if accusation.incarnation < record.incarnation() {
            self.decisions.dead_old += 1;
            return self.answer_old(id, accusation);
        }
        let left = accusation.from == accusation.node;
        if !record.state().is_live() {
            if left && record.state() == State::Dead && self.config.differences.learn_leaves {
                return self.learn_leave(id, accusation);
            }
            self.decisions.dead_gone += 1;
            // A leave is only what the member itself announced: at a higher incarnation it has come
            // back, which was missed here.
            if left || record.state() == State::Dead {
                self.keep_higher(id, accusation.incarnation);
            }
            return;
        }
        if id == self.me.id && !self.me.left {
            self.decisions.dead_mine_refuted += 1;
            return self.refute(accusation.incarnation, Some(accusation.from));
        }
        if !left && ran_out.is_none() && self.doubts(id, accusation) {
            self.decisions.dead_doubted += 1;
            return;
        }
        self.end_suspicion(id);
        self.broadcast_dead(accusation, None);
        let reason = match ran_out {
            _ if left => Departure::Left,
            Some(suspicion) => Departure::Failed {
                by: suspicion.accusers().to_vec(),
                confirmations: suspicion.confirmations(),
            },
            None => Departure::Declared { by: NodeName::from(accusation.from) },
        };
        self.depart(id, accusation.incarnation, reason, accusation.via);
    }

    /// Marks a live member as gone and reports it.
    pub(super) fn depart(
        &mut self,
        id: MemberId,
        incarnation: u32,
        reason: Departure,
        from: Option<SocketAddr>,
    ) {
        match reason {
            Departure::Left if id == self.me.id => self.decisions.dead_mine_left += 1,
            Departure::Left => self.decisions.dead_left += 1,
            Departure::Declared { .. } => self.decisions.dead_declared += 1,
            Departure::Failed { .. } => self.decisions.dead_ran_out += 1,
        }
        let state = if reason == Departure::Left { State::Left } else { State::Dead };
        self.members.set_state(id, state, incarnation, self.now);
        if state == State::Dead {
            self.follows.push(Follow::Died(id));
        } else if let Some(address) = self.members.record(id).identity().socket_addr() {
            // While it was a member, no other was searched for at its address; nor is one now.
            let name = self.members.record(id).identity().node_name();
            self.wanted.taken(address, name.as_bytes());
        }
        self.me.changed = self.now;
        self.departures.insert(id, reason.clone());
        self.out.event(Event::Departed { node: self.members.node(id), reason, from });
    }

    /// The timer of a suspicion has fired: its suspect is pinged, or it has run out.
    pub(super) fn suspicion_looked_at(&mut self, id: MemberId) {
        let Some(slot) = self.members.record(id).suspicion() else { return };
        let Some(deadline) = self.suspects.get(slot).map(|it| it.suspicion().deadline()) else {
            return;
        };
        if deadline <= self.now {
            return self.suspicion_expired(id);
        }
        self.ask_suspect(id);
        let look = self.next_look(deadline);
        let timer = self.timers.insert(look, Timer::Suspicion(id));
        self.suspects.get_mut(slot).set_timer(timer);
    }

    /// The suspicion of a member has run out.
    fn suspicion_expired(&mut self, id: MemberId) {
        let Some(suspect) = self.take_suspicion(id) else {
            return;
        };
        let (suspicion, _) = suspect.into_parts();
        if suspicion.lacks_confirmations() {
            self.counters.suspicions_degraded += 1;
        }
        let record = self.members.record(id);
        let incarnation = record.incarnation();
        let node = record.identity().name().to_owned_name();
        let me = self.me.name.clone();
        let (node, from) = (node.as_bytes(), me.as_bytes());
        self.dead(Accusation { incarnation, node, from, via: None }, Some(&suspicion));
    }

    pub(super) fn broadcast_dead(&mut self, accusation: Accusation<'_>, waiter: Option<OpId>) {
        let Accusation { incarnation, node, from, .. } = accusation;
        let dead = Message::Dead(Dead { incarnation, node, from });
        self.queues.push_membership(NodeName::from(node), &dead, waiter);
    }

    pub(super) fn end_suspicion(&mut self, id: MemberId) {
        if let Some(suspect) = self.take_suspicion(id) {
            let (_, timer) = suspect.into_parts();
            self.timers.cancel(timer);
        }
    }

    /// A member considered dead has left: another observer was wrong about it, or this node missed
    /// its leave.
    ///
    /// Differs from Go: in Go it stays dead until it is reaped, and its name refuses every other
    /// address for that long.
    fn learn_leave(&mut self, id: MemberId, accusation: Accusation<'_>) {
        self.decisions.dead_has_left += 1;
        let since = self.members.record(id).since();
        self.members.set_state(id, State::Left, accusation.incarnation, since);
        self.wanted.found(accusation.node);
        self.departures.insert(id, Departure::Left);
        self.broadcast_dead(accusation, None);
        self.out.event(Event::HadLeft { node: self.members.node(id), from: accusation.via });
    }

    /// Whether an accusation proves that a suspect has refuted the suspicion that runs here.
    ///
    /// Differs from Go: in Go the accuser counts as a confirmation of the old suspicion, at the
    /// incarnation that was refuted. Together with `keep_higher_incarnation` that would kill a
    /// member at an incarnation at which it was accused only now.
    fn has_refuted(&self, id: MemberId, incarnation: u32) -> bool {
        let record = self.members.record(id);
        self.config.differences.renew_suspicion
            && record.state() == State::Suspect
            && incarnation > record.incarnation()
    }

    /// A suspicion was refuted by an announcement that did not arrive here.
    fn clear_suspicion(&mut self, id: MemberId, incarnation: u32) {
        self.end_suspicion(id);
        self.members.set_state(id, State::Alive, incarnation, self.now);
        self.out.event(Event::Refuted { node: self.members.node(id), by: None });
    }

    /// A peer declares a live member dead. Unless the shortest timeout of a suspicion has passed
    /// here, the member gets the rest of it to refute. Returns whether it does.
    ///
    /// Differs from Go: in Go the verdict counts at once. The verdicts of a node that was cut off then
    /// kill members before they can hear that they are accused.
    fn doubts(&mut self, id: MemberId, accusation: Accusation<'_>) -> bool {
        if !self.config.differences.doubt_verdicts || !self.config.suspicion {
            return false;
        }
        if self.has_refuted(id, accusation.incarnation) {
            self.clear_suspicion(id, accusation.incarnation);
        }
        let Some(slot) = self.members.record(id).suspicion() else {
            self.begin_suspicion(id, accusation, Suspicion::of_verdict);
            return true;
        };
        self.keep_higher(id, accusation.incarnation);
        let suspect = self.suspects.get_mut(slot);
        let deadline = suspect.suspicion_mut().hear_verdict();
        let timer = suspect.timer();
        if deadline > self.now {
            self.timers.reschedule(timer, self.next_look(deadline));
        }
        deadline > self.now
    }

    fn begin_suspicion(
        &mut self,
        id: MemberId,
        accusation: Accusation<'_>,
        begin: fn(Instant, NodeName, SuspicionParams) -> Suspicion,
    ) {
        self.broadcast_suspect(accusation);
        self.members.set_state(id, State::Suspect, accusation.incarnation, self.now);
        let by = NodeName::from(accusation.from);
        self.start_suspicion(id, by.clone(), begin);
        self.out.event(Event::Suspected { node: self.members.node(id), by });
    }

    fn confirm(&mut self, id: MemberId, accusation: Accusation<'_>) {
        self.keep_higher(id, accusation.incarnation);
        let Some(slot) = self.members.record(id).suspicion() else {
            self.decisions.suspect_repeated += 1;
            return;
        };
        let suspect = self.suspects.get_mut(slot);
        let from = Name::new(accusation.from);
        let Confirmation::New { deadline } = suspect.suspicion_mut().confirm(self.now, from) else {
            self.decisions.suspect_repeated += 1;
            return;
        };
        self.decisions.suspect_confirmed += 1;
        let timer = suspect.timer();
        self.timers.reschedule(timer, self.next_look(deadline));
        self.broadcast_suspect(accusation);
    }

    /// Differs from Go: in Go evidence that changes nothing else does not raise the stored
    /// incarnation, so that a stale alive message can revive the node.
    fn keep_higher(&mut self, id: MemberId, incarnation: u32) {
        if self.config.differences.keep_higher_incarnation
            && id != self.me.id
            && incarnation > self.members.record(id).incarnation()
        {
            self.members.raise_incarnation(id, incarnation);
        }
    }

    fn start_suspicion(
        &mut self,
        id: MemberId,
        by: NodeName,
        begin: fn(Instant, NodeName, SuspicionParams) -> Suspicion,
    ) {
        let params = SuspicionParams::new(
            self.config.suspicion_mult,
            self.config.suspicion_max_timeout_mult,
            self.members.len(),
            self.config.probe_interval,
        )
        .doubled(self.doublings(id));
        let suspicion = begin(self.now, by, params);
        let look = self.next_look(suspicion.deadline().max(self.now));
        let timer = self.timers.insert(look, Timer::Suspicion(id));
        let slot = self.suspects.insert(Suspect::new(suspicion, timer));
        self.members.set_suspicion(id, Some(slot));
    }

    /// How many times the timeout of this suspect's suspicion doubles because it has returned from
    /// the dead.
    ///
    /// Differs from Go: in Go a member that hears nothing now and then departs and returns each time.
    fn doublings(&self, id: MemberId) -> u32 {
        let returns = self.flaps.returns(id, self.now, self.config.probe_interval);
        returns.min(self.config.differences.doubt_flapping)
    }

    fn take_suspicion(&mut self, id: MemberId) -> Option<Suspect> {
        let slot = self.members.record(id).suspicion()?;
        self.stop_asking(id);
        self.members.set_suspicion(id, None);
        Some(self.suspects.remove(slot))
    }

    fn broadcast_suspect(&mut self, accusation: Accusation<'_>) {
        let Accusation { incarnation, node, from, .. } = accusation;
        let suspect = Message::Suspect(message::Suspect { incarnation, node, from });
        self.queues.push_membership(NodeName::from(node), &suspect, None);
    }
}
