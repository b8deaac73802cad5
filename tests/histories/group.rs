//! A few nodes, and everything under way between them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use memberlist_proto::{Config, Event, Instant, Memberlist, Node, NodeName, Peer, State, Transmit};
use memberlist_sim::rig::{Rig, Watch, Wires};

/// The most packets under way: a real network drops some, too.
const IN_FLIGHT: usize = 48;

/// What can happen next. Nodes and packets are taken modulo their number.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Action {
    /// The next timer of all nodes fires.
    Tick,
    /// Time passes at one node only; the others run late.
    Wait { node: usize, millis: u16 },
    /// A packet arrives.
    Deliver(usize),
    /// A packet arrives and stays under way: it will arrive again.
    Repeat(usize),
    /// A packet is lost.
    Lose(usize),
    /// Every packet under way is lost.
    LoseAll,
    /// From now on, no packet and no stream gets from one node to another.
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
pub(crate) struct Group {
    rigs: Vec<Rig>,
    now: Instant,
    packets: Vec<(usize, Transmit)>,
    wires: Wires,
    cuts: Vec<(usize, usize)>,
    starts: u8,
    events: BTreeMap<&'static str, usize>,
}

impl Group {
    /// `size` nodes that know each other.
    pub(crate) fn new(size: usize) -> Self {
        let mut group = Self {
            rigs: Vec::new(),
            now: Instant::from_nanos(1_000_000_000),
            packets: Vec::new(),
            wires: Wires::default(),
            cuts: Vec::new(),
            starts: 0,
            events: BTreeMap::new(),
        };
        for who in 0..size {
            let rig = group.start(who);
            group.rigs.push(rig);
        }
        let records: Vec<_> = group.nodes().map(Memberlist::local).collect();
        for rig in &mut group.rigs {
            rig.restore(records.clone());
        }
        group.carry();
        group
    }

    /// Carries out one step; the laws are checked for every node.
    pub(crate) fn act(&mut self, action: Action) {
        let (size, now) = (self.rigs.len(), self.now);
        match action {
            Action::Tick => self.tick(),
            Action::Wait { node, millis } => {
                self.now = now + Duration::from_millis(millis.into());
                self.rigs[node % size].fire(self.now);
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
                let (rig, meta) = (self.at_once(node % size), Bytes::copy_from_slice(&[meta]));
                let second = Duration::from_secs(1);
                let begun = rig.try_begin(|node, now| node.set_meta(now, meta, second));
                begun.expect("short metadata");
            }
            Action::Leave(node) => {
                let rig = self.at_once(node % size);
                rig.begin(|node, now| node.leave(now, Duration::from_secs(1)));
            }
            Action::Restart(node) => self.restart(node % size),
        }
        self.carry();
    }

    fn nodes(&self) -> impl Iterator<Item = &Memberlist> {
        self.rigs.iter().map(Rig::node)
    }

    /// A node at the current time, of which it has not handled any timer yet.
    fn at_once(&mut self, who: usize) -> &mut Rig {
        let rig = &mut self.rigs[who];
        rig.set_now(self.now);
        rig
    }

    /// The number of packets under way.
    pub(crate) fn under_way(&self) -> usize {
        self.packets.len()
    }

    /// A digest of the state of the nodes and of the packets under way.
    pub(crate) fn hash(&self) -> Vec<u8> {
        let nodes = self.nodes().flat_map(|node| node.state_hash().to_le_bytes());
        let now = self.now.as_nanos().to_le_bytes();
        let packets = self.packets.iter().flat_map(|(_, packet)| packet.payload.to_vec());
        nodes.chain(now).chain(packets).collect()
    }

