//! Clusters in which something happens: SIM-L, where datagrams are lost, and SIM-K, where nodes stop;
//! and what a node takes of memory when all have joined by themselves.

use memberlist_proto::Config;

use crate::measure::cpu_nanos;
use crate::ours;
use crate::peer::{self, Id, Named, Small};
use crate::report::{Goal, Row, Unit};
use crate::steady::{interval, rate};
use crate::world::{Player, World};

const LOSS: f64 = 0.05;
/// In seconds: what passes before a measurement, so that what changed has come to bear, and the
/// measurement.
const SETTLING: u64 = 30;
const WINDOW: u64 = 60;
/// The same under loss, of which 10,000 peers take minutes.
const LOSSY_SETTLING: u64 = 15;
const LOSSY_WINDOW: u64 = 30;

/// The cluster of 1,000, with the others of the table.
pub(crate) fn run(rows: &mut Vec<Row>) {
    let (small, named) = (theirs::<Small>(1_000), theirs::<Named>(1_000));
    pushed(rows, 1_000, [small, named].map(Some), [Goal::None; 4]);
}

/// That of 10,000.
pub(crate) fn large(rows: &mut Vec<Row>) {
    let goals = [3.0, 10.0, 40.0, 4.0].map(|factor| Goal::Times { factor, named: false });
    pushed(rows, 10_000, [Some(theirs::<Small>(10_000)), None], goals);
}

/// Node-seconds per second of processor time.
#[derive(Clone, Copy)]
struct Rates {
    steady: f64,
    lossy: f64,
    killed: f64,
}

fn pushed(rows: &mut Vec<Row>, size: usize, peers: [Option<Rates>; 2], goals: [Goal; 4]) {
    let ours = measured(&mut prepared(size, |_| {}), interval(size));
    let mut plain = prepared(size, |config| config.disable_tcp_pings = true);
    let plain = lossy(&mut plain);
    let mut row = |name: String, figure, of: fn(Rates) -> f64, goal| {
        let [small, named] = peers.map(|it| it.map(of));
        eprintln!("{name}: {figure:.0} beside {small:.0?} and {named:.0?}");
        rows.push(Row::new(name, Unit::NodeSeconds, figure).beside(small, named).aiming_at(goal));
    };
    if size > 1_000 {
        row(format!("SIM-S({size})"), ours.steady, |it| it.steady, goals[0]);
    }
    row(format!("SIM-L({size}), no fallback"), plain, |it| it.lossy, goals[1]);
    row(format!("SIM-L({size})"), ours.lossy, |it| it.lossy, goals[2]);
    row(format!("SIM-K({size})"), ours.killed, |it| it.killed, goals[3]);
}

/// Our nodes, after all have had their first exchange.
fn prepared(size: usize, adjust: impl Fn(&mut Config)) -> World<ours::Ours> {
    let mut world = ours::world(size, adjust);
    world.run(interval(size) + SETTLING);
    world
}

fn theirs<I: Id>(size: usize) -> Rates {
    let (began, mut world) = (cpu_nanos(), peer::world::<I>(size));
    if size > 1_000 {
        eprintln!("foca has taken {:.0} s to set up {size} nodes", (cpu_nanos() - began) / 1e9);
    }
    world.run(SETTLING);
    measured(&mut world, WINDOW)
}

/// In peace for so long, then under loss, then in peace again until one of a hundred stops.
fn measured(world: &mut World<impl Player>, peace: u64) -> Rates {
    let steady = rate(world, peace);
    let lossy = lossy(world);
    world.loss = 0.0;
    world.run(2 * SETTLING);
    let before = cpu_nanos();
    world.run(10);
    world.silence();
    world.run(WINDOW - 10);
    let seconds = world.players.len() as f64 * WINDOW as f64;
    Rates { steady, lossy, killed: seconds / ((cpu_nanos() - before) / 1e9) }
}

fn lossy(world: &mut World<impl Player>) -> f64 {
    world.loss = LOSS;
    world.run(LOSSY_SETTLING);
    rate(world, LOSSY_WINDOW)
}

/// Bytes of heap for each member that a node knows, of nodes that all joined through the first three.
pub(crate) fn joined(rows: &mut Vec<Row>, size: usize) {
    let mut world = None;
    let taken = allocation_counter::measure(|| {
        let world = world.insert(ours::joining(size));
        let mut seconds = 0;
        while !world.players.iter().all(|it| it.has_settled(size)) {
            world.run(10);
            seconds += 10;
            assert!(seconds < 3_600, "an hour, and not all know all");
        }
        eprintln!("{size} nodes knew each other after {seconds} s");
    });
    let each = taken.bytes_current as f64 / (size * size) as f64;
    rows.push(Row::new(format!("MEM of {size} nodes that joined, each member"), Unit::Bytes, each));
}
