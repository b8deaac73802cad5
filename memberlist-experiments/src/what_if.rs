//! How a cluster behaves with given settings: an answer from the real code instead of a formula.

mod candidates;
mod goal;
mod memory;

use std::time::Duration;

use memberlist_proto::Config;

pub use self::goal::{Goal, GoalError};
use crate::cluster::{replace, secs};
use crate::grid::{Grid, Options, Progress};
use crate::life::{Life, Setting};
use crate::plot::Plot;
use crate::report::Report;
use crate::summary::{Estimate, Summary};
use crate::table::{Cell, Table};

/// A question about how a cluster behaves.
#[derive(Clone, Debug, PartialEq)]
pub struct WhatIf {
    /// The number of nodes, at least 4.
    pub nodes: usize,
    /// The share of packets that is lost, from 0 to 1.
    pub loss: f64,
    /// The configuration of each node; its name is ignored.
    pub config: Config,
    /// The settings by which `config` differs from the LAN preset, as `FIELD=VALUE`; empty if it
    /// does not. They name it in the report.
    pub settings: Vec<String>,
    /// Limits that the settings have to keep: the settings that do so with the least traffic are
    /// searched for.
    pub goal: Option<Goal>,
    /// Whether to try each of the ten most important settings lower and higher, instead of a
    /// search.
    pub each: bool,
}

/// One set of settings to measure.
#[derive(Clone, Debug)]
struct Candidate {
    name: String,
    config: Config,
}

/// The measurements of one candidate, over all seeds.
#[derive(Clone, Debug)]
struct Figures {
    name: String,
    first: Summary,
    all: Summary,
    join: Summary,
    broadcast: Summary,
    leave: Summary,
    /// Running members declared dead, per node and day.
    wrong: Estimate,
    /// The traffic that a node sends, in bytes and packets per second.
    bytes: Summary,
    packets: Summary,
    /// The processor time of a node, in milliseconds per second.
    processor: Summary,
    /// How many pieces of news did not reach every member in time.
    missed: usize,
}

/// The length of the quiet part of each run.
fn quiet(options: &Options) -> Duration {
    secs(if options.quick { 30 } else { 120 })
}

impl WhatIf {
    /// Runs the simulations, and returns their report.
    ///
    /// # Panics
    ///
    /// There are fewer than 4 nodes, or the configuration is not valid.
    pub fn run(&self, options: &Options, progress: &dyn Progress) -> Report {
        let mut report = Report::new("what-if", &format!("What if: {} nodes", self.nodes));
        let memory = memory::of_a_node(self.nodes);
        self.describe(&mut report, options, memory);
        let candidates = self.candidates();
        let whole = if self.goal.is_some() || self.each { 20 } else { 100 };
        let grid = Grid::new(candidates, options.seeds(whole, 5));
        progress.expect(grid.runs());
        let quiet = quiet(options);
        let outcomes = grid.run(options, progress, |candidate, seed| {
            let change = |config: &mut Config| replace(config, &candidate.config);
            Setting { nodes: self.nodes, loss: self.loss, quiet, change: &change }.live(seed)
        });
        let figure = |(candidate, lives): &(&Candidate, Vec<Life>)| {
            Figures::new(&candidate.name, lives, self.nodes, quiet)
        };
        let mut figures: Vec<Figures> = outcomes.iter().map(figure).collect();
        if let Some(goal) = &self.goal {
            Self::choose(&mut report, goal, &mut figures);
        }
        report.expect(
            "the first member notices a failure before the last one does",
            figures.iter().all(|it| mean(&it.first) <= mean(&it.all)),
        );
        report.tables.push(table(&figures));
        report.plots.extend(plots(&figures));
        report
    }

    fn describe(&self, report: &mut Report, options: &Options, memory: Option<u64>) {
        let mut text = format!(
            "{} nodes that all know each other, {} % of the packets lost{}. Each run has a quiet time of {} s, \
             then a join, a broadcast, a leave and a kill. Times are medians and, behind the stroke, p99; \
             a false positive is a running member that some member declares dead, counted once however many \
             report it, in a node-day. Traffic is what a node sends, UDP payload and streams, in the quiet time.",
            self.nodes,
            crate::table::figure(self.loss * 100.0),
            if self.loss > 0.0 { " (and no pings over streams)" } else { "" },
            quiet(options).as_secs(),
        );
        text += " The processor time includes the simulator's, and differs from run to run.";
        report.note(text);
        if let Some(bytes) = memory {
            report.note(format!(
                "Memory of a node that knows {} members with short names: {} kB, measured from the resident \
                 memory of this process; without streams, sockets and the runtime.",
                self.nodes,
                crate::table::figure((bytes as f64 / 1000.0).round())
            ));
        }
    }

    fn candidates(&self) -> Vec<Candidate> {
        let default = Candidate { name: "LAN default".into(), config: Config::lan("n") };
        let asked = Candidate { name: self.settings.join(" "), config: self.config.clone() };
        let mut all = vec![default];
        if !self.settings.is_empty() {
            all.push(asked);
        }
        if self.each {
            all.extend(candidates::each(&self.config));
        } else if self.goal.is_some() {
            all.extend(candidates::search(&self.config));
        }
        all
    }

