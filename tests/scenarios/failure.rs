use std::time::Duration;

use memberlist_proto::Departure;
use memberlist_sim::{Event, Fault, Link, Outcome, State};

use super::{as_go, cluster, count, plain, secs, settle, state};

#[test]
fn a_crash_is_suspected_and_declared_within_lifeguards_bounds() {
    for change in [plain, as_go] {
        let (mut sim, nodes) = cluster(21, 10, change);
        sim.crash(nodes[9]);
        let suspected = sim.run_until(secs(30), |sim| {
            nodes[..9].iter().any(|node| state(sim, *node, nodes[9]) == Some(State::Suspect))
        });
        assert!(suspected.is_some_and(|took| took < secs(15)), "{suspected:?}");
        let dead = sim.run_until(secs(60), |sim| {
            nodes[..9].iter().all(|node| state(sim, *node, nodes[9]) == Some(State::Dead))
        });
        // At least four seconds with all confirmations, at most twenty-four without any.
        assert!(dead.is_some_and(|took| took >= secs(3) && took < secs(26)), "{dead:?}");
        let by_several = sim.events(nodes[0]).iter().any(|(_, event)| {
            matches!(
                event,
                Event::Departed {
                    reason: Departure::Failed { .. } | Departure::Declared { .. },
                    ..
                }
            )
        });
        assert!(by_several);
        sim.run_for(secs(60));
        assert_eq!(sim.agreement(), Ok(()), "and forgotten");
        assert_eq!(state(&sim, nodes[0], nodes[9]), None);
    }
}

#[test]
fn a_broken_pair_is_bridged_by_the_others() {
    for change in [plain, as_go] {
        let (mut sim, nodes) = cluster(23, 6, change);
        sim.network().partition(&nodes[..1], &nodes[1..2]);
        sim.run_for(secs(120));
        assert_eq!(sim.agreement(), Ok(()));
        for node in &nodes {
            assert_eq!(count(&sim, *node, |event| matches!(event, Event::Departed { .. })), 0);
        }
    }
}

#[test]
fn a_cluster_without_udp_stays_up_by_streams_and_says_so() {
    let (mut sim, nodes) = cluster(25, 4, plain);
    sim.network().set_default(Link { packets: false, ..Link::default() });
    sim.run_for(secs(120));
    assert_eq!(sim.agreement(), Ok(()));
    assert!(count(&sim, nodes[0], |event| matches!(event, Event::OnlyByStream { .. })) > 10);
    let nothing = |event: &Event| matches!(event, Event::NothingReceived { .. });
    // Once a minute.
    assert!(nodes.iter().all(|node| count(&sim, *node, nothing) == 2));
}

/// What a node that can send and cannot hear says of itself; the others hear each other.
#[test]
fn a_deaf_node_says_so_and_no_other_does() {
    let (mut sim, nodes) = cluster(26, 6, plain);
    sim.set_fault(nodes[3], Some(Fault::Deaf));
    sim.run_for(secs(60));
    let nothing = |event: &Event| matches!(event, Event::NothingReceived { .. });
    for node in &nodes {
        assert_eq!(count(&sim, *node, nothing), usize::from(*node == nodes[3]));
    }
    let status = sim.node(nodes[3]).status(sim.now());
    assert!(status.last_packet_ms.is_some_and(|it| it >= 59_000), "{:?}", status.last_packet_ms);
    let status = sim.node(nodes[0]).status(sim.now());
    assert!(status.last_ping_ms.is_some_and(|it| it <= 10_000), "{:?}", status.last_ping_ms);
}

#[test]
fn the_accused_refutes_and_stays() {
    for change in [plain, as_go] {
        let (mut sim, nodes) = cluster(27, 8, change);
        // No node hears node 5 for a while, but it hears all of them.
        for node in &nodes {
            sim.network().cut(nodes[5], *node);
        }
        let suspected = sim.run_until(secs(30), |sim| {
            nodes.iter().any(|node| state(sim, *node, nodes[5]) == Some(State::Suspect))
        });
        assert!(suspected.is_some());
        sim.network().heal();
        sim.run_for(secs(30));
        assert_eq!(sim.agreement(), Ok(()));
        assert!(count(&sim, nodes[5], |event| matches!(event, Event::Refuted { .. })) > 0);
        let departed = |event: &Event| matches!(event, Event::Departed { .. });
        assert!(nodes.iter().all(|node| count(&sim, *node, departed) == 0));
    }
}

#[test]
fn a_partition_within_the_time_of_the_dead_heals_by_gossip() {
    for change in [plain, as_go] {
        let (mut sim, nodes) = cluster(29, 10, change);
        sim.network().partition(&nodes[..5], &nodes[5..]);
        let split = sim.run_until(secs(90), |sim| {
            state(sim, nodes[0], nodes[9]) == Some(State::Dead)
                && state(sim, nodes[9], nodes[0]) == Some(State::Dead)
        });
        assert!(split.is_some());
        sim.network().heal();
        let healed = sim.run_until(secs(60), |sim| sim.agreement().is_ok());
        assert!(healed.is_some(), "{:?}", sim.agreement());
    }
}

