//! What a fault has separated comes together again by itself.

use std::time::Duration;

use memberlist_sim::{Config, Event, Instant, NodeId, Peer, Sim, Spread, State};

use super::{cluster, count, grow, plain, secs, settle, state};

fn without_rejoin(_: usize, config: &mut Config) {
    config.differences.rejoin = false;
}

/// Splits a cluster for so long and then waits for agreement; how long that took.
fn heal_after(
    size: usize,
    split: Duration,
    limit: Duration,
    change: impl Fn(usize, &mut Config),
) -> Option<Duration> {
    let mut sim = Sim::new(size as u64 + split.as_secs());
    sim.check_every(size as u64);
    let nodes = grow(&mut sim, size, change);
    agreed(&mut sim, secs(120)).expect("they join");
    let (one, other) = nodes.split_at(size / 2);
    sim.network().partition(one, other);
    sim.run_for(split);
    sim.network().heal();
    agreed(&mut sim, limit)
}

/// How long until all agree.
fn agreed(sim: &mut Sim, limit: Duration) -> Option<Duration> {
    let every = sim.node_ids().count() as u64;
    sim.run_until(limit, |sim| sim.steps().is_multiple_of(every) && sim.agreement().is_ok())
}

#[test]
fn halves_that_forgot_each_other_find_each_other_again() {
    // Each half declares the other dead within 26 s, and forgets it 30 s to 60 s later.
    for split in [20, 45, 90, 300] {
        let took = heal_after(6, secs(split), secs(300), plain);
        assert!(took.is_some(), "split for {split} s");
    }
}

#[test]
fn without_rejoin_they_stay_apart() {
    for change in [without_rejoin, super::as_go] {
        assert_eq!(heal_after(6, secs(300), secs(600), change), None);
    }
}

#[test]
fn a_hundred_nodes_heal() {
    let took = heal_after(100, secs(180), secs(120), plain).expect("they heal");
    println!("100 nodes, split for 180 s, agree {took:?} after the split has ended");
}

/// Too slow for every run: `cargo test --release -p memberlist-tests --test scenarios -- --ignored
/// --nocapture a_thousand`.
#[test]
#[ignore = "minutes of processor"]
fn a_thousand_nodes_heal() {
    let took = heal_after(1000, secs(180), secs(120), plain).expect("they heal");
    println!("1000 nodes, split for 180 s, agree {took:?} after the split has ended");
}

#[test]
fn one_that_was_cut_off_is_found_again() {
    let (mut sim, nodes) = cluster(5, 10, plain);
    sim.network().partition(&nodes[..1], &nodes[1..]);
    sim.run_for(secs(300));
    assert_eq!(sim.node(nodes[0]).num_members(), 1);
    assert_eq!(state(&sim, nodes[1], nodes[0]), None, "it is forgotten");
    sim.network().heal();
    assert!(agreed(&mut sim, secs(120)).is_some());
    let found = |event: &Event| matches!(event, Event::Rejoined { .. });
    assert!(nodes.iter().any(|node| count(&sim, *node, found) > 0));
}

/// A node that joins no peer, but has seeds.
fn seeker(sim: &mut Sim, name: &str, seeds: &[&str]) -> NodeId {
    let mut config = Config::lan(name);
    config.seeds = seeds.iter().map(|seed| seed.parse().expect("a peer")).collect();
    sim.start_with(config, Spread::default())
}

#[test]
fn a_node_that_starts_before_its_seeds_joins_when_they_appear() {
    let mut sim = Sim::new(7);
    let early = seeker(&mut sim, "early", &["10.0.0.2", "seeds.example"]);
    sim.run_for(secs(200));
    assert_eq!(sim.node(early).num_members(), 1);
    let _seed = sim.start_with(Config::lan("seed"), Spread::default());
    assert!(agreed(&mut sim, secs(120)).is_some());
    assert_eq!(sim.node(early).num_members(), 2);

    // By name too, once the name is known.
    let late = seeker(&mut sim, "late", &["seeds.example"]);
    sim.run_for(secs(200));
    assert_eq!(sim.node(late).num_members(), 1);
    let address = sim.address(early).ip();
    sim.network().name("seeds.example", vec![address]);
    assert!(agreed(&mut sim, secs(120)).is_some());
    assert_eq!(sim.node(late).num_members(), 3);
}

#[test]
fn clusters_that_began_apart_meet_through_a_common_name() {
    // Each resolved the name when only itself was there, as it happens to pods that start together.
    let mut sim = Sim::new(9);
    let nodes: Vec<_> =
        ["a", "b", "c"].iter().map(|name| seeker(&mut sim, name, &["pods.example"])).collect();
    sim.run_for(secs(60));
    assert!(nodes.iter().all(|node| sim.node(*node).num_members() == 1));
    let all = nodes.iter().map(|node| sim.address(*node).ip()).collect();
    sim.network().name("pods.example", all);
    assert!(agreed(&mut sim, secs(300)).is_some(), "{:?}", sim.agreement());
    assert_eq!(sim.node(nodes[0]).num_members(), 3);
}

#[test]
fn a_seed_that_moves_is_found_where_its_name_points() {
    let (mut sim, nodes) = cluster(11, 3, |_, config| {
        config.seeds = vec!["n0.example".parse::<Peer>().expect("a peer")];
        config.dead_node_reclaim_time = Duration::from_secs(1);
    });
    for node in &nodes {
        sim.crash(*node);
    }
    for node in &nodes {
        sim.restart(*node, true);
    }
    let address = sim.address(nodes[0]).ip();
    sim.network().name("n0.example", vec![address]);
    assert!(agreed(&mut sim, secs(300)).is_some());
    assert_eq!(sim.node(nodes[1]).num_members(), 3);
}

