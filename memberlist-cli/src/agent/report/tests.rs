use memberlist_proto::{Identity, IdentityParts, Instant, State, Versions};

use super::*;

pub(in crate::agent) fn some_node(name: &[u8], addr: &[u8], meta: &[u8]) -> Node {
    let parts = IdentityParts {
        name,
        addr: Some(addr),
        port: 7946,
        meta: Some(meta),
        versions: Some(Versions::from_bytes([1, 5, 2, 0, 0, 0])),
    };
    Node::new(Identity::new(parts).unwrap(), 3, State::Suspect, Instant::from_nanos(0))
}

#[test]
fn a_node_is_an_object_with_all_its_fields() {
    let value = node(&some_node(b"n1", &[127, 0, 0, 1], b"role=db"));
    let expected = json!({
        "name": "n1", "addr": "127.0.0.1:7946", "state": "suspect", "incarnation": 3,
        "meta": "role=db", "meta_hex": "726f6c653d6462", "versions": [1, 5, 2, 0, 0, 0],
    });
    assert_eq!(value, expected);
}

#[test]
fn what_is_not_utf8_is_given_in_hexadecimal() {
    let value = node(&some_node(b"n\xff", &[0; 16], b"\xff"));
    assert_eq!(value["name"], "n\u{fffd}");
    assert_eq!(value["name_hex"], "6eff");
    assert_eq!(value["addr"], "[::]:7946");
    assert_eq!(value["meta"], Value::Null);
    assert_eq!(value["meta_hex"], "ff");
    let value = node(&some_node(b"n", b"?", b""));
    assert_eq!(value["addr"], Value::Null);
    assert_eq!(value["meta"], "");
}

#[test]
fn json_is_one_line_with_event_time_and_id() {
    let report = Report::new("message").with("text", "two\nlines").reply_to(Some("7"));
    let line = report.to_json();
    assert!(!line.contains('\n') && line.starts_with(r#"{"event":"message","time":"#), "{line}");
    let value: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(value["id"], "7");
    assert_eq!(value["text"], "two\nlines");
    let time = value["time"].as_str().unwrap();
    assert!(humantime::parse_rfc3339(time).is_ok(), "{time}");
    assert!(!Report::new("x").reply_to(None).to_json().contains("id"));
}

#[test]
fn an_error_names_its_command() {
    let value = Value::Object(Report::error("send", "no member of that name").fields);
    assert_eq!(value["event"], "error");
    assert_eq!(value["command"], "send");
    assert_eq!(value["message"], "no member of that name");
}

#[test]
fn text_is_one_line_with_lists_below() {
    let one = node(&some_node(b"n1", &[127, 0, 0, 1], b"role=db"));
    let two = node(&some_node(b"n2", &[127, 0, 0, 1], b"\xff"));
    let text = Report::new("members").with("nodes", vec![one.clone(), two]).to_text();
    let (clock, rest) = text.split_once(' ').unwrap();
    assert_eq!(clock.len(), "00:00:00.000".len(), "{clock}");
    assert_eq!(
        rest,
        "members nodes=2\n    n1(127.0.0.1:7946 suspect meta=role=db)\n    \
         n2(127.0.0.1:7946 suspect meta_hex=ff)"
    );
    let text = Report::new("departed")
        .with("node", one)
        .with("reason", json!({ "kind": "failed", "by": "n 3", "confirmations": 2 }))
        .with("nothing", Value::Null)
        .to_text();
    assert!(
        text.ends_with(
            "departed node=n1(127.0.0.1:7946 suspect meta=role=db) \
             reason={kind=failed by=\"n 3\" confirmations=2}"
        ),
        "{text}"
    );
}

#[test]
fn control_characters_never_reach_the_terminal() {
    let text = Report::new("message").with("text", "\u{1b}[2J").to_text();
    assert!(!text.contains('\u{1b}'), "{text:?}");
}
