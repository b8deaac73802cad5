//! How every packet leaves: gossip is piggybacked on it, and the layers are put around it.

use alloc::vec::Vec;
use core::net::SocketAddr;

use bytes::Bytes;
use smallvec::SmallVec;

use super::Memberlist;
use super::admission::ip_of;
use crate::hooks::View;
use crate::members::MemberId;
use crate::node::{Identity, Name, Node, NodeName, names_one_host};
use crate::transmit::Transmit;
use crate::wire::Scratch;
use crate::wire::compound;
use crate::wire::message::{Message, MessageType};
use crate::wire::packet::{self, Sealing};

/// Bytes that a message costs in a compound in addition to its own.
pub(super) const PART_OVERHEAD: usize = compound::PER_PART;
/// What each message of a delegate costs according to the Go library: the part's length and the
/// type byte.
const USER_OVERHEAD: usize = PART_OVERHEAD + 1;
/// The lowest `PMax` of a receiver that understands a checksum.
const CHECKSUM_VERSION: u8 = 5;

/// Buffers reused from packet to packet.
#[derive(Clone, Debug, Default)]
pub(super) struct Workspace {
    /// Messages one after another.
    bytes: Vec<u8>,
    /// Where each of them ends.
    ends: Vec<usize>,
    compound: Vec<u8>,
}

impl Workspace {
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    pub(super) fn push(&mut self, message: &Message<'_>) -> usize {
        let start = self.bytes.len();
        message.encode(&mut self.bytes);
        self.ends.push(self.bytes.len());
        self.bytes.len() - start
    }

    pub(super) fn push_encoded(&mut self, message: &[u8]) {
        self.bytes.extend_from_slice(message);
        self.ends.push(self.bytes.len());
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    fn push_user(&mut self, message: &[u8]) {
        self.bytes.push(MessageType::User as u8);
        self.push_encoded(message);
    }

    /// How many messages from `first` on go into one packet. One whose length
    /// does not fit into two bytes travels alone.
    fn run(&self, first: usize) -> usize {
        let fits = |index: &usize| self.part(*index).len() <= compound::MAX_PART_LEN;
        let most = self.ends.len().min(first + compound::MAX_PARTS);
        (first..most).take_while(fits).count().max(1)
    }

    fn encode_compound(&self, range: core::ops::Range<usize>, out: &mut Vec<u8>) {
        out.clear();
        let parts: SmallVec<[&[u8]; 64]> = range.map(|index| self.part(index)).collect();
        compound::encode(out, &parts).expect("`run` keeps to the bounds of a compound");
    }

    fn part(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.bytes[start..self.ends[index]]
    }
}

/// Where a packet goes.
#[derive(Clone, Debug)]
pub(super) struct Destination {
    pub(super) to: SocketAddr,
    pub(super) node: Option<NodeName>,
    pub(super) checksum: bool,
    pub(super) probe: Option<u32>,
}

impl Memberlist {
    /// Sends a message with as much gossip as fits. Returns whether it could be sent at all.
    pub(super) fn send_piggybacked(
        &mut self,
        to: SocketAddr,
        name: Name<'_>,
        message: &Message<'_>,
        probe: Option<u32>,
    ) -> bool {
        self.send_with_gossip(to, self.destination_name(name), message, probe)
    }

    fn send_with_gossip(
        &mut self,
        to: SocketAddr,
        node: Option<NodeName>,
        message: &Message<'_>,
        probe: Option<u32>,
    ) -> bool {
        if node.is_none() && self.config.require_node_names {
            return false;
        }
        let mut space = self.sealing.lend();
        space.clear();
        let len = space.push(message);
        let budget = self.piggyback_budget(len);
        self.pull(budget, &mut space);
        self.pack(&Destination { to, node, checksum: false, probe }, &mut space);
        self.sealing.give_back(space);
        true
    }

    /// Sends a message alone.
    pub(super) fn send_bare(
        &mut self,
        to: SocketAddr,
        node: Option<NodeName>,
        message: &Message<'_>,
        checksum: bool,
    ) {
        if node.is_none() && self.config.require_node_names {
            return;
        }
        let mut space = self.sealing.lend();
        space.clear();
        space.push(message);
        self.pack(&Destination { to, node, checksum, probe: None }, &mut space);
        self.sealing.give_back(space);
    }

