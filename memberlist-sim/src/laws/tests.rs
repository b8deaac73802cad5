//! That each law can be broken. That honest nodes break none is what every other test shows.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use memberlist_proto::{
    Change, Channel, Config, Departure, Event, Identity, IdentityParts, Instant, Memberlist, Node,
    State, StreamId, StreamOp, Target, Transmit, Versions,
};

use super::{Broken, Laws};

const SECOND: Duration = Duration::from_secs(1);

fn now() -> Instant {
    Instant::from_nanos(1_000_000_000)
}

fn config() -> Config {
    let mut config = Config::lan("me");
    config.advertise_addr = [10, 0, 0, 1].into();
    config
}

/// A node at the end of its start, and laws that have seen it.
fn started(complete: bool) -> (Memberlist, Laws) {
    let mut node = Memberlist::new(now(), config(), None, [0; 32]).expect("a valid configuration");
    let laws = if complete { Laws::complete } else { Laws::new };
    let mut laws = laws(node.config());
    while let Some(event) = node.poll_event() {
        laws.event(now(), &event).expect("its own start");
    }
    laws.rest(now(), &node).expect("an honest node");
    (node, laws)
}

fn record(name: &str, last: u8, incarnation: u32, state: State) -> Node {
    let parts = IdentityParts {
        name: name.as_bytes(),
        addr: Some(&[10, 0, 0, last]),
        port: 7946,
        meta: None,
        versions: Some(Versions::default()),
    };
    Node::new(Identity::new(parts).expect("a short name"), incarnation, state, now())
}

fn joined(incarnation: u32) -> Event {
    Event::Joined { node: record("x", 2, incarnation, State::Alive) }
}

fn departed(incarnation: u32) -> Event {
    Event::Departed {
        node: record("x", 2, incarnation, State::Dead),
        reason: Departure::Declared { by: "y".into() },
        from: None,
    }
}

fn suspected(incarnation: u32) -> Event {
    let node = record("x", 2, incarnation, State::Suspect);
    Event::Suspected { node, by: "y".into() }
}

fn refuted(incarnation: u32) -> Event {
    let node = record("x", 2, incarnation, State::Alive);
    Event::Refuted { node, by: None }
}

/// The law that a sequence of events breaks with its last event.
fn broken_by(events: &[Event]) -> Option<&'static str> {
    let (_, mut laws) = started(false);
    let (last, first) = events.split_last().expect("an event");
    for event in first {
        laws.event(now(), event).expect("lawful so far");
    }
    laws.event(now(), last).err().map(|broken| broken.law())
}

#[test]
fn nodes_join_and_depart_in_turn() {
    assert_eq!(broken_by(&[joined(1), departed(1), joined(2), departed(3)]), None);
    assert_eq!(broken_by(&[joined(1), joined(2)]), Some("alternation"));
    assert_eq!(broken_by(&[departed(1)]), Some("alternation"));
    assert_eq!(broken_by(&[joined(1), departed(1), departed(1)]), Some("alternation"));
    assert_eq!(broken_by(&[suspected(1)]), Some("alternation"));
    assert_eq!(broken_by(&[joined(1), departed(1), refuted(2)]), Some("alternation"));
}

#[test]
fn the_table_agrees_with_the_events() {
    let (node, mut laws) = started(false);
    laws.event(now(), &joined(1)).expect("a first member");
    let broken = laws.rest(now(), &node).expect_err("the table does not have it");
    assert_eq!(broken.law(), "alternation");

    let (mut node, mut laws) = started(false);
    let other = record("x", 2, 1, State::Alive);
    node.restore(now(), [other]);
    assert!(laws.misses_members(&node));
    let broken = laws.rest(now(), &node).expect_err("no event has reported it");
    assert_eq!(broken.law(), "alternation");

    laws.restored(now(), &node);
    laws.rest(now(), &node).expect("it is known now");
    laws.event(now(), &suspected(1)).expect("a member may be suspected");
}

#[test]
fn events_lead_from_state_to_state() {
    assert_eq!(broken_by(&[joined(1), suspected(1), refuted(2), suspected(2)]), None);
    assert_eq!(broken_by(&[joined(1), suspected(1), suspected(1)]), Some("states"));
    assert_eq!(broken_by(&[joined(1), refuted(2)]), Some("states"));
    let event = Event::Joined { node: record("x", 2, 1, State::Left) };
    assert_eq!(broken_by(&[event]), Some("states"));
}

