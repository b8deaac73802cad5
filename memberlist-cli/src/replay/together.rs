//! Several recordings: how they are aligned, and what was lost between the nodes.

use std::fmt::Write as _;

use memberlist_record::explain::AlignedBy;
use serde_json::{Value, json};

use super::clock::Clock;
use super::open::{Chronicles, Opened};
use crate::failure::Failure;
use crate::stdout;

pub(super) fn run(opened: &[Opened], as_json: bool) -> Result<(), Failure> {
    let chronicles = Chronicles::read(opened)?;
    let clock = Clock::new(&chronicles.all[0].born);
    if as_json {
        let nodes: Vec<Value> = (0..chronicles.all.len()).map(|it| node(&chronicles, it)).collect();
        let all = json!({ "nodes": nodes, "links": links_to_json(&chronicles) });
        stdout::put(format!("{all}\n"))?;
    } else {
        let nodes = nodes_to_text(&chronicles, &clock);
        stdout::put(nodes + &links_to_text(&chronicles, &clock))?;
    }
    chronicles.verified()
}

fn node(chronicles: &Chronicles, node: usize) -> Value {
    let it = &chronicles.all[node];
    let ms = |at| chronicles.alignment.time(node, at) / 1_000_000;
    json!({
        "node": it.node,
        "address": it.address.to_string(),
        "aligned_by": chronicles.alignment.aligned_by(node),
        "from_ms": ms(it.begun),
        "to_ms": ms(it.ended),
        "inputs": it.inputs,
        "differs": it.differs,
        "unverified": it.unverified,
        "dropped": it.dropped,
        "members": it.last.iter().filter(|(_, row)| row.state.is_live()).count(),
    })
}

fn nodes_to_text(chronicles: &Chronicles, clock: &Clock) -> String {
    let mut out = String::new();
    for (node, it) in chronicles.all.iter().enumerate() {
        let by = match chronicles.alignment.aligned_by(node) {
            AlignedBy::Reference => "the others are aligned to it",
            AlignedBy::Messages => "aligned by messages in both directions",
            AlignedBy::OneWay => "aligned by messages in one direction only",
            AlignedBy::Clocks => "aligned by its clock: no message connects it to the others",
            AlignedBy::Nothing => "not aligned: no message connects it, and its clock is not known",
        };
        let time = |at| clock.short(chronicles.alignment.time(node, at));
        let (from, to) = (time(it.begun), time(it.ended));
        let _ = writeln!(
            out,
            "{} ({}): {from} to {to}, {} inputs; {by}",
            it.node, it.address, it.inputs
        );
        for (count, what) in [
            (it.dropped, "inputs were not recorded: its disk was too slow"),
            (it.unverified, "inputs cannot be verified without a key"),
            (it.differs, "inputs led to other outputs than in the live run"),
        ] {
            if count > 0 {
                let _ = writeln!(out, "    {count} {what}");
            }
        }
    }
    if let Some(drift) = chronicles.alignment.drift() {
        let micros = drift / 1000;
        let _ = writeln!(
            out,
            "the clocks run differently fast: messages seem to arrive up to {micros} µs before they were sent"
        );
    }
    out.push('\n');
    out
}

pub(super) fn links_to_text(chronicles: &Chronicles, clock: &Clock) -> String {
    let name = |node: usize| &chronicles.all[node].node;
    let mut out = String::from("packets lost on each link:\n");
    for link in chronicles.alignment.losses() {
        let _ = write!(
            out,
            "    {} to {}: {} of {}",
            name(link.from),
            name(link.to),
            link.lost,
            link.sent
        );
        if let (Some(first), Some(last)) = (link.first, link.last) {
            let kinds: Vec<_> =
                link.kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
            let (first, last) = (clock.short(first), clock.short(last));
            let _ = write!(out, ", first {first}, last {last}; in them {}", kinds.join(", "));
        }
        out.push('\n');
    }
    out
}

pub(super) fn links_to_json(chronicles: &Chronicles) -> Vec<Value> {
    let name = |node: usize| &chronicles.all[node].node;
    let ms = |at: Option<i64>| at.map(|it| it / 1_000_000);
    let links = chronicles.alignment.losses().iter();
    links
        .map(|link| {
            json!({
                "from": name(link.from),
                "to": name(link.to),
                "sent": link.sent,
                "lost": link.lost,
                "first_ms": ms(link.first),
                "last_ms": ms(link.last),
                "kinds": link.kinds,
            })
        })
        .collect()
}
