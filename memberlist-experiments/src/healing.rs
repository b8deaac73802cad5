//! How clusters recover: disturbances with our defaults and as in Go, and how fast news converges,
//! beside theory.

mod acts;
mod harm;
mod tally;

pub use self::harm::Harm;
pub use self::tally::Tally;

use memberlist_sim::Config;

use crate::cluster::{as_go, replace, secs};
use crate::grid::{Grid, Options, Progress};
use crate::life::{Life, Setting};
use crate::plot::Plot;
use crate::report::Report;
use crate::summary::{Estimate, Summary};
use crate::table::{Cell, Table};

/// One disturbance, with our differences or as in Go.
struct Case {
    harm: Harm,
    ours: bool,
}

pub(crate) fn run(options: &Options, progress: &dyn Progress) -> Report {
    let mut report = Report::new("healing", "What heals, and how soon");
    report.note(
        "Each disturbance happens to clusters with our defaults and, on the same seeds, to clusters with \
         `Differences::none()`, which behave as the Go library does. `12-` stands for 12 nodes, `100-` for 100. Times of news are those of each \
         kill and each split, but only of those leaves that had not arrived after 3 s; `leave` has clusters of 2 \
         to 50 nodes, of which up to four leave, with another size for each seed.",
    );
    let quick = ["12-loss-25", "12-isolation", "12-flapping", "12-split"];
    let wanted = |harm: &Harm| {
        let name = harm.name();
        if !options.only.is_empty() {
            options.only.iter().any(|it| it == name)
        } else if options.quick {
            quick.contains(&name)
        } else {
            name.starts_with("12-") || name == "100-split"
        }
    };
    let pair = |harm: Harm| [true, false].map(|ours| Case { harm: harm.clone(), ours });
    let harms =
        Grid::new(Harm::all().into_iter().filter(wanted).flat_map(pair), options.seeds(100, 6));
    // Each seed has another number of nodes.
    let some = !options.only.is_empty();
    let leaves = ["leave", "leave-loss-10"].into_iter().filter(|_| !some).filter_map(Harm::named);
    let leaves = Grid::new(leaves.flat_map(pair), options.seeds(420, 28));
    let sizes: &[usize] = match options.quick {
        _ if some => &[],
        true => &[100],
        false => &[100, 1000],
    };
    let lives = Grid::new(sizes.iter().copied(), options.seeds(100, 10));
    for runs in [harms.runs(), leaves.runs(), lives.runs()] {
        progress.expect(runs);
    }
    let work = |case: &Case, seed| {
        case.harm.run(seed, &|config: &mut Config| match &options.config {
            _ if !case.ours => as_go(config),
            Some(other) => replace(config, other),
            None => {}
        })
    };
    let tallies = (harms.run(options, progress, work), leaves.run(options, progress, work));
    harm(&mut report, tallies.0.into_iter().chain(tallies.1), some);
    let lives = lives.run(options, progress, |&nodes, seed| {
        Setting { nodes, loss: 0.0, quiet: secs(1), change: &|_| {} }.live(seed)
    });
    if !some {
        convergence(&mut report, &lives);
    }
    report
}

/// The empty tables of disturbances without news, and of those with news.
fn tables() -> (Table, Table) {
    let faults = Table::new(
        "faults",
        "Members declared dead that ran and could be reached, and what it costs",
        &[
            "disturbance",
            "differences",
            "runs",
            "false departures",
            "departures across a cut",
            "under suspicion, s",
            "considered gone, s",
            "packets",
        ],
    );
    let news = Table::new(
        "news",
        "News that has to reach every member",
        &[
            "disturbance",
            "differences",
            "runs",
            "not arrived",
            "of",
            "median, s",
            "p99, s",
            "max, s",
            "false departures",
        ],
    );
    (faults, news)
}

