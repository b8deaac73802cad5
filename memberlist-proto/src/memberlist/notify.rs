//! Notices: news that a member seems to have missed is sent to it directly.

use core::net::SocketAddr;
use core::time::Duration;

use super::Memberlist;
use super::accuse::Accusation;
use crate::members::MemberId;
use crate::node::{Identity, NodeName, State};
use crate::wire::message::{Alive, Dead, Message, Suspect};

/// The shortest time window in which notices are counted: without probes there is no probe
/// interval.
const WINDOW_MIN: Duration = Duration::from_secs(1);

impl Memberlist {
    /// Lets a member that announces itself, and that this node considers dead, know that it must
    /// refute.
    ///
    /// Differs from Go: in Go a node that restarts and meets only members that forgot it stays
    /// dead for the others (hashicorp/memberlist#311).
    pub(super) fn notify_dead(&mut self, id: MemberId) {
        if !self.config.differences.tell_the_dead {
            return;
        }
        let record = self.members.record(id);
        let (incarnation, identity) = (record.incarnation(), record.identity().clone());
        if self.may_notify(id, &identity) {
            let me = self.me.name.clone();
            let (node, from) = (identity.name().as_bytes(), me.as_bytes());
            self.counters.told_dead += 1;
            self.send_to_node(&identity, &Message::Suspect(Suspect { incarnation, node, from }));
        }
    }

    /// A peer accuses a member at an incarnation that the member has refuted: the peer missed the
    /// refutation. This node answers accusations of itself, and those of others if the accuser
    /// itself sent the message.
    ///
    /// Differs from Go: in Go a suspicion whose refutation was missed stands until gossip or a full
    /// state happens to bring it, or until it kills.
    pub(super) fn answer_old(&mut self, id: MemberId, accusation: Accusation<'_>) {
        if !self.config.differences.answer_old_accusations {
            return;
        }
        let Some(accuser) = self.accuser(accusation) else { return };
        let first_hand = accuser.socket_addr() == accusation.via;
        let alive = self.members.record(id).state() == State::Alive;
        if !alive || (id != self.me.id && !first_hand) || !self.may_answer(id, &accuser) {
            return;
        }
        self.counters.accusations_answered += 1;
        self.send_news_of(id, &accuser, accusation.incarnation);
    }

    /// Sends this node's refutation to its accuser directly.
    ///
    /// Differs from Go: in Go only gossip brings the refutation, and until then the accuser spreads
    /// its accusation.
    pub(super) fn notify_accuser(&mut self, accuser: &NodeName) {
        if !self.config.differences.refute_directly {
            return;
        }
        let (me, incarnation) = (self.me.id, self.me.incarnation);
        let known = self.members.get(accuser.as_bytes()).filter(|id| *id != me);
        let Some(accuser) = known.map(|id| self.members.record(id).identity().clone()) else {
            return;
        };
        if self.may_answer(me, &accuser) {
            self.send_news_of(me, &accuser, incarnation);
        }
    }

    /// Lets a suspect know directly that this node suspects it.
    ///
    /// Differs from Go: in Go only gossip brings the accusation, and until then it spreads to
    /// others.
    pub(super) fn notify_suspect(&mut self, id: MemberId) {
        let record = self.members.record(id);
        if !self.config.differences.accuse_directly || record.state() != State::Suspect {
            return;
        }
        let (incarnation, suspect) = (record.incarnation(), record.identity().clone());
        let me = self.me.name.clone();
        let (node, from) = (suspect.name().as_bytes(), me.as_bytes());
        self.send_to_node(&suspect, &Message::Suspect(Suspect { incarnation, node, from }));
    }

    /// A peer asks for a probe of the former address of a member: it missed the leave of the node
    /// there.
    pub(super) fn notify_of_move(&mut self, id: MemberId, to: SocketAddr) {
        let name = self.members.record(id).identity().node_name();
        if self.config.differences.repeat_leaves
            && let Some(left) = self.farewells.of(name.as_bytes())
            && let limits = self.notice_limits()
            && self.leave_notices.may_send(self.now, id, to, limits)
            && let Some(peer) = self.live_at(to)
        {
            self.send_news_of(id, &peer, left);
        }
    }

