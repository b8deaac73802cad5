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
use crate::wire::message::{self, Dead, Message};

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
    /// A member whose probe failed, or that another accuses, may have failed (Go: `suspectNode`).
    pub(super) fn suspect(&mut self, accusation: Accusation<'_>) {
        let Some(id) = self.members.get(accusation.node) else {
            self.decisions.suspect_unknown += 1;
            return;
        };
        let record = self.members.record(id);
        if accusation.incarnation < record.incarnation() {
            self.decisions.suspect_old += 1;
            return;
        }
        match record.state() {
            State::Suspect => return self.confirm(id, accusation),
            State::Dead | State::Left => {
                self.decisions.suspect_gone += 1;
                return self.keep_higher(id, accusation.incarnation);
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
        self.broadcast_suspect(accusation);
        self.decisions.suspect_begun += 1;
        self.members.set_state(id, State::Suspect, accusation.incarnation, self.now);
        let by = NodeName::from(accusation.from);
        self.start_suspicion(id, by.clone());
        self.out.event(Event::Suspected { node: self.members.node(id), by });
    }

    /// A member has died or left (Go: `deadNode`). `ran_out` is its suspicion, if that ran out
    /// here.
    pub(super) fn dead(&mut self, accusation: Accusation<'_>, ran_out: Option<&Suspicion>) {
        let Some(id) = self.members.get(accusation.node) else {
            self.decisions.dead_unknown += 1;
            return;
        };
        let record = self.members.record(id);
        if accusation.incarnation < record.incarnation() {
            self.decisions.dead_old += 1;
            return;
        }
        if !record.state().is_live() {
            self.decisions.dead_gone += 1;
            return self.keep_higher(id, accusation.incarnation);
        }
        if id == self.me.id && !self.me.left {
            self.decisions.dead_mine_refuted += 1;
            return self.refute(accusation.incarnation, Some(accusation.from));
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
        }
        self.me.changed = self.now;
        self.departures.insert(id, reason.clone());
        self.out.event(Event::Departed { node: self.members.node(id), reason, from });
    }

    /// The suspicion of a member has run out.
    pub(super) fn suspicion_expired(&mut self, id: MemberId) {
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
        self.timers.reschedule(suspect.timer(), deadline);
        self.broadcast_suspect(accusation);
    }

    /// Differs from Go: there evidence that changes nothing else does not raise the stored
    /// incarnation, so that a stale alive message can revive the node.
    fn keep_higher(&mut self, id: MemberId, incarnation: u32) {
        if self.config.differences.keep_higher_incarnation
            && id != self.me.id
            && incarnation > self.members.record(id).incarnation()
        {
            self.members.raise_incarnation(id, incarnation);
        }
    }

    fn start_suspicion(&mut self, id: MemberId, by: NodeName) {
        let params = SuspicionParams::new(
            self.config.suspicion_mult,
            self.config.suspicion_max_timeout_mult,
            self.members.len(),
            self.config.probe_interval,
        );
        let suspicion = Suspicion::new(self.now, by, params);
        let deadline = suspicion.deadline().max(self.now);
        let timer = self.timers.insert(deadline, Timer::Suspicion(id));
        let slot = self.suspects.insert(Suspect::new(suspicion, timer));
        self.members.set_suspicion(id, Some(slot));
    }

    fn take_suspicion(&mut self, id: MemberId) -> Option<Suspect> {
        let slot = self.members.record(id).suspicion()?;
        self.members.set_suspicion(id, None);
        Some(self.suspects.remove(slot))
    }

    fn broadcast_suspect(&mut self, accusation: Accusation<'_>) {
        let Accusation { incarnation, node, from, .. } = accusation;
        let suspect = Message::Suspect(message::Suspect { incarnation, node, from });
        self.queues.push_membership(NodeName::from(node), &suspect, None);
    }
}
