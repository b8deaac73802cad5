//! The tables and plots of the Lifeguard experiments.

use std::collections::BTreeMap;

use super::{Anomaly, FASTER, Outcome, Sweep, VARIANTS, Variant};
use crate::plot::Plot;
use crate::report::Report;
use crate::summary::Summary;
use crate::table::{Cell, Table};

type Runs<'a> = [(&'a (Variant, Anomaly), Vec<Outcome>)];

type Swept<'a> = [(&'a Sweep, Vec<Outcome>)];

/// The configurations of the sweep: the plain one of the paper first.
pub(super) fn sweeps(quick: bool) -> Vec<Sweep> {
    let mut all = vec![Sweep::PLAIN];
    let pairs: &[(u32, u32)] = if quick {
        &[(4, 6), (5, 6)]
    } else {
        &[(2, 2), (2, 4), (2, 6), (4, 2), (4, 4), (4, 6), (5, 2), (5, 4), (5, 6)]
    };
    for &(alpha, beta) in pairs {
        all.extend([false, true].map(|ours| Sweep { alpha, beta, ours }));
    }
    all
}

fn pooled(runs: &[Outcome], of: fn(&Outcome) -> &Vec<f64>) -> Summary {
    Summary::of(runs.iter().flat_map(|it| of(it).iter().copied()))
}

/// Adds how soon a member whose messages are held back is declared dead.
pub(super) fn threshold(report: &mut Report, runs: &Runs<'_>) {
    let mut table = Table::new(
        "threshold",
        "Threshold: until a member that is held is declared dead",
        &[
            "configuration",
            "members held",
            "first healthy member, s (mean)",
            "first, median",
            "first, p99",
            "last healthy member, s (mean)",
            "declared dead, of those held",
        ],
    );
    let title = "Threshold: the first healthy member declares a held one dead";
    let mut plot = Plot::new("threshold", title, "members held", "s");
    for variant in VARIANTS {
        let mut line = Vec::new();
        for ((_, anomaly), runs) in runs.iter().filter(|((it, _), _)| it.name == variant.name) {
            let (first, all) = (pooled(runs, |it| &it.first), pooled(runs, |it| &it.all));
            let share = first.count() as f64 / (runs.len() * anomaly.members) as f64;
            table.row([
                variant.name.into(),
                anomaly.members.into(),
                first.mean().into(),
                first.quantile(0.5).into(),
                first.quantile(0.99).map(|it| it.value).into(),
                all.mean().into(),
                share.into(),
            ]);
            line.extend(first.mean().map(|it| (anomaly.members as f64, it)));
        }
        plot.line(variant.name, line);
    }
    report.tables.push(table);
    report.plots.push(plot);
}

/// Adds the trade-off between latency and false positives by α and β.
pub(super) fn sweep(report: &mut Report, latency: &Swept<'_>, blame: &Swept<'_>) {
    let mut table = Table::new(
        "alpha-beta",
        "Latency and false positives by α and β",
        &[
            "α",
            "β",
            "differences",
            "first detection, s (mean)",
            "of plain SWIM, %",
            "known to all, s (mean)",
            "false positives a run",
            "of plain SWIM, % ",
            "packets, of plain SWIM, %",
        ],
    );
    let mut plain: Option<(f64, f64, f64)> = None;
    let mut found = Vec::new();
    for ((sweep, latency), (_, blamed)) in latency.iter().zip(blame) {
        let first = pooled(latency, |it| &it.first).mean();
        let all = pooled(latency, |it| &it.all).mean();
        let wrong = Summary::of(blamed.iter().map(|it| it.false_positives as f64));
        let packets = Summary::of(blamed.iter().map(|it| it.packets as f64)).sum();
        let figures = (first.map_or(f64::NAN, |it| it.value), wrong.sum(), packets);
        let base = *plain.get_or_insert(figures);
        let name = match (sweep.ours, sweep.beta) {
            (true, _) => "ours",
            (false, 1) => "none, plain SWIM",
            (false, _) => "none, Lifeguard",
        };
        table.row([
            f64::from(sweep.alpha).into(),
            f64::from(sweep.beta).into(),
            name.into(),
            first.into(),
            (figures.0 / base.0 * 100.0).into(),
            all.into(),
            wrong.mean().into(),
            (figures.1 / base.1 * 100.0).into(),
            (figures.2 / base.2 * 100.0).into(),
        ]);
        found.push((**sweep, figures.0 / base.0, figures.1 / base.1.max(1.0)));
    }
    let of = |alpha| found.iter().find(|(it, ..)| *it == Sweep { alpha, beta: 6, ours: true });
    if let (Some((_, five, wrong)), Some((_, four, _))) = (of(5), of(4)) {
        let text = "ours with α = 4 detects a failure sooner than with α = 5";
        report.expect(text, four < five);
        let text = "ours with α = 5 makes fewer false positives than plain SWIM";
        report.expect(text, *wrong < 1.0);
        let text = format!(
            "ours with α = 5 detects a failure within 5 % of plain SWIM's time, as far as the intervals tell: {:.1} %",
            five * 100.0
        );
        let ends = |sweep: Sweep| {
            let runs = latency.iter().find(|(it, _)| **it == sweep);
            let first = runs.and_then(|(_, runs)| pooled(runs, |it| &it.first).mean());
            first.map_or((f64::INFINITY, 0.0), |it| (it.low, it.high))
        };
        let plain = ends(Sweep::PLAIN);
        report.expect(text, ends(Sweep { alpha: 5, beta: 6, ours: true }).0 <= plain.1 * 1.05);
    }
    report.tables.push(table);
}

