//! Tables of figures.

use std::fmt::Write as _;

use crate::summary::Estimate;

/// One cell of a table: a figure, or a text such as what its row is about.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// A text.
    Text(String),
    /// A count, or a figure without an interval.
    Number(f64),
    /// A figure with its interval.
    Estimate(Estimate),
    /// No figure.
    None,
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<f64> for Cell {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<usize> for Cell {
    fn from(number: usize) -> Self {
        Self::Number(number as f64)
    }
}

impl From<u64> for Cell {
    fn from(number: u64) -> Self {
        Self::Number(number as f64)
    }
}

impl From<Estimate> for Cell {
    fn from(estimate: Estimate) -> Self {
        Self::Estimate(estimate)
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(cell: Option<T>) -> Self {
        cell.map_or(Self::None, Into::into)
    }
}

impl Cell {
    /// The text of the cell for people: figures have four significant digits, an estimate its
    /// interval.
    pub fn shown(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => figure(*number),
            Self::Estimate(it) if it.low.is_infinite() => figure(it.value),
            Self::Estimate(it) if (it.low - it.high).abs() < f64::EPSILON => figure(it.value),
            Self::Estimate(it) => {
                format!("{} ({} to {})", figure(it.value), figure(it.low), figure(it.high))
            }
            Self::None => "–".into(),
        }
    }

    fn is_text(&self) -> bool {
        matches!(self, Self::Text(_))
    }
}

/// A figure with four significant digits; whole numbers in full.
pub(crate) fn figure(number: f64) -> String {
    let size = number.abs();
    if size >= 1000.0 || (number.fract() == 0.0 && number.is_finite()) {
        return grouped(number);
    }
    let digits = if size >= 100.0 {
        1
    } else if size >= 10.0 {
        2
    } else if size >= 0.1 {
        3
    } else {
        5
    };
    let text = format!("{number:.digits$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A number rounded to a whole one, with commas between thousands.
fn grouped(number: f64) -> String {
    let digits = format!("{:.0}", number.abs());
    let mut text = String::from(if number < -0.5 { "-" } else { "" });
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A table of a report, which is written as a CSV file and as a part of the page.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    name: String,
    title: String,
    columns: Vec<String>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// Creates a table without rows. `name` is the name of its file, without an extension.
    pub fn new(name: &str, title: &str, columns: &[&str]) -> Self {
        let columns = columns.iter().map(|&column| column.to_owned()).collect();
        Self { name: name.into(), title: title.into(), columns, rows: Vec::new() }
    }

    /// Adds a row.
    ///
    /// # Panics
    ///
    /// The number of cells is not the number of columns.
    pub fn row<const N: usize>(&mut self, cells: [Cell; N]) {
        self.add(cells.into());
    }

    /// Like [`row`](Self::row), for a number of columns that is not known in advance.
    pub(crate) fn add(&mut self, cells: Vec<Cell>) {
        assert_eq!(cells.len(), self.columns.len(), "{}", self.name);
        self.rows.push(cells);
    }

    /// The name of its file, without an extension.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The title.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// The headings of the columns.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The rows.
    pub fn rows(&self) -> &[Vec<Cell>] {
        &self.rows
    }

    /// Returns the table as comma-separated values. A column with estimates takes three: the
    /// figures, and the lower and upper ends of their intervals.
    pub fn csv(&self) -> String {
        let estimates: Vec<bool> = (0..self.columns.len())
            .map(|at| self.rows.iter().any(|row| matches!(row[at], Cell::Estimate(_))))
            .collect();
        let mut text = String::new();
        let mut heads = Vec::new();
        for (column, estimate) in self.columns.iter().zip(&estimates) {
            heads.push(quoted(column));
            if *estimate {
                heads.extend([
                    quoted(&format!("{column}: low")),
                    quoted(&format!("{column}: high")),
                ]);
            }
        }
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}", heads.join(","));
        for row in &self.rows {
            let mut fields = Vec::new();
            for (cell, estimate) in row.iter().zip(&estimates) {
                match cell {
                    Cell::Text(text) => fields.push(quoted(text)),
                    Cell::Number(number) => fields.push(plain(*number)),
                    Cell::Estimate(it) => fields.extend([it.value, it.low, it.high].map(plain)),
                    Cell::None => fields.push(String::new()),
                }
                if *estimate && !matches!(cell, Cell::Estimate(_)) {
                    fields.extend([String::new(), String::new()]);
                }
            }
            let _ = writeln!(text, "{}", fields.join(","));
        }
        text
    }

    /// Returns the table as Markdown.
    pub fn markdown(&self) -> String {
        let mut text = format!("| {} |\n|", self.columns.join(" | "));
        for at in 0..self.columns.len() {
            let words = self.rows.iter().all(|row| row[at].is_text());
            text += if words { "---|" } else { "---:|" };
        }
        text.push('\n');
        for row in &self.rows {
            let cells: Vec<String> = row.iter().map(Cell::shown).collect();
            // Writing to a string cannot fail.
            let _ = writeln!(text, "| {} |", cells.join(" | "));
        }
        text
    }
}

/// A number for a file, with six significant digits, so that the same run writes the same file.
fn plain(number: f64) -> String {
    if !number.is_finite() {
        return String::new();
    }
    if number.fract() == 0.0 && number.abs() < 1e15 {
        return format!("{number:.0}");
    }
    let digits = (5 - number.abs().log10().floor() as i32).clamp(0, 12) as usize;
    let text = format!("{number:.digits$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests;
