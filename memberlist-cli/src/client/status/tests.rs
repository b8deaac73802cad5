use serde_json::json;

use super::*;

/// The transport is named, and its figures that are not 0 are listed, those by reasons with them.
#[test]
fn the_transport_is_shown() {
    let reply = |transport| json!({"name": "n", "addr": "127.0.0.1:7946", "transport": transport});
    let text = show(&reply(json!({
        "name": "dskit+tls", "framing": "dskit", "tls": true, "opened": 7, "refused": 0,
        "queued_bytes": 12, "bad_by_reason": {"too_long": 2}, "tls_failures": {"wrong_name": 3},
    })));
    assert!(text.starts_with("n (127.0.0.1:7946 over dskit+tls): "), "{text}");
    let rows: Vec<Vec<_>> = text
        .split("\nTransport\n")
        .nth(1)
        .expect("a section of its own")
        .lines()
        .map(|line| line.rsplitn(2, "  ").map(str::trim).collect())
        .collect();
    let expected = [
        ["COUNT", "FIGURE"],
        ["7", "opened"],
        ["12", "queued bytes"],
        ["2", "bad: too long"],
        ["3", "tls: wrong name"],
    ];
    assert_eq!(rows, expected, "{text}");
    let text = show(&reply(json!({"name": "udp+tcp"})));
    assert!(text.starts_with("n (127.0.0.1:7946 over udp+tcp): "), "{text}");
    assert!(!text.contains("Transport"), "{text}");
}
