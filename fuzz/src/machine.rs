//! One node against everything: hostile messages, streams, answers, operations and time.

mod operate;
mod search;
mod setup;
mod streams;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use memberlist_proto::security::Version;
use memberlist_proto::wire::compress::Algorithm;
use memberlist_proto::wire::message::Message;
use memberlist_proto::wire::packet::{Sealing, seal};
use memberlist_proto::wire::{Scratch, compound};
use memberlist_proto::{
    Answer, Event, Instant, Job, LookupFailure, LookupId, Node, OpId, RequestId,
};
use memberlist_sim::rig::Rig;

use self::streams::Streams;
use crate::hostile::{self, Known};
use crate::input::Input;
use crate::wire::reencode;

/// Steps of one run, at most: more only make it slow.
const STEPS: usize = 300;

/// Drives one node by `data`, held to every law of `memberlist_sim::laws`; then ends everything that
/// is under way and checks that nothing is left.
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
        world.collect();
    }
    world.end();
}

/// The node, what is known of it, and what the driver would know.
struct World {
    rig: Rig,
    known: Known,
    streams: Streams,
    /// Operations under way, and whether they may wait forever.
    operations: BTreeMap<OpId, bool>,
    lookups: Vec<LookupId>,
    requests: Vec<RequestId>,
    jobs: Vec<Job>,
    /// Joins that try without end.
    tireless: Vec<OpId>,
}

impl World {
    fn new(input: &mut Input<'_>) -> Option<Self> {
        let rig = setup::rig(Instant::from_nanos(1_000_000_000), input)?;
        let mut world = Self {
            rig,
            known: Known::default(),
            streams: Streams::default(),
            operations: BTreeMap::new(),
            lookups: Vec::new(),
            requests: Vec::new(),
            jobs: Vec::new(),
            tireless: Vec::new(),
        };
        for unusable in operate::UNUSABLE {
            world.rig.named(unusable);
        }
        world.collect();
        // Mostly it knows some members already.
        if input.below(8) > 0 {
            for (name, last) in [("a", 2), ("b", 3)] {
                let message = hostile::member(name, last);
                world.deliver(SocketAddr::from(([10, 0, 0, last], 1)), &message, 1);
                world.collect();
            }
        }
        Some(world)
    }

