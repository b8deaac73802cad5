//! A short life of two nodes: they meet, gossip, exchange states, receive forged messages, are
//! slow, and part.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use memberlist_proto::wire::compound;
use memberlist_proto::wire::compress::{Algorithm, Compressor};
use memberlist_proto::{
    Answer, BroadcastKind, Config, Instant, LookupFailure, Memberlist, NodeName, Peer, Priority,
    RequestKind, Target,
};
use memberlist_sim::rig::{Rig, Watch, Wires, alive, stranger};

/// How many times the timers of both nodes are handled between two events of the life.
const TURNS: usize = 25;

pub(crate) struct Life {
    rigs: [Rig; 2],
    now: Instant,
    wires: Wires,
}

impl Life {
    /// Two nodes of this configuration, except for their names and addresses.
    pub(crate) fn new(config: &Config) -> Self {
        let now = Instant::from_nanos(1_000_000_000);
        let node = |who: usize| {
            let mut config = config.clone();
            let mut name = config.name.as_bytes().to_vec();
            name[0] = b'a' + who as u8;
            config.name = NodeName::from(&name[..]);
            config.advertise_addr = address(&config, who).ip();
            config.cidrs_allowed = config.cidrs_allowed.filter(|networks| {
                networks.iter().any(|network| network.contains(&config.advertise_addr))
            });
            Rig::start(now, config, None, [who as u8; 32], Watch::Laws).expect("it is valid")
        };
        Self { rigs: [node(0), node(1)], now, wires: Wires::lenient() }
    }

    /// Whether the nodes know each other.
    pub(crate) fn live(mut self) -> bool {
        self.turns();
        let name = NodeName::from(self.node(1).local().name());
        let peer = Peer { name: Some(name), ..Peer::from(self.address(1)) };
        let peers = [peer, "host.example".parse().expect("a peer")];
        self.rigs[0].begin(|node, now| node.join(now, &peers));
        self.turns();
        let met = self.rigs.iter().all(|rig| rig.node().num_members() == 2);
        self.use_everything();
        self.turns();
        self.lie();
        self.turns();
        // Both were stopped for a day: missed ticks must not be made up for one by one.
        self.now += Duration::from_secs(86_400);
        for rig in &mut self.rigs {
            rig.set_now(self.now);
        }
        self.turns();
        for who in 0..2 {
            self.rigs[who].begin(|node, now| node.leave(now, Duration::from_secs(1)));
        }
        self.turns();
        met
    }

    fn address(&self, who: usize) -> SocketAddr {
        address(self.node(who).config(), who)
    }

    fn node(&self, who: usize) -> &Memberlist {
        self.rigs[who].node()
    }

    /// Does what an application can do.
    fn use_everything(&mut self) {
        let names = [0, 1].map(|who| NodeName::from(self.node(who).local().name()));
        for who in 0..2 {
            let rig = &mut self.rigs[who];
            let other = || Target::Member(names[1 - who].clone());
            let (moment, second) = (Duration::from_millis(1), Duration::from_secs(1));
            for len in [1, 200, 3000] {
                let message = vec![7; len];
                let (kind, high) = (BroadcastKind::Unique, Priority::High);
                let _ = rig.queue(|node, now| node.broadcast(now, &message, kind, high));
                let _ = rig.queue(|node, now| node.disseminate(now, &message));
                let _ = rig.call(|node, now| node.send(now, other(), &message));
                let _ = rig.try_begin(|node, now| node.send_reliable(now, other(), &message));
            }
            rig.begin(|node, now| node.ping(now, other()));
            rig.begin(|node, now| node.settle(now, moment, second));
            let meta = Bytes::from_static(b"other");
            let _ = rig.try_begin(|node, now| node.set_meta(now, meta, second));
            let timing = rig.node().config().timing();
            let set = rig.call(|node, now| node.reconfigure(now, timing));
            set.expect("what is in force is valid");
        }
    }

    /// Does what strangers can do.
    fn lie(&mut self) {
        let deep = (0..64).fold(alive("n1", &[10, 1, 0, 1], 1), |inner, _| {
            let mut packed = Vec::new();
            compound::encode(&mut packed, &[inner]).expect("one short part");
            packed
        });
        let mut bomb = Vec::new();
        assert!(Compressor::default().encode(
            Algorithm::Lzw,
            &vec![0; 1 << 20],
            usize::MAX,
            &mut bomb
        ));
        for packet in [&deep[..], &bomb, &alive("n2", &[10, 1, 0, 2], 7), b"", b"\xff junk"] {
            // Most of it is refused; with a label or a key all of it.
            let _ = self.rigs[1].packet(stranger(1), packet);
        }
        for from in 1..=4 {
            if let Some(id) = self.rigs[1].accept(stranger(from)) {
                let _ = self.rigs[1].data(id, &vec![from; 2000]);
            }
        }
    }

    fn turns(&mut self) {
        for _ in 0..TURNS {
            self.carry();
            let due = self.rigs.iter().filter_map(|rig| rig.node().poll_timeout()).min();
            self.now = self.now.max(due.unwrap_or(self.now));
            for rig in &mut self.rigs {
                rig.fire(self.now);
            }
        }
        self.carry();
    }

    /// Carries out the outputs of the nodes, and what follows from them, a bounded number of times.
    fn carry(&mut self) {
        for _ in 0..1000 {
            let mut quiet = true;
            for who in 0..2 {
                quiet &= !self.carry_one(who);
            }
            if quiet {
                return;
            }
        }
        panic!("two nodes keep each other busy without any time passing");
    }

    fn carry_one(&mut self, who: usize) -> bool {
        let (here, there) = (self.address(who), self.address(1 - who));
        let mut any = false;
        for op in self.rigs[who].stream_ops() {
            let reached = |to| (to == there).then_some(1 - who);
            self.wires.carry_out(&mut self.rigs, who, here, op, reached);
            any = true;
        }
        for packet in self.rigs[who].packets() {
            if packet.to == there {
                let taken = self.rigs[1 - who].packet(here, &packet.payload);
                taken.expect("an honest node sends nothing wrong");
            }
            any = true;
        }
        for lookup in self.rigs[who].lookups() {
            self.rigs[who].resolved(lookup.id, Err(LookupFailure::NotFound));
            any = true;
        }
        for request in self.rigs[who].requests() {
            let answer = match request.kind {
                RequestKind::LocalState { .. } => Answer::LocalState(Bytes::from_static(b"state")),
                RequestKind::AdmitMerge { .. } => Answer::AdmitMerge(Ok(())),
            };
            self.rigs[who].answer(request.id, answer);
            any = true;
        }
        self.rigs[who].events();
        any
    }
}

/// The address of a node, one of those that the mixed configurations have as seeds.
fn address(config: &Config, who: usize) -> SocketAddr {
    SocketAddr::new([10, 0, 0, 1 + who as u8].into(), config.advertise_port)
}
