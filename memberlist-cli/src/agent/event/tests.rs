use std::time::Duration;

use memberlist_proto::{Change, Channel, JoinError, JoinFailure, Refusal};

use super::super::report::tests::some_node;
use super::*;

fn value(event: &Event) -> Value {
    serde_json::from_str(&report(event).expect("a report").to_json()).unwrap()
}

#[test]
fn membership_has_the_node_and_the_reason() {
    let who = some_node(b"n1", &[127, 0, 0, 1], b"");
    let by = || vec![NodeName::from("n2"), NodeName::from("n3")];

    let joined = value(&Event::Joined { node: who.clone() });
    assert_eq!((&joined["event"], &joined["node"]["name"]), (&json!("joined"), &json!("n1")));

    let change = Change { meta: true, address: false, versions: true };
    let updated = value(&Event::Updated { node: who.clone(), change });
    assert_eq!(updated["changed"], json!(["meta", "versions"]));

    let reason = Departure::Failed { by: by(), confirmations: 1 };
    let departed = value(&Event::Departed { node: who.clone(), reason, from: None });
    assert_eq!(departed["reason"]["kind"], "failed");
    assert_eq!(departed["reason"]["by"], "n2");
    assert_eq!(departed["reason"]["accusers"], json!(["n2", "n3"]));
    assert_eq!(departed["reason"]["confirmations"], 1);

    let reason = Departure::Declared { by: NodeName::from("n2") };
    let departed = value(&Event::Departed { node: who.clone(), reason, from: None });
    assert_eq!(departed["reason"], json!({ "kind": "failed", "by": "n2", "declared": true }));

    let departed = value(&Event::Departed {
        node: who.clone(),
        reason: Departure::Left,
        from: Some(([10, 0, 0, 9], 7946).into()),
    });
    assert_eq!(departed["reason"], json!({ "kind": "left" }));
    assert_eq!(departed["from"], "10.0.0.9:7946");

    let suspected = value(&Event::Suspected { node: who.clone(), by: NodeName::from("n2") });
    assert_eq!((&suspected["event"], &suspected["by"]), (&json!("suspected"), &json!("n2")));

    let refuted = value(&Event::Refuted { node: who.clone(), by: None });
    assert_eq!((&refuted["event"], &refuted["by"]), (&json!("refuted"), &Value::Null));

    let other = some_node(b"n1", &[127, 0, 0, 2], b"thief");
    let conflict = value(&Event::Conflict { existing: who, claimant: other });
    assert_eq!(conflict["node"]["addr"], "127.0.0.1:7946");
    assert_eq!(conflict["other"]["addr"], "127.0.0.2:7946");
    assert_eq!(conflict["other"]["meta"], "thief");
}

#[test]
fn people_read_the_event_itself() {
    let event = Event::Joined { node: some_node(b"n\n1", &[127, 0, 0, 1], b"") };
    let text = report(&event).expect("a report").to_text();
    let (_, line) = text.split_once(' ').expect("the time of day");
    assert_eq!(line, event.to_string());
    assert_eq!(line, "\"n\\n1\" (127.0.0.1:7946) joined");
}

#[test]
fn coalesced_events_report_where_the_node_stands() {
    use memberlist_proto::State;

    let who = some_node(b"n1", &[127, 0, 0, 1], b"");
    let reason = Departure::Left;
    let report = value(&Event::Coalesced { node: who.clone(), events: 3, departure: None });
    assert_eq!((&report["event"], &report["coalesced"]), (&json!("joined"), &json!(3)));
    assert_eq!(report["reason"], Value::Null);
    let gone = Node::new(who.identity().clone(), 4, State::Left, who.since());
    let report = value(&Event::Coalesced { node: gone, events: 2, departure: Some(reason) });
    assert_eq!((&report["event"], &report["node"]["state"]), (&json!("departed"), &json!("left")));
    assert_eq!(report["reason"], json!({ "kind": "left" }));
    let report = value(&Event::Overflow { dropped: 7 });
    assert_eq!((&report["event"], &report["dropped"]), (&json!("overflow"), &json!(7)));
    let report = value(&Event::MembershipOverflow { events: 8 });
    assert_eq!((&report["event"], &report["events"]), (&json!("membership_overflow"), &json!(8)));
    let ended = Event::BroadcastsFinished { sent: 1, replaced: 2, dropped: 3, streamed: 4 };
    let report = value(&ended);
    assert_eq!((&report["event"], &report["dropped"]), (&json!("broadcasts_finished"), &json!(3)));
}

#[test]
fn payloads_are_text_and_hexadecimal() {
    let from = "127.0.0.1:1".parse().unwrap();
    let message = |payload: &'static [u8]| Event::Message {
        from,
        channel: Channel::Packet,
        payload: payload.into(),
    };
    let report = value(&message(b"hi"));
    assert_eq!((&report["text"], &report["hex"]), (&json!("hi"), &json!("6869")));
    assert_eq!((&report["from"], &report["channel"]), (&json!("127.0.0.1:1"), &json!("packet")));
    let report = value(&message(b"\xff"));
    assert_eq!((&report["text"], &report["hex"]), (&Value::Null, &json!("ff")));

    let state = value(&Event::RemoteState { from, join: true, state: b"s".as_slice().into() });
    assert_eq!((&state["event"], &state["join"]), (&json!("remote_state"), &json!(true)));
    assert_eq!(state["hex"], "73");
}

#[test]
fn round_trips_are_in_milliseconds() {
    let report = value(&Event::Pinged {
        node: some_node(b"n1", &[127, 0, 0, 1], b""),
        rtt: Duration::from_micros(1500),
        payload: b"\x01".as_slice().into(),
    });
    assert_eq!(report["event"], "pinged");
    assert!((report["rtt_ms"].as_f64().unwrap() - 1.5).abs() < 1e-9, "{report}");
    assert_eq!(report["payload_hex"], "01");
}

#[test]
fn what_went_wrong_says_why() {
    let report =
        value(&Event::Refused { node: NodeName::from("n9"), from: None, reason: Refusal::Network });
    assert_eq!((&report["event"], &report["name"]), (&json!("refused"), &json!("n9")));
    assert!(report["message"].as_str().unwrap().contains("networks"), "{report}");
    // An event of that name would be taken for the reply to the command.
    assert_ne!(value(&Event::Health { score: 2 })["event"], "health");
}

#[test]
fn a_join_counts_its_peers_and_says_why_others_failed() {
    let failure =
        JoinFailure { peer: "db:7".parse().unwrap(), address: None, error: JoinError::TimedOut };
    let line = failed_join(1, &[failure]).to_json();
    let report: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&report["event"], &report["joined"]), (&json!("join"), &json!(1)));
    assert_eq!(report["failed"][0]["peer"], "db:7");
    assert_eq!(report["failed"][0]["error"], "the join ran out of time");
}
