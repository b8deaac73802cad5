use memberlist_sim::{BroadcastKind, Compression, Event, Link, Priority, State};

use super::{as_go, cluster, count, plain, secs, state};

#[test]
fn a_mass_restart_leaves_no_node_dead() {
    // hashicorp/memberlist#311: nodes that forgot meet nodes that did not.
    let (mut sim, nodes) = cluster(51, 40, plain);
    for node in &nodes[1..] {
        sim.crash(*node);
    }
    sim.run_for(secs(1));
    for node in &nodes[1..] {
        sim.restart(*node, false);
        sim.join(*node, nodes[0]);
    }
    let took = sim.run_until(secs(60), |sim| sim.steps() % 200 == 0 && sim.agreement().is_ok());
    assert!(took.is_some(), "{:?}", sim.agreement());
}

#[test]
fn broadcasts_arrive_while_members_come_and_go() {
    let (mut sim, nodes) = cluster(53, 30, plain);
    let mut sent = 0;
    for round in 0..10 {
        let gone = nodes[20 + round];
        sim.crash(gone);
        let from = nodes[round];
        sim.with(from, |node, now| {
            let text = format!("round {round}");
            node.broadcast(now, text.as_bytes(), BroadcastKind::Unique, Priority::Normal).unwrap();
        });
        sent += 1;
        sim.run_for(secs(3));
        sim.restart(gone, false);
        sim.join(gone, nodes[0]);
        sim.run_for(secs(2));
    }
    sim.run_for(secs(30));
    assert_eq!(sim.agreement(), Ok(()));
    let heard = |event: &Event| matches!(event, Event::Message { .. });
    for (index, node) in nodes[..20].iter().enumerate() {
        // The node that sent one rarely receives it again.
        let own = usize::from(index < 10);
        let unique = distinct(&sim, *node);
        assert!(unique >= sent - own, "node {index}, {} in all", count(&sim, *node, heard));
    }
}

#[test]
fn differing_nodes_live_together() {
    let (mut sim, nodes) = cluster(55, 20, |index, config| match index % 3 {
        0 => as_go(index, config),
        1 => config.compression = Compression::None,
        _ => config.protocol_version = 5,
    });
    sim.network().set_default(Link { loss: 0.02, ..Link::default() });
    sim.crash(nodes[7]);
    sim.crash(nodes[12]);
    sim.run_for(secs(60));
    sim.restart(nodes[7], false);
    sim.join(nodes[7], nodes[1]);
    sim.run_for(secs(60));
    sim.network().calm();
    sim.run_for(secs(30));
    assert_eq!(sim.agreement(), Ok(()));
    assert_eq!(state(&sim, nodes[0], nodes[12]), None);
    assert_eq!(state(&sim, nodes[0], nodes[7]), Some(State::Alive));
}

/// How many different messages a node has heard.
fn distinct(sim: &memberlist_sim::Sim, id: memberlist_sim::NodeId) -> usize {
    let messages = sim.events(id).iter().filter_map(|(_, event)| match event {
        Event::Message { payload, .. } => Some(payload.clone()),
        _ => None,
    });
    messages.collect::<std::collections::BTreeSet<_>>().len()
}