    /// Sends what is known about a live member to a peer that knows it only at an older
    /// incarnation. If what the peer knows is the former bearer of the name, the leave of that one
    /// is sent first.
    fn send_news_of(&mut self, id: MemberId, to: &Identity, known_at: u32) {
        let record = self.members.record(id);
        if record.state() != State::Alive {
            return;
        }
        let (incarnation, subject) = (record.incarnation(), record.identity().clone());
        let (node, vsn) = (subject.name().as_bytes(), subject.vsn_bytes());
        let alive = Message::Alive(Alive {
            incarnation,
            node,
            addr: subject.addr_bytes(),
            port: subject.port(),
            meta: subject.meta(),
            vsn: vsn.as_ref().map(|vsn| &vsn[..]),
        });
        match self.farewells.of(node).filter(|left| *left >= known_at && *left < incarnation) {
            Some(left) => {
                self.counters.leaves_repeated += 1;
                let leave = Message::Dead(Dead { incarnation: left, node, from: node });
                self.send_both_to_node(to, &leave, &alive);
            }
            None => self.send_to_node(to, &alive),
        }
    }

    /// A peer accuses a member that has left: it missed the leave.
    pub(super) fn answer_about_left(&mut self, id: MemberId, accusation: Accusation<'_>) {
        if let Some(accuser) = self.accuser(accusation)
            && let Some(to) = accuser.socket_addr().filter(|to| Some(*to) == accusation.via)
        {
            self.notify_of_leave(id, to);
        }
    }

    /// Repeats the leave of a member to a peer that still considers it a member.
    ///
    /// Differs from Go: in Go a leave that a node missed stays missed. It suspects the member, and
    /// refuses its name at another address until the dead record is reaped.
    pub(super) fn notify_of_leave(&mut self, id: MemberId, to: SocketAddr) {
        // This node itself may have left unannounced.
        if !self.config.differences.repeat_leaves
            || (id == self.me.id && self.me.name_taken.is_some())
        {
            return;
        }
        let record = self.members.record(id);
        let (incarnation, identity) = (record.incarnation(), record.identity().clone());
        if identity.socket_addr() == Some(to) {
            return;
        }
        let limits = self.notice_limits();
        // Only members are sent anything that they did not ask for. Looking for the member takes
        // time, and is done only within the limits.
        if self.leave_notices.may_send(self.now, id, to, limits)
            && let Some(peer) = self.live_at(to)
        {
            let node = identity.name().as_bytes();
            self.counters.leaves_repeated += 1;
            self.send_to_node(&peer, &Message::Dead(Dead { incarnation, node, from: node }));
        }
    }

    /// The live member that accuses another, unless it is this node.
    fn accuser(&self, accusation: Accusation<'_>) -> Option<Identity> {
        let id = self.members.get(accusation.from).filter(|id| *id != self.me.id)?;
        let record = self.members.record(id);
        record.state().is_live().then(|| record.identity().clone())
    }

    /// The live member at an address.
    fn live_at(&self, address: SocketAddr) -> Option<Identity> {
        let at = |identity: &&Identity| identity.socket_addr() == Some(address);
        let live = self.members.iter().filter(|(_, record)| record.state().is_live());
        live.map(|(_, record)| record.identity()).find(at).cloned()
    }

    fn may_notify(&mut self, subject: MemberId, to: &Identity) -> bool {
        let limits = self.notice_limits();
        let Some(to) = to.socket_addr() else { return false };
        self.notices.may_send(self.now, subject, to, limits)
    }

    fn may_answer(&mut self, subject: MemberId, accuser: &Identity) -> bool {
        let limits = self.notice_limits();
        let Some(to) = accuser.socket_addr() else { return false };
        self.answer_notices.may_send(self.now, subject, to, limits)
    }

    fn notice_limits(&self) -> (Duration, usize) {
        (self.config.probe_interval.max(WINDOW_MIN), self.config.limits.told_dead)
    }
}
