//! A peer's full state: verified as a whole, then merged record by record (Go: `mergeState`).

use alloc::vec::Vec;
use core::net::SocketAddr;

use bytes::Bytes;

use super::Memberlist;
use super::accuse::Accusation;
use super::admission::{ip_of, versions_of};
use super::push_pull::says_join;
use crate::event::{Event, ExchangeError, VersionMismatch};
use crate::exchange::{Exchange, Stage};
use crate::node::compatibility::{Incompatible, VersionCheck, Vsn};
use crate::node::{Identity, IdentityParts, Node, NodeName, State};
use crate::stats::add_time;
use crate::time::Instant;
use crate::transmit::StreamId;
use crate::wire::frame::{Frame, PushPull, StreamMessage};
use crate::wire::message::Alive;
use crate::wire::push_pull::NodeState;

impl Memberlist {
    /// Merges a state whose versions have been verified.
    pub(super) fn merge(&mut self, id: StreamId, frame: &Frame) {
        let Some(exchange) = self.exchanges.get(id) else {
            return;
        };
        let (from, begun) = (exchange.peer(), exchange.begun());
        if matches!(exchange.stage(), Stage::PushPull(..)) {
            self.counters.push_pulls_ended += 1;
            add_time(&mut self.counters.push_pull_nanos, begun, self.now);
        }
        match frame.message() {
            StreamMessage::PushPull(body) => {
                self.merge_states(id, from, frame, &body);
                let holder = self.name_holder(id, &body);
                self.note_standing(id, begun, &body, holder.is_some());
                if let Some(holder) = holder {
                    return self.fail(id, &ExchangeError::NameTaken { holder });
                }
            }
            StreamMessage::Known => self.merge_known(),
            _ => return,
        }
        self.succeed(id);
        self.close(id);
    }

    /// A state that equals this node's own, in which every node is alive: all that is in it is old.
    fn merge_known(&mut self) {
        if let Some(own) = self.known_state() {
            self.exchanges.note_remote_state(own.len());
        }
        if !self.me.left {
            self.hearing.state(self.now, true);
            self.me.name_taken = None;
        }
        let nodes = self.members.len() as u64;
        self.decisions.merged_alive += nodes;
        self.decisions.alive_mine_same += 1;
        self.decisions.alive_nothing_new += nodes - 1;
    }

    fn merge_states(&mut self, id: StreamId, from: SocketAddr, frame: &Frame, body: &PushPull<'_>) {
        self.exchanges.note_remote_state(frame.as_bytes().len());
        let accuser = self.accuser_of(from, body).unwrap_or_else(|| self.me.name.clone());
        let live = |it: &NodeState<'_>| it.known_state().is_some_and(State::is_live);
        let lists_me = body.states().any(|it| self.is_me(it.name) && live(&it));
        // A peer that joins need not know this node yet.
        let joins = self.is_join(id, frame);
        if !self.me.left && !joins && self.hearing.state(self.now, lists_me) {
            self.out.event(Event::NotListed { peer: from });
        }
        for state in body.states() {
            self.merge_state(from, &accuser, &state);
        }
        let state = body.user_state();
        if !state.is_empty() {
            let (join, state) = (joins, Bytes::copy_from_slice(state));
            self.out.event(Event::RemoteState { from, join, state });
        }
    }

    /// The node that has this node's name in the cluster that is being joined: its members refuse
    /// this one for as long as they know that one alive (Go: the conflict of `aliveNode`).
    ///
    /// Differs from Go: in Go such a join succeeds, and the node sees a cluster that does not see it.
    fn name_holder(&self, id: StreamId, body: &PushPull<'_>) -> Option<SocketAddr> {
        if !self.joins_by(id) || self.me.left {
            return None;
        }
        let live = |it: &NodeState<'_>| it.known_state().is_some_and(State::is_live);
        let mut holders = body.states().filter(|it| self.is_me(it.name) && live(it));
        let holder = holders.find(|it| !self.is_my_address(it))?;
        Some(SocketAddr::new(ip_of(holder.addr?)?, self.substitute_port(holder.port)))
    }

