//! What a member missed: refutations and leaves, and how it gets them.

use core::time::Duration;

use super::{Rig, Sent, address, config};
use crate::config::{Config, Differences};
use crate::event::{Event, JoinError, Outcome};
use crate::node::State;
use crate::peer::Peer;
use crate::wire::message::{IndirectPing, Message};

fn probing() -> Config {
    let mut config = config();
    config.probe_interval = Duration::from_secs(1);
    config
}

/// Six members, which answer probes, and `x`, which does not matter.
fn six() -> Rig {
    six_with(probing())
}

fn six_with(config: Config) -> Rig {
    let mut rig = Rig::with(config);
    rig.answering = true;
    for (index, name) in ["x", "m0", "m1", "m2", "m3", "m4"].iter().enumerate() {
        rig.alive(name, 2 + index as u16, 12);
    }
    rig.events();
    rig
}

/// An observer missed that `x` refuted at 13. An accusation at 13 must not end the old suspicion,
/// whose time is over once it counts as confirmed.
#[test]
fn a_missed_refutation_does_not_kill_at_the_newer_incarnation() {
    let mut rig = six();
    rig.suspect("x", 12, "m0");
    rig.wait(Duration::from_millis(6_400));
    rig.suspect("x", 13, "m1");
    rig.wait(Duration::from_millis(100));
    rig.suspect("x", 13, "m2");
    let events = rig.events();
    let begun: Vec<_> = events.iter().filter(|it| it.starts_with("suspected")).collect();
    assert_eq!(begun, ["suspected x by m0", "suspected x by m1"]);
    assert!(events.contains(&"refuted x 13".to_owned()), "{events:?}");
    // The shortest time of a suspicion among seven nodes: four probe intervals.
    rig.wait(Duration::from_millis(3_800));
    assert_eq!(rig.state("x"), (State::Suspect, 13));
    assert_eq!(rig.departures(), [""; 0]);
    rig.wait(Duration::from_secs(30));
    assert_eq!(rig.state("x"), (State::Dead, 13));
}

/// What accused a member before it refuted shortens nothing: without a confirmation of its own the new
/// suspicion lasts as long as any.
#[test]
fn a_renewed_suspicion_has_its_full_time() {
    let mut rig = six();
    rig.suspect("x", 12, "m0");
    rig.suspect("x", 12, "m2");
    rig.wait(Duration::from_millis(6_400));
    rig.suspect("x", 13, "m1");
    // The longest time of a suspicion: six times the least, which is four probe intervals.
    rig.wait(Duration::from_millis(23_999));
    assert_eq!(rig.state("x"), (State::Suspect, 13));
    assert_eq!(rig.departures(), [""; 0]);
    rig.wait(Duration::from_millis(1));
    assert_eq!(rig.state("x"), (State::Dead, 13));
}

#[test]
fn as_in_go_a_later_accusation_confirms_the_old_suspicion() {
    let mut config = probing();
    config.differences = Differences { keep_higher_incarnation: false, ..Differences::none() };
    let mut rig = Rig::with(config);
    rig.answering = true;
    for (index, name) in ["x", "m0", "m1", "m2", "m3", "m4"].iter().enumerate() {
        rig.alive(name, 2 + index as u16, 12);
    }
    rig.suspect("x", 12, "m0");
    rig.wait(Duration::from_millis(6_400));
    rig.suspect("x", 13, "m1");
    rig.wait(Duration::from_millis(100));
    rig.suspect("x", 13, "m2");
    rig.wait(Duration::from_millis(100));
    assert_eq!(rig.state("x"), (State::Dead, 12), "at the old incarnation, as there");
}

/// What was sent to this port.
fn to(rig: &mut Rig, port: u16) -> Vec<String> {
    let to_it = |it: Sent| (it.to == address(port)).then_some(it.text);
    rig.sent().into_iter().filter_map(to_it).collect()
}