    /// Sends a message alone to a known node.
    pub(super) fn send_to_node(&mut self, identity: &Identity, message: &Message<'_>) {
        let Some(to) = identity.socket_addr() else {
            return;
        };
        let checksum = identity.versions().is_some_and(|v| v.pmax >= CHECKSUM_VERSION);
        self.send_bare(to, Some(identity.node_name()), message, checksum);
    }

    /// Sends two messages in one packet to a known node, in this order.
    pub(super) fn send_both_to_node(
        &mut self,
        identity: &Identity,
        first: &Message<'_>,
        second: &Message<'_>,
    ) {
        let Some(to) = identity.socket_addr() else {
            return;
        };
        let mut space = self.sealing.lend();
        space.clear();
        space.push(first);
        space.push(second);
        let checksum = identity.versions().is_some_and(|v| v.pmax >= CHECKSUM_VERSION);
        let node = Some(identity.node_name());
        self.pack(&Destination { to, node, checksum, probe: None }, &mut space);
        self.sealing.give_back(space);
    }

    /// Sends a ping and a suspicion of its target in one packet, and nothing else with them.
    pub(super) fn send_pair(
        &mut self,
        target: &Node,
        ping: &Message<'_>,
        suspect: &Message<'_>,
        probe: u32,
    ) -> bool {
        let Some(to) = target.address() else {
            return false;
        };
        let mut space = self.sealing.lend();
        space.clear();
        space.push(ping);
        space.push(suspect);
        let node = Some(target.identity().node_name());
        let checksum = wants_checksum(target);
        self.pack(&Destination { to, node, checksum, probe: Some(probe) }, &mut space);
        self.sealing.give_back(space);
        true
    }

    /// Answers a peer. Gossip is piggybacked only if the answer goes to a member at its own
    /// address.
    ///
    /// Differs from Go: in Go any peer can have a full packet sent to any address.
    pub(super) fn reply(&mut self, to: SocketAddr, name: &[u8], message: &Message<'_>) {
        self.reply_to(to, name, self.members.get(name), message);
    }

    /// As [`reply`](Self::reply), to a peer whose name was looked up already.
    pub(super) fn reply_to(
        &mut self,
        to: SocketAddr,
        name: &[u8],
        known: Option<MemberId>,
        message: &Message<'_>,
    ) {
        let gossip = !self.config.differences.piggyback_to_members_only || self.is_at(known, to);
        let node = self.name_for_transport(name, known);
        if gossip {
            self.send_with_gossip(to, node, message, None);
        } else {
            self.send_bare(to, node, message, false);
        }
    }

    /// Sends a message, with gossip or alone.
    pub(super) fn send_named(
        &mut self,
        to: SocketAddr,
        name: &[u8],
        message: &Message<'_>,
        gossip: bool,
    ) {
        if gossip {
            self.send_piggybacked(to, Name::new(name), message, None);
        } else {
            let node = self.destination_name(Name::new(name));
            self.send_bare(to, node, message, false);
        }
    }

    /// Whether gossip may be piggybacked on a packet to `to`, on behalf of a sender that claims to
    /// be `name`.
    pub(super) fn may_piggyback(&self, to: SocketAddr, name: &[u8]) -> bool {
        !self.config.differences.piggyback_to_members_only || self.is_member_at(to, name)
    }

    /// Takes gossip for `budget` bytes of a packet: membership first, then this node's own
    /// broadcasts, then the delegate's (Go: `getBroadcasts`).
    ///
    /// Differs from Go: membership leaves a share to the broadcasts that wait and fit into it. In
    /// Go a large cluster's churn can keep them back for as long as it lasts.
    pub(super) fn pull(&mut self, budget: usize, space: &mut Workspace) {
        if self.has_no_news() {
            return;
        }
        let before = space.ends.len();
        let members = self.members.len();
        let share = budget * self.config.differences.user_share_percent as usize / 100;
        let reserved = self.queues.user_demand(share);
        let mut used = 0;
        used += self.queues.fill_membership(budget - reserved, members, |message| {
            space.push_encoded(message);
        });
        used += self.queues.fill_user(budget.saturating_sub(used), members, |message| {
            space.push_encoded(message);
        });
        self.pull_delegate(budget.saturating_sub(used), space);
        self.counters.broadcasts_sent += (space.ends.len() - before) as u64;
    }