#[test]
fn a_frozen_process_reads_before_it_suspects() {
    let (mut sim, nodes) = cluster(31, 10, plain);
    sim.set_fault(nodes[3], Some(Fault::Frozen));
    sim.run_for(Duration::from_millis(2500));
    sim.set_fault(nodes[3], None);
    sim.run_for(secs(30));
    assert_eq!(sim.agreement(), Ok(()));
    let departed = |event: &Event| matches!(event, Event::Departed { .. });
    assert!(nodes.iter().all(|node| count(&sim, *node, departed) == 0));
}

#[test]
fn a_held_member_does_not_take_healthy_ones_down() {
    let (mut sim, nodes) = cluster(33, 32, plain);
    for _ in 0..5 {
        sim.set_fault(nodes[3], Some(Fault::Held));
        sim.run_for(secs(4));
        sim.set_fault(nodes[3], None);
        sim.run_for(secs(1));
    }
    sim.run_for(secs(60));
    assert_eq!(sim.agreement(), Ok(()));
    let departed =
        |event: &Event| matches!(event, Event::Departed { node, .. } if node.name() != "n3");
    let false_alarms: usize = nodes.iter().map(|node| count(&sim, *node, departed)).sum();
    assert_eq!(false_alarms, 0);
    assert!(sim.node(nodes[3]).stats().counters.probes_degraded > 0, "its health shows it");
}

#[test]
fn without_probes_nothing_fails_but_the_dead_are_forgotten() {
    let (mut sim, nodes) = cluster(35, 4, |_, config| config.probe_interval = Duration::ZERO);
    sim.operate(nodes[1], |node, now| node.leave(now, secs(5)));
    sim.run_for(secs(90));
    assert_eq!(state(&sim, nodes[0], nodes[1]), None);
    assert_eq!(sim.node(nodes[1]).num_members(), 3, "it keeps its own record, as left");
}

#[test]
fn an_unplugged_node_notices_and_comes_back() {
    for change in [plain, as_go] {
        let (mut sim, nodes) = cluster(61, 6, change);
        sim.set_fault(nodes[5], Some(Fault::Unplugged));
        let suspected = sim.run_until(secs(30), |sim| {
            nodes[..5].iter().any(|node| state(sim, *node, nodes[5]) == Some(State::Suspect))
        });
        assert!(suspected.is_some());
        assert!(sim.node(nodes[5]).stats().counters.packets_unsent > 0);
        sim.set_fault(nodes[5], None);
        settle(&mut sim);
        for node in &nodes[..5] {
            assert_eq!(count(&sim, *node, |event| matches!(event, Event::Departed { .. })), 0);
        }
    }
}

#[test]
fn an_unplugged_node_fails_its_exchanges_at_once() {
    let (mut sim, nodes) = cluster(62, 3, plain);
    sim.set_fault(nodes[2], Some(Fault::Unplugged));
    sim.join(nodes[2], nodes[0]);
    sim.run_for(secs(1));
    let failed = sim.events(nodes[2]).iter().rev().find_map(|(_, event)| match event {
        Event::Finished { outcome: Outcome::Join(Ok(report)), .. } => report.failed.first(),
        _ => None,
    });
    let error = failed.expect("the join has ended").error.to_string();
    assert!(error.contains("unreachable"), "{error}");
    sim.set_fault(nodes[2], None);
    settle(&mut sim);
}

#[test]
fn clocks_that_differ_or_jump_do_no_lasting_harm() {
    for change in [plain, as_go] {
        let (mut sim, nodes) = cluster(63, 5, change);
        for (node, ahead) in [(0, 3600), (1, 1), (2, 86_400 * 365)] {
            sim.jump(nodes[node], secs(ahead));
            sim.run_for(secs(20));
        }
        settle(&mut sim);
        sim.crash(nodes[4]);
        let noticed = sim.run_until(secs(60), |sim| {
            nodes[..4].iter().all(|node| state(sim, *node, nodes[4]) == Some(State::Dead))
        });
        assert!(noticed.is_some(), "clocks a year apart, and yet all see the same");
        for node in &nodes[..4] {
            let departed = count(&sim, *node, |event| matches!(event, Event::Departed { .. }));
            assert_eq!(departed, 1, "no other");
        }
    }
}

#[test]
fn one_slow_member_takes_no_healthy_one_down() {
    let (mut sim, nodes) = cluster(64, 20, plain);
    sim.set_fault(nodes[7], Some(Fault::Slow { mean: Duration::from_millis(200) }));
    sim.run_for(secs(120));
    let slow = sim.name(nodes[7]).clone();
    for node in nodes.iter().filter(|node| **node != nodes[7]) {
        let departed = |event: &Event| matches!(event, Event::Departed { node, .. } if node.name().as_bytes() != slow.as_bytes());
        assert_eq!(count(&sim, *node, departed), 0, "a healthy one is declared dead");
    }
    assert!(sim.node(nodes[7]).health_score() > 0, "it knows that it is slow");
    sim.set_fault(nodes[7], None);
    settle(&mut sim);
}
