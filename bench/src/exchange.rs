//! Full state exchanges, byte for byte, on both sides: PUSHPULL, JOIN, STALL.

use bytes::Bytes;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::measure::{cpu_nanos, median};
use crate::pair::{Joining, Pair, Took};
use crate::peer::{self, Discard, Id, Named, Small};
use crate::report::{Goal, Row, Unit};

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
        let join = best((0..3).map(|_| Joining::new(size, false).join()));
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
        let join_by_jobs = best((0..3).map(|_| Joining::new(size, true).join()));
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
    message(rows);
}

/// Measures a message of the greatest allowed length that does not compress.
fn message(rows: &mut Vec<Row>) {
    let mut random = SmallRng::seed_from_u64(7);
    let message: Bytes = (0..19 << 20).map(|_| random.random::<u8>()).collect();
    for jobs in [false, true] {
        let took = best((0..3).map(|_| Pair::new(2, jobs).send(message.clone())));
        let name = if jobs { "STALL 19 MiB sent" } else { "STALL 19 MiB sent, without jobs" };
        rows.push(Row::new(name, Unit::Time, took.longest));
    }
}

/// Measures two nodes that exchange their states again and again: returns the cost of the first
/// exchange, and the median of the others. Before each of these, one of the nodes learns `news`
/// changes.
fn repeated(size: usize, rounds: usize, news: usize, jobs: bool) -> (Took, Took) {
    let first = best((0..3).map(|_| {
        let mut pair = Pair::new(size, jobs);
        pair.exchange()
    }));
    let mut pair = Pair::new(size, jobs);
    pair.exchange();
    let mut all: Vec<Took> = (0..rounds)
        .map(|round| {
            pair.learn(round, news);
            pair.exchange()
        })
        .collect();
    all.sort_by(|one, other| one.both.total_cmp(&other.both));
    let shortest = all.iter().map(|it| it.longest).fold(f64::INFINITY, f64::min);
    (first, Took { longest: shortest, ..all[all.len() / 2] })
}

/// The quickest of several runs: the others were probably interrupted.
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

/// Measures the least that a user of the peer has to do on a join: add the members one after
/// another.
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
