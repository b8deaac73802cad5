//! A few nodes, and everything under way between them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use memberlist_proto::{
    Config, Instant, Memberlist, NodeName, Peer, State, StreamFailure, StreamId, StreamOp, Transmit,
};

use crate::law::Witness;

/// Packets under way, at most: a real network forgets too.
const IN_FLIGHT: usize = 48;

/// What can happen next. Nodes and packets are taken modulo their number.
#[derive(Clone, Copy, Debug)]
pub enum Action {
    /// Whoever has something to do first does it.
    Tick,
    /// Time passes at one node alone; the others run late.
    Wait { node: usize, millis: u16 },
    /// A packet arrives.
    Deliver(usize),
    /// A packet arrives and stays under way: it will arrive again.
    Repeat(usize),
    /// A packet is lost.
    Lose(usize),
    /// Every packet under way is lost.
    LoseAll,
    /// No packet and no stream gets from one node to another any more.
    Cut { from: usize, to: usize },
    /// Everything gets through again.
    Mend,
    /// One node joins another.
    Join { node: usize, peer: usize },
    /// A node changes its metadata.
    Meta { node: usize, meta: u8 },
    /// A node leaves.
    Leave(usize),
    /// A node crashes and starts anew, remembering nothing.
    Restart(usize),
}

/// Nodes that know each other, and the network between them.
pub struct Group {
    nodes: Vec<Memberlist>,
    witnesses: Vec<Witness>,
    now: Instant,
    packets: Vec<(usize, Transmit)>,
    /// The other end of each end of a stream.
    streams: Vec<BTreeMap<StreamId, (usize, StreamId)>>,
    cuts: Vec<(usize, usize)>,
    starts: u8,
    events: BTreeMap<&'static str, usize>,
}

impl Group {
    /// `size` nodes that know each other.
    pub fn new(size: usize) -> Self {
        let now = Instant::from_nanos(1_000_000_000);
        let mut group = Self {
            nodes: Vec::new(),
            witnesses: Vec::new(),
            now,
            packets: Vec::new(),
            streams: vec![BTreeMap::new(); size],
            cuts: Vec::new(),
            starts: 0,
            events: BTreeMap::new(),
        };
        for who in 0..size {
            let node = group.start(who);
            group.nodes.push(node);
            group.witnesses.push(Witness::default());
        }
        let records: Vec<_> = group.nodes.iter().map(Memberlist::local).collect();
        for (node, witness) in group.nodes.iter_mut().zip(&mut group.witnesses) {
            let me = node.local();
            node.restore(now, records.clone());
            let others = records.iter().filter(|it| it.name() != me.name());
            witness.given(others.map(|it| it.identity().node_name()));
        }
        group.carry();
        group
    }

    /// Does one thing, and holds every node to the law.
    pub fn act(&mut self, action: Action) {
        let size = self.nodes.len();
        match action {
            Action::Tick => self.tick(),
            Action::Wait { node, millis } => {
                self.now += Duration::from_millis(millis.into());
                self.nodes[node % size].handle_timeout(self.now);
            }
            Action::Deliver(at) => {
                if let Some(packet) = self.pick(at).map(|at| self.packets.remove(at)) {
                    self.deliver(packet);
                }
            }
            Action::Repeat(at) => {
                if let Some(packet) = self.pick(at).map(|at| self.packets[at].clone()) {
                    self.deliver(packet);
                }
            }
            Action::Lose(at) => drop(self.pick(at).map(|at| self.packets.remove(at))),
            Action::LoseAll => self.packets.clear(),
            Action::Cut { from, to } => self.cuts.push((from % size, to % size)),
            Action::Mend => self.cuts.clear(),
            Action::Join { node, peer } => self.join(node % size, peer % size),
            Action::Meta { node, meta } => {
                let timeout = Duration::from_secs(1);
                let meta = Bytes::copy_from_slice(&[meta]);
                self.nodes[node % size].set_meta(self.now, meta, timeout).expect("short metadata");
            }
            Action::Leave(node) => {
                self.nodes[node % size].leave(self.now, Duration::from_secs(1));
            }
            Action::Restart(node) => self.restart(node % size),
        }
        self.carry();
    }

    /// How many packets are under way.
    pub fn under_way(&self) -> usize {
        self.packets.len()
    }

    /// Tells two states apart, as far as the nodes and the packets under way are concerned.
    pub fn hash(&self) -> Vec<u8> {
        let nodes = self.nodes.iter().flat_map(|node| node.state_hash().to_le_bytes());
        let now = self.now.as_nanos().to_le_bytes();
        let packets = self.packets.iter().flat_map(|(_, packet)| packet.payload.to_vec());
        nodes.chain(now).chain(packets).collect()
    }

