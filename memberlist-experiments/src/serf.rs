//! Serf's page on convergence: the fraction of members that a broadcast has reached over time, by its
//! formula and as measured.

use memberlist_sim::Link;

use crate::cluster::{Cluster, between, millis, secs};
use crate::grid::{Grid, Options, Progress};
use crate::hearer::Hearer;
use crate::plot::Plot;
use crate::report::Report;
use crate::summary::{Estimate, Summary};
use crate::table::Table;

/// The defaults of Serf and of memberlist; the interval in seconds.
const FAN_OUT: f64 = 3.0;
const INTERVAL: f64 = 0.2;
/// The fractions of the members in the table.
const FRACTIONS: [f64; 4] = [0.5, 0.9, 0.99, 1.0];
/// The length of the plots in tenths of a second.
const TENTHS: u64 = 40;

/// A cluster of some size, in which a share of the packets is lost.
#[derive(Clone, Copy)]
struct Cell {
    nodes: usize,
    loss: f64,
}

impl Cell {
    /// The sorted times, in seconds, at which the members received the broadcast; infinity for
    /// those that never did.
    fn run(self, seed: u64) -> Vec<f64> {
        let hearers: Vec<Hearer> = (0..self.nodes).map(|_| Hearer::default()).collect();
        let app = |index: usize| hearers[index].clone();
        let mut cluster = Cluster::warm_with(seed, self.nodes, secs(1), &|_| {}, app);
        cluster.sim.network().set_default(Link { loss: self.loss, ..Link::default() });
        cluster.sim.run_for(secs(2) + millis(seed * 37 % 200));
        let from = seed as usize % self.nodes;
        let start = hearers[from].begin(&mut cluster, from);
        cluster.sim.run_for(secs(8));
        let heard = |it: &Hearer| it.heard().map_or(f64::INFINITY, |at| between(start, at));
        let mut times: Vec<f64> = hearers.iter().map(heard).collect();
        times.sort_by(f64::total_cmp);
        times
    }

    /// The fraction by the formula of the page: an epidemic grows in which each member that knows
    /// the news reaches half of its fan-out in each round.
    fn formula(self, time: f64) -> f64 {
        let n = self.nodes as f64;
        let rate = FAN_OUT * (1.0 - self.loss) * 0.5;
        1.0 / (1.0 + (n + 1.0) * (-rate * time / INTERVAL).exp())
    }

    /// The time at which the formula reaches a fraction; it reaches all once less than half a
    /// member is missing.
    fn formula_reaches(self, fraction: f64) -> f64 {
        let n = self.nodes as f64;
        let fraction = fraction.min(1.0 - 0.5 / n);
        let rate = FAN_OUT * (1.0 - self.loss) * 0.5;
        ((n + 1.0) * fraction / (1.0 - fraction)).ln() / rate * INTERVAL
    }

    fn name(self) -> String {
        let loss = if self.loss > 0.0 {
            format!(", {:.0} % loss", self.loss * 100.0)
        } else {
            String::new()
        };
        format!("{}{loss}", self.nodes)
    }
}

pub(crate) fn run(options: &Options, progress: &dyn Progress) -> Report {
    let mut report = Report::new("serf", "Serf's convergence page: formula and measurement");
    report.note(
        "One broadcast with the LAN preset (fan-out 3 every 200 ms), passed on once by each member as Serf \
         does, in clusters whose members all know each other. The formula is that of Serf's convergence \
         simulator: 1 / (1 + (n + 1) e^(−k r)) after r rounds with k = fan-out × (1 − loss) / 2.",
    );
    let sizes: &[usize] = if options.quick { &[30, 100] } else { &[30, 100, 300, 1000] };
    let losses: &[f64] = if options.quick { &[0.0] } else { &[0.0, 0.2] };
    let cells =
        losses.iter().flat_map(|&loss| sizes.iter().map(move |&nodes| Cell { nodes, loss }));
    let grid = Grid::new(cells, options.seeds(100, 10));
    progress.expect(grid.runs());
    let outcomes = grid.run(options, progress, |cell, seed| cell.run(seed));
    let mut table = Table::new(
        "convergence",
        "Time until a fraction of the members knows, in s",
        &[
            "nodes",
            "fraction",
            "formula",
            "measured (median)",
            "measured, p99",
            "formula / measured",
        ],
    );
    let mut slower = true;
    for (cell, runs) in &outcomes {
        for fraction in FRACTIONS {
            let last = (cell.nodes as f64 * fraction).ceil() as usize - 1;
            let summary = Summary::of(runs.iter().map(|times| times[last]));
            let formula = cell.formula_reaches(fraction);
            let median = summary.quantile(0.5);
            let ratio = median.map(|it| formula / it.value);
            slower &= ratio.is_some_and(|it| it > 1.0);
            table.row([
                cell.name().into(),
                fraction.into(),
                formula.into(),
                median.into(),
                summary.quantile(0.99).map(|it| it.value).into(),
                ratio.into(),
            ]);
        }
        let name = format!("curve-{}{}", cell.nodes, if cell.loss > 0.0 { "-loss" } else { "" });
        let title = format!("Members that know, {} nodes", cell.name());
        let mut plot = Plot::new(&name, &title, "time, s", "fraction");
        let times = || (0..=TENTHS).map(|it| it as f64 / 10.0);
        let share = |time: f64| {
            let known = |times: &Vec<f64>| times.iter().filter(|it| **it <= time).count();
            Summary::of(runs.iter().map(|it| known(it) as f64 / cell.nodes as f64)).mean()
        };
        plot.line("measured", times().filter_map(|time| Some((time, share(time)?))));
        plot.line("formula", times().map(|time| (time, Estimate::exactly(cell.formula(time)))));
        report.plots.push(plot);
    }
    report.expect("the formula is pessimistic at every fraction", slower);
    missed(&mut report, &outcomes);
    report.tables.push(table);
    report
}

/// Adds how often a member missed the broadcast, which only gossip carries, not full state
/// exchanges.
fn missed(report: &mut Report, outcomes: &[(&Cell, Vec<Vec<f64>>)]) {
    let columns = ["nodes", "runs", "runs in which a member missed it", "members that missed it"];
    let mut table = Table::new("missed", "Members that a broadcast did not reach", &columns);
    let (mut all, mut some) = (0, 0);
    for (cell, runs) in outcomes {
        let misses = runs.iter().map(|times| times.iter().filter(|it| it.is_infinite()).count());
        let (hit, members) = (misses.clone().filter(|it| *it > 0).count(), misses.sum::<usize>());
        table.row([cell.name().into(), runs.len().into(), hit.into(), members.into()]);
        all += runs.len() * cell.nodes;
        some += members;
    }
    report.expect(
        format!("at most one in a thousand members misses a broadcast: {some} of {all}"),
        some * 1000 <= all,
    );
    report.tables.push(table);
}
