//! News that a node is alive (Go: `aliveNode`).

use core::net::SocketAddr;

use super::Memberlist;
use super::admission::{identity_of, parts_of};
use super::query::age;
use crate::event::{Change, Event, Refusal};
use crate::members::MemberId;
use crate::node::{Node, NodeName, State};
use crate::time::Instant;
use crate::wire::message::{Alive, Message};

impl Memberlist {
    /// News that a node is alive, from a packet or a full state.
    pub(super) fn alive(&mut self, from: SocketAddr, alive: &Alive<'_>) {
        let mine = self.is_me(alive.node);
        if mine && self.me.left {
            self.decisions.alive_after_leaving += 1;
            return;
        }
        let known = self.members.get(alive.node);
        if let Err(reason) = self.judge(alive, known) {
            return self.refused(from, alive, reason);
        }
        let Some(id) = known else {
            return self.alive_new(from, alive);
        };
        let record = self.members.record(id);
        let moved = record.identity().addr_bytes().unwrap_or_default()
            != alive.addr.unwrap_or_default()
            || record.identity().port() != alive.port;
        // An address is checked before anything else is believed. Otherwise a second node of the
        // same name would refute, move and confuse the first one's peers at every announcement.
        if moved && !self.may_take_over(id) {
            return self.conflict(from, id, alive);
        }
        if mine {
            return self.alive_about_me(alive);
        }
        if !moved && alive.incarnation <= record.incarnation() {
            let state = record.state();
            if state.is_live() {
                self.decisions.alive_nothing_new += 1;
            } else {
                self.decisions.alive_old_of_gone += 1;
            }
            match state {
                State::Dead => self.notify_dead(id),
                State::Left => self.notify_of_leave(id, from),
                State::Alive | State::Suspect => {}
            }
            return;
        }
        self.alive_accepted(id, alive);
    }

    /// A node is alive whose name is unknown here, or has been forgotten.
    fn alive_new(&mut self, from: SocketAddr, alive: &Alive<'_>) {
        let Some(identity) = identity_of(alive, None) else {
            let reason = Refusal::Meta(alive.meta.map_or(0, <[u8]>::len));
            return self.refused(from, alive, reason);
        };
        if alive.incarnation == 0 {
            self.decisions.alive_zero += 1;
            if !self.config.differences.ignore_zero_incarnation {
                // As in Go: a placeholder that has always been dead, and counts until it is reaped.
                let order = &mut self.rng.probe_order;
                self.members.insert(identity, 0, State::Dead, Instant::ORIGIN, order);
            }
            return;
        }
        if !self.takes_new_name(from) {
            return self.refused(from, alive, Refusal::TooFast);
        }
        let order = &mut self.rng.probe_order;
        let id = self.members.insert(identity, alive.incarnation, State::Alive, self.now, order);
        let name = self.members.record(id).identity().node_name();
        self.broadcast_alive(name, alive);
        self.is_found(id);
        self.me.changed = self.now;
        self.decisions.alive_new += 1;
        self.out.event(Event::Joined { node: self.members.node(id) });
    }

    fn alive_accepted(&mut self, id: MemberId, alive: &Alive<'_>) {
        let record = self.members.record(id);
        let (old_state, old_incarnation) = (record.state(), record.incarnation());
        let old = record.identity().clone();
        // Most alive messages differ only in a higher incarnation.
        let same = old.parts() == parts_of(alive, old.versions());
        let announced = if same { Some(old.clone()) } else { identity_of(alive, old.versions()) };
        let Some(identity) = announced else {
            self.decisions.alive_meta += 1;
            return;
        };
        self.end_suspicion(id);
        self.broadcast_alive(identity.node_name(), alive);
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
            self.members.raise_incarnation(id, alive.incarnation);
        } else {
            self.members.set_state(id, State::Alive, alive.incarnation, self.now);
        }
        if old_state == State::Left && change.address {
            self.farewells.remember(NodeName::from(alive.node), old_incarnation);
        }
        match old_state {
            State::Left if change.address => self.decisions.alive_after_left += 1,
            State::Dead if change.address => self.decisions.alive_reclaimed += 1,
            State::Left | State::Dead => self.decisions.alive_back += 1,
            State::Suspect => self.decisions.alive_cleared += 1,
            State::Alive if changed => self.decisions.alive_updated += 1,
            State::Alive => self.decisions.alive_renewed += 1,
        }
        if old_state == State::Dead && !change.address {
            self.flaps.came_back(id, self.now, self.config.probe_interval);
        } else if change.address {
            self.flaps.forget(id);
        }
        let node = self.members.node(id);
        match old_state {
            State::Dead | State::Left => {
                self.is_found(id);
                self.departures.remove(&id);
                self.me.changed = self.now;
                self.out.event(Event::Joined { node });
            }
            State::Suspect => self.out.event(Event::Refuted { node: node.clone(), by: None }),
            State::Alive => {}
        }
        if old_state.is_live() && changed {
            self.out.event(Event::Updated { node: self.members.node(id), change });
        }
    }

    /// A member is alive: it is no longer searched for, and neither is another at its address.
    fn is_found(&mut self, id: MemberId) {
        let identity = self.members.record(id).identity();
        self.wanted.found(identity.name().as_bytes());
        if let Some(address) = identity.socket_addr() {
            self.wanted.taken(address, identity.name().as_bytes());
        }
    }

    /// Whether another address may take over the name of a known node.
    fn may_take_over(&self, id: MemberId) -> bool {
        let record = self.members.record(id);
        let reclaim = self.config.dead_node_reclaim_time;
        match record.state() {
            State::Left => true,
            State::Dead => !reclaim.is_zero() && age(self.now, record.since()) > reclaim,
            State::Alive | State::Suspect => false,
        }
    }

    fn conflict(&mut self, from: SocketAddr, id: MemberId, alive: &Alive<'_>) {
        self.decisions.alive_conflict += 1;
        if !self.may_report(from) {
            return;
        }
        let Some(identity) = identity_of(alive, None) else {
            return;
        };
        let claimant = Node::new(identity, alive.incarnation, State::Alive, self.now);
        self.out.event(Event::Conflict { existing: self.members.node(id), claimant });
    }

    fn broadcast_alive(&mut self, name: NodeName, alive: &Alive<'_>) {
        // A version vector of one to five bytes crashes Go nodes up to v0.6.0: pass it on as
        // unknown. No node reads more than six bytes of a longer one, which might fit into no
        // packet if it were passed on as it is.
        let vsn = alive.vsn.filter(|vsn| vsn.is_empty() || vsn.len() >= 6);
        let vsn = vsn.map(|vsn| vsn.get(..6).unwrap_or(vsn));
        let message = Message::Alive(Alive { vsn, ..*alive });
        self.queues.push_membership(name, &message, None);
    }
}