#[test]
fn three_hundred_restarts_at_once_do_not_storm_the_seed() {
    let mut sim = Sim::new(13);
    sim.check_every(300);
    let seed = sim.start_with(Config::lan("n0"), Spread::default());
    let begin = sim.now();
    let nodes: Vec<_> =
        (1..300).map(|index| seeker(&mut sim, &format!("n{index}"), &["10.0.0.1"])).collect();
    let mut joined: Vec<u64> = Vec::new();
    let first = |sim: &Sim, node: NodeId| -> Option<Instant> {
        let found =
            |(at, event): &(Instant, Event)| matches!(event, Event::Rejoined { .. }).then_some(*at);
        sim.events(node).iter().find_map(found)
    };
    sim.run_for(secs(10));
    for node in &nodes {
        if let Some(at) = first(&sim, *node) {
            joined.push(at.saturating_duration_since(begin).as_millis() as u64);
        }
    }
    joined.sort_unstable();
    let busiest =
        joined.iter().map(|at| joined.iter().filter(|it| at <= *it && **it < at + 100).count());
    let busiest = busiest.max().unwrap_or_default();
    // 299 nodes within 7.5 s are 4 in a tenth of a second; all at once would be 299.
    assert!(busiest < 15, "{busiest} exchanges with the seed within 100 ms");
    assert!(joined.len() > 100, "{} have joined by themselves", joined.len());
    assert!(sim.node(seed).num_members() > 290, "{}", sim.node(seed).num_members());
}

#[test]
fn members_that_died_for_good_cost_little() {
    let (mut sim, nodes) = cluster(15, 30, plain);
    for node in &nodes[20..] {
        sim.crash(*node);
    }
    sim.run_for(secs(60));
    let before = sim.counters()["rejoins"];
    sim.run_for(secs(600));
    let attempts = sim.counters()["rejoins"] - before;
    // 20 intervals, 10 missing, one attempt for each by all together.
    assert!((100..=320).contains(&attempts), "{attempts}");
    assert_eq!(state(&sim, nodes[0], nodes[25]), None);
    settle(&mut sim);
    assert_ne!(state(&sim, nodes[0], nodes[1]), Some(State::Suspect));
}

/// Two clusters without labels. A member of the first is killed; the others restart with what they had
/// saved, and meanwhile a node of the second cluster has started at its address. What each node of
/// both, in that order, has as members after half an hour.
fn restarted_beside_another_cluster(change: impl Fn(&mut Peer)) -> Vec<usize> {
    let mut sim = Sim::new(21);
    let mut start = |name| sim.start_with(Config::lan(name), Spread::default());
    let (first, second) = (["a", "b", "c"].map(&mut start), ["x", "y"].map(&mut start));
    for nodes in [&first[..], &second[..]] {
        nodes[1..].iter().for_each(|node| _ = sim.join(*node, nodes[0]));
    }
    sim.run_for(secs(30));
    assert_eq!(first.map(|node| sim.node(node).num_members()), [3; 3]);
    let saved = [first[0], first[1]].map(|node| sim.node(node).snapshot().collect::<Vec<_>>());
    for node in &first {
        sim.crash(*node);
    }
    let address = sim.address(first[2]).ip();
    let third = sim.start_at(address, Config::lan("z"), Spread::default());
    sim.join(third, second[0]);
    for (node, mut peers) in first.into_iter().zip(saved) {
        assert_eq!(peers.len(), 2);
        peers.iter_mut().for_each(&change);
        sim.restart(node, false);
        sim.with(node, |node, now| node.recall(now, peers));
    }
    sim.run_for(secs(1800));
    let all = [first[0], first[1], second[0], second[1], third];
    all.map(|node| sim.node(node).num_members()).to_vec()
}

#[test]
fn a_cluster_restarted_from_snapshots_stays_apart_from_another_at_an_address_of_its_own() {
    assert_eq!(restarted_beside_another_cluster(|_| ()), [2, 2, 3, 3, 3]);
    // As docs/healing.md says: an address alone is exchanged with, whatever is there.
    assert_eq!(restarted_beside_another_cluster(|peer| peer.name = None), [5; 5]);
}

/// The order is given to one member; the others have a record, and a search, of their own.
#[test]
fn one_that_is_forgotten_is_searched_for_by_no_member() {
    let (mut sim, nodes) = cluster(23, 5, plain);
    sim.crash(nodes[4]);
    let others = &nodes[..4];
    let dead = |sim: &Sim| others.iter().all(|it| state(sim, *it, nodes[4]) == Some(State::Dead));
    assert!(sim.run_until(secs(60), dead).is_some());
    let searching = |sim: &Sim| {
        let searches = |it: &&NodeId| sim.node(**it).stats().gauges.lost_members > 0;
        others.iter().filter(searches).count()
    };
    assert_eq!(searching(&sim), 4);
    sim.with(others[0], |node, now| node.forget(now, &"n4".into())).expect("it is dead");
    assert_eq!(state(&sim, others[0], nodes[4]), None);
    assert!(sim.run_until(secs(5), |sim| searching(sim) == 0).is_some());
    for other in &others[1..] {
        assert_eq!(state(&sim, *other, nodes[4]), Some(State::Left), "until it is reaped");
        assert_eq!(count(&sim, *other, |it| matches!(it, Event::HadLeft { .. })), 1);
    }
}
