//! The figures of the paper on SWIM (Das, Gupta, Motivala 2002): load and detection by group size
//! (Figs. 2, 3a, 3b), and the size of a group under packet loss (Fig. 4).

use memberlist_proto::Config;
use memberlist_sim::{Link, NodeId};

use crate::cluster::{Change, Cluster, as_go, between, millis, secs};
use crate::grid::{Grid, Options, Progress};
use crate::plot::Plot;
use crate::report::Report;
use crate::summary::{Estimate, Summary};
use crate::table::{Cell, Table};

/// The paper's protocol period, in seconds.
const PERIOD: u64 = 2;
/// The number of periods over which the load is measured.
const MEASURED: u64 = 30;
/// The number of periods after which every failure is known.
const LONGEST: u64 = 40;
/// The largest group of Fig. 4.
const GROUP: usize = 17;
/// How many times its size is sampled.
const SAMPLES: usize = 100;

/// The expected number of periods until any of many members, each of which chooses a random member
/// in each period, chooses a given one: e / (e − 1).
const EXPECTED: f64 = 1.582;

/// The protocol of the paper: one helper, no gossip other than that piggybacked on pings and acks,
/// no streams.
fn plain(config: &mut Config) {
    as_go(config);
    config.probe_interval = secs(PERIOD);
    config.indirect_checks = 1;
    config.disable_tcp_pings = true;
    config.gossip_interval = secs(0);
    config.push_pull_interval = secs(0);
    config.awareness_max_multiplier = 1;
    config.suspicion_max_timeout_mult = 1;
    config.suspicion = false;
    config.buddy_ping = false;
    config.nacks = false;
}

fn suspecting(config: &mut Config) {
    plain(config);
    config.suspicion = true;
}

fn go(config: &mut Config) {
    as_go(config);
    config.probe_interval = secs(PERIOD);
    config.disable_tcp_pings = true;
}

fn ours(config: &mut Config) {
    config.probe_interval = secs(PERIOD);
    config.disable_tcp_pings = true;
}

/// A group of one size.
struct Group {
    name: &'static str,
    change: Change<'static>,
    /// Whether all members begin their periods together, as in the paper's analysis.
    in_step: bool,
    size: usize,
}

/// The measurements of one run; times in periods.
struct Detection {
    /// The packets that a member sends per period.
    load: f64,
    /// From the failure until the first member notices it.
    first: f64,
    /// From the first member that considers it dead until the last one does.
    spread: f64,
    /// The number of members that did not learn of it.
    missed: u64,
}

pub(crate) fn run(options: &Options, progress: &dyn Progress) -> Report {
    let title = "SWIM: load, detection and loss";
    let mut report = Report::new("swim", title);
    report.note(format!(
        "Protocol period {PERIOD} s, one helper. \"SWIM\" is the core with gossip, full state exchanges, \
         suspicion, Lifeguard and our differences switched off; \"ours\" are the defaults at that period. \
         Intervals are of 95 % confidence.",
    ));
    let sizes: Vec<usize> =
        if options.quick { vec![5, 20, 50] } else { (1..=11).map(|it| it * 5).collect() };
    let variants: [(&'static str, Change<'static>, bool); 3] = [
        ("SWIM, in step", &plain, true),
        ("SWIM, random phases", &plain, false),
        ("ours", &ours, false),
    ];
    let groups = variants.iter().flat_map(|(name, change, in_step)| {
        let group = |&size| Group { name, change: *change, in_step: *in_step, size };
        sizes.iter().map(group).collect::<Vec<_>>()
    });
    let groups = Grid::new(groups, options.seeds(200, 20));
    let lossy: [(&'static str, Change<'static>); 4] = [
        ("SWIM without suspicion", &plain),
        ("SWIM with suspicion", &suspecting),
        ("as in Go", &go),
        ("ours", &ours),
    ];
    let lossy = Grid::new(lossy, options.seeds(100, 2));
    progress.expect(groups.runs());
    progress.expect(lossy.runs());
    let detected = groups.run(options, progress, Group::run);
    tabulate(&mut report, &detected);
    let held = lossy.run(options, progress, |(_, change), seed| group_under_loss(*change, seed));
    tabulate_loss(&mut report, &held);
    report
}

impl Group {
    fn run(&self, seed: u64) -> Detection {
        let within = if self.in_step { secs(0) } else { secs(PERIOD) };
        let mut cluster = Cluster::warm(seed, self.size, within, self.change);
        cluster.sim.run_for(millis(PERIOD * 2000 - 1));
        let before = cluster.count("packets_sent");
        cluster.sim.run_for(secs(PERIOD * MEASURED));
        let sent = cluster.count("packets_sent") - before;
        // In step, the failure happens just before the next period begins; else at any time in it.
        if !self.in_step {
            cluster.sim.run_for(millis(seed % 20 * PERIOD * 50));
        }
        let failed = cluster.nodes[seed as usize % self.size];
        let start = cluster.sim.now();
        cluster.sim.crash(failed);
        cluster.sim.run_for(secs(PERIOD * LONGEST));
        let period = PERIOD as f64;
        let (mut first, mut deaths, mut missed) = (f64::INFINITY, Vec::new(), 0);
        for node in cluster.nodes.iter().filter(|node| **node != failed) {
            let of = |(_, id): &(_, NodeId)| *id == failed;
            let suspected = cluster.suspicions(*node, start).find(of);
            let departed = cluster.departures(*node, start).find(of);
            for (at, _) in suspected.into_iter().chain(departed) {
                first = first.min(between(start, at) / period);
            }
            match departed {
                Some((at, _)) => deaths.push(between(start, at) / period),
                None => missed += 1,
            }
        }
        let ends = deaths
            .iter()
            .fold((f64::INFINITY, 0.0_f64), |(low, high), it| (low.min(*it), high.max(*it)));
        Detection {
            load: sent as f64 / self.size as f64 / MEASURED as f64,
            first,
            spread: ends.1 - ends.0,
            missed,
        }
    }
}

