//! A name that another node has in the cluster that is joined.

use super::*;
use crate::event::LeaveReport;

/// A cluster that knows another node of this node's name refuses it, and the join says so.
#[test]
fn a_name_that_is_taken_fails_the_join_with_its_holder() {
    for state in [State::Alive, State::Suspect, State::Dead, State::Left] {
        let mut pair = Pair::new(|_, config| {
            config.probe_interval = Duration::from_secs(1);
            config.dead_node_reclaim_time = Duration::from_nanos(1);
        });
        pair.rigs[1].alive("one", 7, 1);
        match state {
            State::Alive => {}
            State::Suspect => pair.rigs[1].suspect("one", 1, "x"),
            State::Dead => pair.rigs[1].dead("one", 1, "x"),
            State::Left => pair.rigs[1].dead("one", 1, "one"),
        }
        let report = pair.join();
        if state.is_live() {
            let holder = address(7);
            assert_eq!(report.name_holder(), Some(holder), "{state}: {report}");
            let error = JoinError::Exchange(ExchangeError::NameTaken { holder });
            assert_eq!(report.failed[0].error, error);
            let failed = report.into_result().expect_err("joined no peer").to_string();
            assert!(failed.ends_with("of this node's name, at 10.0.0.1:7"), "{failed}");
            assert_eq!(pair.rigs[1].member("one").port(), 7);
        } else {
            assert_eq!(report.name_holder(), None, "{state}: {report}");
            assert!(report.into_result().is_ok());
        }
        let gauges = pair.rigs[0].node.stats().gauges;
        assert_eq!((gauges.streams, gauges.operations), (0, 0), "{state}");
    }
}

/// A former life at the same address is no other node, in whichever form it announced that address.
#[test]
fn a_former_life_at_the_same_address_does_not_hold_the_name() {
    let mapped = core::net::Ipv4Addr::new(10, 0, 0, 1).to_ipv6_mapped().octets();
    for addr in [&[10, 0, 0, 1][..], &mapped] {
        let mut pair = Pair::new(|_, _| {});
        pair.rigs[1].receive(&Message::Alive(Alive {
            incarnation: 1,
            node: b"one",
            addr: Some(addr),
            port: 1,
            meta: Some(b"old"),
            vsn: Some(&VSN),
        }));
        let report = pair.join();
        assert_eq!(report.joined.len(), 1, "{report}");
    }
}

/// The search for seeds and lost members reports it as well; an exchange between members does not.
#[test]
fn a_name_that_is_taken_fails_the_exchange_with_a_seed() {
    let mut pair = Pair::new(|index, config| {
        if index == 0 {
            config.seeds = alloc::vec![address(2).into()];
            config.rejoin.interval = Duration::from_secs(1);
        }
    });
    pair.rigs[1].alive("one", 7, 1);
    for _ in 0..4 {
        pair.rigs[0].wait(Duration::from_secs(1));
        pair.run();
    }
    let reported = pair.reported[0].join("; ");
    assert!(reported.contains("NameTaken") && !reported.contains("Rejoined"), "{reported}");
}

/// What `one` sends within the time that gossip takes; nothing of it arrives.
fn sends(pair: &mut Pair) -> String {
    let mut texts = Vec::new();
    for _ in 0..10 {
        pair.rigs[0].wait(Duration::from_millis(200));
        texts.extend(pair.rigs[0].sent().into_iter().map(|sent| sent.text));
        pair.run();
    }
    texts.join("; ")
}

fn leaves(pair: &mut Pair) -> LeaveReport {
    let now = pair.rigs[0].now;
    pair.rigs[0].node.leave(now, Duration::from_secs(5));
    let sent = sends(pair);
    let report = match pair.outcomes.pop() {
        Some(Outcome::Leave(Ok(report))) => report,
        other => panic!("{other:?}"),
    };
    assert_eq!(sent.contains("dead one"), report.members > 0, "{sent}");
    let own = pair.reported[0].iter().filter(|it| it.starts_with("departed one"));
    assert_eq!(own.count(), 1, "{:?}", pair.reported[0]);
    report
}

fn refused() -> Pair {
    let mut pair = Pair::new(|_, config| {
        config.gossip_interval = Duration::from_millis(200);
        config.push_pull_interval = Duration::from_secs(1);
        config.dead_node_reclaim_time = Duration::from_nanos(1);
    });
    pair.rigs[1].alive("one", 7, 1);
    assert!(pair.join().name_holder().is_some());
    pair
}

/// Neither gossip nor a full state nor an answer takes the name from the node that has it.
#[test]
fn a_node_whose_name_is_taken_leaves_without_a_word() {
    let mut pair = refused();
    assert_eq!(leaves(&mut pair), LeaveReport::default());
    assert!(pair.rigs[0].node.stats().counters.push_pulls > 1, "the state was sent again");
    // The other one accuses the bearer of the name.
    let incarnation = pair.rigs[0].state("one").1;
    let (node, from) = (&b"one"[..], &b"two"[..]);
    let accusation = Message::Suspect(Suspect { incarnation, node, from });
    pair.rigs[0].receive_from(address(2), &accusation);
    assert!(!sends(&mut pair).contains("dead one"));
    assert_eq!(pair.rigs[1].state("one"), (State::Alive, 1));
    assert_eq!(pair.rigs[1].member("one").port(), 7);
    assert!(!pair.reported[1].iter().any(|it| it.contains("departed")), "{:?}", pair.reported[1]);
}

/// Once the other bearer is gone, the name is this node's, and so is the leave.
#[test]
fn a_node_that_got_its_name_after_all_announces_its_leave() {
    for joins_again in [true, false] {
        let mut pair = refused();
        pair.rigs[1].dead("one", 1, "one");
        // The peer hears of this node either way; in the second it lists it at the next exchange.
        pair.rigs[0].wait(Duration::from_millis(1));
        if joins_again {
            assert!(pair.join().into_result().is_ok());
        } else {
            let incarnation = pair.rigs[0].state("one").1.max(2);
            pair.rigs[1].alive("one", 1, incarnation);
            let _ = sends(&mut pair);
        }
        assert_eq!(leaves(&mut pair).members, 1, "{joins_again}");
    }
}
