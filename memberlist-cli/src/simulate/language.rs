//! The description of the script language, for a terminal.

use std::fmt::Write as _;

use memberlist_sim::script::LANGUAGE;

/// The description of the language, with its tables as lists and without its links.
pub(super) fn help() -> String {
    let mut text = String::from("The language of scripts:\n\n");
    let mut lines = LANGUAGE.lines().peekable();
    while let Some(line) = lines.next() {
        let is_head = lines.peek().is_some_and(|next| next.starts_with("|---"));
        if line.starts_with("|---") || line.starts_with("```") || is_head {
            continue;
        }
        // Writing to a string cannot fail.
        let _ = match line.strip_prefix("| ").and_then(|row| row.strip_suffix(" |")) {
            Some(row) => {
                let (left, right) = row.split_once(" | ").unwrap_or((row, ""));
                writeln!(text, "  {}\n        {}", plain(left), plain(right))
            }
            None => writeln!(text, "{}", plain(line)),
        };
    }
    text
}

/// A line without links and marks.
fn plain(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some((before, link)) = rest.split_once("](") {
        text += before;
        rest = link.split_once(')').map_or("", |(_, after)| after);
    }
    (text + rest).replace("[`", "").replace("`]", "").replace('`', "")
}

#[cfg(test)]
mod tests;
