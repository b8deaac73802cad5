//! What large numbers of messages can cost.

use std::time::Duration;

use memberlist_proto::wire::message::{Ack, IndirectPing, Message, Nack, Ping, Suspect};
use memberlist_proto::{Event, JoinRefused, Outcome, Refusal, State};
use memberlist_sim::rig::{Rig, addr, alive, encoded, stranger};

use super::rig::{bytes_sent, cost, counters, target, target_with};

/// What each source may use per second once the common budget is used up.
const SHARE: usize = 8;

#[test]
fn new_names_are_limited_in_number_and_rate() {
    let mut target = target_with(|config| {
        config.limits.members = 30_000;
        config.limits.new_members_burst = 20_000;
    });
    let cost = cost("100,000 new names", 100_000 * 60, || {
        for number in 0..100_000 {
            let name = format!("n{number}");
            let alive = alive(&name, &addr(&name), 1);
            target.packet(stranger(1), &alive).expect("a good packet");
            drop(target.events());
        }
    });
    assert_eq!(
        target.node().num_members(),
        20_001 + SHARE,
        "the burst, the share, and the node itself"
    );
    assert_eq!(counters(&target).names_too_fast, 80_000 - SHARE as u64);
    assert!(cost.kept <= 20_000 * 1024, "a member's record, tables and gossip: {cost:?}");
    target.wait(Duration::from_secs(5));
    for number in 30_000..40_000 {
        target.alive(&format!("n{number}"), 1);
    }
    assert_eq!(target.node().num_members(), 25_001 + 2 * SHARE, "a thousand more per second");
    target.wait(Duration::from_secs(60));
    for number in 40_000..50_000 {
        let name = format!("n{number}");
        let alive = alive(&name, &addr(&name), 1);
        target.packet(stranger(1), &alive).expect("a good packet");
    }
    assert_eq!(target.node().num_members(), 30_000);
    let full = |event: &Event| matches!(event, Event::Refused { reason: Refusal::TooMany, .. });
    assert!(target.events().iter().any(full));
}

/// A rollout: every node comes back at once, some under new names, and all are accepted.
#[test]
fn a_thousand_restarts_at_once_are_accepted() {
    let mut target = target();
    for number in 0..1000 {
        target.alive(&format!("n{number}"), 1);
    }
    for number in 0..1000 {
        target.alive(&format!("n{number}"), 2);
        target.alive(&format!("n{}", 1000 + number), 1);
    }
    assert_eq!(target.node().num_members(), 2001);
    let counters = counters(&target);
    assert_eq!((counters.alive_refused, counters.names_too_fast), (0, 0));
    assert_eq!(target.events().len(), 2000, "each joins once; a restart is not an event");
}

#[test]
fn reports_of_a_flood_are_rate_limited() {
    let mut target = target();
    target.alive("n1", 1);
    target.events();
    let conflict = alive("n1", &[10, 9, 9, 9], 9);
    let refused = alive("x1", &[0, 0, 0, 0], 9);
    let mut events = 0;
    for _ in 0..3 {
        for _ in 0..20_000 {
            target.packet(stranger(1), &conflict).expect("a good packet");
            target.packet(stranger(1), &refused).expect("a good packet");
            events += target.events().len();
        }
        target.wait(Duration::from_secs(1));
    }
    assert_eq!(events, 3 * (1000 + SHARE));
    let counters = counters(&target);
    assert_eq!((counters.conflicts, counters.alive_refused), (60_000, 60_000));
    assert_eq!(counters.reports_dropped, 117_000 - 3 * SHARE as u64);
}

/// Any amount of news about one member is one entry in the queue.
#[test]
fn news_of_one_member_is_queued_once() {
    let mut target = target();
    target.alive("n1", 1);
    target.events();
    let address = addr("n1");
    let cost = cost("100,000 announcements of one member", 100_000 * 70, || {
        for incarnation in 2..100_002 {
            target.packet(stranger(1), &alive("n1", &address, incarnation)).expect("a good packet");
            drop(target.events());
        }
    });
    assert!(cost.kept <= 4096, "{cost:?}");
    assert_eq!(target.node().stats().gauges.membership_queue, 2);
}

#[test]
fn a_flood_of_accusers_is_bounded() {
    let mut target = target();
    for number in 0..50 {
        target.alive(&format!("n{number}"), 1);
    }
    target.events();
    let cost = cost("100,000 accusers", 100_000 * 60, || {
        for number in 0..100_000 {
            let from = format!("accuser-{number}");
            let suspect = Suspect { incarnation: 1, node: b"n1", from: from.as_bytes() };
            let packet = encoded(&Message::Suspect(suspect));
            target.packet(stranger(1), &packet).expect("a good packet");
            drop(target.events());
        }
    });
    assert!(cost.kept <= 4096, "{cost:?}");
}

/// The most bytes that a node with a short name sends for each byte that a stranger sends, whatever
/// the message. What it later gossips to the members comes on top.
const FACTOR: usize = 2;

