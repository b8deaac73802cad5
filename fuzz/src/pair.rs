//! Two honest nodes and a network that drops, repeats, delays and reorders; afterwards a perfect
//! one, on which they must find each other.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use memberlist_proto::{Config, Instant, Memberlist, NodeName, Peer, Transmit};
use memberlist_sim::rig::{Rig, Watch, Wires};

use crate::input::Input;
use crate::wire::key;

/// Steps of one run, at most: more only make it slow.
const STEPS: usize = 300;
/// Packets under way, at most: a real network forgets too.
const IN_FLIGHT: usize = 64;

/// How often they look for each other, if no other way brings them together.
const SEARCH: Duration = Duration::from_secs(2);
/// How long they are split then: until they have declared each other dead, and for the 15 seconds
/// after that in which they still gossip to each other.
const SPLIT: Duration = Duration::from_secs(60);

/// Lets `data` be the network between two nodes, then gives them a perfect one.
pub fn pair(data: &[u8]) {
    let mut input = Input::new(data);
    let mut pair = Pair::new(&mut input);
    for _ in 0..STEPS {
        if input.is_empty() {
            break;
        }
        pair.step(&mut input);
    }
    pair.calm();
}

struct Pair {
    rigs: [Rig; 2],
    now: Instant,
    /// Packets under way: from whom, and what.
    packets: Vec<(usize, Transmit)>,
    wires: Wires,
    reachable: bool,
    /// They are split for longer than they remember, and have to find each other by themselves.
    alone: bool,
}

impl Pair {
    fn new(input: &mut Input<'_>) -> Self {
        let now = Instant::from_nanos(1_000_000_000);
        let flags = input.byte();
        let node = |name: &str, port: u16| {
            let mut config = Config::local(name);
            config.advertise_addr = [10, 0, 0, 1].into();
            config.advertise_port = port;
            if flags & 1 != 0 {
                config.label = "blue".into();
            }
            if flags & 2 != 0 {
                config.secret_keys = vec![key(32)];
            }
            if flags & 4 != 0 {
                config.protocol_version = 5;
            }
            config.hand_out_jobs = flags & 128 != 0;
            (config.limits.bytes_at_once, config.limits.records_at_once) = (16, 1);
            if flags & 32 != 0 {
                config.rejoin.interval = SEARCH;
                // Nodes that have never met need a seed.
                let met = flags & 16 == 0;
                let other = Peer::from(address(usize::from(port == 1)));
                config.seeds = (!met || flags & 64 != 0).then_some(other).into_iter().collect();
            }
            config.dead_node_reclaim_time = Duration::from_secs(u64::from(flags & 8 != 0));
            let rig = Rig::start(now, config, None, [port as u8; 32], Watch::Complete);
            rig.expect("a valid node")
        };
        let mut rigs = [node("one", 1), node("two", 2)];
        if flags & 16 == 0 {
            let [one, two] = [rigs[0].node().local(), rigs[1].node().local()];
            rigs[0].restore([two]);
            rigs[1].restore([one]);
        }
        let (packets, wires) = (Vec::new(), Wires::default());
        Self { rigs, now, packets, wires, reachable: true, alone: flags & 32 != 0 }
    }

    fn step(&mut self, input: &mut Input<'_>) {
        let who = input.below(2);
        match input.below(16) {
            0..=4 => self.tick(),
            5 => {
                self.now += Duration::from_millis(input.u16().into());
                self.rigs[who].fire(self.now);
            }
            6..=9 => {
                if let Some(at) = self.pick(input) {
                    let packet = self.packets.remove(at);
                    self.deliver(packet);
                }
            }
            10 => {
                if let Some(at) = self.pick(input) {
                    let packet = self.packets[at].clone();
                    self.deliver(packet);
                }
            }
            11 => {
                if let Some(at) = self.pick(input) {
                    self.packets.remove(at);
                }
            }
            12 => self.packets.clear(),
            13 => self.reachable = input.flag(),
            14 => self.join(who),
            _ => {
                let meta = Bytes::copy_from_slice(input.take(3));
                let timeout = Duration::from_secs(1);
                let begun = self.at_once(who).try_begin(|it, now| it.set_meta(now, meta, timeout));
                begun.expect("short");
            }
        }
        self.carry();
    }

