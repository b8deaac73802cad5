//! The table, on the terminal and in `docs/performance.md`.

use std::fmt::Write as _;

use crate::measure::Cost;

/// In what a workload is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Less is better.
    Time,
    /// Less is better.
    Bytes,
    /// Simulated seconds of one node per second of processor time: more is better.
    NodeSeconds,
}

/// What is to be reached.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    None,
    /// Nanoseconds or bytes.
    AtMost(f64),
    /// Nanoseconds, and allocations for each call.
    Within(f64, f64),
    /// So many times the peer's node-seconds, the named one's if `named`.
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
    pub(crate) small: Option<f64>,
    pub(crate) named: Option<f64>,
    pub(crate) goal: Goal,
}

impl Row {
    pub(crate) fn new(workload: impl Into<String>, unit: Unit, ours: f64) -> Self {
        let workload = workload.into();
        Self { workload, unit, ours, allocations: None, small: None, named: None, goal: Goal::None }
    }

    pub(crate) fn of(workload: impl Into<String>, ours: Cost) -> Self {
        let mut row = Self::new(workload, Unit::Time, ours.nanos);
        row.allocations = Some(ours.allocations);
        row
    }

    pub(crate) fn beside(mut self, small: Option<f64>, named: Option<f64>) -> Self {
        (self.small, self.named) = (small, named);
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
                let peer = if named { self.named } else { self.small };
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
        peer.map_or_else(|| "–".to_owned(), |peer| format!("{:.2}", better(peer)))
    }

    fn cells(&self) -> [String; 8] {
        let peer = |figure: Option<f64>| figure.map_or_else(|| "–".to_owned(), |it| self.show(it));
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
            peer(self.small),
            peer(self.named),
            format!("{} / {}", self.ratio(self.small), self.ratio(self.named)),
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

const HEADS: [&str; 8] =
    ["workload", "ours", "allocations", "foca small", "foca named", "times better", "goal", ""];

/// The table in Markdown, which can be read as it is, too.
pub(crate) fn table(rows: &[Row]) -> String {
    let cells: Vec<_> = rows.iter().map(Row::cells).collect();
    let heads = HEADS.map(str::to_owned);
    let width = |at: usize| {
        let lengths = cells.iter().chain([&heads]).map(|row| row[at].chars().count());
        lengths.max().unwrap_or_default().max(3)
    };
    let mut text = String::new();
    let mut line = |row: &[String; 8]| {
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
