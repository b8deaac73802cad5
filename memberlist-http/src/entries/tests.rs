use memberlist_proto::{Channel, Event, NodeName, Refusal};

use super::*;

#[test]
fn traffic_and_payloads_do_not_appear() {
    let from = "127.0.0.1:1".parse().expect("an address");
    let payload = "secret".into();
    let message = Event::Message { from, channel: Channel::Packet, payload };
    assert!(of(&message, 1).is_none());
    let state = Event::RemoteState { from, join: true, state: "secret".into() };
    assert!(of(&state, 1).is_none());
}

#[test]
fn texts_are_one_line_and_bounded() {
    let node = NodeName::from("<b>\n\u{202e}");
    let reason = Refusal::Vetoed("x".repeat(5000));
    let entry = of(&Event::Refused { node, from: None, reason }, 9).expect("an entry");
    assert_eq!((entry.kind, entry.level, entry.time), ("refused", Level::Warn, 9));
    assert!(entry.text.len() <= LONGEST + '…'.len_utf8() && entry.text.ends_with('…'));
    assert!(!entry.text.contains('\n') && !entry.text.contains('\u{202e}'), "{}", entry.text);
}

#[test]
fn names_that_are_not_text_are_escaped() {
    assert_eq!(shown(Name::new(b"a\xffb")), "a\\xffb");
    assert_eq!(shown(Name::new("née".as_bytes())), "née");
}