#[test]
fn incarnations_do_not_go_back() {
    assert_eq!(broken_by(&[joined(2), suspected(1)]), Some("incarnations"));
    assert_eq!(broken_by(&[joined(1), departed(1), joined(1)]), Some("incarnations"));
    let elsewhere = Event::Joined { node: record("x", 3, 1, State::Alive) };
    assert_eq!(broken_by(&[joined(5), departed(5), elsewhere]), None, "another takes the name");
    let mapped = std::net::Ipv4Addr::new(10, 0, 0, 2).to_ipv6_mapped().octets();
    let parts = IdentityParts {
        name: b"x",
        addr: Some(&mapped),
        port: 7946,
        meta: None,
        versions: Some(Versions::default()),
    };
    let identity = Identity::new(parts).expect("a short name");
    let mapped = Event::Joined { node: Node::new(identity, 1, State::Alive, now()) };
    assert_eq!(broken_by(&[joined(5), departed(5), mapped]), None, "to Go it is another address");

    let (_, mut laws) = started(false);
    laws.event(now(), &joined(5)).expect("a first member");
    laws.event(now(), &departed(5)).expect("it dies");
    let memory = config().gossip_to_the_dead_time;
    laws.event(now() + memory + SECOND, &joined(1)).expect("it was forgotten");
}

#[test]
fn the_departed_are_remembered_for_their_time() {
    let judged = |after: Duration| {
        let (node, mut laws) = started(false);
        laws.event(now(), &joined(1)).expect("a first member");
        laws.event(now(), &departed(1)).expect("it dies");
        laws.rest(now() + after, &node)
    };
    assert_eq!(judged(SECOND).expect_err("too early").law(), "incarnations");
    assert_eq!(judged(config().gossip_to_the_dead_time + SECOND), Ok(()));
}

#[test]
fn a_node_does_not_consider_itself_dead() {
    let judged = |name: &str, reason: Departure| {
        let (_, mut laws) = started(false);
        let other = record("other", 2, 1, State::Alive);
        laws.event(now(), &Event::Joined { node: other }).expect("it joins");
        let state = State::Dead;
        let node = record(name, if name == "me" { 1 } else { 2 }, 1, state);
        laws.event(now(), &Event::Departed { node, reason, from: None })
    };
    let dead = || Departure::Declared { by: "other".into() };
    assert_eq!(judged("me", Departure::Left), Ok(()));
    assert_eq!(judged("other", dead()), Ok(()));
    assert_eq!(judged("me", dead()).expect_err("it lives").law(), "myself");
    let node = record("me", 1, 1, State::Suspect);
    let suspicion = Event::Suspected { node, by: "other".into() };
    assert_eq!(broken_by(&[suspicion]), Some("myself"));
}

#[test]
fn operations_and_broadcasts_end_once() {
    let (mut node, mut laws) = started(true);
    let op = node.ping(now(), Target::Member("missing".into()));
    laws.begun(op).expect("a new number");
    assert_eq!(laws.begun(op).expect_err("the same number").law(), "completion");
    let ended = node.poll_event().expect("there is no such member");
    laws.event(now(), &ended).expect("it ends");
    assert_eq!(laws.event(now(), &ended).expect_err("it ends again").law(), "completion");

    let (mut node, mut laws) = started(true);
    let op = node.ping(now(), Target::Member("missing".into()));
    let ended = node.poll_event().expect("there is no such member");
    assert_eq!(laws.event(now(), &ended).expect_err("never begun").law(), "completion");
    let (_, mut laws) = started(false);
    laws.event(now(), &ended).expect("an observer that does not see what is begun");
    laws.begun(op).expect_err("the number of one that has ended");
}

#[test]
fn what_is_under_way_was_begun() {
    let (mut node, mut laws) = started(true);
    let address = SocketAddr::from(([10, 0, 0, 9], 7946));
    node.ping(now(), Target::Addr { addr: address, node: None });
    assert_eq!(laws.rest(now(), &node).expect_err("not begun").law(), "completion");
}