#[test]
fn an_accuser_that_missed_a_refutation_gets_it_directly() {
    let mut rig = six();
    rig.suspect("me", 1, "m0");
    assert_eq!(rig.state("me"), (State::Alive, 2));
    assert_eq!(to(&mut rig, 3), ["alive me 2"], "so does the first");
    rig.suspect("me", 1, "m1");
    assert_eq!(to(&mut rig, 4), ["alive me 2"]);
    // Once in a probe interval, however often it is accused.
    rig.suspect("me", 1, "m1");
    rig.dead("me", 1, "m1");
    assert_eq!(to(&mut rig, 4), [""; 0]);
    rig.wait(Duration::from_millis(1_100));
    rig.sent();
    rig.dead("me", 1, "m1");
    assert_eq!(to(&mut rig, 4), ["alive me 2"]);
    // Only a member is answered.
    rig.suspect("me", 1, "stranger");
    assert_eq!(rig.sent(), []);
    assert_eq!(rig.node.stats().counters.accusations_answered, 2);
}

#[test]
fn others_answer_for_a_member_only_what_the_accuser_says_itself() {
    let mut rig = six();
    rig.alive("x", 2, 13);
    rig.sent();
    let suspect = |rig: &mut Rig, from| {
        let (node, accuser) = (&b"x"[..], &b"m0"[..]);
        let it = crate::wire::message::Suspect { incarnation: 12, node, from: accuser };
        rig.receive_from(from, &Message::Suspect(it));
    };
    suspect(&mut rig, address(7));
    assert_eq!(rig.sent(), [], "gossip from another");
    suspect(&mut rig, address(3));
    assert_eq!(to(&mut rig, 3), ["alive x 13"]);
}

#[test]
fn notices_are_limited_in_all() {
    let mut config = probing();
    config.limits.told_dead = 3;
    let mut rig = Rig::with(config);
    for port in 2..20 {
        rig.alive(&alloc::format!("m{port}"), port, 1);
    }
    rig.suspect("me", 1, "m2");
    rig.sent();
    for port in 2..20 {
        rig.suspect("me", 1, &alloc::format!("m{port}"));
    }
    // The refutation that went to the first accuser was one of the three.
    assert_eq!(rig.sent().len(), 2);
}

/// Without probes there is no probe interval, and notices are limited all the same.
#[test]
fn notices_are_limited_without_probes_too() {
    let mut config = config();
    config.limits.told_dead = 2;
    assert!(config.probe_interval.is_zero());
    let mut rig = Rig::with(config);
    for port in 2..6 {
        let name = alloc::format!("m{port}");
        rig.alive(&name, port, 1);
        rig.dead(&name, 1, "other");
    }
    rig.sent();
    // Each of the dead announces itself, as it was, several times at once.
    let announce = |rig: &mut Rig| {
        for port in [2, 2, 2, 3, 4, 5] {
            rig.alive(&alloc::format!("m{port}"), port, 1);
        }
        rig.sent().into_iter().map(|it| it.to.port()).collect::<Vec<_>>()
    };
    assert_eq!(announce(&mut rig), [2, 3], "each once, and two in all");
    rig.wait(Duration::from_millis(999));
    assert_eq!(announce(&mut rig), [0; 0]);
    rig.wait(Duration::from_millis(1));
    assert_eq!(announce(&mut rig), [2, 3]);
    assert_eq!(rig.node.stats().counters.told_dead, 4);
}

#[test]
fn a_leave_that_a_peer_missed_is_repeated_to_it() {
    let mut rig = six();
    rig.dead("x", 12, "x");
    assert_eq!(rig.state("x"), (State::Left, 12));
    rig.sent();
    let (node, accuser) = (&b"x"[..], &b"m0"[..]);
    let suspect = crate::wire::message::Suspect { incarnation: 12, node, from: accuser };
    rig.receive_from(address(3), &Message::Suspect(suspect));
    assert_eq!(to(&mut rig, 3), ["dead x 12 by x"]);
    // A peer that has it probed by others shows the same, before it suspects.
    let ask = |rig: &mut Rig, from: u16, name: &str| {
        let ping = IndirectPing {
            seq_no: 5,
            target: Some(&[10, 0, 0, 1]),
            port: 2,
            node: b"x",
            nack: false,
            source_addr: Some(&[10, 0, 0, 1]),
            source_port: from,
            source_node: name.as_bytes(),
        };
        rig.receive_from(address(from), &Message::IndirectPing(ping));
    };
    ask(&mut rig, 4, "m1");
    assert_eq!(to(&mut rig, 4), ["dead x 12 by x"]);
    ask(&mut rig, 50, "stranger");
    assert_eq!(to(&mut rig, 50), [""; 0]);
    // So does one that gossips an old announcement.
    let before = rig.node.stats().counters.leaves_repeated;
    rig.receive_from(
        address(5),
        &Message::Alive(crate::wire::message::Alive {
            incarnation: 12,
            node: b"x",
            addr: Some(&[10, 0, 0, 1]),
            port: 2,
            meta: None,
            vsn: Some(&super::VSN),
        }),
    );
    assert_eq!(to(&mut rig, 5), ["dead x 12 by x"]);
    assert_eq!(rig.node.stats().counters.leaves_repeated, before + 1);
}

