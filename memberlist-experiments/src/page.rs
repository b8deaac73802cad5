//! A report as one page of HTML.

use std::fmt::Write as _;

use crate::plot::{DrawError, escaped};
use crate::report::Report;
use crate::table::{Cell, Table};

/// The frame of the page, with its style and the script that shows the numbers of the nearest
/// point.
const FRAME: &str = include_str!("page.html");

/// Returns the page.
pub(crate) fn html(report: &Report) -> Result<String, DrawError> {
    let mut body = format!("<h1>{}</h1>\n", escaped(&report.title));
    // Writing to a string cannot fail.
    if !report.command.is_empty() {
        let _ = writeln!(body, "<pre>{}</pre>", escaped(&report.command));
    }
    for note in &report.notes {
        let _ = writeln!(body, "<p>{}</p>", escaped(note));
    }
    if !report.expectations.is_empty() {
        body += "<ul id=\"expectations\">\n";
        for it in &report.expectations {
            let (class, word) =
                if it.holds { ("holds", "holds") } else { ("fails", "does not hold") };
            let text = escaped(&it.text);
            let _ = writeln!(body, "<li class=\"{class}\"><b>{word}</b>: {text}</li>");
        }
        body += "</ul>\n";
    }
    for plot in &report.plots {
        let svg = plot.svg()?;
        let name = escaped(plot.name());
        let _ = writeln!(
            body,
            "<figure id=\"{name}\">\n{svg}\n<output>Point at a line to read its numbers.</output>\n</figure>"
        );
    }
    for table in &report.tables {
        body += &rows(table);
    }
    let title = escaped(&report.title);
    // Both are replaced at once, because a title may contain anything.
    let (head, rest) = FRAME.split_once("{title}").unwrap_or((FRAME, ""));
    let (middle, tail) = rest.split_once("{body}").unwrap_or((rest, ""));
    Ok([head, &title, middle, &body, tail].concat())
}

fn rows(table: &Table) -> String {
    let mut text = format!("<h2>{}</h2>\n<table>\n<tr>", escaped(table.title()));
    for column in table.columns() {
        let _ = write!(text, "<th>{}</th>", escaped(column));
    }
    text += "</tr>\n";
    for row in table.rows() {
        text += "<tr>";
        for cell in row {
            let class = if matches!(cell, Cell::Text(_)) { "" } else { " class=\"n\"" };
            let _ = write!(text, "<td{class}>{}</td>", escaped(&cell.shown()));
        }
        text += "</tr>\n";
    }
    text + "</table>\n"
}