    /// How many times each kind of event was emitted, by all nodes together.
    pub(crate) fn events(&self) -> &BTreeMap<&'static str, usize> {
        &self.events
    }

    /// Makes the network perfect, and lets every node join every other: after a while all must
    /// agree.
    ///
    /// A packet of a node's former life can arrive late and contradict the node at its current
    /// incarnation. If gossip about that does not reach the node, only a full state exchange with
    /// this very node reveals the contradiction, and partners are chosen at random: therefore the
    /// nodes get twenty rounds of exchanges before they are considered to disagree.
    pub(crate) fn converge(&mut self) {
        self.cuts.clear();
        for rig in &mut self.rigs {
            rig.fire(self.now);
        }
        for node in 0..self.rigs.len() {
            (0..self.rigs.len()).for_each(|peer| self.join(node, peer));
        }
        self.run(Duration::from_secs(40));
        let exchanges = self.rigs[0].node().config().push_pull_interval;
        for _ in 0..20 {
            if self.disagreement().is_none() {
                break;
            }
            self.run(exchanges);
        }
        for (who, node) in self.nodes().enumerate() {
            let operations = node.stats().gauges.operations;
            assert_eq!(operations, 0, "{who} has operations that never end");
        }
        assert_eq!(self.disagreement(), None, "at {:?}", self.now);
    }

    /// Lets time pass on a perfect network.
    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.settle();
            self.tick();
        }
        self.settle();
    }

    /// The first node that another sees differently than it sees itself, if there is one.
    fn disagreement(&self) -> Option<String> {
        self.nodes().find_map(|node| {
            self.nodes().map(Memberlist::local).find_map(|other| disagree(node, &other))
        })
    }

    fn settle(&mut self) {
        self.carry();
        while !self.packets.is_empty() {
            let packet = self.packets.remove(0);
            self.deliver(packet);
            self.carry();
        }
    }

    fn start(&mut self, who: usize) -> Rig {
        self.starts += 1;
        let mut config = Config::local(format!("n{who}").as_str());
        config.advertise_addr = address(who).ip();
        config.advertise_port = address(who).port();
        config.gossip_to_the_dead_time = Duration::from_secs(5);
        let rig = Rig::start(self.now, config, None, [self.starts; 32], Watch::Complete);
        rig.expect("a valid configuration")
    }

    fn restart(&mut self, who: usize) {
        for rig in &mut self.rigs {
            rig.set_now(self.now);
        }
        self.wires.crashed(&mut self.rigs, who);
        self.rigs[who] = self.start(who);
    }

    fn join(&mut self, node: usize, peer: usize) {
        if node != peer {
            let peer = [Peer::from(address(peer))];
            self.at_once(node).begin(|node, now| node.join(now, &peer));
        }
    }

    fn pick(&self, at: usize) -> Option<usize> {
        (!self.packets.is_empty()).then(|| at % self.packets.len())
    }

    fn tick(&mut self) {
        let due = self.nodes().filter_map(Memberlist::poll_timeout).min();
        self.now = self.now.max(due.expect("nodes always have something to do"));
        for rig in &mut self.rigs {
            rig.fire(self.now);
        }
    }

    fn deliver(&mut self, (from, packet): (usize, Transmit)) {
        let to = whose(packet.to);
        if !self.cuts.contains(&(from, to)) {
            let taken = self.at_once(to).packet(address(from), &packet.payload);
            taken.expect("an honest node sends nothing wrong");
        }
    }

    /// Takes the outputs of the nodes: packets wait, data on streams arrives at once.
    fn carry(&mut self) {
        for rig in &mut self.rigs {
            rig.set_now(self.now);
        }
        loop {
            let mut quiet = true;
            for who in 0..self.rigs.len() {
                for op in self.rigs[who].stream_ops() {
                    quiet = false;
                    let cut = |other| {
                        self.cuts.contains(&(who, other)) || self.cuts.contains(&(other, who))
                    };
                    let reached = |to| Some(whose(to)).filter(|other| !cut(*other));
                    self.wires.carry_out(&mut self.rigs, who, address(who), op, reached);
                }
                for packet in self.rigs[who].packets() {
                    if self.packets.len() < IN_FLIGHT {
                        self.packets.push((who, packet));
                    }
                }
                for event in self.rigs[who].events() {
                    if let Some(kind) = kind(&event) {
                        *self.events.entry(kind).or_default() += 1;
                    }
                }
            }
            if quiet {
                break;
            }
        }
    }
}

/// What `node` has wrong about `other`, compared with what `other` knows about itself.
fn disagree(node: &Memberlist, other: &Node) -> Option<String> {
    let known = node.member(&NodeName::from(other.name()));
    let wrong = if other.state() == State::Left {
        let live = known.as_ref().is_some_and(|it| it.state().is_live());
        // A node that has left and knows no member cannot have announced it.
        live && node.local().state() != State::Left
    } else if node.local().state() == State::Left {
        false
    } else {
        !known.as_ref().is_some_and(|known| {
            known.state().is_live()
                && known.incarnation() == other.incarnation()
                && known.meta() == other.meta()
        })
    };
    wrong.then(|| format!("{} knows {known:?}, but it is {other:?}", node.local()))
}

/// The kinds of events that are counted.
fn kind(event: &Event) -> Option<&'static str> {
    match event {
        Event::Joined { .. } => Some("joined"),
        Event::Departed { .. } => Some("departed"),
        Event::Suspected { .. } => Some("suspected"),
        Event::Refuted { .. } => Some("refuted"),
        Event::Updated { .. } => Some("updated"),
        Event::NamePoisoned { .. } => panic!("no node here accuses at the highest incarnation"),
        _ => None,
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