#[test]
fn one_considered_dead_has_left_once_its_leave_arrives() {
    let mut rig = six();
    rig.dead("x", 12, "m0");
    rig.events();
    rig.dead("x", 12, "x");
    assert_eq!(rig.state("x"), (State::Left, 12));
    let reported = rig.events();
    assert!(reported.len() == 1 && reported[0].starts_with("HadLeft"), "{reported:?}");
    // Its name is free at once.
    rig.alive("x", 60, 1);
    assert_eq!(rig.member("x").port(), 60);
}

/// A state that has `x` at 12 as one that left.
fn merge_a_leave(rig: &mut Rig) {
    use crate::wire::push_pull::{NodeState, encode_header, encode_state};
    let (addr, vsn) = (Some(&[10, 0, 0, 1][..]), Some(&super::VSN[..]));
    let (name, state) = (&b"x"[..], State::Left as i64);
    let mut body = alloc::vec::Vec::new();
    encode_header(&mut body, false, 1, 0);
    let left = NodeState { name, addr, port: 2, meta: None, incarnation: 12, state, vsn };
    encode_state(&mut body, &left);
    let id = rig.node.accept_stream(rig.now, address(50_000)).expect("room");
    rig.node.handle_stream_data(rig.now, id, &body).expect("a good state");
    rig.node.handle_stream_closed(rig.now, id, None);
}

/// Whichever way the leave arrives, the search that began with the wrong verdict ends.
#[test]
fn one_considered_dead_is_not_searched_for_once_its_leave_arrives() {
    let ways: [fn(&mut Rig); 2] = [|rig| rig.dead("x", 12, "x"), merge_a_leave];
    for arrives in ways {
        let mut config = probing();
        config.rejoin.interval = Duration::from_secs(30);
        let mut rig = six_with(config);
        rig.dead("x", 12, "m0");
        assert_eq!(rig.node.stats().gauges.lost_members, 1);
        arrives(&mut rig);
        assert_eq!(rig.state("x"), (State::Left, 12));
        assert_eq!(rig.node.stats().gauges.lost_members, 0);
        rig.connects();
        rig.wait(Duration::from_secs(1200));
        assert_eq!(rig.connects(), [], "forty intervals");
        assert_eq!(rig.node.stats().counters.rejoins, 0);
    }
}

#[test]
fn a_leave_goes_directly_to_every_member_of_a_small_cluster() {
    for (most, sent) in [(6, 6), (5, 0), (0, 0)] {
        let mut config = probing();
        config.differences.leave_directly = most;
        let mut rig = Rig::with(config);
        for port in 2..8 {
            rig.alive(&alloc::format!("m{port}"), port, 1);
        }
        rig.dead("m7", 1, "m2");
        rig.alive("m8", 8, 1);
        rig.sent();
        let op = rig.node.leave(rig.now, Duration::from_millis(1));
        let mut direct: Vec<_> = rig.sent().into_iter().map(|it| it.to.port()).collect();
        direct.sort_unstable();
        let others: Vec<u16> = vec![2, 3, 4, 5, 6, 8];
        assert_eq!(direct, if sent > 0 { others } else { Vec::new() });
        rig.node.cancel(rig.now, op);
    }
}

