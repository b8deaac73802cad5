//! The table printed at the end.

use std::fmt::Write as _;

use super::cluster::{Times, show};

/// One column: when each node saw something.
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

/// One line per node, with a remark at its end.
pub(super) fn table(
    names: &[String],
    columns: &[Column],
    remark: impl Fn(usize) -> &'static str,
) -> String {
    let mut text = format!("{:8}", "node");
    for column in columns {
        // Writing to a string cannot fail.
        let _ = write!(text, "{:>11}", column.title);
    }
    text.push('\n');
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
