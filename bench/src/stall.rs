//! The longest single calls, apart from those of full state exchanges: STALL.

use std::time::Duration;

use bytes::Bytes;
use memberlist_proto::wire::message::{Message, Suspect};
use memberlist_proto::{Command, Memberlist};

use crate::measure::cpu_nanos;
use crate::ours::{self, at};
use crate::report::{Goal, Row, Unit};

/// When every suspicion has ended.
const LATER: u64 = 3_600_000_000_000;
/// More than gossip carries, less than is sealed by a job.
const MESSAGE: usize = 20_000;

pub(crate) fn run(rows: &mut Vec<Row>) {
    for (size, goal) in [(10_000, 1e6), (100_000, 3e6)] {
        let mut row = |what: &str, call: fn(usize) -> f64| {
            let quickest = (0..3).map(|_| call(size)).fold(f64::INFINITY, f64::min);
            let row = Row::new(format!("STALL {size}, {what}"), Unit::Time, quickest);
            rows.push(row.aiming_at(Goal::AtMost(goal)));
        };
        row("half of them fail at once", failing);
        row("a long message for all", disseminating);
        row("a leave", leaving);
    }
}

/// The longest call while half of all members are accused, and the suspicions end together.
fn failing(size: usize) -> f64 {
    let mut node = knowing(size);
    let (mut longest, mut packet) = (0, Vec::new());
    for index in 1..size / 2 {
        packet.clear();
        let (name, from) = (ours::name(index), ours::name(index + 1));
        let (node_name, from) = (name.as_bytes(), from.as_bytes());
        Message::Suspect(Suspect { incarnation: 1, node: node_name, from }).encode(&mut packet);
        longest = longest.max(timed(&mut node, |node| {
            node.handle_packet(at(2), ours::address(5), &packet).expect("news");
        }));
    }
    while node.poll_timeout().is_some_and(|due| due <= at(LATER)) {
        longest = longest.max(timed(&mut node, |node| node.handle_timeout(at(LATER))));
    }
    assert_eq!(node.stats().gauges.dead, size as u64 / 2 - 1);
    longest as f64
}

fn disseminating(size: usize) -> f64 {
    let message = Bytes::from(vec![7; MESSAGE]);
    let command = Command::Disseminate { message };
    timed(&mut knowing(size), |node| {
        node.handle(at(2), command.into()).expect("taken");
    }) as f64
}

fn leaving(size: usize) -> f64 {
    timed(&mut knowing(size), |node| {
        node.leave(at(2), Duration::from_secs(1));
    }) as f64
}

/// A node that knows so many, as adapters start it.
fn knowing(size: usize) -> Memberlist {
    let mut config = ours::config(0);
    config.hand_out_jobs = true;
    let mut node = ours::start(config);
    node.restore(at(1), ours::records(size));
    ours::discard(&mut node);
    node
}

/// The nanoseconds that a call takes; what the node wants then is taken for nothing.
fn timed(node: &mut Memberlist, call: impl FnOnce(&mut Memberlist)) -> u64 {
    let before = cpu_nanos();
    call(node);
    let took = cpu_nanos() - before;
    ours::discard(node);
    took as u64
}
