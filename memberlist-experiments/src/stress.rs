//! Exhausted processors (Dadgar, Phillips, Currey 2017): some members take a random, exponentially
//! distributed time for every input.

use memberlist_sim::{Fault, NodeId};

use crate::cluster::{Cluster, millis, secs};
use crate::grid::{Grid, Options, Progress};
use crate::lifeguard::{VARIANTS, Variant};
use crate::plot::Plot;
use crate::report::Report;
use crate::summary::Summary;
use crate::table::Table;

struct Cell {
    variant: Variant,
    nodes: usize,
    stressed: usize,
    /// The mean time that an input takes, in ms.
    mean: u64,
    seconds: u64,
}

/// The numbers of departures reported in one run.
#[derive(Clone, Copy, Debug, Default)]
struct Blame {
    /// Reports about healthy members, by any member.
    healthy: u64,
    /// Reports about healthy members, by healthy ones.
    at_healthy: u64,
    /// Reports about stressed members, by healthy ones.
    stressed: u64,
}

impl Cell {
    fn run(&self, seed: u64) -> Blame {
        let mut cluster = Cluster::warm(seed, self.nodes, secs(1), self.variant.change);
        cluster.sim.run_for(secs(5));
        let start = cluster.sim.now();
        let first = seed as usize * 31;
        let stressed: Vec<NodeId> = (0..self.stressed)
            .map(|at| cluster.nodes[(first + at * self.nodes / self.stressed) % self.nodes])
            .collect();
        for id in &stressed {
            cluster.sim.set_fault(*id, Some(Fault::Slow { mean: millis(self.mean) }));
        }
        cluster.sim.run_for(secs(self.seconds));
        let mut blame = Blame::default();
        for observer in &cluster.nodes {
            let healthy = !stressed.contains(observer);
            for (_, subject) in cluster.departures(*observer, start) {
                if stressed.contains(&subject) {
                    blame.stressed += u64::from(healthy);
                } else {
                    blame.healthy += 1;
                    blame.at_healthy += u64::from(healthy);
                }
            }
        }
        blame
    }
}

pub(crate) fn run(options: &Options, progress: &dyn Progress) -> Report {
    let quick = options.quick;
    let (nodes, seconds) = if quick { (50, 60) } else { (100, 300) };
    let counts: &[usize] = if quick { &[2, 8] } else { &[1, 4, 16, 32] };
    let means: &[u64] = if quick { &[200] } else { &[50, 200, 500] };
    let mut report = Report::new("stress", "Exhausted processors");
    report.note(format!(
        "{nodes} members, of which some take a time of their own for every input (packets, streams, timers), \
         exponentially distributed, for {seconds} s; what waits for them is bounded by 208 KiB of packets. \
         The configurations are those of the Lifeguard experiment, with α = 5.",
    ));
    let variants = [VARIANTS[0], VARIANTS[4], VARIANTS[5]];
    let mut cells = Vec::new();
    for &mean in means {
        for &stressed in counts {
            cells.extend(variants.map(|variant| Cell { variant, nodes, stressed, mean, seconds }));
        }
    }
    let grid = Grid::new(cells, options.seeds(10, 2));
    progress.expect(grid.runs());
    let outcomes = grid.run(options, progress, Cell::run);
    let mut table = Table::new(
        "blame",
        "Departures reported, a run",
        &[
            "mean time of an input, ms",
            "stressed members",
            "configuration",
            "healthy members declared dead, reports at all members",
            "the same at healthy members",
            "stressed members declared dead, reports at healthy members",
        ],
    );
    let mut sums = [0; 3];
    for (at, (cell, runs)) in outcomes.iter().enumerate() {
        let of =
            |figure: fn(&Blame) -> u64| Summary::of(runs.iter().map(|it| figure(it) as f64)).mean();
        table.row([
            cell.mean.into(),
            cell.stressed.into(),
            cell.variant.name.into(),
            of(|it| it.healthy).into(),
            of(|it| it.at_healthy).into(),
            of(|it| it.stressed).into(),
        ]);
        sums[at % 3] += runs.iter().map(|it| it.healthy).sum::<u64>();
    }
    report.plots.extend(means.iter().map(|mean| plot(*mean, &outcomes)));
    report.expect(
        format!("Lifeguard declares fewer healthy members dead than SWIM ({} and {}), and ours not more ({})", sums[1], sums[0], sums[2]),
        sums[1] < sums[0] && sums[2] <= sums[1],
    );
    report.tables.push(table);
    report
}

/// The plot of reported departures of healthy members if an input takes `mean` ms on average.
fn plot(mean: u64, outcomes: &[(&Cell, Vec<Blame>)]) -> Plot {
    let title = format!("Reports of healthy members' departures, inputs of {mean} ms");
    let name = format!("stress-{mean}");
    let mut plot = Plot::new(&name, &title, "stressed members", "a run").log_y();
    for variant in [VARIANTS[0], VARIANTS[4], VARIANTS[5]] {
        let name = variant.name;
        let of = outcomes.iter().filter(|(it, _)| it.variant.name == name && it.mean == mean);
        let point = |(cell, runs): &(&Cell, Vec<Blame>)| {
            let summary = Summary::of(runs.iter().map(|it| it.healthy as f64));
            Some((cell.stressed as f64, summary.mean()?))
        };
        plot.line(name, of.filter_map(point));
    }
    plot
}
