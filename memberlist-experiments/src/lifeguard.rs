//! The experiments of the paper on Lifeguard (Dadgar, Phillips, Currey 2017): some members have
//! their messages held back for a while, once (how soon a failure is noticed) or again and again
//! (how often healthy members are declared dead).

mod figures;

use std::time::Duration;

use memberlist_proto::Config;
use memberlist_sim::{Fault, NodeId};

use crate::cluster::{Change, Cluster, as_go, between, millis, secs, set_all};
use crate::grid::{Grid, Options, Progress};
use crate::report::Report;

/// One of the configurations that are compared.
#[derive(Clone, Copy)]
pub(crate) struct Variant {
    pub(crate) name: &'static str,
    pub(crate) change: Change<'static>,
}

/// Plain SWIM with suspicion, as the Go library was before Lifeguard.
fn swim(config: &mut Config) {
    as_go(config);
    config.suspicion_mult = 5;
    config.suspicion_max_timeout_mult = 1;
    config.awareness_max_multiplier = 1;
    config.nacks = false;
    config.buddy_ping = false;
}

fn probe(config: &mut Config) {
    swim(config);
    config.awareness_max_multiplier = 8;
    config.nacks = true;
}

fn suspicion(config: &mut Config) {
    swim(config);
    config.suspicion_max_timeout_mult = 6;
}

fn buddy(config: &mut Config) {
    swim(config);
    config.buddy_ping = true;
}

fn lifeguard(config: &mut Config) {
    as_go(config);
    config.suspicion_mult = 5;
}

fn ours(config: &mut Config) {
    config.suspicion_mult = 5;
}

/// The paper's five configurations, as in Go, and ours with all differences.
pub(crate) const VARIANTS: [Variant; 6] = [
    Variant { name: "SWIM", change: &swim },
    Variant { name: "+ LHA-Probe", change: &probe },
    Variant { name: "+ LHA-Suspicion", change: &suspicion },
    Variant { name: "+ Buddy", change: &buddy },
    Variant { name: "Lifeguard", change: &lifeguard },
    Variant { name: "ours", change: &ours },
];

fn faster_lifeguard(config: &mut Config) {
    lifeguard(config);
    config.suspicion_mult = 4;
}

fn faster(config: &mut Config) {
    config.suspicion_mult = 4;
}

/// The last two with α = 4, to show what the earlier detection costs over the interval grid.
pub(crate) const FASTER: [Variant; 2] = [
    Variant { name: "Lifeguard, α = 4", change: &faster_lifeguard },
    Variant { name: "ours, α = 4", change: &faster },
];

/// A configuration of the sweep of α (`suspicion_mult`) and β (`suspicion_max_timeout_mult`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sweep {
    pub(crate) alpha: u32,
    pub(crate) beta: u32,
    /// Whether it has our differences; else it behaves as Go does.
    pub(crate) ours: bool,
}

impl Sweep {
    /// Plain SWIM, with which the others are compared.
    const PLAIN: Self = Self { alpha: 5, beta: 1, ours: false };

    fn apply(self, config: &mut Config) {
        match self {
            Self::PLAIN => swim(config),
            Self { ours: false, .. } => as_go(config),
            Self { ours: true, .. } => {}
        }
        config.suspicion_mult = self.alpha;
        config.suspicion_max_timeout_mult = self.beta;
    }
}

/// An anomaly: some members have their messages held back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Anomaly {
    /// The number of these members.
    pub(crate) members: usize,
    /// For how long messages are held back.
    pub(crate) held: Duration,
    /// The pause before they are held back again; `None` if that happens only once.
    pub(crate) free: Option<Duration>,
}

/// The size of an experiment.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    pub(crate) nodes: usize,
    /// How long the anomaly is repeated.
    pub(crate) time: Duration,
}

/// The measurements of one run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    /// Reports of the departure of a healthy member, by any member.
    pub(crate) false_positives: u64,
    /// Those of these reports that came from healthy members.
    pub(crate) at_healthy: u64,
    /// The seconds until the first healthy member declared a held member dead, for each one that
    /// was.
    pub(crate) first: Vec<f64>,
    /// The seconds until every healthy member had declared it dead, for each one for which all did.
    pub(crate) all: Vec<f64>,
    /// The packets that all members sent.
    pub(crate) packets: u64,
    /// The bytes of these packets.
    pub(crate) bytes: u64,
}

