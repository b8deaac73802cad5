//! The reply to `status` as text for people.

use std::fmt::Write as _;

use serde_json::Value;

use super::show::is_terminal;
use super::table::{Table, age, plain};

pub(super) fn show(reply: &Value) -> String {
    let mut text = head(reply);
    let mut section = |title: &str, table: &Table, is_empty: bool| {
        if !is_empty {
            // Writing to a string cannot fail.
            let _ = write!(text, "\n{title}\n{}", table.to_text(is_terminal()));
        }
    };
    let listed = |key: &str| reply[key].as_array().cloned().unwrap_or_default();
    let mut nodes = Table::new(&["NAME", "ADDRESS", "STATE", "FOR", "INCARNATION", "WHY"]);
    for node in listed("nodes") {
        nodes.row(vec![
            plain(&node["name"]),
            plain(&node["addr"]),
            plain(&node["state"]),
            age(&node["age_ms"]),
            plain(&node["incarnation"]),
            why(&node["why"]),
        ]);
    }
    section("Nodes", &nodes, listed("nodes").is_empty());
    let mut seeds = Table::new(&["SEED", "ADDRESSES", "MEMBER", "TRIED", "ERROR"]);
    for seed in listed("seeds") {
        let live = if seed["live"] == true { "yes" } else { "no" };
        seeds.row(vec![
            plain(&seed["peer"]),
            plain(&seed["addresses"]),
            live.to_owned(),
            ago(&seed["tried_ms"]),
            plain(&seed["error"]),
        ]);
    }
    section("Seeds", &seeds, listed("seeds").is_empty());
    let mut lost = Table::new(&["NAME", "ADDRESS", "DIED"]);
    for node in listed("lost") {
        lost.row(vec![plain(&node["name"]), plain(&node["addr"]), ago(&node["age_ms"])]);
    }
    section("Searched for", &lost, listed("lost").is_empty());
    let mut refused = Table::new(&["NAME", "FROM", "WHEN", "REASON"]);
    for news in listed("refused") {
        let (name, from, reason) =
            (plain(&news["name"]), plain(&news["from"]), plain(&news["reason"]));
        refused.row(vec![name, from, ago(&news["age_ms"]), reason]);
    }
    section("Refused lately", &refused, listed("refused").is_empty());
    let mut transport = Table::new(&["FIGURE", "COUNT"]);
    let counted = counted(&reply["transport"]);
    for (figure, count) in &counted {
        transport.row(vec![figure.clone(), count.to_string()]);
    }
    section("Transport", &transport, counted.is_empty());
    text
}

/// The counters of a transport that are not 0; one that is split by reasons has an entry for each.
fn counted(transport: &Value) -> Vec<(String, u64)> {
    let mut counted = Vec::new();
    let mut figure = |name: String, value: &Value| {
        if let Some(count) = value.as_u64().filter(|count| *count > 0) {
            counted.push((name.replace('_', " "), count));
        }
    };
    let (plain, by_reason): (Vec<_>, Vec<_>) =
        transport.as_object().into_iter().flatten().partition(|(_, value)| !value.is_object());
    for (name, value) in plain {
        figure(name.clone(), value);
    }
    for (name, reasons) in by_reason {
        let about = if name == "tls_failures" { "tls" } else { "bad" };
        for (reason, value) in reasons.as_object().into_iter().flatten() {
            figure(format!("{about}: {reason}"), value);
        }
    }
    counted
}

fn head(reply: &Value) -> String {
    let count = |state: &str| {
        let nodes = reply["nodes"].as_array().into_iter().flatten();
        nodes.filter(|node| node["state"] == state).count()
    };
    let keys = match reply["keys"].as_u64() {
        Some(0) | None => "without encryption".to_owned(),
        Some(1) => "one key".to_owned(),
        Some(keys) => format!("{keys} keys"),
    };
    format!(
        "{} ({} over {}){}: {} alive, {} suspect, {} dead, {} left; health {}; {keys}\n\
         last packet {}, last ping for this node {}\n",
        plain(&reply["name"]),
        plain(&reply["addr"]),
        plain(&reply["transport"]["name"]),
        if reply["left"] == true { ", which has left" } else { "" },
        count("alive"),
        count("suspect"),
        count("dead"),
        count("left"),
        plain(&reply["health_score"]),
        ago(&reply["last_packet_ms"]),
        ago(&reply["last_ping_ms"]),
    )
}

fn ago(milliseconds: &Value) -> String {
    if milliseconds.is_null() { "never".to_owned() } else { age(milliseconds) + " ago" }
}

/// Why a node is not alive.
fn why(trouble: &Value) -> String {
    if let Some(suspected) = trouble.get("suspected") {
        let (by, left) = (plain(&suspected["by"]), age(&suspected["left_ms"]));
        return format!("suspected by {by}, {left} left to refute");
    }
    match trouble.get("departed") {
        Some(departed) => described(departed),
        None => plain(trouble),
    }
}

/// The text of a serialized enum: its word, or its word with its fields.
fn described(value: &Value) -> String {
    let Some(fields) = value.as_object() else { return plain(value) };
    let field = |(name, value): (&String, &Value)| match value {
        Value::Object(_) => format!("{name} {}", described(value)),
        value => format!("{name} {}", plain(value)),
    };
    fields.iter().filter(|(_, value)| !value.is_null()).map(field).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
