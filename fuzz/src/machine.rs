//! One node against everything: hostile messages, streams, answers, operations and time.

mod operate;
mod search;
mod setup;
mod streams;
mod watch;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use memberlist_proto::security::Version;
use memberlist_proto::wire::packet::{Sealing, seal};
use memberlist_proto::wire::{Scratch, compound};
use memberlist_proto::{
    Answer, Instant, LookupFailure, LookupId, Memberlist, Node, OpId, RequestId,
};

use self::streams::Streams;
use self::watch::Watch;
use crate::hostile::{self, Known};
use crate::input::Input;

/// Steps of one run, at most: more only make it slow.
const STEPS: usize = 300;

/// Drives one node by `data` and checks after every step what must always hold; then ends
/// everything that is under way and checks that nothing is left.
pub fn machine(data: &[u8]) {
    let mut input = Input::new(data);
    let Some(mut world) = World::new(&mut input) else {
        return;
    };
    for _ in 0..STEPS {
        if input.is_empty() {
            break;
        }
        world.step(&mut input);
        world.check();
    }
    if !world.frozen() {
        world.end();
    }
}

/// The node, what is known of it, and what the driver would know.
struct World {
    node: Memberlist,
    now: Instant,
    known: Known,
    streams: Streams,
    watch: Watch,
    lookups: Vec<LookupId>,
    requests: Vec<RequestId>,
    /// Joins that try without end.
    tireless: Vec<OpId>,
}

impl World {
    fn new(input: &mut Input<'_>) -> Option<Self> {
        let now = Instant::from_nanos(1_000_000_000);
        let node = setup::node(now, input)?;
        let mut world = Self {
            watch: Watch::new(&node),
            node,
            now,
            known: Known::default(),
            streams: Streams::default(),
            lookups: Vec::new(),
            requests: Vec::new(),
            tireless: Vec::new(),
        };
        world.check();
        // Mostly it knows somebody already.
        if input.below(8) > 0 {
            for (name, last) in [("a", 2), ("b", 3)] {
                let message = hostile::member(name, last);
                world.deliver(SocketAddr::from(([10, 0, 0, last], 1)), &message, 1);
                world.check();
            }
        }
        Some(world)
    }

    /// No timer fires any more.
    fn frozen(&self) -> bool {
        self.now.as_nanos() > u64::MAX / 2
    }

    fn step(&mut self, input: &mut Input<'_>) {
        match input.below(16) {
            0..=3 => self.packet(input),
            4 => self.plausible(input),
            5 => self.junk(input),
            6..=8 => self.timeout(input),
            9..=11 => self.stream(input),
            12 => self.answer(input),
            _ => self.operate(input),
        }
    }

    /// News that the node must believe or contradict, about somebody whom it knows.
    fn plausible(&mut self, input: &mut Input<'_>) {
        let nodes: Vec<Node> = self.node.nodes().collect();
        let about = &nodes[input.below(nodes.len())];
        let from = source(input);
        let message = hostile::news(input, about);
        self.deliver(from, &message, input.byte());
    }

    /// Whole messages, wrapped as the node expects them.
    fn packet(&mut self, input: &mut Input<'_>) {
        let parts = match input.below(8) {
            0 => 2 + input.byte() % 4,
            _ => 1,
        };
        let mut messages: Vec<Vec<u8>> =
            (0..parts).map(|_| hostile::packet_message(input, &self.known)).collect();
        let message = if parts == 1 {
            messages.remove(0)
        } else {
            let mut joined = Vec::new();
            compound::encode(&mut joined, &messages).expect("few and short");
            joined
        };
        let from = source(input);
        self.deliver(from, &message, parts);
    }

    fn deliver(&mut self, from: SocketAddr, message: &[u8], layers: u8) {
        let keys = self.node.keys();
        let label = self.node.config().label.clone();
        let sealing = Sealing {
            label: &label,
            key: keys.first().map(|key| (key, Version::Plain)),
            nonce: [9; 12],
            compress: layers > 3,
            compress_min_size: 1,
            checksum: layers == 2,
        };
        let packet = seal(message, &sealing, &mut Scratch::new());
        self.node
            .handle_packet(self.now, from, &packet)
            .expect("hostile fields are no fault of the packet");
    }

    fn junk(&mut self, input: &mut Input<'_>) {
        let from = source(input);
        // What is wrong with it is the packet target's subject.
        let _ = self.node.handle_packet(self.now, from, input.string());
    }

