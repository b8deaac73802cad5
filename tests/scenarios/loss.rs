//! Networks that lose much: what our differences from Go are worth there, on the same seeds.

use std::time::Duration;

use memberlist_sim::{Config, Event, Link, NodeId, Sim};

use super::{as_go, grow, plain, secs, settle};

/// What went wrong in some lives of a cluster in which nothing fails.
#[derive(Clone, Copy, Debug, Default)]
struct Harm {
    /// Members reported as departed by some member, though they run.
    departures: usize,
    /// How long members were suspected, over all observers.
    suspected: Duration,
}

/// Nodes on a network that loses this share of packets each way, for 90 s.
fn lossy(seed: u64, size: usize, loss: f64, change: impl Fn(usize, &mut Config)) -> Harm {
    let mut sim = Sim::new(seed);
    sim.check_every(1_000_000);
    let nodes = grow(&mut sim, size, |index, config| {
        change(index, config);
        // A real network that loses packets loses those of streams as well; here they arrive.
        config.disable_tcp_pings = true;
    });
    settle(&mut sim);
    let start = sim.now();
    sim.network().set_default(Link { loss, ..Link::default() });
    sim.run_for(secs(90));
    let mut harm = Harm::default();
    for node in nodes {
        count(&sim, node, start.as_nanos(), &mut harm);
    }
    harm
}

fn count(sim: &Sim, observer: NodeId, start: u64, harm: &mut Harm) {
    let mut since = std::collections::BTreeMap::new();
    let end = sim.now().as_nanos();
    for (at, event) in sim.events(observer).iter().filter(|(at, _)| at.as_nanos() >= start) {
        let over = match event {
            Event::Suspected { node, .. } => {
                since.insert(node.name().to_string(), at.as_nanos());
                None
            }
            Event::Departed { node, .. } => {
                harm.departures += 1;
                Some(node)
            }
            Event::Refuted { node, .. } | Event::Joined { node } => Some(node),
            _ => None,
        };
        if let Some(begun) = over.and_then(|node| since.remove(&node.name().to_string())) {
            harm.suspected += Duration::from_nanos(at.as_nanos() - begun);
        }
    }
    harm.suspected += since.values().map(|begun| Duration::from_nanos(end - begun)).sum();
}

/// Over these seeds: ours, and as in Go.
fn compare(seeds: std::ops::Range<u64>, size: usize, loss: f64) -> [Harm; 2] {
    let mut all = [Harm::default(); 2];
    for seed in seeds {
        let harms = [lossy(seed, size, loss, plain), lossy(seed, size, loss, as_go)];
        for (sum, harm) in all.iter_mut().zip(harms) {
            sum.departures += harm.departures;
            sum.suspected += harm.suspected;
        }
    }
    println!("{size} nodes, {loss} loss: ours {:?}, as in Go {:?}", all[0], all[1]);
    all
}

/// A quarter of the packets is lost each way. No running member is declared dead, and suspicions,
/// which refutations that were missed would keep up, are shorter.
#[test]
fn a_lossy_network_kills_no_running_member() {
    let [ours, go] = compare(0..20, 12, 0.25);
    assert_eq!(ours.departures, 0);
    assert!(ours.suspected < go.suspected, "{ours:?} {go:?}");
}

/// `cargo test --release -p memberlist-tests --test scenarios -- --ignored --nocapture lossy`.
#[test]
#[ignore = "minutes of processor: prints the figures of docs/differences.md"]
fn lossy_networks_of_many_seeds() {
    for (size, seeds) in [(12, 200), (100, 10)] {
        for loss in [0.1, 0.2, 0.25, 0.3, 0.4] {
            let [ours, go] = compare(0..seeds, size, loss);
            assert!(ours.departures <= go.departures, "{size} nodes, {loss}");
        }
    }
}
