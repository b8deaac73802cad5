//! Conditions that matter rarely, each by itself.

use alloc::sync::Arc;

use bytes::Bytes;

use super::*;
use crate::event::{ExchangeError, JoinError, Outcome};
use crate::hooks::{Candidate, Hooks};
use crate::transmit::{Answer, RequestKind, StreamFailure};
use crate::wire::message::{IndirectPing, Ping};
use crate::wire::push_pull::{NodeState, encode_header, encode_state, encode_user};
use crate::{Peer, Target};

/// The outcomes of operations since the last call.
fn outcomes(rig: &mut Rig) -> Vec<Outcome> {
    let events = core::iter::from_fn(|| rig.node.poll_event());
    let outcome = |event| match event {
        Event::Finished { outcome, .. } => Some(outcome),
        _ => None,
    };
    events.filter_map(outcome).collect()
}

fn alive_at(rig: &mut Rig, addr: &[u8], port: u16, incarnation: u32, meta: Option<&[u8]>) {
    let (node, addr, vsn) = (&b"a"[..], Some(addr), Some(&VSN[..]));
    rig.receive(&Message::Alive(Alive { incarnation, node, addr, port, meta, vsn }));
}

#[test]
fn no_metadata_and_empty_metadata_are_passed_on_as_they_came() {
    let mut rig = Rig::new();
    for (incarnation, meta) in [(1, None), (2, Some(&b""[..])), (3, None)] {
        alive_at(&mut rig, &[10, 0, 0, 1], 2, incarnation, meta);
        assert_eq!(rig.member("a").identity().meta(), meta);
    }
    assert_eq!(rig.events(), ["joined a"], "it is no change");
}

/// A leave says that the member has come back meanwhile; a peer's verdict on one that left, nothing.
#[test]
fn what_raises_the_incarnation_of_the_departed() {
    let mut rig = Rig::new();
    rig.alive("a", 2, 5);
    rig.dead("a", 5, "a");
    rig.dead("a", 9, "b");
    assert_eq!(rig.state("a"), (State::Left, 5));
    rig.dead("a", 9, "a");
    assert_eq!(rig.state("a"), (State::Left, 9));
    rig.alive("b", 3, 5);
    rig.dead("b", 5, "a");
    rig.dead("b", 9, "c");
    assert_eq!(rig.state("b"), (State::Dead, 9));
}

/// What a peer at `address(3)` is sent that accuses `a` at the incarnation 1.
fn answered(rig: &mut Rig) -> Vec<String> {
    rig.alive("m", 3, 1);
    rig.sent();
    let suspect = Suspect { incarnation: 1, node: b"a", from: b"m" };
    rig.receive_from(address(3), &Message::Suspect(suspect));
    let sent = rig.sent().into_iter().filter(|it| it.to == address(3));
    sent.map(|it| it.text).collect()
}

#[test]
fn only_who_left_and_came_back_elsewhere_is_a_former_bearer() {
    let mut rig = Rig::new();
    rig.alive("a", 2, 2);
    rig.dead("a", 2, "a");
    rig.alive("a", 2, 3);
    assert_eq!(answered(&mut rig), ["alive a 3"], "it left and came back where it was");
    let mut config = config();
    config.dead_node_reclaim_time = Duration::from_secs(1);
    let mut rig = Rig::with(config);
    rig.alive("a", 2, 2);
    rig.dead("a", 2, "b");
    rig.wait(Duration::from_secs(2));
    rig.alive("a", 9, 3);
    assert_eq!(answered(&mut rig), ["alive a 3"], "it did not leave");
    let mut rig = Rig::new();
    rig.alive("a", 2, 2);
    rig.dead("a", 2, "a");
    rig.alive("a", 9, 3);
    assert_eq!(answered(&mut rig), ["dead a 2 by a", "alive a 3"]);
}

/// A rule about addresses is for what an announcement changes.
#[test]
fn an_address_that_does_not_change_is_not_judged_again() {
    let mut config = config();
    config.differences.require_usable_address = false;
    let mut rig = Rig::with(config);
    alive_at(&mut rig, &[1, 2, 3], 2, 1, None);
    rig.events();
    rig.node.config.differences.require_usable_address = true;
    alive_at(&mut rig, &[1, 2, 3], 2, 2, None);
    assert_eq!((rig.events(), rig.state("a")), (Vec::new(), (State::Alive, 2)));
    for (addr, port) in [([1, 2, 3], 3), ([1, 2, 4], 2)] {
        alive_at(&mut rig, &addr, port, 3, None);
        assert_eq!(rig.events(), ["refused a: the address cannot be sent to"]);
    }
    assert_eq!(rig.state("a"), (State::Alive, 2));
}