    /// Whether this node began the exchange in order to join.
    fn joins_by(&self, id: StreamId) -> bool {
        match self.exchanges.get(id).map(Exchange::stage) {
            Some(Stage::PushPull(why, _)) => why.is_join(),
            _ => false,
        }
    }

    /// Whether a record has this node's address: what the bytes mean, not the bytes. An IPv4 address
    /// has two forms, and a former life of this node may have announced the other one.
    fn is_my_address(&self, it: &NodeState<'_>) -> bool {
        let me = self.members.record(self.me.id).identity();
        it.addr.and_then(ip_of) == me.addr_bytes().and_then(ip_of)
            && self.substitute_port(it.port) == me.port()
    }

    /// Remembers whether the name is this node's in the cluster: a leave is only for what is.
    fn note_standing(&mut self, id: StreamId, begun: Instant, body: &PushPull<'_>, taken: bool) {
        if self.me.left {
            return;
        }
        if taken {
            self.me.name_taken = Some(self.now);
            return;
        }
        let Some(refused) = self.me.name_taken else { return };
        // A peer that does not know the name takes it from this node by the exchange. One that was
        // asked beside the peer that refused may only not know the other bearer yet.
        let accepted = self.joins_by(id) && begun > refused;
        let live = |it: &NodeState<'_>| it.known_state().is_some_and(State::is_live);
        let listed =
            |it: NodeState<'_>| self.is_me(it.name) && live(&it) && self.is_my_address(&it);
        if accepted || body.states().any(listed) {
            self.me.name_taken = None;
        }
    }

    /// One record of a peer's state. A member that the peer considers dead is only accused: it
    /// must have the chance to refute.
    fn merge_state(&mut self, from: SocketAddr, accuser: &NodeName, remote: &NodeState<'_>) {
        let (incarnation, node, via) = (remote.incarnation, remote.name, Some(from));
        // A node does not accuse itself: then it would be a leave.
        let me = self.me.name.clone();
        let accuser = if *accuser == *node { &me } else { accuser };
        let accusation = Accusation { incarnation, node, from: accuser.as_bytes(), via };
        match remote.known_state() {
            Some(State::Alive) => {
                self.decisions.merged_alive += 1;
                let alive = Alive {
                    incarnation,
                    node,
                    addr: remote.addr,
                    port: self.substitute_port(remote.port),
                    meta: remote.meta,
                    vsn: remote.vsn,
                };
                self.alive(from, &alive);
            }
            Some(State::Suspect) => {
                self.decisions.merged_suspect += 1;
                self.suspect(accusation);
            }
            Some(State::Dead) => {
                self.decisions.merged_dead += 1;
                self.suspect(accusation);
            }
            Some(State::Left) => {
                self.decisions.merged_left += 1;
                self.dead(Accusation { from: node, ..accusation }, None);
            }
            None => self.decisions.merged_unknown += 1,
        }
    }

