use memberlist_proto::Key;
use memberlist_sim::{Config, Event, Outcome, Sim};

use super::{cluster, count, plain, secs};

fn key(byte: u8) -> Key {
    Key::new(&[byte; 32]).unwrap()
}

fn failed_join(sim: &Sim, id: memberlist_sim::NodeId) -> String {
    let failure = sim.events(id).iter().rev().find_map(|(_, event)| match event {
        Event::Finished { outcome: Outcome::Join(Ok(report)), .. } => {
            report.failed.first().map(|failure| failure.error.to_string())
        }
        _ => None,
    });
    failure.expect("the join failed")
}

#[test]
fn another_key_another_label_and_other_versions_stay_outside() {
    type Change = fn(&mut Config);
    let changes: [(Change, &str); 3] = [
        (|config| config.secret_keys = vec![key(2)], "decrypt"),
        (|config| config.label = "other".into(), "label"),
        (
            |config| {
                config.delegate_protocol_min = 7;
                config.delegate_protocol_max = 7;
                config.delegate_protocol_version = 7;
            },
            "delegate protocol version",
        ),
    ];
    for (change, text) in changes {
        let mut sim = Sim::new(41);
        sim.tolerate_errors();
        let nodes = super::grow(&mut sim, 4, |_, config| config.secret_keys = vec![key(1)]);
        sim.run_for(secs(5));
        let mut config = Config::lan("stranger");
        config.secret_keys = vec![key(1)];
        change(&mut config);
        let stranger = sim.start(config);
        sim.join(stranger, nodes[0]);
        sim.run_for(secs(60));
        let error = failed_join(&sim, stranger);
        assert!(error.contains(text), "{error}");
        assert_eq!(sim.node(stranger).num_members(), 1);
        assert!(nodes.iter().all(|node| sim.node(*node).num_members() == 4), "no harm done");
    }
}

#[test]
fn keys_rotate_and_encryption_begins_while_traffic_flows() {
    let (mut sim, nodes) = cluster(43, 6, plain);
    let each =
        |sim: &mut Sim, f: &dyn Fn(&mut memberlist_proto::Memberlist, memberlist_sim::Instant)| {
            for node in &nodes {
                sim.with(*node, |node, now| f(node, now));
                sim.run_for(secs(1));
            }
        };
    each(&mut sim, &|node, now| node.set_verify(now, false, false));
    each(&mut sim, &|node, now| node.add_key(now, key(1)).expect("room for encryption"));
    each(&mut sim, &|node, now| node.set_verify(now, false, true));
    each(&mut sim, &|node, now| node.set_verify(now, true, true));
    sim.run_for(secs(40));
    each(&mut sim, &|node, now| node.add_key(now, key(2)).expect("room for encryption"));
    each(&mut sim, &|node, now| node.use_key(now, &key(2)).unwrap());
    each(&mut sim, &|node, now| node.remove_key(now, &key(1)).unwrap());
    sim.run_for(secs(60));
    assert_eq!(sim.agreement(), Ok(()));
    let suspected = |event: &Event| matches!(event, Event::Suspected { .. });
    assert!(nodes.iter().all(|node| count(&sim, *node, suspected) == 0));
}

#[test]
fn one_name_at_two_addresses_is_reported_and_the_first_keeps_it() {
    let (mut sim, nodes) = cluster(45, 4, plain);
    let twin = sim.start(Config::lan("n2"));
    sim.join(twin, nodes[0]);
    sim.run_for(secs(20));
    assert!(count(&sim, nodes[0], |event| matches!(event, Event::Conflict { .. })) > 0);
    let name = "n2".into();
    let holder = sim.node(nodes[0]).member(&name).and_then(|node| node.address());
    assert_eq!(holder, Some(sim.address(nodes[2])));
}
