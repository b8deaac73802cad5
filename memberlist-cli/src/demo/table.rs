//! The table that is printed at the end.

use std::fmt::Write as _;
use std::time::Duration;

use super::cluster::{Times, show};

/// One column: the time at which each node saw something.
#[derive(Clone, Debug)]
pub(super) struct Column {
    title: &'static str,
    times: Times,
}

impl Column {
    pub(super) fn new(title: &'static str, times: Times) -> Self {
        Self { title, times }
    }

    fn cell(&self, index: usize) -> String {
        self.times.get(index).copied().flatten().map_or_else(|| "-".to_owned(), show)
    }
}

/// The most nodes that get a line each.
const ROWS: usize = 20;

/// Picks one of the times, which are sorted.
type Pick = fn(&[Duration]) -> Option<&Duration>;

/// The minimum, median and maximum of each column, and the number of nodes that have a time.
fn summary(columns: &[Column]) -> String {
    let sorted = |column: &Column| {
        let mut times: Vec<_> = column.times.iter().copied().flatten().collect();
        times.sort_unstable();
        times
    };
    let sorted: Vec<_> = columns.iter().map(sorted).collect();
    let mut text = heads("", columns);
    let rows: [(&str, Pick); 3] = [
        ("minimum", |times| times.first()),
        ("median", |times| times.get(times.len() / 2)),
        ("maximum", |times| times.last()),
    ];
    for (name, pick) in rows {
        // Writing to a string cannot fail.
        let _ = write!(text, "{name:8}");
        for times in &sorted {
            let cell = pick(times).map_or_else(|| "-".to_owned(), |time| show(*time));
            let _ = write!(text, "{cell:>11}");
        }
        text.push('\n');
    }
    let _ = write!(text, "{:8}", "of nodes");
    for times in &sorted {
        let _ = write!(text, "{:>11}", times.len());
    }
    text.push('\n');
    text
}

fn heads(first: &str, columns: &[Column]) -> String {
    let mut text = format!("{first:8}");
    for column in columns {
        let _ = write!(text, "{:>11}", column.title);
    }
    text.push('\n');
    text
}

/// The table: one line per node, with a remark at its end; for many nodes only a summary.
pub(super) fn table(
    names: &[String],
    columns: &[Column],
    remark: impl Fn(usize) -> &'static str,
) -> String {
    if names.len() > ROWS {
        return summary(columns);
    }
    let mut text = heads("node", columns);
    for (index, name) in names.iter().enumerate() {
        let _ = write!(text, "{name:8}");
        for column in columns {
            let _ = write!(text, "{:>11}", column.cell(index));
        }
        let line = format!("  {}", remark(index));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests;
