use memberlist_sim::{BroadcastKind, Config, Event, Outcome, Peer, Priority, Sim, State, Target};

use super::{as_go, cluster, count, grow, plain, secs, state};

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = |seed| {
        let (mut sim, nodes) = cluster(seed, 12, plain);
        sim.crash(nodes[3]);
        sim.run_for(secs(30));
        (sim.trace_hash(), sim.steps())
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn a_hundred_nodes_that_join_at_once_agree_within_seconds() {
    for change in [plain, as_go] {
        let mut sim = Sim::new(3);
        sim.check_every(100);
        grow(&mut sim, 100, change);
        let took = sim.run_until(secs(30), |sim| sim.steps() % 500 == 0 && sim.agreement().is_ok());
        assert!(took.is_some(), "{:?}", sim.agreement());
    }
}

#[test]
fn a_join_goes_through_names_and_several_seeds() {
    let (mut sim, nodes) = cluster(5, 3, plain);
    let address = sim.address(nodes[1]);
    sim.network().name("seeds.example", vec![address.ip(), [10, 99, 99, 99].into()]);
    let new = sim.start(Config::lan("n3"));
    let peers = ["seeds.example", "gone.example"].map(|it| it.parse::<Peer>().unwrap());
    sim.operate(new, |node, now| node.join(now, &peers));
    sim.run_for(secs(15));
    assert_eq!(sim.agreement(), Ok(()));
    let report = sim.events(new).iter().find_map(|(_, event)| match event {
        Event::Finished { outcome: Outcome::Join(Ok(report)), .. } => Some(report.clone()),
        _ => None,
    });
    let report = report.expect("the join ended");
    assert_eq!(report.joined, [address]);
    assert_eq!(report.failed.len(), 2, "{report:?}");
}

#[test]
fn a_node_that_leaves_is_seen_as_left_and_forgotten() {
    for change in [plain, as_go] {
        let (mut sim, nodes) = cluster(7, 8, change);
        sim.operate(nodes[2], |node, now| node.leave(now, secs(10)));
        sim.run_for(secs(3));
        for node in nodes.iter().filter(|node| **node != nodes[2]) {
            assert_eq!(state(&sim, *node, nodes[2]), Some(State::Left));
        }
        let left =
            |event: &Event| matches!(event, Event::Finished { outcome: Outcome::Leave(Ok(_)), .. });
        assert_eq!(count(&sim, nodes[2], left), 1);
        sim.crash(nodes[2]);
        sim.run_for(secs(60));
        assert_eq!(state(&sim, nodes[0], nodes[2]), None, "reaped");
        assert_eq!(sim.agreement(), Ok(()));
        assert_eq!(count(&sim, nodes[0], |event| matches!(event, Event::Suspected { .. })), 0);
    }
}

#[test]
fn metadata_reaches_every_node() {
    let (mut sim, nodes) = cluster(9, 20, plain);
    sim.operate(nodes[4], |node, now| node.set_meta(now, "new".into(), secs(10)).unwrap());
    let took = sim.run_until(secs(5), |sim| sim.agreement().is_ok());
    assert!(took.is_some());
    let updates = |event: &Event| matches!(event, Event::Updated { .. });
    assert!(nodes.iter().all(|node| count(&sim, *node, updates) == 1));
}

#[test]
fn a_broadcast_reaches_every_node_through_loss() {
    let (mut sim, nodes) = cluster(11, 50, |_, config| {
        config.secret_keys = vec![memberlist_proto::Key::new(&[3; 16]).unwrap()];
        config.label = "blue".into();
    });
    let mut link = sim.network().link(nodes[0], nodes[1]);
    link.loss = 0.1;
    link.duplication = 0.05;
    sim.network().set_default(link);
    sim.with(nodes[7], |node, now| {
        node.broadcast(now, b"hello", BroadcastKind::Unique, Priority::Normal).unwrap()
    });
    sim.run_for(secs(5));
    let heard =
        |event: &Event| matches!(event, Event::Message { payload, .. } if payload == "hello");
    let reached = nodes.iter().filter(|node| count(&sim, **node, heard) > 0).count();
    assert!(reached >= 49, "{reached}");
}

#[test]
fn a_reliable_message_arrives_once() {
    let (mut sim, nodes) = cluster(13, 3, plain);
    let message = vec![5; 300_000];
    let target = Target::Member("n2".into());
    sim.operate(nodes[0], |node, now| node.send_reliable(now, target, &message).unwrap());
    sim.run_for(secs(2));
    let heard =
        |event: &Event| matches!(event, Event::Message { payload, .. } if *payload == message);
    assert_eq!(count(&sim, nodes[2], heard), 1);
}

#[test]
fn a_restart_takes_its_name_back_at_the_same_address() {
    for change in [plain, as_go] {
        let (mut sim, nodes) = cluster(15, 6, change);
        sim.crash(nodes[1]);
        sim.run_for(secs(2));
        sim.restart(nodes[1], false);
        sim.join(nodes[1], nodes[0]);
        sim.run_for(secs(20));
        assert_eq!(sim.agreement(), Ok(()));
    }
}

#[test]
fn a_restart_at_a_new_address_waits_for_its_name_unless_it_left() {
    let (mut sim, nodes) = cluster(17, 5, plain);
    sim.crash(nodes[1]);
    sim.restart(nodes[1], true);
    sim.join(nodes[1], nodes[0]);
    sim.run_for(secs(5));
    assert!(count(&sim, nodes[0], |event| matches!(event, Event::Conflict { .. })) > 0);
    assert_ne!(sim.agreement(), Ok(()));

    sim.operate(nodes[2], |node, now| node.leave(now, secs(5)));
    sim.run_for(secs(3));
    sim.crash(nodes[2]);
    sim.restart(nodes[2], true);
    sim.join(nodes[2], nodes[0]);
    sim.run_for(secs(3));
    assert_eq!(state(&sim, nodes[3], nodes[2]), Some(State::Alive), "it had left");
}

#[test]
fn a_dead_name_can_be_reclaimed_from_a_new_address_in_time() {
    let (mut sim, nodes) = cluster(19, 5, |_, config| config.dead_node_reclaim_time = secs(1));
    sim.crash(nodes[1]);
    let dead = sim.run_until(secs(60), |sim| {
        nodes
            .iter()
            .all(|node| *node == nodes[1] || state(sim, *node, nodes[1]) == Some(State::Dead))
    });
    assert!(dead.is_some());
    sim.run_for(secs(2));
    sim.restart(nodes[1], true);
    sim.join(nodes[1], nodes[0]);
    sim.run_for(secs(5));
    assert_eq!(sim.agreement(), Ok(()));
}
