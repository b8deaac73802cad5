//! Queries: nothing here changes a node.

use alloc::collections::BTreeSet;
use core::net::SocketAddr;
use core::time::Duration;

use super::Memberlist;
use crate::config::Config;
use crate::members::MemberId;
use crate::node::{Node, NodeName, State};
use crate::stats::{Gauges, Stats};
use crate::time::Instant;

impl Memberlist {
    /// The configuration in force, with the keys, the timing and the metadata as they are now.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// This node's own record.
    pub fn local(&self) -> Node {
        self.members.node(self.me.id)
    }

    /// The node of this name, in any state; `None` if it is not known.
    pub fn member(&self, name: &NodeName) -> Option<Node> {
        self.members.get(name.as_bytes()).map(|id| self.members.node(id))
    }

    /// The members that are alive or suspect, this node included unless it has left, in no
    /// particular order.
    pub fn members(&self) -> impl Iterator<Item = Node> {
        self.nodes().filter(|node| node.state().is_live())
    }

    /// Every known node, including those that are dead or left, in no particular order.
    pub fn nodes(&self) -> impl Iterator<Item = Node> {
        self.members.iter().map(|(_, record)| record.to_node())
    }

    /// How many members are alive or suspect, this node included unless it has left.
    pub fn num_members(&self) -> usize {
        self.members.num_live()
    }

    /// The local health score: 0 is healthy. The duration of a probe grows with it. It stays below
    /// `awareness_max_multiplier`.
    pub fn health_score(&self) -> u32 {
        self.awareness.score()
    }

    /// Whether [`leave`](Self::leave) has been called.
    pub fn has_left(&self) -> bool {
        self.me.left
    }

    /// Counters, gauges, and what became of the news about members.
    pub fn stats(&self) -> Stats {
        let count = |state| self.members.count(state) as u64;
        let (local_state_bytes, remote_state_bytes) = self.exchanges.state_bytes();
        let gauges = Gauges {
            alive: count(State::Alive),
            suspect: count(State::Suspect),
            dead: count(State::Dead),
            left: count(State::Left),
            health_score: u64::from(self.awareness.score()),
            membership_queue: self.queues.membership_len() as u64,
            user_queue: self.queues.user_len() as u64,
            held_broadcasts: self.queues.held_len() as u64,
            timers: self.timers.len() as u64,
            suspicions: self.suspects.len() as u64,
            acks_awaited: self.probes.awaited() as u64,
            streams: self.exchanges.len() as u64,
            stream_memory: self.exchanges.held() as u64,
            push_pulls: self.exchanges.push_pulls_served() as u64,
            operations: self.operations.len() as u64,
            disseminations: self.disseminations.len() as u64,
            dissemination_bytes: self.disseminations.bytes() as u64,
            lost_members: self.wanted.lost().len() as u64,
            requests: self.exchanges.requests() as u64,
            local_state_bytes,
            remote_state_bytes,
        };
        let mut stats = Stats::new(&self.counters, gauges, &self.decisions);
        stats.counters.news_too_long = self.queues.too_long();
        stats
    }

    pub(super) fn is_me(&self, name: &[u8]) -> bool {
        name == self.me.name.as_bytes()
    }

    /// Whether this name is too long for a member. Messages of peers may still contain it.
    pub(super) fn is_name_too_long(&self, name: &[u8]) -> bool {
        name.len() > self.config.differences.received_name_max
    }

    /// A received name as it is reported and kept: one that is too long for a member is cut.
    pub(super) fn reported_name(&self, name: &[u8]) -> NodeName {
        let most = self.config.differences.received_name_max;
        NodeName::from(name.get(..most).unwrap_or(name))
    }

    /// Whether nothing is queued, and no delegate could have something to send.
    pub(super) fn has_no_news(&self) -> bool {
        !self.asks_for_broadcasts() && self.queues.is_empty()
    }

    /// Whether the delegate may have messages of its own.
    pub(super) fn asks_for_broadcasts(&self) -> bool {
        self.config.ask_broadcasts && self.decider.is_some()
    }

    pub(super) fn own_address(&self) -> SocketAddr {
        SocketAddr::new(self.config.advertise_addr, self.config.advertise_port)
    }

    pub(super) fn is_own_address(&self, address: SocketAddr) -> bool {
        address == self.own_address()
    }

    /// Whether a node of this name is known at this address.
    pub(super) fn is_member_at(&self, address: SocketAddr, name: &[u8]) -> bool {
        self.is_at(self.members.get(name), address)
    }

    /// Whether this is a known node, at this address.
    pub(super) fn is_at(&self, known: Option<MemberId>, address: SocketAddr) -> bool {
        known.is_some_and(|id| self.members.record(id).identity().socket_addr() == Some(address))
    }

    /// Whether any other member could hear an announcement.
    pub(super) fn has_company(&self) -> bool {
        let mine = usize::from(self.members.record(self.me.id).state().is_live());
        self.members.num_live() > mine
    }

    /// Which of these addresses are live members', or this node's own.
    pub(super) fn present(&self, of: &BTreeSet<SocketAddr>) -> BTreeSet<SocketAddr> {
        let live = self.members.iter().filter(|(_, record)| record.state().is_live());
        let live = live.filter_map(|(_, record)| record.identity().socket_addr());
        live.chain([self.own_address()]).filter(|address| of.contains(address)).collect()
    }

    /// The port that a peer means: old versions sent none (Go: `aliveMsg` handling in `net.go`).
    pub(super) fn substitute_port(&self, port: u16) -> u16 {
        if port == 0 || self.config.protocol_version < 2 { self.config.bind_port } else { port }
    }
}

/// The age of a state; one that was never set is infinitely old.
pub(super) fn age(now: Instant, since: Instant) -> Duration {
    if since == Instant::ORIGIN {
        return Duration::MAX;
    }
    now.saturating_duration_since(since)
}
