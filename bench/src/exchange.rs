//! Full state exchanges, byte for byte and both sides: PUSHPULL, JOIN, STALL.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use memberlist_proto::{Memberlist, StreamId, StreamOp};

use crate::measure::{cpu_nanos, median};
use crate::ours::{self, at};
use crate::peer::{self, Discard, Id, Named, Small};
use crate::report::{Goal, Row, Unit};

/// What an exchange took.
#[derive(Clone, Copy, Debug, Default)]
struct Took {
    /// Processor time of both sides.
    both: f64,
    /// Of that, the side that opened the stream.
    opener: f64,
    /// The longest call.
    longest: f64,
    /// What was done outside of the calls.
    jobs: f64,
    /// Bytes that the opener has sent.
    bytes: f64,
}

pub(crate) fn run(rows: &mut Vec<Row>) {
    for size in [1_000, 10_000, 100_000] {
        let mut goals = [Goal::None; 3];
        if size == 10_000 {
            goals = [Goal::AtMost(0.5e6), Goal::AtMost(8e6), Goal::AtMost(16e6)];
        }
        let rounds = if size == 100_000 { 3 } else { 9 };
        let (first, unchanged) = repeated(size, rounds, 0, false);
        let (_, changed) = repeated(size, rounds, size / 100, false);
        let mut row = |what: &str, took: Took, goal| {
            rows.push(
                Row::new(format!("PUSHPULL {size} {what}"), Unit::Time, took.both).aiming_at(goal),
            );
        };
        row("unchanged", unchanged, goals[0]);
        row("1 % changed", changed, goals[1]);
        row("first", first, goals[2]);
        let join = best((0..3).map(|_| join(size, false)));
        let theirs = if size > 10_000 {
            (None, None)
        } else {
            (Some(their_join::<Small>(size)), Some(their_join::<Named>(size)))
        };
        let goal = if size == 10_000 { Goal::AtMost(5e6) } else { Goal::None };
        rows.push(
            Row::new(format!("JOIN {size}, the joiner"), Unit::Time, join.opener)
                .beside(theirs.0, theirs.1)
                .aiming_at(goal),
        );
        let longest = |all: [Took; 4]| all.map(|it| it.longest).into_iter().fold(0.0, f64::max);
        let at_once = longest([first, unchanged, changed, join]);
        rows.push(Row::new(format!("STALL {size}, without jobs"), Unit::Time, at_once));
        let (first, unchanged) = repeated(size, rounds, 0, true);
        let (_, changed) = repeated(size, rounds, size / 100, true);
        let join_by_jobs = best((0..3).map(|_| self::join(size, true)));
        let parts = longest([first, unchanged, changed, join_by_jobs]);
        let goal = match size {
            10_000 => Goal::AtMost(1e6),
            100_000 => Goal::AtMost(3e6),
            _ => Goal::None,
        };
        rows.push(Row::new(format!("STALL {size}"), Unit::Time, parts).aiming_at(goal));
        let total = first.both + first.jobs;
        rows.push(Row::new(format!("PUSHPULL {size} first, by jobs"), Unit::Time, total));
        let name = format!("PUSHPULL {size}, sent by each");
        rows.push(Row::new(name, Unit::Bytes, first.bytes));
    }
}

/// Two nodes that exchange their states again and again: what the first exchange took, and the
/// median of the others. Before each of them, one of the nodes learns so much news.
fn repeated(size: usize, rounds: usize, news: usize, jobs: bool) -> (Took, Took) {
    let first = best((0..3).map(|_| {
        let mut pair = Pair::new(size, jobs);
        pair.exchange()
    }));
    let mut pair = Pair::new(size, jobs);
    pair.exchange();
    let mut all: Vec<Took> = (0..rounds)
        .map(|round| {
            for index in 0..news {
                let packet = ours::alive(2 + (round * news + index) % (size - 2), 2 + round as u32);
                let node = &mut pair.nodes[0];
                node.handle_packet(at(pair.now), ours::address(5), &packet).expect("news");
                ours::discard(node);
            }
            pair.exchange()
        })
        .collect();
    all.sort_by(|one, other| one.both.total_cmp(&other.both));
    let shortest = all.iter().map(|it| it.longest).fold(f64::INFINITY, f64::min);
    (first, Took { longest: shortest, ..all[all.len() / 2] })
}

/// The quickest of several runs: the others were interrupted.
fn best(runs: impl Iterator<Item = Took>) -> Took {
    runs.reduce(|one, other| Took {
        both: one.both.min(other.both),
        opener: one.opener.min(other.opener),
        longest: one.longest.min(other.longest),
        jobs: one.jobs.min(other.jobs),
        bytes: one.bytes,
    })
    .expect("at least one")
}

struct Pair {
    nodes: [Memberlist; 2],
    now: u64,
}

impl Pair {
    fn new(size: usize, jobs: bool) -> Self {
        let node = |index| {
            let mut config = ours::still(index);
            config.push_pull_interval = Duration::from_secs(30);
            config.hand_out_jobs = jobs;
            let mut node = ours::start(config);
            node.restore(at(1), ours::records(size));
            ours::discard(&mut node);
            node
        };
        Self { nodes: [node(0), node(1)], now: 1 }
    }

    /// The first node's timer fires, and whichever member it chose, the second one answers.
    fn exchange(&mut self) -> Took {
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
}

/// A call into the core, timed.
fn time<R>(took: &mut Took, opener: bool, call: impl FnOnce() -> R) -> R {
    let cpu = cpu_nanos();
    let result = call();
    let cpu = cpu_nanos() - cpu;
    took.longest = took.longest.max(cpu);
    took.both += cpu;
    took.opener += if opener { cpu } else { 0.0 };
    result
}

/// Carries out what two nodes want with the one stream between them, until it is closed.
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

/// Does what a node hands out; whether there was any.
fn work(node: &mut Memberlist, opener: bool, now: u64, took: &mut Took) -> bool {
    let mut worked = false;
    while let Some(job) = time(took, opener, || node.poll_job()) {
        let (id, before) = (job.id(), cpu_nanos());
        let output = job.run();
        took.jobs += cpu_nanos() - before;
        time(took, opener, || node.job_done(at(now), id, Some(output)));
        worked = true;
    }
    worked
}

/// A node that knows no other joins one that knows so many.
fn join(size: usize, jobs: bool) -> Took {
    let node = |index| {
        let mut config = ours::still(index);
        config.hand_out_jobs = jobs;
        ours::start(config)
    };
    let (mut joiner, mut seed) = (node(size + 1), node(0));
    seed.restore(at(1), ours::records(size));
    for node in [&mut joiner, &mut seed] {
        ours::discard(node);
    }
    let mut took = Took::default();
    let mut nodes = [joiner, seed];
    time(&mut took, true, || nodes[0].join(at(2), &[ours::address(0).into()]));
    converse(&mut nodes, 2, &mut took);
    assert_eq!(nodes[0].num_members(), size + 1);
    took
}

/// The least that a user of the peer does on a join: the members are added one after another.
fn their_join<I: Id>(size: usize) -> f64 {
    let mut runs: Vec<f64> = (0..3)
        .map(|_| {
            let mut node = peer::start::<I>(size + 1, size);
            let before = cpu_nanos();
            node.apply_many(peer::members(size), true, &mut Discard::default()).expect("members");
            cpu_nanos() - before
        })
        .collect();
    median(&mut runs)
}
