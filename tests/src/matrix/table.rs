//! The table of all cells, in Markdown.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display};
use std::path::Path;

use super::{COLUMNS, Cell, Exception, Joins, Outcome, PEERS, Peer};

/// The results of all cells.
#[derive(Debug)]
pub struct Table {
    outcomes: Vec<(Cell, Outcome)>,
}

impl Table {
    /// Reads the records of all cells.
    pub fn read(folder: &Path) -> Self {
        let outcomes = Cell::all().map(|cell| (cell, Outcome::read(folder, &cell)));
        Self { outcomes: outcomes.collect() }
    }

    /// The faults of the matrix: cells that failed or never ran, or that had fewer checks than
    /// others of the same peer. Empty if it is complete and green.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for peer in PEERS {
            let all = self.checks(peer);
            for (cell, outcome) in self.cells(peer) {
                let fault = match outcome {
                    Outcome::Missing => "never ran".to_owned(),
                    Outcome::Failed(check) => format!("failed at {check}"),
                    Outcome::Passed(checks) => {
                        let names: BTreeSet<_> = checks.iter().map(|check| &check.name).collect();
                        let missed = all.keys().filter(|name| !names.contains(*name));
                        let missed: Vec<_> = missed.map(String::as_str).collect();
                        if missed.is_empty() {
                            continue;
                        }
                        format!("did not check {}", missed.join(", "))
                    }
                };
                faults.push(format!("{}: {fault}", cell.name()));
            }
        }
        faults
    }

    /// The cells of a peer for which it can be configured.
    fn cells(&self, peer: Peer) -> impl Iterator<Item = (&Cell, &Outcome)> {
        let cells = self.outcomes.iter().map(|(cell, outcome)| (cell, outcome));
        cells.filter(move |(cell, _)| cell.peer == peer && cell.exception().is_none())
    }

    /// How many cells of a peer passed each check.
    fn checks(&self, peer: Peer) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for (_, outcome) in self.cells(peer) {
            let Outcome::Passed(checks) = outcome else { continue };
            for check in checks {
                *counts.entry(check.name.clone()).or_default() += 1;
            }
        }
        counts
    }

    fn write_cells(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "| peer | joins | key |")?;
        for (compression, version) in COLUMNS {
            write!(f, " {}compressed, v{version} |", if compression { "" } else { "un" })?;
        }
        writeln!(f, "\n|---|---|---|{}", "---|".repeat(COLUMNS.len()))?;
        for row in self.outcomes.chunks(COLUMNS.len()) {
            let Cell { peer, joins, key, .. } = row[0].0;
            let joins = if joins == Joins::Rust { "Rust" } else { "peer" };
            let key = if key == 0 { "none".to_owned() } else { format!("{key} bytes") };
            write!(f, "| {peer:?} | {joins} | {key} |")?;
            for (cell, outcome) in row {
                write!(f, " {} |", mark(cell, outcome))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }

    fn write_checks(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = PEERS.map(|peer| (self.checks(peer), self.cells(peer).count()));
        let names: BTreeSet<_> = counts.iter().flat_map(|(counts, _)| counts.keys()).collect();
        write!(f, "\n| passed in cells |")?;
        for peer in PEERS {
            write!(f, " {peer:?} |")?;
        }
        writeln!(f, "\n|---|{}", "---|".repeat(PEERS.len()))?;
        for name in names {
            write!(f, "| {name} |")?;
            for (counts, cells) in &counts {
                match counts.get(name) {
                    Some(count) => write!(f, " {count} of {cells} |")?,
                    None => write!(f, " – |")?,
                }
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_cells(f)?;
        let exceptions: BTreeSet<Exception> =
            self.outcomes.iter().filter_map(|(cell, _)| cell.exception()).collect();
        writeln!(f, "\n✓ and the number of checks that passed.")?;
        for exception in exceptions {
            let (mark, reason) = exception.footnote();
            writeln!(f, "({mark}) {reason}.")?;
        }
        self.write_checks(f)
    }
}

fn mark(cell: &Cell, outcome: &Outcome) -> String {
    if let Some(exception) = cell.exception() {
        return format!("({})", exception.footnote().0);
    }
    match outcome {
        Outcome::Missing => "MISSING".to_owned(),
        Outcome::Failed(check) => format!("FAILED: {check}"),
        Outcome::Passed(checks) => format!("✓ {}", checks.len()),
    }
}