    fn step(&mut self, input: &mut Input<'_>) {
        // Jobs take their time, and are done in any order.
        if !self.jobs.is_empty() && input.flag() {
            let job = self.jobs.swap_remove(input.below(self.jobs.len()));
            let (id, with_result) = (job.id(), input.flag());
            self.rig.job_done(id, with_result.then(|| job.run()));
            self.collect();
        }
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

    /// News that the node must believe or contradict, about a node that it knows.
    fn plausible(&mut self, input: &mut Input<'_>) {
        let nodes: Vec<Node> = self.rig.node().nodes().collect();
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
        let keys = self.rig.node().keys();
        let label = self.rig.node().config().label.clone();
        let sealing = Sealing {
            label: &label,
            key: keys.first().map(|key| (key, Version::Plain)),
            nonce: [9; 12],
            compress: (layers > 3).then_some(Algorithm::Lzw),
            compress_min_size: 1,
            checksum: layers == 2,
        };
        let packet = seal(message, &sealing, &mut Scratch::new());
        let taken = self.rig.packet(from, &packet);
        taken.expect("the packet is not to blame for hostile fields");
    }

    fn junk(&mut self, input: &mut Input<'_>) {
        let from = source(input);
        // What is wrong with it is the packet target's subject.
        let _ = self.rig.packet(from, input.string());
    }

    fn timeout(&mut self, input: &mut Input<'_>) {
        let ago = |now: Instant, by| now.checked_sub(by).unwrap_or(Instant::ORIGIN);
        let now = self.rig.now();
        let at = match input.below(16) {
            0..=5 => self.rig.node().poll_timeout().unwrap_or(now),
            6 => now,
            7 => now + Duration::from_nanos(input.byte().into()),
            8 => now + Duration::from_millis(input.u16().into()),
            9 => now + Duration::from_secs(input.byte().into()),
            10 => now + Duration::from_secs(3600),
            11 => ago(now, Duration::from_secs(input.byte().into())),
            12 => Instant::ORIGIN,
            13 if input.byte() == 255 => Instant::from_nanos(u64::MAX - u64::from(input.byte())),
            _ => now + Duration::from_millis(input.byte().into()),
        };
        self.rig.fire(at);
    }

    /// Look-ups and questions, also those that are not waited for any more.
    fn answer(&mut self, input: &mut Input<'_>) {
        let kind = input.below(8);
        if kind < 4 && !self.lookups.is_empty() {
            let id = self.lookups[input.below(self.lookups.len())];
            let found: Vec<IpAddr> =
                (0..kind).map(|_| IpAddr::from([10, 0, 0, input.byte() & 7])).collect();
            let found = if input.byte() < 200 { Ok(&found[..]) } else { Err(LookupFailure::Other) };
            self.rig.resolved(id, found);
        } else if !self.requests.is_empty() {
            let id = self.requests[input.below(self.requests.len())];
            let answer = match kind {
                0..=5 if input.flag() => Answer::LocalState(input.string().to_vec().into()),
                6 => Answer::AdmitMerge(Err("no".into())),
                _ => Answer::AdmitMerge(Ok(())),
            };
            self.rig.answer(id, answer);
        }
    }

    /// Takes what the node wants.
    fn collect(&mut self) {
        for event in self.rig.events() {
            if let Event::Finished { op, .. } = event {
                self.operations.remove(&op);
            }
        }
        for packet in self.rig.packets() {
            for bytes in self.rig.messages(&packet) {
                reencode(Message::decode(&bytes).expect("it was decoded before"));
                self.known.note(&bytes);
            }
        }
        for op in self.rig.stream_ops() {
            self.streams.wanted(op);
        }
        self.lookups.extend(self.rig.lookups().into_iter().map(|it| it.id));
        self.requests.extend(self.rig.requests().into_iter().map(|it| it.id));
        self.jobs.extend(core::iter::from_fn(|| self.rig.job()));
        self.known.incarnation = self.rig.node().local().incarnation();
    }

    /// Nothing more comes from outside: whatever is under way must end by its own deadline.
    fn end(&mut self) {
        let mut timing = self.rig.node().config().timing();
        timing.gossip_interval = Duration::ZERO;
        timing.push_pull_interval = Duration::ZERO;
        timing.probe_interval = Duration::ZERO;
        timing.rejoin.interval = Duration::ZERO;
        let switched_off = self.rig.call(|node, now| node.reconfigure(now, timing));
        switched_off.expect("activity can be switched off");
        self.fail_lookups();
        // They might try every millisecond of an hour.
        for op in core::mem::take(&mut self.tireless) {
            self.rig.call(|node, now| node.cancel(now, op));
        }
        self.collect();
        self.pass_an_hour();
        // Exchanges end also if the driver owes them their jobs. What has no stream yet waits for its job.
        assert_eq!(self.rig.node().stats().gauges.streams, 0, "they never end");
        while let Some(job) = self.jobs.pop() {
            self.rig.job_done(job.id(), Some(job.run()));
            self.collect();
        }
        self.pass_an_hour();
        for (op, may_wait) in core::mem::take(&mut self.operations) {
            // Only the waits without a time limit are left.
            assert!(may_wait, "{op:?} never ends");
            self.rig.call(|node, now| node.cancel(now, op));
        }
        self.collect();
        let gauges = self.rig.node().stats().gauges;
        assert_eq!((gauges.operations, gauges.streams), (0, 0), "they never end");
        assert_eq!((gauges.acks_awaited, gauges.requests), (0, 0));
        assert_eq!((gauges.disseminations, gauges.dissemination_bytes), (0, 0));
        // Configured high enough, a suspicion takes days.
        let left = gauges.timers.checked_sub(gauges.suspicions);
        assert!(left.is_some_and(|left| left <= 1), "{gauges:?}");
    }

    fn pass_an_hour(&mut self) {
        let end = self.rig.now() + Duration::from_secs(3600);
        while let Some(due) = self.rig.node().poll_timeout().filter(|due| *due <= end) {
            self.rig.fire(due);
            self.collect();
            self.fail_lookups();
            self.collect();
        }
    }

    fn fail_lookups(&mut self) {
        for id in core::mem::take(&mut self.lookups) {
            self.rig.resolved(id, Err(LookupFailure::TimedOut));
        }
    }
}

fn source(input: &mut Input<'_>) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, input.byte() & 7], 1 + u16::from(input.byte() & 3)))
}