#[test]
fn an_address_that_no_node_can_send_to_has_a_length_that_a_state_can_hold() {
    let mut config = config();
    config.differences.require_usable_address = false;
    let mut rig = Rig::with(config);
    alive_at(&mut rig, &[1; 256], 2, 1, None);
    assert!(!rig.knows("a"));
    alive_at(&mut rig, &[1; 255], 2, 1, None);
    assert!(rig.knows("a"));
}

#[test]
fn a_node_that_gossips_to_nobody_is_never_woken_for_it() {
    for (nodes, wakes) in [(0, false), (1, true)] {
        let gossip_interval = Duration::from_millis(200);
        let mut rig = Rig::with(Config { gossip_nodes: nodes, gossip_interval, ..config() });
        rig.alive("a", 2, 1);
        assert_eq!(rig.node.poll_timeout().is_some(), wakes);
    }
}

/// News that comes just when a tick is due goes out with it.
#[test]
fn a_tick_that_is_due_now_is_not_missed() {
    let mut config = Config { gossip_interval: Duration::from_millis(200), ..config() };
    config.differences.random_phase = false;
    let mut rig = Rig::with(config);
    rig.alive("a", 2, 1);
    rig.wait(Duration::from_secs(4));
    assert_eq!(rig.node.poll_timeout(), None, "all has been said");
    rig.sent();
    rig.alive("a", 2, 2);
    rig.wait(Duration::ZERO);
    assert_eq!(rig.sent().len(), 1);
}

/// The first byte of what a member of this version is sent that accuses `a` of what it has refuted.
fn answers(pmax: u8, returned: bool) -> u8 {
    let mut rig = Rig::new();
    let vsn = [1, pmax, 2, 0, 0, 0];
    rig.alive_with("m", 3, 1, b"", Some(&vsn));
    rig.alive("a", 2, 2);
    if returned {
        rig.dead("a", 2, "a");
        rig.alive("a", 9, 3);
    }
    rig.transmits();
    let suspect = Suspect { incarnation: 1, node: b"a", from: b"m" };
    rig.receive_from(address(3), &Message::Suspect(suspect));
    let sent = rig.transmits();
    assert_eq!(sent.len(), 1);
    sent[0].payload[0]
}

#[test]
fn a_checksum_goes_to_a_member_that_understands_it() {
    // Alone, then the leave and the news that follow it together.
    assert_eq!((answers(5, false), answers(4, false)), (12, 4));
    assert_eq!((answers(5, true), answers(4, true)), (12, 7));
}

struct Vetoes;

impl Hooks for Vetoes {
    fn admit(&self, candidate: &Candidate<'_>) -> Result<(), String> {
        if candidate.meta == b"bad" { Err("not with that".into()) } else { Ok(()) }
    }
}

#[test]
fn metadata_is_announced_if_the_application_lets_it_and_reported_if_it_changes() {
    let mut rig = Rig::with_delegate(config(), Some(Arc::new(Vetoes)));
    let mut set = |meta: &'static [u8]| {
        let meta = Bytes::from_static(meta);
        rig.node.set_meta(rig.now, meta, Duration::ZERO).expect("short");
        rig.events()
    };
    let done = "Finished { op: OpId(_), outcome: SetMeta(Ok(())) }";
    let blank = |text: &str| {
        let (head, tail) = text.split_once("OpId(").expect("an operation");
        let tail = tail.split_once(')').expect("a number").1;
        alloc::format!("{head}OpId(_){tail}")
    };
    let first = set(b"good");
    assert_eq!((first[0].as_str(), blank(&first[1]).as_str()), ("updated me", done));
    let again = set(b"good");
    assert_eq!(again.len(), 1, "{again:?}");
    assert_eq!(blank(&again[0]), done);
    let refused = set(b"bad");
    assert_eq!(refused.len(), 1);
    assert!(refused[0].contains("SetMeta(Err(Refused))"), "{refused:?}");
    assert_eq!(rig.node.local().meta(), b"good");
}

