use std::net::SocketAddr;

use bytes::Bytes;
use memberlist_proto::{
    Channel, Departure, Event, ExchangeError, ExchangeKind, Identity, IdentityParts, Node,
    NodeName, State,
};

use super::*;

fn at(millis: u64) -> Instant {
    Instant::ORIGIN + Duration::from_secs(1) + Duration::from_millis(millis)
}

#[test]
fn a_flood_of_lines_is_cut_and_counted() {
    let mut throttle = Throttle::default();
    let passed = (0..1000).filter(|number| throttle.pass(at(number / 2), 10).is_some()).count();
    assert_eq!(passed, 10);
    assert_eq!(throttle.pass(at(999), 10), None);
    assert_eq!(throttle.pass(at(1000), 10), Some(991), "the next line says how many are missing");
    assert_eq!(throttle.pass(at(1001), 10), Some(0), "and only once");
}

/// What a line is about is in its fields, too.
#[test]
fn lines_have_the_fields_of_their_events() {
    let peer: SocketAddr = ([10, 0, 0, 9], 7).into();
    let line = |event: &Event| {
        assert_eq!(lines::is_logged(event), cfg!(feature = "tracing"));
        lines::of(event).expect("a line").1
    };
    for event in [Event::Rejoined { peer }, Event::NotListed { peer }] {
        assert_eq!(line(&event).peer.as_deref(), Some("10.0.0.9:7"));
    }
    let (exchange, error) = (ExchangeKind::Rejoin, ExchangeError::TooManyBytes);
    let failed = line(&Event::ExchangeFailed { peer, exchange, error });
    assert_eq!(failed.peer.as_deref(), Some("10.0.0.9:7"));
    assert_eq!(failed.reason, Some(ExchangeError::TooManyBytes.to_string()));
    let parts = IdentityParts { name: b"x", ..IdentityParts::default() };
    let node = Node::new(Identity::new(parts).expect("a name"), 1, State::Dead, at(0));
    let by = NodeName::from("y");
    for (reason, word) in [(Departure::Left, "left"), (Departure::Declared { by }, "declared dead")]
    {
        let departed = Event::Departed { node: node.clone(), reason, from: Some(peer) };
        let departed = line(&departed);
        assert_eq!(
            (departed.member.as_deref(), departed.reason.as_deref()),
            (Some("x"), Some(word))
        );
        assert_eq!(departed.peer.as_deref(), Some("10.0.0.9:7"));
    }
    let left = line(&Event::HadLeft { node: node.clone(), from: Some(peer) });
    assert_eq!((left.member.as_deref(), left.peer.as_deref()), (Some("x"), Some("10.0.0.9:7")));
    let parts = IdentityParts { name: b"x", addr: Some(&[10, 0, 0, 9]), port: 7, ..parts };
    let placed = Node::new(Identity::new(parts).expect("a name"), 1, State::Alive, at(0));
    let by_stream = Event::OnlyByStream { node: placed };
    let line_of = lines::of(&by_stream).expect("a line").1;
    assert_eq!(line_of.member.as_deref(), Some("x"));
    assert_eq!(line_of.peer.as_deref(), Some("10.0.0.9:7"));
    assert_eq!(line_of.to_string(), by_stream.to_string());
    let poisoned = line(&Event::NamePoisoned { by: Some(NodeName::from("y")) });
    assert_eq!(poisoned.reason.as_deref(), Some("y"));
    // What happens all the time, and is the application's own business, is not.
    let message = Event::Message { from: peer, channel: Channel::Packet, payload: Bytes::new() };
    assert!(!lines::is_logged(&message) && lines::of(&message).is_none());
}

#[cfg(feature = "record")]
#[test]
fn lines_about_a_recording_say_how_bad_it_is() {
    use memberlist_record::Notice;
    let dropped = lines::recording(&Notice::Dropped(7));
    assert!(matches!(dropped.severity, Severity::Warning));
    assert!(dropped.to_string().starts_with("7 inputs were not recorded"), "{dropped}");
    let failed = lines::recording(&Notice::Failed(std::io::ErrorKind::StorageFull.into()));
    assert!(matches!(failed.severity, Severity::Error));
    let (text, reason) = (failed.to_string(), failed.reason.expect("a reason"));
    assert_eq!(text, format!("recording failed: {reason}"));
}

/// Severities as Go has them, but for what happens to every member sooner or later.
#[test]
fn events_are_as_severe_as_what_they_mean() {
    let peer: SocketAddr = ([10, 0, 0, 9], 7).into();
    let parts = IdentityParts { name: b"x", ..IdentityParts::default() };
    let node = Node::new(Identity::new(parts).expect("a name"), 1, State::Dead, at(0));
    let departed = |reason, from| Event::Departed { node: node.clone(), reason, from };
    let failed =
        |exchange| Event::ExchangeFailed { peer, exchange, error: ExchangeError::TooManyBytes };
    let severity = |event: &Event| format!("{:?}", lines::of(event).expect("a line").1.severity);
    let died = Departure::Failed { by: Vec::new(), confirmations: 0 };
    for (event, expected) in [
        (departed(Departure::Left, Some(peer)), "Debug"),
        (departed(died.clone(), None), "Info"),
        (failed(ExchangeKind::Rejoin), "Debug"),
        (failed(ExchangeKind::PushPull), "Error"),
        (Event::NotListed { peer }, "Warning"),
        (Event::Rejoined { peer }, "Info"),
    ] {
        assert_eq!(severity(&event), expected, "{event}");
    }
    let line = lines::of(&departed(died, None)).expect("a line").1;
    assert_eq!(line.reason.as_deref(), Some("failed"));
}

/// What an application does with its log must not stop its nodes.
#[cfg(feature = "tracing")]
#[test]
fn a_subscriber_that_panics_is_survived() {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tracing::span::{Attributes, Id, Record};
    use tracing::{Metadata, Subscriber};

    static LINES: AtomicU32 = AtomicU32::new(0);
    struct Panics;
    impl Subscriber for Panics {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, _: &tracing::Event<'_>) {
            LINES.fetch_add(1, Ordering::SeqCst);
            panic!("no line");
        }

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}
    }
    let log = Log::new(&"n".into());
    tracing::subscriber::with_default(Panics, || {
        for _ in 0..3 {
            log.write_once(|| Line::error(Target::Packet, "odd"));
        }
    });
    assert_eq!(LINES.load(Ordering::SeqCst), 3);
}
