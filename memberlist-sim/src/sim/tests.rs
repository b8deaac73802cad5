use std::time::Duration;

use memberlist_proto::{Config, Event, State};

use super::{NodeId, Sim};
use crate::Fault;

/// Nodes that know each other from the start, without a join and without an event about it.
fn warm(size: usize) -> (Sim, Vec<NodeId>) {
    let mut sim = Sim::new(3);
    let start = |index| sim.start(Config::lan(format!("n{index}").as_str()));
    let nodes: Vec<NodeId> = (0..size).map(start).collect();
    let everyone: Vec<_> = nodes.iter().map(|id| sim.node(*id).local()).collect();
    for id in &nodes {
        sim.with(*id, |node, now| node.restore(now, everyone.iter().cloned()));
    }
    (sim, nodes)
}

#[test]
fn a_warm_start_keeps_the_laws() {
    for every in [1, 1000] {
        let (mut sim, nodes) = warm(5);
        sim.check_every(every);
        assert_eq!(sim.agreement(), Ok(()));
        let crashed = sim.name(nodes[4]).clone();
        sim.crash(nodes[4]);
        let noticed = sim.run_until(Duration::from_secs(90), |sim| {
            let dead = |id: &NodeId| sim.node(*id).member(&crashed).map(|it| it.state());
            nodes[..4].iter().all(|id| dead(id) == Some(State::Dead))
        });
        assert!(noticed.is_some(), "the crash is noticed");
        sim.restart(nodes[4], false);
        sim.join(nodes[4], nodes[0]);
        let back = sim.run_until(Duration::from_secs(90), |sim| sim.agreement().is_ok());
        assert!(back.is_some(), "it comes back");
    }
}

/// A node of a warm start that leaves or is given members that have left.
#[test]
fn the_departed_may_be_restored() {
    let (mut sim, nodes) = warm(3);
    sim.operate(nodes[2], |node, now| node.leave(now, Duration::from_secs(5)));
    sim.run_for(Duration::from_secs(5));
    let view = sim.view(nodes[0]);
    let late = sim.start(Config::lan("late"));
    sim.with(late, |node, now| node.restore(now, view));
    sim.run_for(Duration::from_secs(5));
    assert_eq!(sim.node(late).num_members(), 3);
    assert_eq!(sim.node(nodes[0]).num_members(), 3, "it announces itself");
}

#[test]
fn events_need_not_be_kept() {
    let mut sim = Sim::new(3);
    let kept = sim.start(Config::lan("kept"));
    sim.keep_no_events();
    let other = sim.start(Config::lan("other"));
    sim.join(other, kept);
    sim.run_for(Duration::from_secs(2));
    assert_eq!(sim.agreement(), Ok(()));
    assert!(sim.events(kept).len() > 1);
    assert!(sim.events(other).is_empty());
}

#[test]
fn a_node_that_is_slow_no_longer_does_at_once_what_has_waited() {
    let (mut sim, nodes) = warm(2);
    let to = sim.node(nodes[1]).local().address().expect("an address");
    sim.set_fault(nodes[1], Some(Fault::Slow { mean: Duration::from_secs(60) }));
    let messages = |sim: &Sim| {
        let arrived = |(_, event): &&_| matches!(event, Event::Message { .. });
        sim.events(nodes[1]).iter().filter(arrived).count()
    };
    for round in 1..3 {
        for _ in 0..20 {
            sim.with(nodes[0], |node, now| node.send(now, to.into(), b"hello").expect("sent"));
        }
        sim.run_for(Duration::from_millis(500));
        assert!(messages(&sim) < 20 * round, "it takes minutes for all of them");
        sim.set_fault(nodes[1], None);
        assert_eq!(messages(&sim), 20 * round);
        // What it would have done later is done.
        sim.set_fault(nodes[1], Some(Fault::Slow { mean: Duration::from_secs(60) }));
    }
}

/// However many nodes learn of a member by gossip, its identity takes memory once.
#[test]
fn nodes_share_the_identity_of_a_member_that_joins() {
    let (mut sim, nodes) = warm(5);
    let joiner = sim.start(Config::lan("joiner"));
    sim.join(joiner, nodes[0]);
    let all = sim.run_until(Duration::from_secs(30), |sim| sim.agreement().is_ok());
    assert!(all.is_some(), "all know it");
    let place = |id: &NodeId| {
        let known = sim.node(*id).member(sim.name(joiner)).expect("a member");
        known.name().as_bytes().as_ptr()
    };
    let places: Vec<_> = nodes.iter().map(place).collect();
    assert!(places.iter().all(|it| *it == places[0]), "{places:?}");
}