/// A state in which there can be nothing new is not merged; never if something may depend on it.
#[test]
fn only_what_nothing_depends_on_is_known() {
    let kept = |change: fn(&mut Config), delegate: Option<Arc<dyn Hooks>>| {
        let mut config = config();
        change(&mut config);
        let mut rig = Rig::with_delegate(config, delegate);
        rig.alive("a", 2, 1);
        let frame = rig.node.state_for(StreamId::MIN, false, &Bytes::new());
        assert!(frame.expect("short").is_some());
        rig.node.known_state().is_some()
    };
    assert!(kept(|_| {}, None));
    assert!(kept(|config| config.protocol_version = 2, None));
    assert!(!kept(|config| config.protocol_version = 1, None));
    assert!(!kept(|config| config.ask_local_state = true, None));
    assert!(!kept(|config| config.ask_admit_merge = true, None));
    assert!(!kept(|_| {}, Some(Arc::new(Vetoes))));
}

/// The bytes of this node's own state.
fn own_state(rig: &mut Rig) -> Bytes {
    let frame = rig.node.state_for(StreamId::MIN, false, &Bytes::new());
    rig.node.check_invariants().expect("invariants");
    frame.expect("short").expect("nothing is handed out")
}

#[test]
fn another_compression_is_used_from_then_on() {
    let mut rig = Rig::with(Config { compression: Compression::None, ..config() });
    for port in 2..40 {
        rig.alive(&alloc::format!("member-{port}"), port, 1);
    }
    let plain = own_state(&mut rig);
    let mut timing = rig.node.config.timing();
    rig.node.reconfigure(rig.now, timing).expect("valid");
    assert_eq!(own_state(&mut rig), plain);
    timing.compression = Compression::Lzw;
    rig.node.reconfigure(rig.now, timing).expect("valid");
    assert!(own_state(&mut rig).len() < plain.len());
}

#[test]
fn a_node_that_announced_its_leave_lists_itself_as_left() {
    let mut rig = Rig::with(Config { compression: Compression::None, ..config() });
    rig.alive("m", 3, 1);
    let lists_me = |frame: Bytes| frame.windows(2).any(|it| it == b"me");
    assert!(lists_me(own_state(&mut rig)));
    rig.node.leave(rig.now, Duration::ZERO);
    assert!(lists_me(own_state(&mut rig)));
    // A peer that missed it is sent it again.
    rig.sent();
    let suspect = Suspect { incarnation: 1, node: b"me", from: b"m" };
    rig.receive_from(address(3), &Message::Suspect(suspect));
    let sent: Vec<_> = rig.sent().into_iter().map(|it| (it.to, it.text)).collect();
    assert_eq!(sent, [(address(3), "dead me 1 by me".into())]);
}

#[test]
fn restored_members_are_not_searched_for_unless_they_are_gone() {
    for (dies, searched) in [(false, 0), (true, 1)] {
        let mut peer = Rig::new();
        peer.alive("a", 2, 1);
        if dies {
            peer.dead("a", 1, "b");
        }
        let mut config = config();
        config.rejoin.interval = Duration::from_secs(30);
        let mut rig = Rig::with(config);
        let wanted = Peer { name: Some("a".into()), ..Peer::from(address(2)) };
        rig.node.recall(rig.now, [wanted]);
        assert_eq!(rig.node.stats().gauges.lost_members, 1);
        rig.node.restore(rig.now, [peer.member("a")]);
        assert_eq!(rig.node.stats().gauges.lost_members, searched);
    }
}

#[test]
fn what_arrives_after_the_end_of_an_exchange_is_ignored() {
    let mut rig = Rig::new();
    let mut body = Vec::new();
    encode_user(&mut body, b"once");
    let id = rig.node.accept_stream(rig.now, address(9)).expect("room");
    rig.node.handle_stream_data(rig.now, id, &body).expect("a message");
    rig.node.handle_stream_data(rig.now, id, &[255; 9]).expect("it is not read");
    assert_eq!(rig.events(), ["message once"]);
    assert_eq!(rig.node.stats().counters.exchanges_failed, 0);
}

