//! Clusters in which nothing happens, SIM-S, and the memory for each member, MEM.

use std::time::Duration;

use foca::{Member, Message};
use memberlist_proto::Config;

use crate::measure::cpu_nanos;
use crate::ours::{self, at};
use crate::pair::Pair;
use crate::peer::{self, Discard, Id, Named, Small};
use crate::report::{Goal, Row, Unit};
use crate::world::{Player, World};

pub(crate) fn run(rows: &mut Vec<Row>) {
    for (size, factor) in [(100, 1.0), (1_000, 1.5)] {
        let (small, named) = (Some(theirs::<Small>(size)), Some(theirs::<Named>(size)));
        let goal = Goal::Times { factor, named: true };
        rows.push(
            Row::new(format!("SIM-S({size})"), Unit::NodeSeconds, simulated(size, |_| {}))
                .beside(small, named)
                .aiming_at(goal),
        );
        let off = |config: &mut Config| config.push_pull_interval = Duration::ZERO;
        rows.push(
            Row::new(
                format!("SIM-S({size}), no exchanges"),
                Unit::NodeSeconds,
                simulated(size, off),
            )
            .beside(small, named),
        );
    }
}

/// Measures one whole interval of exchanges, after all nodes have had their first.
fn simulated(size: usize, adjust: impl Fn(&mut Config)) -> f64 {
    let mut world = ours::world(size, adjust);
    world.run(interval(size) + 30);
    rate(&mut world, interval(size))
}

/// The seconds between two exchanges of a node in a cluster of this size.
pub(crate) fn interval(size: usize) -> u64 {
    let scale = (size as f64 / 32.0).log2().ceil().max(0.0) as u64 + 1;
    30 * scale
}

fn theirs<I: Id>(size: usize) -> f64 {
    let mut world = peer::world::<I>(size);
    world.run(60);
    rate(&mut world, 60)
}

/// Runs a world for `seconds`, and returns the node-seconds per second of processor time.
pub(crate) fn rate(world: &mut World<impl Player>, seconds: u64) -> f64 {
    let before = cpu_nanos();
    world.run(seconds);
    world.players.len() as f64 * seconds as f64 / ((cpu_nanos() - before) / 1e9)
}

/// Measures the bytes of heap for each member.
pub(crate) fn memory(rows: &mut Vec<Row>) {
    const SIZE: usize = 10_000;
    rows.push(
        Row::new(format!("MEM by gossip, {SIZE}"), Unit::Bytes, gossiped(SIZE))
            .beside(Some(their_memory::<Small>(SIZE)), Some(their_memory::<Named>(SIZE)))
            .aiming_at(Goal::AtMost(95.0)),
    );
    for size in [SIZE, 100_000] {
        let mut restored = ours::start(ours::still(0));
        let records = allocation_counter::measure(|| {
            restored.restore(at(1), ours::records(size));
            ours::discard(&mut restored);
        });
        let each = records.bytes_current as f64 / size as f64;
        rows.push(Row::new(format!("MEM restored, {size}"), Unit::Bytes, each));
        let mut pair = None;
        let exchanged = allocation_counter::measure(|| {
            pair.insert(Pair::new(size, true)).exchange();
        });
        let each = exchanged.bytes_current as f64 / (2 * size) as f64;
        rows.push(Row::new(format!("MEM after an exchange, {size}"), Unit::Bytes, each));
    }
    rows.push(Row::new(
        "MEM a node's own size",
        Unit::Bytes,
        size_of::<memberlist_proto::Memberlist>() as f64,
    ));
}

/// The bytes for each member if all were learned by gossip and have been passed on.
fn gossiped(size: usize) -> f64 {
    let mut config = ours::still(0);
    config.gossip_interval = Duration::from_millis(200);
    let mut node = ours::start(config);
    ours::discard(&mut node);
    let learned = allocation_counter::measure(|| {
        let mut now = 1;
        for index in 1..=size {
            let packet = ours::alive(index, 1);
            node.handle_packet(at(now), ours::address(1), &packet).expect("news");
            now += 100_000;
            ours::discard(&mut node);
        }
        while node.stats().gauges.membership_queue > 0 {
            now += 200_000_000;
            node.handle_timeout(at(now));
            ours::discard(&mut node);
        }
    });
    learned.bytes_current as f64 / size as f64
}

fn their_memory<I: Id>(size: usize) -> f64 {
    let mut node = peer::start::<I>(0, size);
    let taken = allocation_counter::measure(|| {
        let mut out = Discard::default();
        for index in 1..=size {
            let update = [Member::alive(I::of(index))];
            let packet = peer::packet(1, Message::Gossip, &update);
            node.handle_data(&packet, &mut out).expect("news");
        }
        while node.updates_backlog() > 0 {
            node.gossip(&mut out).expect("gossip");
        }
    });
    taken.bytes_current as f64 / size as f64
}