    fn pick(&self, input: &mut Input<'_>) -> Option<usize> {
        (!self.packets.is_empty()).then(|| input.below(self.packets.len()))
    }

    fn join(&mut self, who: usize) {
        let peer = [Peer::from(address(1 - who))];
        self.at_once(who).begin(|node, now| node.join(now, &peer));
    }

    /// A node that has noticed what time it is, and has not handled any timer yet.
    fn at_once(&mut self, who: usize) -> &mut Rig {
        let rig = &mut self.rigs[who];
        rig.set_now(self.now);
        rig
    }

    fn nodes(&self) -> [&Memberlist; 2] {
        [self.rigs[0].node(), self.rigs[1].node()]
    }

    /// The next timer fires.
    fn tick(&mut self) {
        let due = self.nodes().into_iter().filter_map(Memberlist::poll_timeout).min();
        self.now = self.now.max(due.expect("nodes always have something to do"));
        for rig in &mut self.rigs {
            rig.fire(self.now);
        }
    }

    fn deliver(&mut self, (from, packet): (usize, Transmit)) {
        let taken = self.at_once(1 - from).packet(address(from), &packet.payload);
        taken.expect("an honest node sends nothing wrong");
    }

    /// Takes what the nodes want: packets wait for the network, streams arrive at once.
    fn carry(&mut self) {
        for rig in &mut self.rigs {
            rig.set_now(self.now);
        }
        loop {
            let mut quiet = true;
            for who in 0..2 {
                for op in self.rigs[who].stream_ops() {
                    quiet = false;
                    let other = 1 - who;
                    let reached = |to| (self.reachable && to == address(other)).then_some(other);
                    self.wires.carry_out(&mut self.rigs, who, address(who), op, reached);
                }
                for packet in self.rigs[who].packets() {
                    if packet.to == address(1 - who) && self.packets.len() < IN_FLIGHT {
                        self.packets.push((who, packet));
                    }
                }
                quiet &= !self.rigs[who].work();
                self.rigs[who].events();
            }
            if quiet {
                break;
            }
        }
    }

    /// Nothing gets through, until each considers the other dead and has stopped gossiping to it.
    fn split(&mut self) {
        self.reachable = false;
        let end = self.now + SPLIT;
        while self.now < end {
            self.tick();
            self.carry();
            self.packets.clear();
        }
        for node in self.nodes() {
            assert_eq!(node.num_members(), 1, "the other does not answer any more");
        }
    }

    /// A perfect network: everything arrives at once and in order.
    fn calm(&mut self) {
        if self.alone {
            self.split();
        }
        self.reachable = true;
        for who in 0..2 {
            self.rigs[who].fire(self.now);
            if !self.alone {
                self.join(who);
            }
        }
        let end = self.now + Duration::from_secs(20);
        while self.now < end {
            self.settle();
            self.tick();
        }
        self.settle();
        for who in 0..2 {
            let (own, other) = (self.nodes()[who].local(), self.nodes()[1 - who]);
            let known = other.member(&NodeName::from(own.name())).expect("they know each other");
            assert!(known.state().is_live(), "{known} is {} to the other", known.state());
            assert_eq!(known.incarnation(), own.incarnation(), "an old incarnation of {known}");
            assert_eq!(known.meta(), own.meta(), "old metadata of {known}");
            assert_eq!(other.num_members(), 2);
            assert_eq!(other.health_score(), 0, "a perfect network, and yet not healthy");
            let gauges = other.stats().gauges;
            assert_eq!((gauges.streams, gauges.operations), (0, 0), "something never ends");
        }
    }

    /// Carries until nothing is under way: what the last tick began ends here.
    fn settle(&mut self) {
        self.carry();
        while !self.packets.is_empty() {
            let packet = self.packets.remove(0);
            self.deliver(packet);
            self.carry();
        }
    }
}

fn address(who: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], 1 + who as u16))
}
