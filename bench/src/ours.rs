//! Our nodes, for the workloads.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use memberlist_proto::wire::message::{Alive, Message};
use memberlist_proto::{
    Config, Event, Identity, IdentityParts, Instant, Memberlist, Node, NodeName, State, StreamId,
    StreamOp, Versions,
};

use crate::world::{Follow, Player, When, World};

pub(crate) const PORT: u16 = 7946;
const SEEDS: usize = 3;
/// The nanoseconds between two joins: ten thousand nodes join within a minute.
const BETWEEN_JOINS: u64 = 6_000_000;
/// The versions that a node of ours announces.
pub(crate) const VSN: [u8; 6] = [1, 5, 2, 0, 0, 0];

/// The name of the node with this number: 11 bytes.
pub(crate) fn name(index: usize) -> String {
    format!("node-{index:06}")
}

/// The address of the node with this number; never zero.
pub(crate) fn ip(index: usize) -> Ipv4Addr {
    Ipv4Addr::from(0x0a00_0001 + index as u32)
}

pub(crate) fn address(index: usize) -> SocketAddr {
    (ip(index), PORT).into()
}

/// The preset for a local network, with the node's own address.
pub(crate) fn config(index: usize) -> Config {
    let mut config = Config::lan(name(index).as_str());
    config.advertise_addr = ip(index).into();
    config.advertise_port = PORT;
    config
}

/// The configuration of a node that does nothing by itself.
pub(crate) fn still(index: usize) -> Config {
    let mut config = config(index);
    config.probe_interval = Duration::ZERO;
    config.gossip_interval = Duration::ZERO;
    config.push_pull_interval = Duration::ZERO;
    config
}

pub(crate) fn start(config: Config) -> Memberlist {
    let name = config.name.as_bytes();
    let mut seed = [7; 32];
    seed[..name.len().min(32)].copy_from_slice(&name[..name.len().min(32)]);
    Memberlist::new(at(1), config, None, seed).expect("a valid configuration")
}

pub(crate) fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

/// The records of `number` nodes, numbered from 0.
pub(crate) fn records(number: usize) -> Vec<Node> {
    let record = |index| {
        let addr = ip(index).octets();
        let identity = Identity::new(IdentityParts {
            name: name(index).as_bytes(),
            addr: Some(&addr),
            port: PORT,
            meta: None,
            versions: Some(Versions::from_bytes(VSN)),
        });
        Node::new(identity.expect("short"), 1, State::Alive, at(1))
    };
    (0..number).map(record).collect()
}

/// An alive message about the node with this number.
pub(crate) fn alive(index: usize, incarnation: u32) -> Vec<u8> {
    let (name, addr) = (name(index), ip(index).octets());
    let mut out = Vec::new();
    Message::Alive(Alive {
        incarnation,
        node: name.as_bytes(),
        addr: Some(&addr),
        port: PORT,
        meta: None,
        vsn: Some(&VSN),
    })
    .encode(&mut out);
    out
}

/// Takes all outputs of a node and drops them.
pub(crate) fn discard(node: &mut Memberlist) {
    while node.poll_transmit().is_some() {}
    while node.poll_stream().is_some() {}
    while node.poll_event().is_some() {}
}

type Identities = Rc<RefCell<HashMap<NodeName, Identity>>>;

/// One of our nodes in the [`World`].
pub(crate) struct Ours {
    node: Memberlist,
    index: usize,
    /// The node and stream at the other end of each of its streams.
    streams: BTreeMap<StreamId, (usize, StreamId)>,
    wake: Option<u64>,
    /// What some node has reported of each member, which the others share, as in memberlist-sim.
    identities: Identities,
    /// Calls into the core so far.
    pub(crate) steps: u64,
}

/// Something that happens to one of our nodes.
pub(crate) enum Item {
    Wake,
    Join,
    Packet { from: SocketAddr, packet: Bytes },
    Dial { from: usize, id: StreamId },
    Accepted { from: usize, id: StreamId, other: StreamId },
    Data { id: StreamId, data: Bytes },
    Eof { id: StreamId },
}

impl Ours {
    fn new(node: Memberlist, index: usize, identities: &Identities) -> Self {
        let identities = Rc::clone(identities);
        Self { node, index, streams: BTreeMap::new(), wake: Some(1), identities, steps: 0 }
    }

    /// Whether it knows `size` members, and has passed on all that it has learned.
    pub(crate) fn has_settled(&self, size: usize) -> bool {
        self.node.num_members() == size && self.node.stats().gauges.membership_queue == 0
    }