#[test]
fn streams_are_used_in_order() {
    let id = StreamId::MIN;
    let connect = || StreamOp::Connect { id, to: ([10, 0, 0, 1], 7946).into(), node: None };
    let write = || StreamOp::Write { id, data: Bytes::from_static(b"x") };
    let (close, abort) = (|| StreamOp::Close { id }, || StreamOp::Abort { id });
    let judged = |accepted: bool, ops: &[StreamOp]| {
        let mut laws = started(false).1;
        if accepted {
            laws.accepted(id).expect("a new number");
        }
        ops.iter().try_for_each(|op| laws.stream(op)).err().as_ref().map(Broken::law)
    };
    assert_eq!(judged(false, &[connect(), write(), write(), close(), abort()]), None);
    assert_eq!(judged(true, &[write(), abort()]), None);
    for wrong in [
        [connect(), connect()],
        [close(), write()],
        [close(), close()],
        [abort(), write()],
        [abort(), close()],
        [abort(), abort()],
        [abort(), connect()],
        [write(), StreamOp::Write { id, data: Bytes::new() }],
    ] {
        assert_eq!(judged(true, &wrong), Some("contract"), "{wrong:?}");
    }
    assert_eq!(judged(false, &[write()]), Some("contract"), "a stream out of nowhere");
    let mut laws = started(false).1;
    laws.accepted(id).expect("a new number");
    laws.closed(id);
    laws.stream(&abort()).expect_err("it is over");
}

#[test]
fn streams_are_counted() {
    let (mut node, mut laws) = started(false);
    let id = node.accept_stream(now(), ([10, 0, 0, 9], 7946).into()).expect("there is room");
    assert_eq!(laws.rest(now(), &node).expect_err("not reported").law(), "contract");
    laws.accepted(id).expect("a new number");
    laws.rest(now(), &node).expect("it is known now");
}

#[test]
fn events_say_something() {
    let change = Change { meta: false, address: false, versions: false };
    let node = record("x", 2, 1, State::Alive);
    assert_eq!(broken_by(&[joined(1), Event::Updated { node, change }]), Some("contract"));
    assert_eq!(broken_by(&[Event::Overflow { dropped: 1 }]), Some("contract"));
    let from = ([10, 0, 0, 9], 7946).into();
    let state = Event::RemoteState { from, join: false, state: Bytes::new() };
    assert_eq!(broken_by(&[state]), Some("contract"));
    let payload = Bytes::new();
    let message = Event::Message { from, channel: Channel::Packet, payload };
    assert_eq!(broken_by(&[message]), None, "an application may send nothing");
}

#[test]
fn timers_are_handled_when_they_are_due() {
    let (mut node, mut laws) = started(false);
    let due = node.poll_timeout().expect("it gossips");
    let broken = (0..100).find_map(|_| laws.fired(due, &node).err());
    assert_eq!(broken.expect("nothing is ever handled").law(), "contract");
    node.handle_timeout(due);
    laws.fired(due, &node).expect("it was handled");
}

#[test]
fn packets_can_be_read_and_sent() {
    let (mut node, mut laws) = started(false);
    let ping = |node: &mut Memberlist, addr: SocketAddr| -> Transmit {
        node.ping(now(), Target::Addr { addr, node: None });
        node.poll_transmit().expect("a ping")
    };
    let usable = ping(&mut node, ([10, 0, 0, 9], 7946).into());
    laws.sent(&node, &usable).expect("an honest packet");

    let mut cut = usable.clone();
    cut.payload.truncate(3);
    assert_eq!(laws.sent(&node, &cut).expect_err("it is cut").law(), "packets");

    let nowhere = SocketAddr::from(([10, 0, 0, 9], 0));
    let mut transmit = usable.clone();
    transmit.to = nowhere;
    assert_eq!(laws.sent(&node, &transmit).expect_err("no port").law(), "packets");
    laws.named(nowhere);
    laws.sent(&node, &transmit).expect("the application wants it");

    laws.drained();
    let result = (0..1000).try_for_each(|_| laws.sent(&node, &usable));
    assert_eq!(result.expect_err("a thousand at once").law(), "packets");
}