    /// Under whose name to pass on what a peer's state accuses members of: the peer's, which is
    /// the only node in it at the address it speaks from. Nothing if there are several, or none.
    ///
    /// Differs from Go: in Go it is the node that merges. A node that was cut off and comes back
    /// then has its own verdicts confirmed by every node that it exchanges its state with, and
    /// innocents die before they can refute.
    fn accuser_of(&self, from: SocketAddr, body: &PushPull<'_>) -> Option<NodeName> {
        let accuses =
            |it: NodeState<'_>| matches!(it.known_state(), Some(State::Suspect | State::Dead));
        if !self.config.differences.name_merged_accuser || !body.states().any(accuses) {
            return None;
        }
        // Only a member that is known at this address: a peer can put any name into its state.
        let speaks = |it: &NodeState<'_>| {
            let at = it.addr.and_then(ip_of).map(|ip| SocketAddr::new(ip, it.port));
            let known = self.members.get(it.name).map(|id| self.members.record(id));
            it.known_state().is_some_and(State::is_live)
                && at.is_some_and(|at| at.ip() == from.ip())
                && known.is_some_and(|known| {
                    known.state().is_live() && known.identity().socket_addr() == at
                })
        };
        // What this node opened goes to the peer's own port, what it accepted comes from any.
        let mut exact = body.states().filter(|it| it.port == from.port() && speaks(it));
        let mut near = body.states().filter(speaks);
        let one = match (exact.next(), exact.next()) {
            (None, _) => near.next().filter(|_| near.next().is_none()),
            (one, None) => one,
            _ => None,
        };
        one.filter(|it| !self.is_me(it.name)).map(|it| NodeName::from(it.name))
    }

    /// Every node that the peer reports, as the application is shown it: at most `number`.
    pub(super) fn reported(&self, frame: &Frame, number: usize) -> Vec<Node> {
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
            Some(Node::new(identity.ok()?, remote.incarnation, remote.known_state()?, self.now))
        };
        let mut nodes = Vec::with_capacity(number);
        nodes.extend(body.states().filter_map(node).take(number));
        nodes
    }

    /// Whether an exchange is part of a join: what this side began it for, or what the peer said.
    pub(super) fn is_join(&self, id: StreamId, frame: &Frame) -> bool {
        match self.exchanges.get(id).map(crate::exchange::Exchange::stage) {
            Some(Stage::PushPull(why, _)) => why.is_join(),
            _ => says_join(frame),
        }
    }

    /// Whether every node could understand every other (Go: `verifyProtocol`).
    ///
    /// Differs from Go: in Go nodes whose versions are unknown, which travel as zeros, and those
    /// that are not alive take part, and one of them can block every exchange.
    pub(super) fn verify_versions(&self, frame: &Frame) -> Result<(), VersionMismatch> {
        let body = match frame.message() {
            StreamMessage::PushPull(body) => body,
            // A state like this node's own restricts nothing more than that does.
            StreamMessage::Known => PushPull::default(),
            _ => return Ok(()),
        };
        let mut all = VersionCheck::new(self.config.differences.lenient_version_check);
        let alive = |state: Option<State>| state == Some(State::Alive);
        let remote =
            || body.states().map(|it| (it.name, alive(it.known_state()), Vsn::received(it.vsn)));
        let local = || {
            self.members.iter().map(|(_, record)| {
                let vsn = Vsn::stored(record.identity().versions());
                (record.name().as_bytes(), alive(Some(record.state())), vsn)
            })
        };
        remote().for_each(|(_, alive, vsn)| all.add(alive, vsn));
        self.members.versions().for_each(|(alive, vsn)| all.add(alive, vsn));
        if all.holds() {
            return Ok(());
        }
        let blame = |(name, alive, vsn): (&[u8], bool, Vsn)| {
            all.check(alive, vsn).map_err(|Incompatible { kind, current, min, max }| {
                VersionMismatch { kind, node: self.reported_name(name), current, min, max }
            })
        };
        remote().try_for_each(blame)?;
        local().try_for_each(blame)
    }
}

/// How many nodes a peer reports, and how many bytes of memory [`Memberlist::reported`] takes for
/// them.
pub(super) fn reported_size(frame: &Frame) -> (usize, usize) {
    /// What an identity takes beside its parts: its header, two counts, and what the allocator adds.
    const OVERHEAD: usize = 48;
    let StreamMessage::PushPull(body) = frame.message() else {
        return (0, 0);
    };
    let size = |node: NodeState<'_>| {
        let parts = [Some(node.name), node.addr, node.meta];
        let parts: usize = parts.iter().flatten().map(|part| part.len()).sum();
        size_of::<Node>() + OVERHEAD + parts
    };
    body.states().fold((0, 0), |(nodes, bytes), node| (nodes + 1, bytes + size(node)))
}