    fn carry_out(&mut self, now: u64, out: &mut Vec<Follow<Item>>) {
        while let Some(it) = self.node.poll_transmit() {
            let SocketAddr::V4(to) = it.to else { continue };
            let to = (u32::from(*to.ip()) - 0x0a00_0001) as usize;
            let item = Item::Packet { from: address(self.index), packet: it.payload };
            out.push(Follow { to, when: When::Datagram, item });
        }
        while let Some(op) = self.node.poll_stream() {
            match op {
                StreamOp::Connect { id, to, .. } => {
                    let SocketAddr::V4(to) = to else { continue };
                    let to = (u32::from(*to.ip()) - 0x0a00_0001) as usize;
                    let item = Item::Dial { from: self.index, id };
                    out.push(Follow { to, when: When::Stream, item });
                }
                StreamOp::Write { id, data } => {
                    self.node.handle_stream_written(at(now), id, data.len());
                    if let Some(&(to, id)) = self.streams.get(&id) {
                        out.push(Follow { to, when: When::Stream, item: Item::Data { id, data } });
                    }
                }
                StreamOp::Close { id } => {
                    if let Some((to, other)) = self.streams.remove(&id) {
                        let item = Item::Eof { id: other };
                        out.push(Follow { to, when: When::Stream, item });
                    }
                    self.node.handle_stream_closed(at(now), id, None);
                }
                StreamOp::Abort { id } => {
                    self.streams.remove(&id);
                }
            }
        }
        while let Some(event) = self.node.poll_event() {
            if let Event::Joined { node } = event {
                let mut identities = self.identities.borrow_mut();
                let known = identities.entry(node.identity().node_name());
                self.node.share_identity(known.or_insert_with(|| node.identity().clone()));
            }
        }
        if let Some(due) = self.node.poll_timeout().map(Instant::as_nanos)
            && self.wake.is_none_or(|wake| due < wake)
        {
            self.wake = Some(due);
            out.push(Follow { to: self.index, when: When::At(due), item: Item::Wake });
        }
    }
}

impl Player for Ours {
    type Item = Item;

    fn happen(&mut self, now: u64, item: Item, out: &mut Vec<Follow<Item>>) {
        self.steps += 1;
        let time = at(now);
        match item {
            Item::Wake => {
                self.wake = self.wake.filter(|wake| *wake > now);
                self.node.handle_timeout(time);
            }
            Item::Join => {
                let seed = address(self.index % SEEDS.min(self.index));
                self.node.join(time, &[seed.into()]);
            }
            Item::Packet { from, packet } => {
                self.node.handle_packet(time, from, &packet).expect("an honest packet");
            }
            Item::Dial { from, id } => {
                let source = SocketAddr::new(ip(from).into(), 40_000);
                if let Some(own) = self.node.accept_stream(time, source) {
                    self.streams.insert(own, (from, id));
                    let item = Item::Accepted { from: self.index, id, other: own };
                    out.push(Follow { to: from, when: When::Stream, item });
                }
            }
            Item::Accepted { from, id, other } => {
                self.streams.insert(id, (from, other));
                self.node.handle_stream_connected(time, id);
            }
            Item::Data { id, data } => {
                self.node.handle_stream_data(time, id, &data).expect("an honest stream");
            }
            Item::Eof { id } => self.node.handle_stream_eof(time, id),
        }
        self.carry_out(now, out);
    }
}

/// Nodes that know each other from the start.
pub(crate) fn world(number: usize, adjust: impl Fn(&mut Config)) -> World<Ours> {
    let known = records(number);
    let identities = Identities::default();
    let mut begin = Vec::new();
    let players = (0..number)
        .map(|index| {
            let mut config = config(index);
            adjust(&mut config);
            let mut node = start(config);
            node.restore(at(1), known.iter().cloned());
            begin.push(Follow { to: index, when: When::At(1), item: Item::Wake });
            Ours::new(node, index, &identities)
        })
        .collect();
    World::new(players, begin)
}

/// Nodes that join those with the lowest numbers, one after another.
pub(crate) fn joining(number: usize) -> World<Ours> {
    let identities = Identities::default();
    let mut begin = Vec::new();
    let players = (0..number)
        .map(|index| {
            begin.push(Follow { to: index, when: When::At(1), item: Item::Wake });
            if index > 0 {
                let when = When::At(index as u64 * BETWEEN_JOINS);
                begin.push(Follow { to: index, when, item: Item::Join });
            }
            let node = start(config(index));
            Ours::new(node, index, &identities)
        })
        .collect();
    World::new(players, begin)
}