#[test]
fn a_leave_reports_how_far_it_went_and_ends_joins() {
    let mut rig = Rig::with(probing());
    rig.alive("m2", 2, 1);
    rig.node.join(rig.now, &[Peer::from(address(40))]);
    rig.events();
    rig.node.leave(rig.now, Duration::ZERO);
    let ended = core::iter::from_fn(|| rig.node.poll_event()).find_map(|event| match event {
        Event::Finished { outcome: Outcome::Join(Ok(report)), .. } => Some(report),
        _ => None,
    });
    let report = ended.expect("the join has ended");
    assert_eq!(report.failed[0].error, JoinError::Left);
    let mut alone = Rig::new();
    alone.node.leave(alone.now, Duration::ZERO);
    let reported = alone.events();
    assert!(reported.iter().any(|it| it.contains("LeaveReport { members: 0")), "{reported:?}");
}

/// An accusation at a higher incarnation says that the member came back, which was missed here: no
/// leave was announced at that incarnation, and none is invented.
#[test]
fn no_leave_is_invented_at_an_incarnation_that_was_missed() {
    let mut rig = six();
    rig.dead("x", 12, "x");
    rig.sent();
    let (node, accuser) = (&b"x"[..], &b"m0"[..]);
    let suspect = crate::wire::message::Suspect { incarnation: 13, node, from: accuser };
    rig.receive_from(address(3), &Message::Suspect(suspect));
    assert_eq!(rig.sent(), []);
    assert_eq!(rig.state("x"), (State::Left, 12));
    rig.dead("x", 13, "m0");
    assert_eq!(rig.state("x"), (State::Left, 12));
    rig.alive("x", 2, 13);
    assert_eq!(rig.state("x"), (State::Alive, 13), "its announcement arrives late");
}

/// A state accuses under the name of a member only if that is known to be at the peer's address.
#[test]
fn a_peer_cannot_accuse_under_the_names_of_others() {
    use crate::wire::push_pull::{NodeState, encode_header, encode_state};
    let mut rig = six();
    for number in 0..4 {
        let name = alloc::format!("m{number}");
        let mut body = alloc::vec::Vec::new();
        encode_header(&mut body, false, 2, 0);
        let host = [66, 6, 6, 6];
        for (name, addr, port, state, incarnation) in
            [(name.as_bytes(), &host, 3, 0, 0), (&b"x"[..], &[10, 0, 0, 1], 2, 2, 12)]
        {
            let (addr, vsn) = (Some(&addr[..]), Some(&super::VSN[..]));
            let meta = None;
            encode_state(&mut body, &NodeState { name, addr, port, meta, incarnation, state, vsn });
        }
        let from = core::net::SocketAddr::from((host, 50_000 + number));
        let id = rig.node.accept_stream(rig.now, from).expect("room");
        rig.node.handle_stream_data(rig.now, id, &body).expect("a good state");
    }
    assert_eq!(rig.state("x"), (State::Suspect, 12));
    let status = rig.node.status(rig.now);
    let x = status.nodes.iter().find(|it| it.name == *"x").expect("known");
    let crate::status::Trouble::Suspected { by, .. } = x.why.as_ref().expect("suspected") else {
        panic!("{x:?}")
    };
    assert_eq!(by.len(), 1, "{by:?}");
    assert_eq!(by[0], *"me", "as in Go: the peer is not known");
}

/// Accusations of this node can be forged; the answers to them leave the dead their share.
#[test]
fn forged_accusations_keep_no_dead_member_from_learning_it() {
    let mut rig = six();
    rig.dead("m0", 12, "m1");
    for port in 100..140 {
        let name = alloc::format!("p{port}");
        rig.alive(&name, port, 1);
        rig.suspect("me", 1, &name);
    }
    let answers = rig.node.stats().counters.accusations_answered;
    assert!(answers >= 31, "as many as may be: {answers}");
    rig.sent();
    rig.alive("m0", 3, 12);
    assert_eq!(to(&mut rig, 3), ["suspect m0 12 by me"]);
}

/// Stale news from addresses that are no members' leaves the answers to accusers their room.
#[test]
fn stale_news_from_strangers_uses_up_no_answers() {
    let mut rig = six();
    for port in 100..140 {
        let name = alloc::format!("gone{port}");
        rig.alive(&name, port, 1);
        rig.dead(&name, 1, &name);
    }
    rig.suspect("me", 1, "m0");
    rig.sent();
    for port in 100..140 {
        rig.alive(&alloc::format!("gone{port}"), port, 1);
    }
    rig.suspect("me", 1, "m1");
    assert_eq!(to(&mut rig, 4), ["alive me 2"]);
}