impl Anomaly {
    /// Runs a cluster with this anomaly.
    pub(crate) fn run(self, size: Size, change: Change<'_>, seed: u64) -> Outcome {
        let mut cluster = Cluster::warm(seed, size.nodes, secs(1), change);
        cluster.sim.run_for(secs(5));
        let start = cluster.sim.now();
        let before = ["packets_sent", "packet_bytes_sent"].map(|what| cluster.count(what));
        // Nodes differ only in the order in which they were started.
        let first = seed as usize * 31 % size.nodes;
        let held: Vec<NodeId> = (0..self.members)
            .map(|at| cluster.nodes[(first + at * size.nodes / self.members) % size.nodes])
            .collect();
        loop {
            set_all(&mut cluster, &held, Some(Fault::Held));
            cluster.sim.run_for(self.held);
            set_all(&mut cluster, &held, None);
            // In this time, what was held back arrives.
            let Some(free) = self.free else { break cluster.sim.run_for(secs(3)) };
            cluster.sim.run_for(free);
            if cluster.sim.now() >= start + size.time {
                break;
            }
        }
        let mut outcome = Outcome {
            packets: cluster.count("packets_sent") - before[0],
            bytes: cluster.count("packet_bytes_sent") - before[1],
            ..Outcome::default()
        };
        outcome.observe(&cluster, &held, start);
        outcome
    }
}

impl Outcome {
    fn observe(&mut self, cluster: &Cluster, held: &[NodeId], start: memberlist_proto::Instant) {
        let mut seen = vec![Vec::new(); cluster.nodes.len()];
        for observer in &cluster.nodes {
            let healthy = !held.contains(observer);
            for (at, subject) in cluster.departures(*observer, start) {
                if held.contains(&subject) {
                    if healthy {
                        seen[subject.index()].push((*observer, between(start, at)));
                    }
                } else {
                    self.false_positives += 1;
                    self.at_healthy += u64::from(healthy);
                }
            }
        }
        let observers = cluster.nodes.len() - held.len();
        for subject in held {
            let mut times = std::mem::take(&mut seen[subject.index()]);
            times.sort_by(|(_, one), (_, other)| one.total_cmp(other));
            self.first.extend(times.first().map(|(_, at)| *at));
            let mut known = std::collections::BTreeSet::new();
            let last = times.iter().find(|(observer, _)| {
                known.insert(*observer);
                known.len() == observers
            });
            self.all.extend(last.map(|(_, at)| *at));
        }
    }
}

/// One of the parts of the experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// How soon a member whose messages are held back is declared dead.
    Threshold,
    /// How soon it is, and how many false positives there are, by α and β.
    Sweep,
    /// False positives over the grid of anomalies.
    Interval,
}

/// Which parts of the experiment to run, and which part of the interval grid. An empty list selects
/// everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// The parts to run.
    pub parts: Vec<Part>,
    /// The numbers of held members in the interval grid.
    pub members: Vec<usize>,
    /// The times of being held in the interval grid.
    pub held: Vec<Duration>,
    /// The pauses in the interval grid.
    pub pauses: Vec<Duration>,
}

impl Selection {
    fn has(&self, part: Part) -> bool {
        self.parts.is_empty() || self.parts.contains(&part)
    }
}

/// The chosen values, or all if none was chosen.
fn chosen<T: Clone>(chosen: &[T], all: impl IntoIterator<Item = T>) -> Vec<T> {
    if chosen.is_empty() { all.into_iter().collect() } else { chosen.to_vec() }
}

/// The anomalies of the interval experiment.
fn intervals(options: &Options) -> Vec<Anomaly> {
    let (members, held, free): (&[usize], &[u64], &[u64]) = if options.quick {
        (&[4, 16], &[2048, 16_384], &[64, 4096])
    } else {
        (&[4, 16, 32], &[128, 2048, 16_384, 32_768], &[1, 64, 1024, 16_384])
    };
    let select = &options.lifeguard;
    let mut all = Vec::new();
    for members in chosen(&select.members, members.iter().copied()) {
        for held in chosen(&select.held, held.iter().copied().map(millis)) {
            for free in chosen(&select.pauses, free.iter().copied().map(millis)) {
                all.push(Anomaly { members, held, free: Some(free) });
            }
        }
    }
    all
}

