//! What others make a node keep has a bound, field by field (`docs/limits.md`).

use super::*;
use crate::event::{ExchangeError, JoinError, Outcome};
use crate::wire::message::{ErrorReply, IndirectPing, Ping};
use crate::wire::push_pull::{NodeState, encode_header, encode_state};

/// The longest name that a member can have, in bytes.
const NAME: usize = 255;

/// The stream that a node opens to join `address(2)`, connected, with what it wrote taken.
fn joining(rig: &mut Rig) -> StreamId {
    rig.node.join(rig.now, &[address(2).into()]);
    let Some(StreamOp::Connect { id, .. }) = rig.node.poll_stream() else { panic!("no stream") };
    rig.node.handle_stream_connected(rig.now, id);
    while rig.node.poll_stream().is_some() {}
    id
}

/// How the join failed.
fn failure(rig: &mut Rig) -> ExchangeError {
    let mut events = core::iter::from_fn(|| rig.node.poll_event());
    let report = events.find_map(|event| match event {
        Event::Finished { outcome: Outcome::Join(Ok(report)), .. } => Some(report),
        _ => None,
    });
    match report.expect("the join has ended").failed.remove(0).error {
        JoinError::Exchange(error) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_name_of_a_requester_is_kept_only_if_a_member_can_have_it() {
    let mut rig = Rig::new();
    rig.alive("a", 2, 1);
    rig.transmits();
    for (len, kept) in [(NAME, Some(NAME)), (NAME + 1, None), (60_000, None)] {
        let source_node = alloc::vec![b'n'; len];
        rig.receive(&Message::IndirectPing(IndirectPing {
            seq_no: 7,
            target: Some(&[10, 0, 0, 1]),
            port: 2,
            node: b"a",
            source_node: &source_node,
            ..IndirectPing::default()
        }));
        rig.answer_pings();
        let sent = rig.transmits();
        assert_eq!(sent.len(), 1, "the answer to the requester: {sent:?}");
        let name = sent[0].node.as_ref().map(|name| name.as_bytes().len());
        assert_eq!(name, kept, "{len}");
    }
}

#[test]
fn an_answer_to_a_ping_repeats_no_name_that_is_too_long() {
    let mut rig = Rig::new();
    for (len, kept) in [(NAME, Some(NAME)), (NAME + 1, None)] {
        let source_node = alloc::vec![b'n'; len];
        rig.receive(&Message::Ping(Ping {
            seq_no: 7,
            source_node: &source_node,
            ..Ping::default()
        }));
        let sent = rig.transmits();
        assert_eq!(sent.len(), 1);
        assert_eq!(sent[0].node.as_ref().map(|name| name.as_bytes().len()), kept);
    }
}

#[test]
fn a_refusal_reports_and_keeps_the_beginning_of_a_long_name() {
    let mut rig = Rig::new();
    rig.alive_with(&"n".repeat(60_000), 2, 1, b"", Some(&VSN));
    let event = rig.node.poll_event();
    let Some(Event::Refused { node, reason, .. }) = event else { panic!("{event:?}") };
    assert_eq!(node.as_bytes().len(), NAME);
    assert_eq!(reason, crate::event::Refusal::Name(60_000));
    assert_eq!(rig.node.refusals[0].node.as_bytes().len(), NAME);
}

#[test]
fn versions_are_passed_on_in_six_bytes() {
    let mut rig = Rig::new();
    let mut vsn = VSN.to_vec();
    vsn.resize(60_000, 1);
    rig.alive_with("a", 2, 1, b"", Some(&vsn));
    assert_eq!(rig.state("a"), (State::Alive, 1));
    let mut longest = 0;
    rig.node.queues.fill_membership(usize::MAX, 2, |news| longest = longest.max(news.len()));
    assert!((1..200).contains(&longest), "{longest} bytes");
}

#[test]
fn the_text_of_a_peers_error_is_cut() {
    let mut rig = Rig::new();
    let id = joining(&mut rig);
    let mut reply = Vec::new();
    ErrorReply { error: "é".repeat(20_000).as_bytes() }.encode(&mut reply);
    let result = rig.node.handle_stream_data(rig.now, id, &reply);
    assert_eq!(result, Err(ExchangeError::Remote("é".repeat(512))));
    assert_eq!(failure(&mut rig), ExchangeError::Remote("é".repeat(512)));
}

#[test]
fn the_name_in_a_version_mismatch_is_cut() {
    let mut rig = Rig::new();
    let id = joining(&mut rig);
    let mut state = Vec::new();
    encode_header(&mut state, true, 1, 0);
    let name = "n".repeat(60_000);
    let record = NodeState {
        name: name.as_bytes(),
        addr: Some(&[10, 0, 0, 9]),
        port: 9,
        incarnation: 1,
        vsn: Some(&[9, 9, 9, 0, 0, 0]),
        ..NodeState::default()
    };
    encode_state(&mut state, &record);
    let _ = rig.node.handle_stream_data(rig.now, id, &state);
    let ExchangeError::Versions(mismatch) = failure(&mut rig) else { panic!("not refused") };
    assert!(mismatch.node.as_bytes().len() <= NAME, "{}", mismatch.node.as_bytes().len());
}

#[test]
fn an_accusation_under_a_name_that_is_too_long_is_ignored() {
    let mut rig = Rig::new();
    rig.alive("a", 2, 1);
    rig.events();
    let queued = rig.queued();
    rig.suspect("a", 1, &"n".repeat(NAME + 1));
    rig.dead("a", 1, &"n".repeat(NAME + 1));
    assert_eq!(rig.state("a").0, State::Alive);
    assert_eq!((rig.events().len(), rig.queued()), (0, queued));
    rig.suspect("a", 1, &"n".repeat(NAME));
    assert_eq!(rig.state("a").0, State::Suspect);
}

#[test]
fn the_latest_refusals_and_farewells_are_kept() {
    let mut rig = Rig::new();
    for index in 0..100 {
        rig.alive_with(&alloc::format!("n{index}"), 2, 1, &[b'm'; 2049], Some(&VSN));
    }
    let kept = &rig.node.refusals;
    assert_eq!(kept.len(), 32);
    assert_eq!(kept.back().map(|it| it.node.to_string()), Some("n99".to_string()));
    let mut farewells = crate::farewells::Farewells::default();
    for index in 0..300_u32 {
        farewells.remember(alloc::format!("n{index}").as_str().into(), index);
    }
    assert_eq!((farewells.of(b"n43"), farewells.of(b"n44")), (None, Some(44)));
    assert_eq!(farewells.of(b"n299"), Some(299));
}

#[test]
fn accusations_of_names_that_are_not_known_leave_nothing() {
    let mut rig = Rig::new();
    let queued = rig.queued();
    for index in 0..100 {
        rig.suspect(&alloc::format!("n{index}"), 1, "a");
        rig.dead(&alloc::format!("n{index}"), 1, "a");
    }
    assert_eq!((rig.events().len(), rig.queued()), (0, queued));
}

#[test]
fn news_goes_with_the_record_that_it_is_about() {
    let mut config = Config { gossip_interval: Duration::from_secs(1), ..config() };
    config.differences.reap_without_probes = true;
    let mut rig = Rig::with(config);
    for index in 0..10 {
        let name = alloc::format!("n{index}");
        rig.alive(&name, 2 + index, 1);
        rig.dead(&name, 1, &name);
    }
    assert_eq!(rig.queued(), 11, "and its own announcement");
    // They have left, so that there is no member to send it to.
    rig.wait(Duration::from_secs(29));
    assert_eq!(rig.queued(), 11);
    rig.wait(Duration::from_secs(32));
    assert_eq!((rig.node.stats().counters.reaped, rig.queued()), (10, 1));
}