/// Adds how often healthy members are declared dead.
pub(super) fn interval(report: &mut Report, runs: &Runs<'_>) {
    let columns = [
        "configuration",
        "false positives",
        "of SWIM, %",
        "at healthy members",
        "of SWIM, % ",
        "packets, of SWIM, %",
        "bytes, of SWIM, %",
    ];
    let mut sums = Table::new("interval-sums", "Interval: the whole grid", &columns);
    let title = "Interval: false positives a run, by members held";
    let mut plot = Plot::new("interval", title, "members held", "false positives a run").log_y();
    let mut totals: Vec<[f64; 4]> = Vec::new();
    for variant in VARIANTS.into_iter().chain(FASTER) {
        let of = runs.iter().filter(|((it, _), _)| it.name == variant.name);
        let mut by_members: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
        let mut sum = [0.0; 4];
        for ((_, anomaly), runs) in of {
            for it in runs {
                let figures = [it.false_positives, it.at_healthy, it.packets, it.bytes];
                sum.iter_mut().zip(figures).for_each(|(sum, it)| *sum += it as f64);
                by_members.entry(anomaly.members).or_default().push(it.false_positives as f64);
            }
        }
        totals.push(sum);
        let share = |at: usize| Cell::from(sum[at] / totals[0][at] * 100.0);
        let name = variant.name.into();
        sums.row([name, sum[0].into(), share(0), sum[1].into(), share(1), share(2), share(3)]);
        let mean =
            |(members, all): (usize, Vec<f64>)| Some((members as f64, Summary::of(all).mean()?));
        plot.line(variant.name, by_members.into_iter().filter_map(mean));
    }
    let total = |at: usize| totals[at][0];
    let (swim, lifeguard, ours) = (total(0), total(4), total(5));
    report.expect(
        "Lifeguard makes fewer false positives than SWIM over the grid, and ours not more than that",
        lifeguard < swim && ours <= lifeguard,
    );
    let text = format!(
        "ours makes at most 2 % of the false positives of SWIM over the grid: {:.2} %",
        ours / swim.max(1.0) * 100.0
    );
    report.expect(text, ours <= swim * 0.02);
    let text = format!(
        "ours with α = 4 makes at most a twentieth of the false positives of SWIM with α = 5: {:.0} and {swim:.0}",
        total(7)
    );
    report.expect(text, total(7) * 20.0 <= swim);
    report.tables.extend([sums, cells(runs)]);
    report.plots.push(plot);
}

/// The figures of each cell of the grid.
fn cells(runs: &Runs<'_>) -> Table {
    let columns = [
        "configuration",
        "members held",
        "held, s",
        "pause, s",
        "runs",
        "false positives a run",
        "at healthy members",
        "packets a run",
    ];
    let mut cells = Table::new("interval", "Interval: each cell", &columns);
    for ((variant, anomaly), runs) in runs {
        let of = |figure: fn(&Outcome) -> u64| {
            Summary::of(runs.iter().map(|it| figure(it) as f64)).mean()
        };
        cells.row([
            variant.name.into(),
            anomaly.members.into(),
            anomaly.held.as_secs_f64().into(),
            anomaly.free.map(|it| it.as_secs_f64()).into(),
            runs.len().into(),
            of(|it| it.false_positives).into(),
            of(|it| it.at_healthy).into(),
            of(|it| it.packets).map(|it| it.value).into(),
        ]);
    }
    cells
}
