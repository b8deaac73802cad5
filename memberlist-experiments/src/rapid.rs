//! The faults of the paper on Rapid (Suresh et al. 2018): some members lose most or all of what is
//! sent to them, while what they send arrives.

use std::time::Duration;

use memberlist_proto::{Config, Event};
use memberlist_sim::{Fault, Link, NodeId};

use crate::cluster::{Change, Cluster, as_go, secs, set_all};
use crate::grid::{Grid, Options, Progress};
use crate::plot::Plot;
use crate::report::Report;
use crate::summary::{Estimate, Summary};
use crate::table::Table;

/// The fault of some members.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Wrong {
    /// They lose this share of what is sent to them.
    Loses(f64),
    /// They receive nothing.
    Deaf,
    /// They receive nothing for 20 s, then everything for 20 s, and so on.
    Flips,
}

impl Wrong {
    fn name(self) -> String {
        match self {
            Self::Loses(part) => format!("lose {:.0} % of what they receive", part * 100.0),
            Self::Deaf => "receive nothing".into(),
            Self::Flips => "receive nothing for 20 s, everything for 20 s, and so on".into(),
        }
    }
}

struct Cell {
    name: &'static str,
    change: Change<'static>,
    wrong: Wrong,
    nodes: usize,
    time: Duration,
}

/// The view changes that healthy members have reported in one run.
#[derive(Clone, Copy, Debug, Default)]
struct Changes {
    /// Departures and returns of faulty members.
    faulty: u64,
    /// Departures and returns of healthy members.
    healthy: u64,
    /// The minutes of the run, summed over the healthy members.
    minutes: f64,
    /// The share of the faulty members that a healthy one considered gone at the end, on average.
    gone: f64,
}

impl Cell {
    fn run(&self, seed: u64) -> Changes {
        let lossy = matches!(self.wrong, Wrong::Loses(_));
        let change = |config: &mut Config| {
            (self.change)(config);
            // A real network that loses packets also loses those of streams; here they arrive.
            config.disable_tcp_pings |= lossy;
        };
        let mut cluster = Cluster::warm(seed, self.nodes, secs(1), &change);
        cluster.sim.run_for(secs(5));
        let faulty: Vec<NodeId> = (0..(self.nodes / 100).max(1))
            .map(|at| cluster.nodes[(seed as usize * 31 + at * 97) % self.nodes])
            .collect();
        let start = cluster.sim.now();
        match self.wrong {
            Wrong::Loses(loss) => {
                for to in &faulty {
                    for from in cluster.nodes.clone() {
                        let link = Link { loss, ..Link::default() };
                        cluster.sim.network().set_link(from, *to, link);
                    }
                }
                cluster.sim.run_for(self.time);
            }
            Wrong::Deaf => {
                set_all(&mut cluster, &faulty, Some(Fault::Deaf));
                cluster.sim.run_for(self.time);
            }
            Wrong::Flips => {
                while cluster.sim.now() < start + self.time {
                    set_all(&mut cluster, &faulty, Some(Fault::Deaf));
                    cluster.sim.run_for(secs(20));
                    set_all(&mut cluster, &faulty, None);
                    cluster.sim.run_for(secs(20));
                }
            }
        }
        let time = cluster.sim.now().saturating_duration_since(start);
        let mut changes = Changes::default();
        for observer in cluster.nodes.iter().filter(|it| !faulty.contains(it)) {
            changes.minutes += time.as_secs_f64() / 60.0;
            for (_, event) in cluster.sim.events(*observer).iter().filter(|(at, _)| *at >= start) {
                let (Event::Departed { node, .. } | Event::Joined { node }) = event else {
                    continue;
                };
                let is_faulty = faulty.contains(&cluster.id(node));
                changes.faulty += u64::from(is_faulty);
                changes.healthy += u64::from(!is_faulty);
            }
            let node = cluster.sim.node(*observer);
            let live = |id: &&NodeId| {
                node.member(cluster.sim.name(**id)).is_some_and(|it| it.state().is_live())
            };
            let live = faulty.iter().filter(live).count();
            changes.gone += (faulty.len() - live) as f64 / faulty.len() as f64;
        }
        changes.gone /= (self.nodes - faulty.len()) as f64;
        changes
    }
}

pub(crate) fn run(options: &Options, progress: &dyn Progress) -> Report {
    let (nodes, minutes) = if options.quick { (60, 2) } else { (1000, 4) };
    let mut report = Report::new("rapid", "Rapid's asymmetric faults");
    report.note(format!(
        "{nodes} members, LAN preset; 1 % of them (at least one) have a fault of what they receive, packets \
         and streams, while what they send arrives, for {minutes} minutes. Counted are the departures and \
         returns that healthy members report: view changes. Where packets get lost there are no pings over streams, and full state exchanges arrive.",
    ));
    let variants: [(&'static str, Change<'static>); 2] = [("as in Go", &as_go), ("ours", &|_| {})];
    let wrongs = [Wrong::Loses(0.8), Wrong::Deaf, Wrong::Flips];
    let cells = wrongs.iter().flat_map(|&wrong| {
        variants.map(|(name, change)| Cell { name, change, wrong, nodes, time: secs(minutes * 60) })
    });
    let grid = Grid::new(cells, options.seeds(10, 4));
    progress.expect(grid.runs());
    let outcomes = grid.run(options, progress, Cell::run);
    let mut table = Table::new(
        "changes",
        "View changes at a healthy member",
        &[
            "1 % of the members …",
            "differences",
            "of faulty members, a minute",
            "of healthy members, a minute",
            "faulty members considered gone at the end, %",
        ],
    );
    let title = "View changes a minute at a healthy member";
    let mut plot = Plot::new("changes", title, "fault: 1 loss, 2 deaf, 3 flipping", "a minute");
    let mut wrong = [0, 0];
    let mut lines: [Vec<(f64, Estimate)>; 2] = Default::default();
    for (at, (cell, runs)) in outcomes.iter().enumerate() {
        let of = |figure: fn(&Changes) -> f64| Summary::of(runs.iter().map(figure)).mean();
        let all = of(|it| (it.faulty + it.healthy) as f64 / it.minutes);
        table.row([
            cell.wrong.name().into(),
            cell.name.into(),
            of(|it| it.faulty as f64 / it.minutes).into(),
            of(|it| it.healthy as f64 / it.minutes).into(),
            of(|it| it.gone * 100.0).into(),
        ]);
        wrong[at % 2] += runs.iter().map(|it| it.healthy).sum::<u64>();
        lines[at % 2].extend(all.map(|it| ((at / 2 + 1) as f64, it)));
    }
    for ((name, _), line) in variants.iter().zip(lines) {
        plot.line(name, line);
    }
    let text =
        "with our differences healthy members are not declared dead more often than as in Go";
    report.expect(text, wrong[1] <= wrong[0]);
    report.tables.push(table);
    report.plots.push(plot);
    report
}