#[test]
fn strangers_cannot_amplify_traffic() {
    let mut target = target();
    for number in 0..200 {
        target.alive(&format!("n{number}"), 1);
    }
    target.events();
    assert!(
        target.node().stats().gauges.membership_queue > 200,
        "gossip that could be piggybacked"
    );
    let address = addr("n7");
    let ask = |target: &[u8], node: &[u8], nack| {
        encoded(&Message::IndirectPing(IndirectPing {
            seq_no: 1,
            target: Some(target),
            port: 7946,
            node,
            nack,
            source_addr: None,
            source_port: 0,
            source_node: b"",
        }))
    };
    for (what, packet) in [
        ("ping", encoded(&Message::Ping(Ping::default()))),
        ("ping by name", encoded(&Message::Ping(Ping { node: b"me", ..Ping::default() }))),
        ("indirect ping", ask(&address, b"n7", false)),
        ("indirect ping with a nack", ask(&address, b"n7", true)),
        ("indirect ping of a stranger", ask(&[192, 0, 2, 9], b"stranger", true)),
        ("ack", encoded(&Message::Ack(Ack { seq_no: 1, payload: None }))),
        ("nack", encoded(&Message::Nack(Nack { seq_no: 1 }))),
        ("user message", encoded(&Message::User(b"u"))),
        ("stale alive", alive("n7", &address, 1)),
        ("alive", alive("n7", &address, 5)),
    ] {
        let sent = 500 * packet.len();
        for _ in 0..500 {
            target.packet(stranger(1), &packet).expect("a good packet");
        }
        target.wait(Duration::from_secs(2));
        let out = bytes_sent(&mut target);
        println!("{what}: {sent} bytes in, {out} bytes out");
        assert!(out <= FACTOR * sent, "{what}: {out} bytes for {sent}");
        drop(target.events());
    }
    assert_eq!(counters(&target).relayed, 1000, "every relay requested for a member");
    for _ in 0..5000 {
        target.packet(stranger(1), &ask(&address, b"n7", true)).expect("a good packet");
    }
    let most = 1000 + 768 + SHARE as u64;
    assert_eq!(
        counters(&target).relayed,
        most,
        "three quarters of the relays at the same time, and the share"
    );
    assert!(target.node().stats().gauges.acks_awaited <= 1024);
}

/// Unlimited names, relays and refusals from one address: every other address still has its share of
/// each, and many others together have no more than their shares.
#[test]
fn one_source_leaves_the_others_their_share() {
    let mut target = target_with(|config| config.limits.new_members_burst = 1000);
    target.alive("n7", 1);
    let address = addr("n7");
    let relay = encoded(&Message::IndirectPing(IndirectPing {
        seq_no: 1,
        target: Some(&address),
        port: 7946,
        node: b"n7",
        nack: false,
        source_addr: None,
        source_port: 0,
        source_node: b"",
    }));
    let refused = alive("x1", &[0, 0, 0, 0], 9);
    let mut number = 100;
    let mut flood = |target: &mut Rig, from, count| {
        let (members, relayed) = (target.node().num_members(), counters(target).relayed);
        drop(target.events());
        for _ in 0..count {
            number += 1;
            let name = format!("n{number}");
            target.packet(from, &alive(&name, &addr(&name), 1)).expect("a good packet");
            target.packet(from, &relay).expect("a good packet");
        }
        drop(target.events());
        for _ in 0..count {
            target.packet(from, &refused).expect("a good packet");
        }
        let relayed = counters(target).relayed - relayed;
        let events = target.events().len();
        (target.node().num_members() - members, relayed as usize, events)
    };
    // Refusals of names that come too fast use up the reports as well.
    assert_eq!(flood(&mut target, stranger(1), 5000), (999 + SHARE, 768 + SHARE, 0));
    assert_eq!(flood(&mut target, stranger(1), 5000), (0, 0, 0));
    assert_eq!(flood(&mut target, stranger(2), SHARE), (SHARE, SHARE, SHARE));
    assert_eq!(flood(&mut target, stranger(2), 5000), (0, 0, 0));
    let places = cost("a thousand sources", 0, || {
        for host in 3..=255 {
            flood(&mut target, stranger(host), SHARE);
        }
    });
    assert!(target.node().stats().gauges.acks_awaited <= 1024);
    assert!(places.kept <= 256 * 8 * 1024, "more than the members themselves: {places:?}");
}

/// A member that is considered dead gets the accusation; a flood in its name does not make it the
/// target of another flood.
#[test]
fn accusations_sent_to_the_dead_are_rate_limited() {
    let mut target = target_with(|config| {
        config.probe_interval = Duration::from_secs(1);
        // One message is enough here to have a dead member.
        config.differences.doubt_verdicts = false;
    });
    target.alive("n1", 1);
    let dead = Message::Dead(memberlist_proto::wire::message::Dead {
        incarnation: 5,
        node: b"n1",
        from: b"n2",
    });
    target.packet(stranger(1), &encoded(&dead)).expect("a good packet");
    let state = target.node().member(&"n1".into()).map(|node| node.state());
    assert_eq!(state, Some(State::Dead));
    bytes_sent(&mut target);
    for _ in 0..1000 {
        target.alive("n1", 1);
    }
    assert_eq!(counters(&target).told_dead, 1);
}

/// An application that starts too many operations gets an error.
#[test]
fn operations_are_limited() {
    let mut target = target();
    target.alive("n1", 1);
    for _ in 0..5000 {
        target.begin(|node, now| node.join(now, &["some.host".parse().expect("a peer")]));
    }
    assert_eq!(target.node().stats().gauges.operations, 4096);
    let refused = |event: &Event| {
        let outcome = Outcome::Join(Err(JoinRefused::TooMany));
        matches!(event, Event::Finished { outcome: it, .. } if format!("{it:?}") == format!("{outcome:?}"))
    };
    let refusals = target.events().iter().filter(|event| refused(event)).count();
    assert_eq!((refusals, counters(&target).operations_refused), (904, 904));
}
