//! `--export`: writes an explanation that can be shown to others.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use memberlist_record::explain::{Alignment, Chronicle, Mask};
use serde_json::{Value, json};

use super::open::{Chronicles, Opened};
use crate::failure::Failure;

const NOTE: &str = "What a recording explains, to be read, not to be replayed. Names and addresses are \
    replaced, each by the same wherever it stands; of messages and states of the application only the \
    lengths are here. Numbers of probes, times and lengths are as they were.";

pub(super) fn run(opened: &[Opened], file: &Path) -> Result<(), Failure> {
    let chronicles = Chronicles::read(opened)?;
    let mut mask = Mask::default();
    let masked: Vec<Chronicle> = chronicles.all.iter().map(|it| mask.chronicle(it)).collect();
    write(&masked, &chronicles.alignment, file)
        .map_err(|error| Failure::failed(format_args!("{}: {error}", file.display())))?;
    chronicles.verified()
}

/// Writes one object per line: a description of the file, then the moments of all nodes in their
/// order.
fn write(chronicles: &[Chronicle], alignment: &Alignment, file: &Path) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(file)?);
    let nodes = chronicles.iter().enumerate().map(|(node, it)| {
        json!({
            "node": it.node,
            "address": it.address,
            "from_ns": alignment.time(node, it.begun),
            "to_ns": alignment.time(node, it.ended),
            "first": it.first,
        })
    });
    let nodes: Vec<Value> = nodes.collect();
    writeln!(out, "{}", json!({ "note": NOTE, "replayable": false, "nodes": nodes }))?;
    let mut moments: Vec<(i64, usize, usize)> = Vec::new();
    for (node, chronicle) in chronicles.iter().enumerate() {
        let times = chronicle.moments.iter().enumerate();
        moments.extend(times.map(|(index, it)| (alignment.time(node, it.at), node, index)));
    }
    moments.sort_unstable();
    for (at, node, index) in moments {
        let moment = &chronicles[node].moments[index];
        let line = json!({
            "at_ns": at,
            "node": chronicles[node].node,
            "took": moment.input,
            "heard": moment.heard,
            "sent": moment.sent,
            "reports": moment.reports,
            "changes": moment.changes,
            "health": moment.health,
            "queued": moment.queued,
        });
        writeln!(out, "{line}")?;
    }
    out.flush()
}