    /// Puts the packet's layers around the messages in `space` and sends them: in several packets,
    /// if they are too many for one compound.
    pub(super) fn pack(&mut self, destination: &Destination, space: &mut Workspace) {
        let mut layers = self.layers.lend();
        let mut first = 0;
        while first < space.ends.len() {
            let end = first + space.run(first);
            if end - first == 1 {
                let payload = self.seal(destination, space.part(first), &mut layers);
                self.transmit(destination, payload);
            } else {
                let mut compound = core::mem::take(&mut space.compound);
                space.encode_compound(first..end, &mut compound);
                let payload = self.seal(destination, &compound, &mut layers);
                space.compound = compound;
                self.transmit(destination, payload);
            }
            first = end;
        }
        self.layers.give_back(layers);
    }

    fn pull_delegate(&mut self, budget: usize, space: &mut Workspace) {
        if !self.asks_for_broadcasts() {
            return;
        }
        let mut rest = budget;
        while let Some(held) = self.queues.take_held(rest.saturating_sub(USER_OVERHEAD)) {
            rest = rest.saturating_sub(held.len() + USER_OVERHEAD);
            space.push_user(&held);
        }
        if rest <= USER_OVERHEAD {
            return;
        }
        let view = View { local: &self.me.name, members: &self.members };
        for message in self.decider.broadcasts(&view, USER_OVERHEAD, rest) {
            let cost = message.len() + USER_OVERHEAD;
            if cost > rest && self.config.differences.enforce_broadcast_limit {
                self.counters.broadcasts_over_limit += 1;
                if message.len() > self.broadcast_limit() || !self.queues.hold(message) {
                    self.counters.broadcasts_dropped += 1;
                }
                continue;
            }
            rest = rest.saturating_sub(cost);
            space.push_user(&message);
        }
    }

    fn seal(&mut self, destination: &Destination, message: &[u8], layers: &mut Scratch) -> Bytes {
        let encrypts = self.encrypts();
        let key = if encrypts { self.keyring.primary() } else { None };
        let sealing = Sealing {
            label: &self.config.label,
            key: key.map(|key| (key, self.encryption_version())),
            nonce: if encrypts { self.rng.nonces.nonce() } else { [0; 12] },
            compress: self.config.compression.algorithm(),
            compress_min_size: self.config.compress_min_size,
            checksum: destination.checksum,
        };
        packet::seal(message, &sealing, layers)
    }

    fn transmit(&mut self, destination: &Destination, payload: Bytes) {
        self.counters.packets_sent += 1;
        self.counters.packet_bytes_sent += payload.len() as u64;
        let Destination { to, ref node, probe, .. } = *destination;
        self.out.transmit(Transmit { to, node: node.clone(), payload, probe });
    }

    /// The name of a packet's receiver for the transport, if it is known and one that a member can
    /// have.
    pub(super) fn destination_name(&self, name: Name<'_>) -> Option<NodeName> {
        self.name_for_transport(name.as_bytes(), self.members.get(name.as_bytes()))
    }

    fn name_for_transport(&self, name: &[u8], known: Option<MemberId>) -> Option<NodeName> {
        if name.is_empty() || self.is_name_too_long(name) {
            return None;
        }
        Some(match known {
            Some(id) => self.members.record(id).identity().node_name(),
            None => NodeName::from(name),
        })
    }
}

/// Whether a node is known to understand a checksum.
pub(super) fn wants_checksum(node: &Node) -> bool {
    node.versions().is_some_and(|versions| versions.pmax >= CHECKSUM_VERSION)
}

/// Where an answer goes: to the address that the message names, else to where it came from.
pub(super) fn reply_address(from: SocketAddr, addr: Option<&[u8]>, port: u16) -> SocketAddr {
    match addr.and_then(ip_of) {
        Some(ip) if port != 0 && names_one_host(ip) => SocketAddr::new(ip, port),
        _ => SocketAddr::new(from.ip().to_canonical(), from.port()),
    }
}
