//! Tables: text in columns.

use std::fmt::Write as _;

use serde_json::Value;

/// The longest cell on a terminal, in characters.
const CELL_MAX: usize = 60;

/// Rows of cells under headings.
#[derive(Clone, Debug)]
pub(super) struct Table {
    heads: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(heads: &[&'static str]) -> Self {
        Self { heads: heads.to_vec(), rows: Vec::new() }
    }

    pub(super) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// Returns the table as text, each column as wide as its widest cell. On a terminal, states are
    /// coloured and long cells are cut.
    pub(super) fn to_text(&self, terminal: bool) -> String {
        let cut = |cell: &String| if terminal { shortened(cell) } else { cell.clone() };
        let rows: Vec<Vec<String>> =
            self.rows.iter().map(|row| row.iter().map(cut).collect()).collect();
        let length = |cell: &str| cell.chars().count();
        let mut widths: Vec<usize> = self.heads.iter().map(|head| length(head)).collect();
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = length(cell).max(*width);
            }
        }
        let line = |cells: &mut dyn Iterator<Item = (&str, bool)>| {
            let mut line = String::new();
            for ((cell, coloured), width) in cells.zip(&widths) {
                let padding = " ".repeat(width - length(cell) + 2);
                let colour = if coloured { colour(cell) } else { None };
                // Writing to a string cannot fail.
                let _ = match colour {
                    Some(colour) => write!(line, "\x1b[{colour}m{cell}\x1b[0m{padding}"),
                    None => write!(line, "{cell}{padding}"),
                };
            }
            line.trim_end().to_owned() + "\n"
        };
        let mut text = line(&mut self.heads.iter().map(|head| (*head, false)));
        for row in &rows {
            let cells = self.heads.iter().zip(row);
            text += &line(&mut cells.map(|(head, cell)| {
                (cell.as_str(), terminal && *head == "STATE" && super::is_coloured())
            }));
        }
        text
    }
}

/// A value as the text of a cell. Unprintable characters are escaped, because other nodes may have
/// chosen the text.
pub(super) fn plain(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Null => return "-".to_owned(),
        Value::Array(items) => return items.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    };
    let mut line = String::new();
    for c in text.chars() {
        if matches!(c, '\'' | '"' | '\\') { line.push(c) } else { line.extend(c.escape_debug()) }
    }
    line
}

/// A number of milliseconds as a time for people.
pub(super) fn age(milliseconds: &Value) -> String {
    let Some(age) = milliseconds.as_u64() else { return "-".to_owned() };
    let seconds = age / 1000;
    match seconds {
        0 => format!("{age} ms"),
        1..60 => format!("{seconds}.{} s", age % 1000 / 100),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

fn shortened(cell: &str) -> String {
    match cell.char_indices().nth(CELL_MAX) {
        Some(_) => cell.chars().take(CELL_MAX - 1).chain(['…']).collect(),
        None => cell.to_owned(),
    }
}

/// Green, yellow, red, grey.
fn colour(state: &str) -> Option<&'static str> {
    match state {
        "alive" => Some("32"),
        "suspect" => Some("33"),
        "dead" => Some("31"),
        "left" => Some("90"),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
