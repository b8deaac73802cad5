//! The table of results, for the terminal and for `docs/performance.md`.

use std::fmt::Write as _;

use crate::measure::Cost;

/// The unit in which a workload is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Nanoseconds: less is better.
    Time,
    /// Bytes: less is better.
    Bytes,
    /// Simulated seconds of one node per second of processor time: more is better.
    NodeSeconds,
}

/// The goal of a workload.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    None,
    /// At most this number of nanoseconds or bytes.
    AtMost(f64),
    /// At most this number of nanoseconds, and of allocations per call.
    Within(f64, f64),
    /// This many times foca's node-seconds: foca named if `named`, else foca small.
    Times {
        factor: f64,
        named: bool,
    },
}

/// One workload.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) workload: String,
    pub(crate) unit: Unit,
    pub(crate) ours: f64,
    pub(crate) allocations: Option<f64>,
    /// The figure of each of [`PEERS`], if it was measured.
    pub(crate) peers: [Option<f64>; 4],
    pub(crate) goal: Goal,
}

/// The peers beside us in the table.
pub(crate) const PEERS: [&str; 4] = ["foca small", "foca named", "al8n", "Go"];
pub(crate) const SMALL: usize = 0;
pub(crate) const NAMED: usize = 1;
pub(crate) const AL8N: usize = 2;
pub(crate) const GO: usize = 3;

/// Enters the figures of a peer that was measured separately, by the names of the workloads in the
/// table.
pub(crate) fn enter(rows: &mut [Row], peer: usize, figures: &[(String, f64)]) {
    for row in rows {
        if let Some((_, figure)) = figures.iter().find(|(name, _)| *name == row.workload) {
            row.peers[peer] = Some(*figure);
        }
    }
}

impl Row {
    pub(crate) fn new(workload: impl Into<String>, unit: Unit, ours: f64) -> Self {
        let workload = workload.into();
        Self { workload, unit, ours, allocations: None, peers: [None; 4], goal: Goal::None }
    }

    pub(crate) fn of(workload: impl Into<String>, ours: Cost) -> Self {
        let mut row = Self::new(workload, Unit::Time, ours.nanos);
        row.allocations = Some(ours.allocations);
        row
    }

    pub(crate) fn beside(mut self, small: Option<f64>, named: Option<f64>) -> Self {
        (self.peers[SMALL], self.peers[NAMED]) = (small, named);
        self
    }

    pub(crate) fn aiming_at(mut self, goal: Goal) -> Self {
        self.goal = goal;
        self
    }

    fn is_met(&self) -> Option<bool> {
        match self.goal {
            Goal::None => None,
            Goal::AtMost(most) => Some(self.ours <= most),
            Goal::Within(most, allocations) => {
                Some(self.ours <= most && self.allocations? <= allocations + 0.01)
            }
            Goal::Times { factor, named } => {
                let peer = self.peers[if named { NAMED } else { SMALL }];
                Some(self.ours >= factor * peer?)
            }
        }
    }

    /// How many times better ours is than a peer.
    fn ratio(&self, peer: Option<f64>) -> String {
        let better = |peer: f64| match self.unit {
            Unit::NodeSeconds => self.ours / peer,
            Unit::Time | Unit::Bytes => peer / self.ours,
        };
        peer.map(better).map_or_else(
            || "–".to_owned(),
            |it| if it < 10.0 { format!("{it:.2}") } else { format!("{it:.0}") },
        )
    }

    fn cells(&self) -> [String; COLUMNS] {
        let peer = |at: usize| self.peers[at].map_or_else(|| "–".to_owned(), |it| self.show(it));
        let ratios = self.peers.map(|figure| self.ratio(figure));
        let goal = match self.goal {
            Goal::None => "–".to_owned(),
            Goal::AtMost(most) => format!("≤ {}", self.show(most)),
            Goal::Within(most, count) => {
                let plural = if (count - 1.0).abs() < 0.01 { "" } else { "s" };
                format!("≤ {}, {count} allocation{plural}", self.show(most))
            }
            Goal::Times { factor, named } => {
                format!("≥ {factor} × {}", if named { "named" } else { "small" })
            }
        };
        [
            self.workload.clone(),
            self.show(self.ours),
            self.allocations.map_or_else(|| "–".to_owned(), |it| format!("{it:.1}")),
            peer(SMALL),
            peer(NAMED),
            peer(AL8N),
            peer(GO),
            if self.peers == [None; 4] { "–".to_owned() } else { ratios.join(" / ") },
            goal,
            self.is_met().map_or("–", |met| if met { "met" } else { "**not met**" }).to_owned(),
        ]
    }

    fn show(&self, value: f64) -> String {
        match self.unit {
            Unit::Bytes => format!("{value:.0} B"),
            Unit::NodeSeconds if value >= 10e3 => format!("{:.0} k", value / 1e3),
            Unit::NodeSeconds => format!("{:.1} k", value / 1e3),
            Unit::Time if value >= 1e6 => format!("{:.2} ms", value / 1e6),
            Unit::Time if value >= 1e4 => format!("{:.1} µs", value / 1e3),
            Unit::Time if value >= 1e3 => format!("{:.2} µs", value / 1e3),
            Unit::Time => format!("{value:.0} ns"),
        }
    }
}

const COLUMNS: usize = 10;
const HEADS: [&str; COLUMNS] = [
    "workload",
    "ours",
    "allocations",
    PEERS[SMALL],
    PEERS[NAMED],
    PEERS[AL8N],
    PEERS[GO],
    "times better",
    "goal",
    "",
];

/// The table in Markdown, aligned so that it can also be read as plain text.
pub(crate) fn table(rows: &[Row]) -> String {
    let cells: Vec<_> = rows.iter().map(Row::cells).collect();
    let heads = HEADS.map(str::to_owned);
    let width = |at: usize| {
        let lengths = cells.iter().chain([&heads]).map(|row| row[at].chars().count());
        lengths.max().unwrap_or_default().max(3)
    };
    let mut text = String::new();
    let mut line = |row: &[String; COLUMNS]| {
        let padded = row.iter().enumerate().map(|(at, cell)| {
            let missing = width(at) - cell.chars().count();
            format!(" {cell}{} |", " ".repeat(missing))
        });
        let _ = writeln!(text, "|{}", padded.collect::<String>());
    };
    line(&heads);
    line(&std::array::from_fn(|at| "-".repeat(width(at))));
    cells.iter().for_each(&mut line);
    text
}