#[test]
fn a_ping_by_stream_for_another_is_not_answered() {
    let mut rig = Rig::new();
    for (node, answers) in [(&b"me"[..], true), (b"", true), (b"other", false), (b"you", false)] {
        let mut body = Vec::new();
        Message::Ping(Ping { seq_no: 7, node, ..Ping::default() }).encode(&mut body);
        let id = rig.node.accept_stream(rig.now, address(9)).expect("room");
        rig.node.handle_stream_data(rig.now, id, &body).expect("a ping");
        let writes = |op| matches!(op, StreamOp::Write { .. });
        assert_eq!(core::iter::from_fn(|| rig.node.poll_stream()).any(writes), answers);
    }
    assert_eq!(rig.node.stats().counters.pings_misdirected, 2);
}

/// A stream that ends cleanly has written everything, whether the driver said so before or not.
#[test]
fn a_message_counts_as_sent_by_the_end_of_its_stream() {
    for (cause, sent) in [(None, true), (Some(StreamFailure::Reset), false)] {
        let mut rig = Rig::new();
        rig.alive("a", 2, 1);
        rig.events();
        rig.node.send_reliable(rig.now, Target::Member("a".into()), b"x").expect("a member");
        let (id, _) = rig.connects()[0];
        rig.node.handle_stream_connected(rig.now, id);
        rig.node.handle_stream_closed(rig.now, id, cause);
        let outcomes = outcomes(&mut rig);
        assert!(matches!(outcomes[..], [Outcome::SendReliable(ref it)] if it.is_ok() == sent));
    }
}

