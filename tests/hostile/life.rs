//! A short life of two nodes: they meet, gossip, exchange, are lied to, are slow, and part.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use memberlist_proto::wire::compound;
use memberlist_proto::wire::compress::Lzw;
use memberlist_proto::{
    Answer, BroadcastKind, Config, Instant, LookupFailure, Memberlist, NodeName, Peer, Priority,
    RequestKind, StreamFailure, StreamId, StreamOp, Target,
};

use memberlist_sim::rig::{alive, stranger};

/// How often the timers of both nodes come up between two events of the life.
const TURNS: usize = 25;

pub(crate) struct Life {
    nodes: [Memberlist; 2],
    now: Instant,
    /// The other end of each end of a stream.
    streams: [BTreeMap<StreamId, StreamId>; 2],
}

impl Life {
    /// Two nodes of this configuration, but for their names and addresses.
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
            Memberlist::new(now, config, None, [who as u8; 32]).expect("it is valid")
        };
        Self { nodes: [node(0), node(1)], now, streams: Default::default() }
    }

    /// Whether they have met.
    pub(crate) fn live(mut self) -> bool {
        self.turns();
        let name = NodeName::from(self.nodes[1].local().name());
        let peer = Peer { name: Some(name), ..Peer::from(self.address(1)) };
        self.nodes[0].join(self.now, &[peer, "host.example".parse().expect("a peer")]);
        self.turns();
        let met = self.nodes.iter().all(|node| node.num_members() == 2);
        self.use_everything();
        self.turns();
        self.lie();
        self.turns();
        // Both were stopped for a day: what was missed must not be made up for tick by tick.
        self.now += Duration::from_secs(86_400);
        self.turns();
        for who in 0..2 {
            self.nodes[who].leave(self.now, Duration::from_secs(1));
        }
        self.turns();
        met
    }

    fn address(&self, who: usize) -> SocketAddr {
        address(self.nodes[who].config(), who)
    }

    /// What an application can do.
    fn use_everything(&mut self) {
        let now = self.now;
        let names = [0, 1].map(|who| NodeName::from(self.nodes[who].local().name()));
        for who in 0..2 {
            let node = &mut self.nodes[who];
            let other = || Target::Member(names[1 - who].clone());
            for len in [1, 200, 3000] {
                let message = vec![7; len];
                let _ = node.broadcast(now, &message, BroadcastKind::Unique, Priority::High);
                let _ = node.disseminate(now, &message);
                let _ = node.send(now, other(), &message);
                let _ = node.send_reliable(now, other(), &message);
            }
            node.ping(now, other());
            node.settle(now, Duration::from_millis(1), Duration::from_secs(1));
            let _ = node.set_meta(now, Bytes::from_static(b"other"), Duration::from_secs(1));
            let timing = node.config().timing();
            node.reconfigure(now, timing).expect("what is in force is valid");
        }
    }

    /// What strangers can do.
    fn lie(&mut self) {
        let deep = (0..64).fold(alive("n1", &[10, 1, 0, 1], 1), |inner, _| {
            let mut packed = Vec::new();
            compound::encode(&mut packed, &[inner]).expect("one short part");
            packed
        });
        let mut bomb = Vec::new();
        let mut buffer = Vec::new();
        assert!(Lzw::default().encode(&vec![0; 1 << 20], usize::MAX, &mut buffer, &mut bomb));
        for packet in [&deep[..], &bomb, &alive("n2", &[10, 1, 0, 2], 7), b"", b"\xff junk"] {
            // Most of it is refused; with a label or a key all of it.
            let _ = self.nodes[1].handle_packet(self.now, stranger(1), packet);
        }
        for from in 1..=4 {
            if let Some(id) = self.nodes[1].accept_stream(self.now, stranger(from)) {
                let _ = self.nodes[1].handle_stream_data(self.now, id, &vec![from; 2000]);
            }
        }
    }

    fn turns(&mut self) {
        for _ in 0..TURNS {
            self.carry();
            let due = self.nodes.iter().filter_map(Memberlist::poll_timeout).min();
            self.now = self.now.max(due.unwrap_or(self.now));
            for node in &mut self.nodes {
                node.handle_timeout(self.now);
                node.check_invariants().expect("invariants");
                assert!(node.poll_timeout().is_none_or(|next| next > self.now), "due at once");
            }
        }
        self.carry();
    }

    /// Carries out what the nodes want, as often as anything follows from it, within bounds.
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
        let (now, other, mut any) = (self.now, 1 - who, false);
        while let Some(op) = self.nodes[who].poll_stream() {
            self.stream(who, op);
            any = true;
        }
        while let Some(packet) = self.nodes[who].poll_transmit() {
            if packet.to == self.address(other) {
                let from = self.address(who);
                self.nodes[other]
                    .handle_packet(now, from, &packet.payload)
                    .expect("an honest node sends nothing wrong");
            }
            any = true;
        }
        let node = &mut self.nodes[who];
        while let Some(lookup) = node.poll_lookup() {
            node.handle_lookup(now, lookup.id, Err(LookupFailure::NotFound));
            any = true;
        }
        while let Some(request) = node.poll_request() {
            let answer = match request.kind {
                RequestKind::LocalState { .. } => Answer::LocalState(Bytes::from_static(b"state")),
                RequestKind::AdmitMerge { .. } => Answer::AdmitMerge(Ok(())),
            };
            node.answer(now, request.id, answer);
            any = true;
        }
        while node.poll_event().is_some() {}
        any
    }

    fn stream(&mut self, who: usize, op: StreamOp) {
        let (now, other) = (self.now, 1 - who);
        let peer = self.streams[who].get(&op.id()).copied();
        match op {
            StreamOp::Connect { id, to, .. } => {
                let from = self.address(who);
                let accepted = (to == self.address(other))
                    .then(|| self.nodes[other].accept_stream(now, from))
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
                    // What is beyond a limit of the other node's is refused.
                    let _ = self.nodes[other].handle_stream_data(now, peer, &data);
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
}

/// Where a node is: by the addresses that the mixed configurations know as seeds.
fn address(config: &Config, who: usize) -> SocketAddr {
    SocketAddr::new([10, 0, 0, 1 + who as u8].into(), config.advertise_port)
}