    /// Sorts the figures, those that meet the goal first, each part by traffic; notes the best.
    fn choose(report: &mut Report, goal: &Goal, figures: &mut [Figures]) {
        let cost = |it: &Figures| mean(&it.bytes);
        let base = figures.first().map_or(f64::NAN, cost);
        figures.sort_by(|one, other| {
            let key = |it: &Figures| (!goal.is_met(it), cost(it));
            let ((a, b), (c, d)) = (key(one), key(other));
            a.cmp(&c).then(b.total_cmp(&d))
        });
        let best = figures.first().filter(|it| goal.is_met(it));
        report.note(match best {
            Some(it) => format!(
                "The goal is {goal}. Of {} settings tried, the one with the least traffic that meets it is \
                 `{}`: {} bytes a second and node, {} % of the LAN default's.",
                figures.len(),
                it.name,
                crate::table::figure(cost(it).round()),
                crate::table::figure(cost(it) / base * 100.0)
            ),
            None => format!(
                "The goal is {goal}. None of {} settings tried meets it, or was run for long enough to show \
                 that: the upper end of the interval of false positives counts.",
                figures.len()
            ),
        });
    }
}

fn mean(summary: &Summary) -> f64 {
    summary.mean().map_or(f64::NAN, |it| it.value)
}

impl Figures {
    fn new(name: &str, lives: &[Life], nodes: usize, quiet: Duration) -> Self {
        let of = |figure: fn(&Life) -> f64| Summary::of(lives.iter().map(figure));
        let seconds = nodes as f64 * quiet.as_secs_f64();
        let wrong: u64 = lives.iter().map(|it| it.false_positives).sum();
        let days = seconds * lives.len() as f64 / 86_400.0;
        let [first, all] = [of(|it| it.first), of(|it| it.all)];
        let [join, broadcast, leave] = [of(|it| it.join), of(|it| it.broadcast), of(|it| it.leave)];
        let counted = all.count() + join.count() + broadcast.count() + leave.count();
        Self {
            name: name.into(),
            wrong: poisson(wrong).times(1.0 / days),
            bytes: Summary::of(lives.iter().map(|it| it.bytes as f64 / seconds)),
            packets: Summary::of(lives.iter().map(|it| it.packets as f64 / seconds)),
            processor: Summary::of(
                lives.iter().filter_map(|it| Some(it.processor?.as_secs_f64() * 1000.0 / seconds)),
            ),
            missed: lives.len() * 4 - counted,
            first,
            all,
            join,
            broadcast,
            leave,
        }
    }

    /// The figure of this name in a goal; for false positives, the upper end of the interval.
    fn named(&self, name: &str) -> Option<f64> {
        let quantile = |it: &Summary, share| it.quantile(share).map(|it| it.value);
        Some(match name {
            "detect" => quantile(&self.first, 0.5)?,
            "detect-p99" => quantile(&self.first, 0.99)?,
            "all" => quantile(&self.all, 0.5)?,
            "all-p99" => quantile(&self.all, 0.99)?,
            "join" => quantile(&self.join, 0.99)?,
            "broadcast" => quantile(&self.broadcast, 0.99)?,
            "leave" => quantile(&self.leave, 0.99)?,
            "false" => self.wrong.high,
            "traffic" => mean(&self.bytes),
            _ => return None,
        })
    }
}

/// A count with its 95 % interval by Byar's approximation; that of a count of 0 ends at 3.69.
fn poisson(count: u64) -> Estimate {
    let end = |count: f64, sign: f64| {
        count * (1.0 - 1.0 / (9.0 * count) + sign * 1.96 / (3.0 * count.sqrt())).powi(3)
    };
    let value = count as f64;
    let low = if count == 0 { 0.0 } else { end(value, -1.0) };
    Estimate { value, low, high: end(value + 1.0, 1.0) }
}

fn table(figures: &[Figures]) -> Table {
    let mut table = Table::new(
        "figures",
        "What each does",
        &[
            "settings",
            "kill until the first declares it dead, s",
            "p99",
            "until all do, s",
            "p99 ",
            "false positives a node-day",
            "traffic a node, bytes/s",
            "packets/s",
            "processor a node, ms/s",
            "join until all know, s",
            "p99  ",
            "broadcast until all know, s",
            "p99   ",
            "leave until all know, s",
            "p99    ",
            "news that missed a member",
        ],
    );
    for it in figures {
        let median = |it: &Summary| Cell::from(it.quantile(0.5));
        let high = |it: &Summary| Cell::from(it.quantile(0.99).map(|it| it.value));
        table.row([
            it.name.clone().into(),
            median(&it.first),
            high(&it.first),
            median(&it.all),
            high(&it.all),
            it.wrong.into(),
            it.bytes.mean().map(|it| it.value).into(),
            it.packets.mean().map(|it| it.value).into(),
            it.processor.mean().map(|it| it.value).into(),
            median(&it.join),
            high(&it.join),
            median(&it.broadcast),
            high(&it.broadcast),
            median(&it.leave),
            high(&it.leave),
            it.missed.into(),
        ]);
    }
    table
}

/// The distributions of times, for at most six sets of settings.
fn plots(figures: &[Figures]) -> Vec<Plot> {
    type Of = fn(&Figures) -> &Summary;
    let kinds: [(&str, &str, Of); 3] = [
        ("detection", "Kill until the first member declares it dead", |it| &it.first),
        ("known", "Kill until all know", |it| &it.all),
        ("broadcast", "Broadcast until all know", |it| &it.broadcast),
    ];
    let shares = [0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99];
    let draw = |(name, title, of): (&str, &str, Of)| {
        let mut plot = Plot::new(name, title, "s", "share of the runs");
        for it in figures.iter().take(6) {
            let point =
                |share: &f64| Some((of(it).quantile(*share)?.value, Estimate::exactly(*share)));
            plot.line(&it.name, shares.iter().filter_map(point));
        }
        plot
    };
    kinds.into_iter().map(draw).collect()
}

#[cfg(test)]
mod tests;
