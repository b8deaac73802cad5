//! Two of our nodes that exchange their full states, byte for byte.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use memberlist_proto::{Command, Memberlist, StreamId, StreamOp, Target};

use crate::measure::cpu_nanos;
use crate::ours::{self, at};

/// The costs of an exchange, in nanoseconds except for the bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Took {
    /// Processor time of both sides.
    pub(crate) both: f64,
    /// The part of it on the side that opened the stream.
    pub(crate) opener: f64,
    /// The longest call.
    pub(crate) longest: f64,
    /// The work of jobs, outside of the calls.
    pub(crate) jobs: f64,
    /// Bytes that the opener has sent.
    pub(crate) bytes: f64,
}

/// Two nodes that know each other, and other members.
pub(crate) struct Pair {
    nodes: [Memberlist; 2],
    now: u64,
    size: usize,
}

impl Pair {
    pub(crate) fn new(size: usize, jobs: bool) -> Self {
        let node = |index| {
            let mut config = ours::still(index);
            config.push_pull_interval = Duration::from_secs(30);
            config.hand_out_jobs = jobs;
            let mut node = ours::start(config);
            node.restore(at(1), ours::records(size));
            ours::discard(&mut node);
            node
        };
        Self { nodes: [node(0), node(1)], now: 1, size }
    }

    /// Lets the first node learn `news` changes; each round is about other members, or at a later
    /// incarnation.
    pub(crate) fn learn(&mut self, round: usize, news: usize) {
        let node = &mut self.nodes[0];
        for index in round * news..(round + 1) * news {
            let packet = ours::alive(2 + index % (self.size - 2), 2 + round as u32);
            node.handle_packet(at(self.now), ours::address(5), &packet).expect("news");
            ours::discard(node);
        }
    }

    /// Lets the first node begin an exchange; the second one answers, whichever member was chosen.
    pub(crate) fn exchange(&mut self) -> Took {
        let begun = |node: &Memberlist| node.stats().counters.push_pulls;
        let (before, mut took) = (begun(&self.nodes[0]), Took::default());
        while begun(&self.nodes[0]) == before {
            let due = self.nodes[0].poll_timeout().expect("the timer of exchanges");
            self.now = due.as_nanos().max(self.now);
            took = Took::default();
            time(&mut took, true, || self.nodes[0].handle_timeout(due));
        }
        let ended = |node: &Memberlist| node.stats().counters.push_pulls_ended;
        let before = ended(&self.nodes[0]);
        converse(&mut self.nodes, self.now, &mut took);
        assert_eq!(ended(&self.nodes[0]), before + 1, "the exchange went through");
        took
    }

    /// Lets the first node send the second one a message by stream.
    pub(crate) fn send(&mut self, message: Bytes) -> Took {
        let to = Target::Addr { addr: ours::address(1), node: None };
        let (mut took, now) = (Took::default(), at(self.now));
        let command = Command::SendReliable { to, message };
        time(&mut took, true, || self.nodes[0].handle(now, command.into())).expect("taken");
        converse(&mut self.nodes, self.now, &mut took);
        assert_eq!(self.nodes[1].stats().counters.messages_received, 1);
        took
    }
}

/// Times a call into the core.
fn time<R>(took: &mut Took, opener: bool, call: impl FnOnce() -> R) -> R {
    let cpu = cpu_nanos();
    let result = call();
    let cpu = cpu_nanos() - cpu;
    took.longest = took.longest.max(cpu);
    took.both += cpu;
    took.opener += if opener { cpu } else { 0.0 };
    result
}

/// Carries out what two nodes want done with the one stream between them, until it is closed.
fn converse(nodes: &mut [Memberlist; 2], now: u64, took: &mut Took) {
    let mut ids: [Option<StreamId>; 2] = [None; 2];
    let mut under_way: VecDeque<(usize, Bytes)> = VecDeque::new();
    loop {
        for side in [0, 1] {
            while let Some(op) = nodes[side].poll_stream() {
                match op {
                    StreamOp::Connect { id, .. } => {
                        let from = ours::address(side);
                        ids[1 - side] =
                            time(took, side == 1, || nodes[1 - side].accept_stream(at(now), from));
                        ids[side] = Some(id);
                        time(took, side == 0, || {
                            nodes[side].handle_stream_connected(at(now), id);
                        });
                    }
                    StreamOp::Write { id, data } => {
                        nodes[side].handle_stream_written(at(now), id, data.len());
                        took.bytes += if side == 0 { data.len() as f64 } else { 0.0 };
                        under_way.push_back((1 - side, data));
                    }
                    StreamOp::Close { id } => nodes[side].handle_stream_closed(at(now), id, None),
                    StreamOp::Abort { .. } => panic!("the exchange failed"),
                }
            }
        }
        let worked = [0, 1].map(|side| work(&mut nodes[side], side == 0, now, took));
        let Some((to, mut data)) = under_way.pop_front() else {
            if worked == [false; 2] {
                break;
            }
            continue;
        };
        let id = ids[to].expect("an open stream");
        // As much as a driver reads at once.
        while !data.is_empty() {
            let chunk = data.split_to(data.len().min(64 << 10));
            time(took, to == 0, || nodes[to].handle_stream_data(at(now), id, &chunk))
                .expect("a state");
        }
    }
    nodes.iter_mut().for_each(ours::discard);
}

/// Does the jobs that a node hands out; returns whether there were any.
fn work(node: &mut Memberlist, opener: bool, now: u64, took: &mut Took) -> bool {
    let mut worked = false;
    while let Some(job) = time(took, opener, || node.poll_job()) {
        let (id, before) = (job.id(), cpu_nanos());
        let output = job.run();
        took.jobs += cpu_nanos() - before;
        time(took, opener, || node.job_done(at(now), id, Some(output)));
        // As a driver does; otherwise, the waiting events would grow to the size of the state.
        while node.poll_event().is_some() {}
        worked = true;
    }
    worked
}

/// A node that knows no other, and one that knows many.
pub(crate) struct Joining {
    nodes: [Memberlist; 2],
    size: usize,
}

impl Joining {
    pub(crate) fn new(size: usize, jobs: bool) -> Self {
        let node = |index| {
            let mut config = ours::still(index);
            config.hand_out_jobs = jobs;
            ours::start(config)
        };
        let mut nodes = [node(size + 1), node(0)];
        nodes[1].restore(at(1), ours::records(size));
        nodes.iter_mut().for_each(ours::discard);
        Self { nodes, size }
    }

    /// Lets the first node join the second one.
    pub(crate) fn join(&mut self) -> Took {
        let (mut took, nodes) = (Took::default(), &mut self.nodes);
        time(&mut took, true, || nodes[0].join(at(2), &[ours::address(0).into()]));
        converse(nodes, 2, &mut took);
        assert_eq!(nodes[0].num_members(), self.size + 1);
        took
    }
}