/// An anomaly of the interval experiment in which plain SWIM blames many healthy members.
const BLAMED: Anomaly = Anomaly { members: 16, held: millis(16_384), free: Some(millis(64)) };

/// The anomalies of the threshold experiment, long enough for a failure to be noticed.
fn thresholds(quick: bool) -> Vec<Anomaly> {
    let members: &[usize] = if quick { &[4] } else { &[1, 4, 16, 32] };
    let held = secs(if quick { 25 } else { 33 });
    members.iter().map(|&members| Anomaly { members, held, free: None }).collect()
}

pub(crate) fn run(options: &Options, progress: &dyn Progress) -> Report {
    let quick = options.quick;
    let size = Size {
        nodes: options.nodes.unwrap_or(if quick { 40 } else { 128 }),
        time: secs(if quick { 40 } else { 120 }),
    };
    let mut report =
        Report::new("lifeguard", "Lifeguard: slow members, and who is blamed for them");
    report.note(format!(
        "{} members, of which some have their messages held back, in both directions, for a while; their \
         timers go on, and their sockets hold 208 KiB. In the interval experiment that happens again and \
         again for {} s, with pauses between, at all of these members together. A false positive is the \
         report of a healthy member's departure, counted at each member that makes it. The first five \
         configurations are the paper's, with `Differences::none()`; \"ours\" is the last of them with our \
         differences. α = 5, β = 6, if nothing else is said. The sweep of α and β takes its latencies from 4 \
         members that are held once for 25 s, and its false positives from 16 that are held again and again for \
         {} s with pauses of {} ms.",
        size.nodes,
        size.time.as_secs(),
        BLAMED.held.as_secs_f64(),
        BLAMED.free.map_or(0, |it| it.as_millis()),
    ));
    let pairs = |variants: &[Variant], anomalies: &[Anomaly]| -> Vec<(Variant, Anomaly)> {
        variants
            .iter()
            .flat_map(|it| anomalies.iter().map(move |anomaly| (*it, *anomaly)))
            .collect()
    };
    let all: Vec<Variant> = VARIANTS.into_iter().chain(FASTER).collect();
    let interval = Grid::new(pairs(&all, &intervals(options)), options.seeds(10, 1));
    // Latencies vary more, and take less time to measure.
    let many = Options { seeds: options.seeds.map(|seeds| seeds * 10), ..options.clone() };
    let threshold = Grid::new(pairs(&VARIANTS, &thresholds(quick)), many.seeds(100, 2));
    let swept = Grid::new(figures::sweeps(quick), many.seeds(100, 2));
    let blamed = Grid::new(figures::sweeps(quick), options.seeds(10, 1));
    let select = &options.lifeguard;
    let sizes = [
        (Part::Threshold, threshold.runs()),
        (Part::Sweep, swept.runs() + blamed.runs()),
        (Part::Interval, interval.runs()),
    ];
    for (_, runs) in sizes.into_iter().filter(|(part, _)| select.has(*part)) {
        progress.expect(runs);
    }
    let go =
        |(variant, anomaly): &(Variant, Anomaly), seed| anomaly.run(size, variant.change, seed);
    let sweep = |anomaly: Anomaly| {
        move |sweep: &Sweep, seed| {
            anomaly.run(size, &|config: &mut Config| sweep.apply(config), seed)
        }
    };
    if select.has(Part::Threshold) {
        figures::threshold(&mut report, &threshold.run(options, progress, go));
    }
    if select.has(Part::Sweep) {
        let latency = swept.run(options, progress, sweep(thresholds(true)[0]));
        let blame = blamed.run(options, progress, sweep(BLAMED));
        figures::sweep(&mut report, &latency, &blame);
    }
    if select.has(Part::Interval) {
        figures::interval(&mut report, &interval.run(options, progress, go));
    }
    report
}

#[cfg(test)]
mod tests;