    fn timeout(&mut self, input: &mut Input<'_>) {
        let ago = |now: Instant, by| now.checked_sub(by).unwrap_or(Instant::ORIGIN);
        let at = match input.below(16) {
            0..=5 => self.node.poll_timeout().unwrap_or(self.now),
            6 => self.now,
            7 => self.now + Duration::from_nanos(input.byte().into()),
            8 => self.now + Duration::from_millis(input.u16().into()),
            9 => self.now + Duration::from_secs(input.byte().into()),
            10 => self.now + Duration::from_secs(3600),
            11 => ago(self.now, Duration::from_secs(input.byte().into())),
            12 => Instant::ORIGIN,
            13 if input.byte() == 255 => Instant::from_nanos(u64::MAX - u64::from(input.byte())),
            _ => self.now + Duration::from_millis(input.byte().into()),
        };
        self.at(at);
    }

    fn at(&mut self, at: Instant) {
        self.node.handle_timeout(at);
        self.now = self.now.max(at);
        let next = self.node.poll_timeout();
        assert!(next.is_none_or(|next| next > self.now), "{next:?} is due at {:?}", self.now);
    }

    /// Look-ups and questions, also those that nobody waits for any more.
    fn answer(&mut self, input: &mut Input<'_>) {
        let kind = input.below(8);
        if kind < 4 && !self.lookups.is_empty() {
            let id = self.lookups[input.below(self.lookups.len())];
            let found: Vec<IpAddr> =
                (0..kind).map(|_| IpAddr::from([10, 0, 0, input.byte() & 7])).collect();
            let found = if input.byte() < 200 { Ok(&found[..]) } else { Err(LookupFailure::Other) };
            self.node.handle_lookup(self.now, id, found);
        } else if !self.requests.is_empty() {
            let id = self.requests[input.below(self.requests.len())];
            let answer = match kind {
                0..=5 if input.flag() => Answer::LocalState(input.string().to_vec().into()),
                6 => Answer::AdmitMerge(Err("no".into())),
                _ => Answer::AdmitMerge(Ok(())),
            };
            self.node.answer(self.now, id, answer);
        }
    }

    /// Takes every output and checks it, then the node.
    fn check(&mut self) {
        while let Some(event) = self.node.poll_event() {
            self.watch.event(&event);
        }
        while let Some(transmit) = self.node.poll_transmit() {
            for message in Watch::transmit(&self.node, &transmit) {
                self.known.note(&message);
            }
        }
        while let Some(op) = self.node.poll_stream() {
            self.streams.told(op);
        }
        self.lookups.extend(core::iter::from_fn(|| self.node.poll_lookup()).map(|it| it.id));
        while let Some(request) = self.node.poll_request() {
            assert!(request.deadline >= self.now, "a question too late to be answered");
            self.requests.push(request.id);
        }
        self.known.incarnation = self.node.local().incarnation();
        self.watch.node(&self.node, self.streams.open());
    }

    /// Nothing more comes from outside: whatever is under way must end by its own deadline.
    fn end(&mut self) {
        let mut timing = self.node.config().timing();
        timing.gossip_interval = Duration::ZERO;
        timing.push_pull_interval = Duration::ZERO;
        timing.probe_interval = Duration::ZERO;
        timing.rejoin.interval = Duration::ZERO;
        self.node.reconfigure(self.now, timing).expect("activity can be switched off");
        for id in core::mem::take(&mut self.lookups) {
            self.node.handle_lookup(self.now, id, Err(LookupFailure::TimedOut));
        }
        // They might try every millisecond of an hour.
        for op in core::mem::take(&mut self.tireless) {
            self.node.cancel(self.now, op);
        }
        self.check();
        let end = self.now + Duration::from_secs(3600);
        while let Some(due) = self.node.poll_timeout().filter(|due| *due <= end) {
            self.at(due);
            for id in core::mem::take(&mut self.lookups) {
                self.node.handle_lookup(self.now, id, Err(LookupFailure::TimedOut));
            }
            self.check();
        }
        for op in self.watch.waiting() {
            // Only the waits without a time limit are left.
            assert!(self.watch.may_wait(op), "{op:?} never ends");
            self.node.cancel(self.now, op);
        }
        self.check();
        assert_eq!(self.watch.waiting(), []);
        assert_eq!(self.streams.open(), 0, "streams stay open for ever");
        let gauges = self.node.stats().gauges;
        assert_eq!((gauges.acks_awaited, gauges.requests), (0, 0));
        assert_eq!((gauges.disseminations, gauges.dissemination_bytes), (0, 0));
        // Configured high enough, a suspicion takes days.
        let left = gauges.timers.checked_sub(gauges.suspicions);
        assert!(left.is_some_and(|left| left <= 1), "{gauges:?}");
    }
}

fn source(input: &mut Input<'_>) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, input.byte() & 7], 1 + u16::from(input.byte() & 3)))
}