fn tabulate(report: &mut Report, detected: &[(&Group, Vec<Detection>)]) {
    let mut table = Table::new(
        "detection",
        "Load and detection by group size (Figs. 2, 3)",
        &[
            "protocol",
            "members",
            "packets sent, per member and period",
            "first detection, periods",
            "from the first to the last member, periods (median)",
            "members that did not hear, share",
        ],
    );
    let mut load = Plot::new("load", "Packets sent (Fig. 2)", "members", "per member and period");
    let mut first = Plot::new("first-detection", "First detection (Fig. 3a)", "members", "periods");
    let mut spread =
        Plot::new("infection", "From the first to the last member (Fig. 3b)", "members", "periods");
    let mut names: Vec<&str> = Vec::new();
    for (group, _) in detected {
        if !names.contains(&group.name) {
            names.push(group.name);
        }
    }
    for name in names {
        let mut lines: [Vec<(f64, Estimate)>; 3] = Default::default();
        for (group, runs) in detected.iter().filter(|(group, _)| group.name == name) {
            let of = |figure: fn(&Detection) -> f64| Summary::of(runs.iter().map(figure));
            let figures = [
                of(|it| it.load).mean(),
                of(|it| it.first).mean(),
                of(|it| it.spread).quantile(0.5),
            ];
            let missed: u64 = runs.iter().map(|it| it.missed).sum();
            let share = missed as f64 / runs.len() as f64 / (group.size - 1) as f64;
            let [a, b, c] = figures.map(Cell::from);
            table.row([name.into(), group.size.into(), a, b, c, share.into()]);
            for (line, figure) in lines.iter_mut().zip(figures) {
                line.extend(figure.map(|it| (group.size as f64, it)));
            }
        }
        let sizes = || lines[0].iter().map(|it| it.0);
        match name {
            "SWIM, in step" => expect(report, &lines),
            "ours" => first.line("e / (e − 1)", sizes().map(|n| (n, Estimate::exactly(EXPECTED)))),
            _ => {}
        }
        for (plot, line) in [&mut load, &mut first, &mut spread].into_iter().zip(lines) {
            plot.line(name, line);
        }
    }
    report.tables.push(table);
    report.plots.extend([load, first, spread]);
}

/// Adds what the lines of plain SWIM should show.
fn expect(report: &mut Report, [load, first, spread]: &[Vec<(f64, Estimate)>; 3]) {
    let flat = load.iter().all(|(_, it)| (1.9..2.1).contains(&it.value));
    report.expect("SWIM sends 2 packets per member and period, whatever the group's size", flat);
    // For a group of five, the analysis for many members is inaccurate.
    let large: Vec<f64> = first.iter().filter(|it| it.0 >= 20.0).map(|it| it.1.value).collect();
    let mean = large.iter().sum::<f64>() / large.len() as f64;
    report.expect(
        format!("the first detection takes e / (e − 1) = 1.58 periods within 10 %: {mean:.3}"),
        (mean / EXPECTED - 1.0).abs() < 0.1,
    );
    if let (Some(least), Some(most)) = (spread.first(), spread.last()) {
        let (size, time) = (most.0 / least.0, most.1.value / least.1.value.max(1.0));
        report.expect(
            format!("the time to inform all grows by less than half as much as the group ({size:.0} ×): {time:.2} ×"),
            time < size / 2.0,
        );
    }
}

/// Lets members join one after another while 10 % of the packets are lost; returns how many members
/// each sees afterwards, on average.
fn group_under_loss(change: Change<'_>, seed: u64) -> f64 {
    let mut cluster = Cluster::empty(seed);
    cluster.sim.network().set_default(Link { loss: 0.1, ..Link::default() });
    for index in 0..GROUP {
        let node = cluster.start(change, memberlist_sim::Silent);
        if index > 0 {
            let first = cluster.nodes[0];
            cluster.sim.join(node, first);
        }
        cluster.sim.run_for(secs(5 * PERIOD));
    }
    cluster.sim.run_for(secs(30 * PERIOD));
    let mut members = 0;
    for _ in 0..SAMPLES {
        cluster.sim.run_for(secs(2 * PERIOD));
        members +=
            cluster.nodes.iter().map(|it| cluster.sim.node(*it).num_members()).sum::<usize>();
    }
    members as f64 / (SAMPLES * GROUP) as f64
}

fn tabulate_loss(report: &mut Report, held: &[(&(&'static str, Change<'static>), Vec<f64>)]) {
    let columns = ["protocol", "members seen, of 17 (mean)", "in the worst run"];
    let mut table =
        Table::new("group", "The size of a group of 17 with 10 % loss (Fig. 4)", &columns);
    let mut means = Vec::new();
    for ((name, _), runs) in held {
        let summary = Summary::of(runs.iter().copied());
        table.row([
            (*name).into(),
            summary.mean().into(),
            summary.quantile(0.0).map(|it| it.value).into(),
        ]);
        means.push(summary.mean().map_or(0.0, |it| it.value));
    }
    if let [without, with, _, ours] = means[..] {
        report.expect("suspicion keeps a group larger", without < with);
        let text = format!("with our defaults every member sees 17 of 17: {ours:.3}");
        report.expect(text, ours >= 16.99);
    }
    report.tables.push(table);
}
