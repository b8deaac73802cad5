//! Replies as text for people.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _};

use serde_json::Value;

use super::table::{Table, age, plain};

/// Whether standard output is a terminal.
pub(super) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// The text of a list of nodes.
pub(super) fn nodes(nodes: &Value, with_versions: bool) -> String {
    let heads = ["NAME", "ADDRESS", "STATE", "INCARNATION", "META", "VERSIONS"];
    let shown = if with_versions { &heads[..] } else { &heads[..5] };
    let mut table = Table::new(shown);
    for node in nodes.as_array().into_iter().flatten() {
        let cells = [
            plain(&node["name"]),
            plain(&node["addr"]),
            plain(&node["state"]),
            plain(&node["incarnation"]),
            meta(node),
            node["versions"].to_string(),
        ];
        table.row(cells.into_iter().take(shown.len()).collect());
    }
    table.to_text(is_terminal())
}

/// A node's metadata: as text if it is UTF-8, else in hexadecimal.
fn meta(node: &Value) -> String {
    match (&node["meta"], &node["meta_hex"]) {
        (Value::String(text), _) if text.is_empty() => "-".to_owned(),
        (text @ Value::String(_), _) => plain(text),
        (_, hex) => format!("hex {}", plain(hex)),
    }
}

/// A node as `name (address)`.
pub(super) fn node(node: &Value) -> String {
    format!("{} ({})", plain(&node["name"]), plain(&node["addr"]))
}

/// The text of the reply to `info`.
pub(super) fn info(reply: &Value) -> String {
    let counts = &reply["nodes"];
    let keys = match reply["keys"].as_u64() {
        Some(0) | None => "none: nothing is encrypted".to_owned(),
        Some(keys) => keys.to_string(),
    };
    let nodes = format!(
        "{} alive, {} suspect, {} dead, {} left",
        counts["alive"], counts["suspect"], counts["dead"], counts["left"]
    );
    let or_none = |value: &Value| match plain(value) {
        text if text.is_empty() => "-".to_owned(),
        text => text,
    };
    let rows = [
        ("node", node(&reply["node"])),
        (
            "state",
            if reply["left"] == true { "left".into() } else { plain(&reply["node"]["state"]) },
        ),
        ("metadata", meta(&reply["node"])),
        ("listens on", plain(&reply["bind"])),
        ("transport", plain(&reply["transport"])),
        ("control socket", plain(&reply["control"])),
        ("page", plain(&reply["http"])),
        ("nodes", nodes),
        ("health", format!("{} (0 is healthy)", reply["health_score"])),
        ("keys", keys),
        ("label", or_none(&reply["label"])),
        ("seeds", or_none(&reply["seeds"])),
        ("process", format!("{}, for {}", reply["pid"], age(&reply["uptime_ms"]))),
        ("version", format!("{}, on {}", plain(&reply["version"]), plain(&reply["runtime"]))),
    ];
    rows.iter().fold(String::new(), |mut text, (name, value)| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name:<15} {value}");
        text
    })
}

/// The text of the reply to `join`.
pub(super) fn join(reply: &Value) -> String {
    let joined = reply["joined"].as_u64().unwrap_or_default();
    let mut text = format!("joined through {joined} of the peers\n");
    for failed in reply["failed"].as_array().into_iter().flatten() {
        let _ = writeln!(text, "{}: {}", plain(&failed["peer"]), plain(&failed["error"]));
    }
    text
}

/// The text of the reply to `keys`.
pub(super) fn keys(reply: &Value) -> String {
    let keys = reply["keys"].as_array().map(Vec::as_slice).unwrap_or_default();
    if keys.is_empty() {
        return "no keys: nothing is encrypted\n".to_owned();
    }
    let mut table = Table::new(&["KEY", "USE"]);
    for (at, key) in keys.iter().enumerate() {
        let role = if at == 0 { "primary: encrypts and decrypts" } else { "decrypts" };
        table.row(vec![plain(key), role.to_owned()]);
    }
    table.to_text(is_terminal())
}