#[test]
fn why_a_stream_ended_is_reported_but_for_a_reset() {
    let failed = |cause| {
        let mut rig = Rig::new();
        rig.node.join(rig.now, &[Peer::from(address(2))]);
        let (id, _) = rig.connects()[0];
        rig.node.handle_stream_connected(rig.now, id);
        rig.node.handle_stream_written(rig.now, id, 1 << 20);
        rig.node.handle_stream_closed(rig.now, id, Some(cause));
        match &outcomes(&mut rig)[..] {
            [Outcome::Join(Ok(report))] => report.failed[0].error.clone(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(failed(StreamFailure::Reset), JoinError::Exchange(ExchangeError::Closed));
    let other = JoinError::Exchange(ExchangeError::Stream(StreamFailure::Other));
    assert_eq!(failed(StreamFailure::Other), other);
}

fn probing() -> Config {
    let mut config = Config { probe_interval: Duration::from_secs(1), ..config() };
    config.differences.random_phase = false;
    config
}

#[test]
fn a_suspect_learns_of_it_directly_unless_as_in_go() {
    for (directly, notices) in [(true, 1), (false, 0)] {
        let mut config = probing();
        config.differences.accuse_directly = directly;
        let mut rig = Rig::with(config);
        rig.alive("a", 2, 1);
        // Its ping goes out after one second, and the probe fails after another.
        rig.wait(Duration::from_millis(1_500));
        rig.sent();
        rig.wait(Duration::from_millis(500));
        let accuses = |it: &&Sent| it.to == address(2) && it.text == "suspect a 1 by me";
        // The next probe begins at once, and brings it along with its ping.
        let with_ping = 1;
        assert_eq!(rig.sent().iter().filter(accuses).count(), notices + with_ping);
    }
}

#[test]
fn as_in_go_a_probe_pings_once() {
    for (repeats, several) in [(true, true), (false, false)] {
        let mut config = probing();
        config.differences.repeat_pings = repeats;
        let mut rig = Rig::with(config);
        rig.alive("a", 2, 1);
        rig.wait(Duration::from_millis(1_999));
        let pings = rig.sent().iter().filter(|it| it.text.starts_with("ping a")).count();
        assert_eq!(pings > 1, several, "{pings}");
        assert_eq!(rig.node.stats().counters.pings_repeated, pings as u64 - 1);
    }
}

/// A peer has `a` probed where it was, and missed that it left and came back elsewhere.
#[test]
fn who_probes_a_former_address_is_sent_the_leave() {
    let asks = |directly: bool, asker: u16| {
        let mut config = config();
        config.differences.repeat_leaves = directly;
        let mut rig = Rig::with(config);
        rig.alive("m", 3, 1);
        rig.alive("a", 2, 2);
        rig.dead("a", 2, "a");
        rig.alive("a", 9, 3);
        rig.sent();
        let (seq_no, target, port, node) = (1, Some(&[10, 0, 0, 1][..]), 2, &b"a"[..]);
        let asked = IndirectPing { seq_no, target, port, node, ..IndirectPing::default() };
        rig.receive_from(address(asker), &Message::IndirectPing(asked));
        rig.sent().into_iter().map(|it| it.text).collect::<Vec<_>>()
    };
    assert_eq!(asks(true, 3), ["dead a 2 by a", "alive a 3"]);
    assert_eq!(asks(true, 4), [""; 0], "only a member is sent what it did not ask for");
    assert_eq!(asks(false, 3), [""; 0]);
}

#[test]
fn the_hash_of_the_state_follows_the_members() {
    let (mut one, two) = (Rig::new(), Rig::new());
    let before = one.node.state_hash();
    assert_eq!(before, two.node.state_hash());
    one.alive("a", 2, 1);
    let with_one = one.node.state_hash();
    one.alive("a", 2, 2);
    let hashes = [before, with_one, one.node.state_hash()];
    assert!(hashes[0] != hashes[1] && hashes[1] != hashes[2] && hashes[0] != hashes[2]);
}

/// The application's own state may be as long as a peer takes.
#[test]
fn the_longest_state_of_the_application_is_sent() {
    for (len, sent) in [(8192, true), (8193, false)] {
        let mut config = Config { ask_local_state: true, ..config() };
        config.limits.stream_bytes = 8192;
        let mut rig = Rig::with(config);
        rig.node.join(rig.now, &[Peer::from(address(2))]);
        let (id, _) = rig.connects()[0];
        rig.node.handle_stream_connected(rig.now, id);
        let request = rig.node.poll_request().expect("a question");
        assert!(matches!(request.kind, RequestKind::LocalState { .. }));
        let state = Answer::LocalState(alloc::vec![7; len].into());
        rig.node.answer(rig.now, request.id, state);
        let writes = |op| matches!(op, StreamOp::Write { .. });
        assert_eq!(core::iter::from_fn(|| rig.node.poll_stream()).any(writes), sent);
    }
}

/// A delegate with one message that is longer by one byte than there is room for.
struct TooLong;

impl Hooks for TooLong {
    fn broadcasts(&self, _: &crate::View<'_>, overhead: usize, limit: usize) -> Vec<Bytes> {
        alloc::vec![alloc::vec![b'x'; limit - overhead + 1].into()]
    }
}

#[test]
fn a_delegates_message_may_not_be_longer_than_the_room_there_is() {
    let gossip_interval = Duration::from_millis(200);
    let config = Config { compression: Compression::None, gossip_interval, ..config() };
    let mut rig = Rig::with_delegate(config, Some(Arc::new(TooLong)));
    rig.alive("a", 2, 1);
    rig.wait(Duration::from_millis(400));
    assert!(rig.node.stats().counters.broadcasts_over_limit > 0);
    assert!(rig.transmits().iter().all(|it| it.payload.len() <= 1400));
}

/// A few bytes that can become many nodes count as those before they are made.
#[test]
fn a_state_that_the_application_is_asked_about_is_counted_with_what_it_becomes() {
    const NODES: u16 = 300;
    let accepted = |memory: usize| {
        let mut config = Config { ask_admit_merge: true, ..config() };
        config.limits.stream_memory_per_source = memory;
        let mut rig = Rig::with(config);
        let mut body = Vec::new();
        encode_header(&mut body, true, usize::from(NODES), 0);
        for index in 0..NODES {
            let name = alloc::format!("member-{index:03}");
            let (name, addr, meta) =
                (name.as_bytes(), Some(&[10, 0, 0, 1][..]), Some(&[7; 100][..]));
            let (port, incarnation, state, vsn) = (2 + index, 1, 0, Some(&VSN[..]));
            encode_state(&mut body, &NodeState { name, addr, port, meta, incarnation, state, vsn });
        }
        let id = rig.node.accept_stream(rig.now, address(9)).expect("room");
        let read = rig.node.handle_stream_data(rig.now, id, &body);
        assert!(read.is_ok() || read == Err(ExchangeError::TooManyBytes), "{read:?}");
        (read.is_ok(), body.len())
    };
    let (_, frame) = accepted(1 << 20);
    let nodes = usize::from(NODES) * (size_of::<Node>() + 48 + "member-000".len() + 4 + 100);
    let needed = (1..1 << 10).map(|pages| pages << 12).find(|memory| accepted(*memory).0);
    let needed = needed.expect("some amount is enough");
    assert!((nodes + frame..nodes + 3 * frame).contains(&needed), "{needed}: {nodes} + {frame}");
}
