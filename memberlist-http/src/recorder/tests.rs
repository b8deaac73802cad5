use std::time::Duration;

use memberlist_proto::{Identity, IdentityParts, Instant, Node, State};

use super::*;

fn node(name: &str, state: State) -> Node {
    let parts = IdentityParts {
        name: name.as_bytes(),
        addr: Some(&[127, 0, 0, 1]),
        port: 7946,
        meta: None,
        versions: None,
    };
    Node::new(Identity::new(parts).expect("valid"), 1, state, Instant::ORIGIN)
}

fn failed(name: &str) -> Event {
    let reason = Departure::Declared { by: "x".into() };
    Event::Departed { node: node(name, State::Dead), reason, from: None }
}

fn recorder() -> Recorder {
    Recorder::default()
}

#[test]
fn failures_close_to_each_other_are_one_loss() {
    let mut recorder = recorder();
    // Two of four within a minute; of the first, the second has happened already when it is read.
    recorder.observe(1000, &failed("a"), 2);
    recorder.observe(1001, &failed("b"), 2);
    let loss = recorder.great_losses().next().expect("half of four");
    assert_eq!((loss.since, loss.before, loss.names.len()), (1000, 4, 2));
    // Much later, one of many.
    recorder.observe(1001 + AT_ONCE + 1, &failed("c"), 9);
    assert_eq!(recorder.great_losses().count(), 1);
    recorder.sample(1001 + REMEMBERED + 1, Stats::default());
    assert_eq!(recorder.great_losses().count(), 0);
}

/// One of fifty members fails each half minute and is replaced: that is no loss of half of them.
#[test]
fn steady_failures_are_not_one_loss() {
    let mut recorder = recorder();
    for number in 0..1000_u64 {
        recorder.observe(number * AT_ONCE / 2, &failed(&format!("pod-{number}")), 50);
    }
    assert_eq!(recorder.great_losses().count(), 0);
    assert!(recorder.losses.iter().all(|loss| loss.names.len() <= 21), "bounded");
}

#[test]
fn a_leave_and_a_single_failure_are_not_great_losses() {
    let mut recorder = recorder();
    recorder.observe(1, &failed("a"), 1);
    for name in ["b", "c", "d"] {
        let (node, reason) = (node(name, State::Left), Departure::Left);
        recorder.observe(2, &Event::Departed { node, reason, from: None }, 1);
    }
    assert_eq!(recorder.great_losses().count(), 0);
}

#[test]
fn losses_are_bounded() {
    let mut recorder = recorder();
    for number in 0..100 {
        recorder.observe(number * 2 * AT_ONCE, &failed("a"), 1);
        recorder.observe(number * 2 * AT_ONCE, &failed("b"), 1);
    }
    assert_eq!(recorder.great_losses().count(), LOSSES);
}

#[test]
fn a_round_trip_ends_the_warning_about_streams_and_a_departure_ends_both() {
    let mut recorder = recorder();
    let name = NodeName::from("a");
    let alive = || node("a", State::Alive);
    let rtt = Duration::from_micros(1500);
    recorder.observe(5, &Event::OnlyByStream { node: alive() }, 2);
    recorder.observe(6, &Event::OnlyByStream { node: alive() }, 2);
    assert_eq!(recorder.by_stream().get(&name), Some(&5));
    recorder.observe(7, &Event::Pinged { node: alive(), rtt, payload: "".into() }, 2);
    assert!(recorder.by_stream().is_empty());
    assert_eq!(recorder.round_trip(&name), Some(RoundTrip { millis: 1.5, at: 7 }));
    recorder.observe(8, &Event::Joined { node: alive() }, 2);
    assert_eq!(recorder.origin(&name), Some("joined"));
    recorder.observe(9, &failed("a"), 1);
    assert_eq!((recorder.round_trip(&name), recorder.origin(&name)), (None, None));
    // Its departure may not be reported to a slow reader.
    recorder.observe(10, &Event::Pinged { node: alive(), rtt, payload: "".into() }, 2);
    recorder.keep_only(|_| false);
    assert_eq!(recorder.round_trip(&name), None);
}