/// Adds the results of each disturbance. If only `some` were run, the two sides may also be equal.
fn harm<'a>(
    report: &mut Report,
    tallies: impl Iterator<Item = (&'a Case, Vec<Tally>)>,
    some: bool,
) {
    let (mut faults, mut news) = tables();
    let (mut deaths, mut missed) = ([0, 0], [0, 0]);
    for (case, tallies) in tallies {
        let runs = tallies.len();
        let it = Tally::of(tallies);
        let name = if case.ours { "ours" } else { "as in Go" };
        let at = usize::from(!case.ours);
        deaths[at] += it.false_departures;
        missed[at] += it.missed;
        let first: [Cell; 3] = [case.harm.name().into(), name.into(), runs.into()];
        let late = |share| Cell::from((!it.times.is_empty()).then(|| it.quantile(share)));
        if it.news == 0 {
            let rest: [Cell; 5] = [
                it.false_departures.into(),
                it.cut_departures.into(),
                it.suspected.as_secs().into(),
                it.gone.as_secs().into(),
                it.packets.into(),
            ];
            faults.add(first.into_iter().chain(rest).collect());
        } else {
            let rest: [Cell; 6] = [
                it.missed.into(),
                it.news.into(),
                late(0.5),
                late(0.99),
                late(1.0),
                it.false_departures.into(),
            ];
            news.add(first.into_iter().chain(rest).collect());
        }
    }
    let fewer = |it: [u64; 2]| it[0] < it[1] || (some && it[0] == it[1]);
    let text = "our defaults declare fewer reachable members dead than Go's behaviour";
    report.expect(format!("{text}: {} and {}", deaths[0], deaths[1]), fewer(deaths));
    let text = "fewer leaves, deaths and splits stay unknown with our defaults";
    report.expect(format!("{text}: {} and {}", missed[0], missed[1]), fewer(missed));
    report.tables.extend([faults, news]);
}

/// Selects one of the times of a life.
type Figure = fn(&Life) -> f64;

/// The medians by theory, in seconds, in a cluster of n nodes with the LAN preset: a failed member
/// is pinged after Exp(1 s), suspected 1 s later, and declared dead after the shortest time of a
/// suspicion, 4 max(1, log n); news takes 2 ln n rounds of three targets each, at 5 rounds per
/// second.
fn theory(nodes: f64) -> [f64; 4] {
    let spread = 2.0 * nodes.ln() / 15.0;
    let first = std::f64::consts::LN_2 + 1.0 + 4.0 * nodes.log10().max(1.0);
    [first, first + spread, spread, spread]
}

fn convergence(report: &mut Report, lives: &[(&usize, Vec<Life>)]) {
    let mut table = Table::new(
        "convergence",
        "Convergence beside theory, LAN preset, s",
        &[
            "nodes",
            "from … until …",
            "theory (median)",
            "measured (median)",
            "p99",
            "measured / theory",
            "not within the time",
        ],
    );
    let mut plot =
        Plot::new("convergence", "Convergence: medians and theory", "nodes", "s").log_x();
    let rows: [(&str, Figure); 4] = [
        ("kill until the first declares it dead", |it| it.first),
        ("kill until all know", |it| it.all),
        ("join until all know", |it| it.join),
        ("broadcast until all know", |it| it.broadcast),
    ];
    let mut worst: f64 = 0.0;
    for (at, (what, figure)) in rows.iter().enumerate() {
        let (mut measured, mut expected) = (Vec::new(), Vec::new());
        for (nodes, runs) in lives {
            let theory = theory(**nodes as f64)[at];
            let summary = Summary::of(runs.iter().map(figure));
            let median = summary.quantile(0.5);
            let ratio = median.map(|it| it.value / theory);
            worst = worst.max(ratio.unwrap_or(f64::INFINITY));
            table.row([
                (**nodes).into(),
                (*what).into(),
                theory.into(),
                median.into(),
                summary.quantile(0.99).map(|it| it.value).into(),
                ratio.into(),
                (runs.len() - summary.count()).into(),
            ]);
            measured.extend(median.map(|it| (**nodes as f64, it)));
            expected.push((**nodes as f64, Estimate::exactly(theory)));
        }
        plot.line(what, measured);
        plot.line(&format!("theory: {what}"), expected);
    }
    report.expect(
        format!("every median is within 1.25 of theory (the aim is 1.1): {worst:.3}"),
        worst <= 1.25,
    );
    report.tables.push(table);
    report.plots.push(plot);
}
