//! Two honest nodes and a network that drops, repeats, delays and reorders; afterwards a perfect
//! one, on which they must find each other.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use memberlist_proto::{
    Config, Instant, Memberlist, NodeName, Peer, StreamFailure, StreamId, StreamOp, Transmit,
};

use crate::input::Input;
use crate::wire::key;

/// Steps of one run, at most: more only make it slow.
const STEPS: usize = 300;
/// Packets under way, at most: a real network forgets too.
const IN_FLIGHT: usize = 64;

/// How often they look for each other, if nobody else brings them together.
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
    nodes: [Memberlist; 2],
    now: Instant,
    /// Packets under way: from whom, and what.
    packets: Vec<(usize, Transmit)>,
    /// The other end of each end of a stream.
    streams: [BTreeMap<StreamId, StreamId>; 2],
    reachable: bool,
    /// They are split for longer than they remember, and nobody brings them together.
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
            if flags & 32 != 0 {
                config.rejoin.interval = SEARCH;
                // Who has never met needs a seed.
                let met = flags & 16 == 0;
                let other = Peer::from(address(usize::from(port == 1)));
                config.seeds = (!met || flags & 64 != 0).then_some(other).into_iter().collect();
            }
            config.dead_node_reclaim_time = Duration::from_secs(u64::from(flags & 8 != 0));
            Memberlist::new(now, config, None, [port as u8; 32]).expect("a valid node")
        };
        let mut nodes = [node("one", 1), node("two", 2)];
        if flags & 16 == 0 {
            let [one, two] = [nodes[0].local(), nodes[1].local()];
            nodes[0].restore(now, [two]);
            nodes[1].restore(now, [one]);
        }
        let (packets, streams) = (Vec::new(), Default::default());
        Self { nodes, now, packets, streams, reachable: true, alone: flags & 32 != 0 }
    }

    fn step(&mut self, input: &mut Input<'_>) {
        let who = input.below(2);
        match input.below(16) {
            0..=4 => self.tick(),
            5 => {
                self.now += Duration::from_millis(input.u16().into());
                self.nodes[who].handle_timeout(self.now);
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
                self.nodes[who].set_meta(self.now, meta, timeout).expect("short");
            }
        }
        self.carry();
    }

    fn pick(&self, input: &mut Input<'_>) -> Option<usize> {
        (!self.packets.is_empty()).then(|| input.below(self.packets.len()))
    }

    fn join(&mut self, who: usize) {
        self.nodes[who].join(self.now, &[Peer::from(address(1 - who))]);
    }

    /// Whoever has something to do first does it.
    fn tick(&mut self) {
        let due = self.nodes.iter().filter_map(Memberlist::poll_timeout).min();
        self.now = self.now.max(due.expect("nodes always have something to do"));
        for node in &mut self.nodes {
            node.handle_timeout(self.now);
        }
    }

    fn deliver(&mut self, (from, packet): (usize, Transmit)) {
        let to = 1 - from;
        self.nodes[to]
            .handle_packet(self.now, address(from), &packet.payload)
            .expect("an honest node sends nothing wrong");
    }

    /// Takes what the nodes say: packets wait for the network, streams arrive at once.
    fn carry(&mut self) {
        loop {
            let mut quiet = true;
            for who in 0..2 {
                while let Some(op) = self.nodes[who].poll_stream() {
                    quiet = false;
                    self.stream(who, op);
                }
                while let Some(packet) = self.nodes[who].poll_transmit() {
                    if packet.to == address(1 - who) && self.packets.len() < IN_FLIGHT {
                        self.packets.push((who, packet));
                    }
                }
                while self.nodes[who].poll_event().is_some() {}
            }
            if quiet {
                break;
            }
        }
        for node in &self.nodes {
            node.check_invariants().expect("invariants");
        }
    }

    fn stream(&mut self, who: usize, op: StreamOp) {
        let (now, other) = (self.now, 1 - who);
        let peer = self.streams[who].get(&op.id()).copied();
        match op {
            StreamOp::Connect { id, to, .. } => {
                let accepted = (self.reachable && to == address(other))
                    .then(|| self.nodes[other].accept_stream(now, address(who)))
                    .flatten();
                let Some(accepted) = accepted else {
                    let refused = Some(StreamFailure::Refused);
                    return self.nodes[who].handle_stream_closed(now, id, refused);
                };
                self.streams[who].insert(id, accepted);
                self.streams[other].insert(accepted, id);
                self.nodes[who].handle_stream_connected(now, id);
            }
            StreamOp::Write { id, data } => {
                self.nodes[who].handle_stream_written(now, id, data.len());
                if let Some(peer) = peer {
                    let (first, second) = data.split_at(data.len() / 2);
                    for part in [first, second] {
                        self.nodes[other]
                            .handle_stream_data(now, peer, part)
                            .expect("an honest node says nothing wrong");
                    }
                }
            }
            StreamOp::Close { id } => {
                self.streams[who].remove(&id);
                self.nodes[who].handle_stream_closed(now, id, None);
                if let Some(peer) = peer {
                    self.nodes[other].handle_stream_eof(now, peer);
                }
            }
            StreamOp::Abort { id } => {
                self.streams[who].remove(&id);
                if let Some(peer) = peer.filter(|peer| self.streams[other].contains_key(peer)) {
                    self.streams[other].remove(&peer);
                    self.nodes[other].handle_stream_closed(now, peer, Some(StreamFailure::Reset));
                }
            }
        }
    }

    /// Nothing gets through, until each holds the other for dead and has stopped gossiping to it.
    fn split(&mut self) {
        self.reachable = false;
        let end = self.now + SPLIT;
        while self.now < end {
            self.tick();
            self.carry();
            self.packets.clear();
        }
        for node in &self.nodes {
            assert_eq!(node.num_members(), 1, "nobody answers any more");
        }
    }

    /// A perfect network: everything arrives at once and in order.
    fn calm(&mut self) {
        if self.alone {
            self.split();
        }
        self.reachable = true;
        for who in 0..2 {
            self.nodes[who].handle_timeout(self.now);
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
            let (own, other) = (self.nodes[who].local(), &self.nodes[1 - who]);
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
