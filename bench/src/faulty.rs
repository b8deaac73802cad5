//! Clusters with faults: SIM-L, where datagrams are lost, and SIM-K, where nodes stop; and the
//! memory of a node in a cluster in which all have joined by themselves.

use memberlist_proto::{Compression, Config};

use crate::measure::cpu_nanos;
use crate::ours;
use crate::peer::{self, Id, Named, Small};
use crate::report::{Goal, Row, Unit};
use crate::steady::{interval, rate};
use crate::world::{Player, World};

const LOSS: f64 = 0.05;
/// The time before a measurement, in which a change takes effect, and the time of the measurement,
/// in seconds.
const SETTLING: u64 = 30;
const WINDOW: u64 = 60;
/// The same under loss, shorter because 10,000 peers take minutes of it.
const LOSSY_SETTLING: u64 = 15;
const LOSSY_WINDOW: u64 = 30;

/// Measures clusters of 1,000, for the table.
pub(crate) fn run(rows: &mut Vec<Row>) {
    let peers = [theirs::<Small>(1_000), theirs::<Named>(1_000)].map(Some);
    push(rows, 1_000, ours(1_000), peers, [Goal::None; 4]);
}

/// Measures clusters of 10,000, and memory. Our nodes and the peer's run at the same time, because
/// it takes long; each thread measures its own processor time.
pub(crate) fn large(rows: &mut Vec<Row>) {
    let goals = [3.0, 10.0, 40.0, 4.0].map(|factor| Goal::Times { factor, named: false });
    std::thread::scope(|scope| {
        let theirs = scope.spawn(|| theirs::<Small>(10_000));
        let ours = ours(10_000);
        let theirs = theirs.join().expect("measured");
        push(rows, 10_000, ours, [Some(theirs), None], goals);
    });
    joined(rows);
}

/// Memory of clusters that have joined by themselves.
pub(crate) fn joined(rows: &mut Vec<Row>) {
    rows.extend([1_000, 3_000].map(memory_joined));
}

/// Rates in node-seconds per second of processor time.
#[derive(Clone, Copy)]
struct Rates {
    steady: f64,
    killed: f64,
    lossy: f64,
    /// Under loss, without pings by stream.
    plain: f64,
    /// While some nodes stop, without compression.
    raw: f64,
}

fn push(
    rows: &mut Vec<Row>,
    size: usize,
    ours: Rates,
    peers: [Option<Rates>; 2],
    goals: [Goal; 4],
) {
    let mut row = |name: String, of: fn(Rates) -> f64, goal| {
        let [small, named] = peers.map(|it| it.map(of));
        rows.push(Row::new(name, Unit::NodeSeconds, of(ours)).beside(small, named).aiming_at(goal));
    };
    if size > 1_000 {
        row(format!("SIM-S({size})"), |it| it.steady, goals[0]);
    }
    row(format!("SIM-L({size}), no fallback"), |it| it.plain, goals[1]);
    row(format!("SIM-L({size})"), |it| it.lossy, goals[2]);
    row(format!("SIM-K({size}), no compression"), |it| it.raw, Goal::None);
    row(format!("SIM-K({size})"), |it| it.killed, goals[3]);
}

fn ours(size: usize) -> Rates {
    let rates = measured(&mut prepared(size, |_| {}), interval(size), "ours");
    let plain = lossy(&mut prepared(size, |config| config.disable_tcp_pings = true));
    let raw = killed(&mut prepared(size, |config| config.compression = Compression::None));
    Rates { plain, raw, ..rates }
}

/// Our nodes, after all have had their first exchange.
fn prepared(size: usize, adjust: impl Fn(&mut Config)) -> World<ours::Ours> {
    let mut world = ours::world(size, adjust);
    world.run(interval(size) + SETTLING);
    world
}

fn theirs<I: Id>(size: usize) -> Rates {
    let (began, mut world) = (cpu_nanos(), peer::world::<I>(size));
    eprintln!("foca took {:.0} s to set up {size} nodes", (cpu_nanos() - began) / 1e9);
    world.run(SETTLING);
    measured(&mut world, WINDOW, "foca")
}

/// Measures a world: without faults for `peace` seconds; while one node of a hundred stops; and at
/// last under loss, because that leaves a backlog.
fn measured(world: &mut World<impl Player>, peace: u64, who: &str) -> Rates {
    let steady = rate(world, peace);
    eprintln!("{who}, in peace: {steady:.0}");
    let killed = killed(world);
    eprintln!("{who}, while some stop: {killed:.0}");
    let lossy = lossy(world);
    eprintln!("{who}, under loss: {lossy:.0}");
    Rates { steady, killed, lossy, plain: lossy, raw: killed }
}

fn killed(world: &mut World<impl Player>) -> f64 {
    let before = cpu_nanos();
    world.run(10);
    world.silence();
    world.run(WINDOW - 10);
    let seconds = world.players.len() as f64 * WINDOW as f64;
    seconds / ((cpu_nanos() - before) / 1e9)
}

fn lossy(world: &mut World<impl Player>) -> f64 {
    world.loss = LOSS;
    world.run(LOSSY_SETTLING);
    rate(world, LOSSY_WINDOW)
}

/// Measures the bytes of heap for each member that a node knows, if all nodes join through the
/// first three.
fn memory_joined(size: usize) -> Row {
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
    // What 10,000 nodes would take of 6 GB.
    Row::new(format!("MEM of {size} nodes that joined, each member"), Unit::Bytes, each)
        .aiming_at(Goal::AtMost(60.0))
}