    /// How often each kind of event was told by any node.
    pub fn events(&self) -> BTreeMap<&'static str, usize> {
        let mut sum = self.events.clone();
        for witness in &self.witnesses {
            add(&mut sum, witness);
        }
        sum
    }

    /// A perfect network from now on, and everybody joins everybody: after a while all agree.
    pub fn converge(&mut self) {
        self.cuts.clear();
        for node in &mut self.nodes {
            node.handle_timeout(self.now);
        }
        for node in 0..self.nodes.len() {
            (0..self.nodes.len()).for_each(|peer| self.join(node, peer));
        }
        let end = self.now + Duration::from_secs(40);
        while self.now < end {
            self.settle();
            self.tick();
        }
        self.settle();
        for (who, node) in self.nodes.iter().enumerate() {
            let operations = node.stats().gauges.operations;
            assert_eq!(operations, 0, "{who} has operations that never end");
            for other in self.nodes.iter().map(Memberlist::local) {
                self.agrees(node, &other);
            }
        }
    }

    fn agrees(&self, node: &Memberlist, other: &memberlist_proto::Node) {
        let name = NodeName::from(other.name());
        let known = node.member(&name);
        if other.state() == State::Left {
            let live = known.is_some_and(|it| it.state().is_live());
            // Whoever has left and itself knows nobody else has told nobody.
            assert!(!live || node.local().state() == State::Left, "{other} is still a member");
            return;
        }
        if node.local().state() == State::Left {
            return;
        }
        let known = known.expect("everybody is known");
        assert!(known.state().is_live(), "{known}, who is well, at {:?}", self.now);
        assert_eq!(known.incarnation(), other.incarnation(), "{known}");
        assert_eq!(known.meta(), other.meta(), "{known}");
    }

    fn settle(&mut self) {
        self.carry();
        while !self.packets.is_empty() {
            let packet = self.packets.remove(0);
            self.deliver(packet);
            self.carry();
        }
    }

    fn start(&mut self, who: usize) -> Memberlist {
        self.starts += 1;
        let mut config = Config::local(format!("n{who}").as_str());
        config.advertise_addr = address(who).ip();
        config.advertise_port = address(who).port();
        config.gossip_to_the_dead_time = Duration::from_secs(5);
        let seed = [self.starts; 32];
        Memberlist::new(self.now, config, None, seed).expect("a valid configuration")
    }

    fn restart(&mut self, who: usize) {
        for (other, end) in std::mem::take(&mut self.streams[who]).into_values() {
            if self.streams[other].remove(&end).is_some() {
                let reset = Some(StreamFailure::Reset);
                self.nodes[other].handle_stream_closed(self.now, end, reset);
            }
        }
        self.nodes[who] = self.start(who);
        let before = std::mem::take(&mut self.witnesses[who]);
        add(&mut self.events, &before);
    }

    fn join(&mut self, node: usize, peer: usize) {
        if node != peer {
            self.nodes[node].join(self.now, &[Peer::from(address(peer))]);
        }
    }

    fn pick(&self, at: usize) -> Option<usize> {
        (!self.packets.is_empty()).then(|| at % self.packets.len())
    }

    fn tick(&mut self) {
        let due = self.nodes.iter().filter_map(Memberlist::poll_timeout).min();
        self.now = self.now.max(due.expect("nodes always have something to do"));
        for node in &mut self.nodes {
            node.handle_timeout(self.now);
        }
    }

    fn deliver(&mut self, (from, packet): (usize, Transmit)) {
        let to = whose(packet.to);
        if !self.cuts.contains(&(from, to)) {
            self.nodes[to]
                .handle_packet(self.now, address(from), &packet.payload)
                .expect("an honest node sends nothing wrong");
        }
    }

    /// Takes what the nodes say: packets wait, streams arrive at once; then looks at all of them.
    fn carry(&mut self) {
        loop {
            let mut quiet = true;
            for who in 0..self.nodes.len() {
                while let Some(op) = self.nodes[who].poll_stream() {
                    quiet = false;
                    self.stream(who, op);
                }
                while let Some(packet) = self.nodes[who].poll_transmit() {
                    if self.packets.len() < IN_FLIGHT {
                        self.packets.push((who, packet));
                    }
                }
                while let Some(event) = self.nodes[who].poll_event() {
                    self.witnesses[who].hear(&event);
                }
            }
            if quiet {
                break;
            }
        }
        for (node, witness) in self.nodes.iter().zip(&mut self.witnesses) {
            witness.look(self.now, node, Duration::from_secs(5));
        }
    }

    fn stream(&mut self, who: usize, op: StreamOp) {
        let now = self.now;
        let far = self.streams[who].get(&op.id()).copied();
        match op {
            StreamOp::Connect { id, to, .. } => {
                let other = whose(to);
                let cut = self.cuts.contains(&(who, other)) || self.cuts.contains(&(other, who));
                let accepted =
                    (!cut).then(|| self.nodes[other].accept_stream(now, address(who))).flatten();
                let Some(accepted) = accepted else {
                    let refused = Some(StreamFailure::Refused);
                    return self.nodes[who].handle_stream_closed(now, id, refused);
                };
                self.streams[who].insert(id, (other, accepted));
                self.streams[other].insert(accepted, (who, id));
                self.nodes[who].handle_stream_connected(now, id);
            }
            StreamOp::Write { id, data } => {
                self.nodes[who].handle_stream_written(now, id, data.len());
                if let Some((other, end)) = far {
                    let read = self.nodes[other].handle_stream_data(now, end, &data);
                    read.expect("an honest node says nothing wrong");
                }
            }
            StreamOp::Close { id } => {
                self.streams[who].remove(&id);
                self.nodes[who].handle_stream_closed(now, id, None);
                if let Some((other, end)) = far {
                    self.nodes[other].handle_stream_eof(now, end);
                }
            }
            StreamOp::Abort { id } => {
                self.streams[who].remove(&id);
                if let Some((other, end)) = far
                    && self.streams[other].remove(&end).is_some()
                {
                    let reset = Some(StreamFailure::Reset);
                    self.nodes[other].handle_stream_closed(now, end, reset);
                }
            }
        }
    }
}

fn add(sum: &mut BTreeMap<&'static str, usize>, witness: &Witness) {
    for (kind, count) in witness.events() {
        *sum.entry(kind).or_default() += count;
    }
}

fn address(who: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1 + who as u8], 7946))
}

fn whose(address: SocketAddr) -> usize {
    match address.ip() {
        std::net::IpAddr::V4(ip) => usize::from(ip.octets()[3]) - 1,
        std::net::IpAddr::V6(_) => unreachable!("every node here has an IPv4 address"),
    }
}
