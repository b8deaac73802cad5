//! A running cluster gets a label by rolling restarts, as docs/labels.md says.

use std::time::Duration;

use memberlist_proto::Key;
use memberlist_sim::{Config, Event, NodeId, Outcome, Sim, Spread};

use super::{cluster, count, secs};

/// What a node is configured with in each step: its label, and what it accepts beside that.
const STEPS: [(&str, &[&str]); 3] = [("", &["blue"]), ("blue", &[""]), ("blue", &[])];

fn configured(index: usize, encrypted: bool, step: (&'static str, &[&'static str])) -> Config {
    let mut config = Config::lan(format!("n{index}").as_str());
    if encrypted {
        config.secret_keys = vec![Key::new(&[1; 32]).expect("32 bytes")];
    }
    config.label = step.0.into();
    config.accept_labels = step.1.iter().map(|label| (*label).into()).collect();
    config
}

/// Stops a node and starts it again at its address, with another configuration.
fn restart(sim: &mut Sim, nodes: &mut [NodeId], index: usize, config: Config) {
    let ip = sim.address(nodes[index]).ip();
    sim.crash(nodes[index]);
    sim.run_for(Duration::from_millis(500));
    nodes[index] = sim.start_at(ip, config, Spread::default());
    let seed = nodes[(index + 1) % nodes.len()];
    sim.join(nodes[index], seed);
}

fn agree(sim: &mut Sim, nodes: &[NodeId], limit: Duration) -> bool {
    sim.run_until(limit, |sim| {
        nodes.iter().all(|node| sim.node(*node).num_members() == nodes.len())
            && sim.agreement_among(nodes.iter().copied()).is_ok()
    })
    .is_some()
}

fn departures(sim: &Sim) -> usize {
    let departed = |event: &Event| matches!(event, Event::Departed { .. });
    sim.node_ids().map(|node| count(sim, node, departed)).sum()
}

#[test]
fn a_running_cluster_gets_a_label_in_three_steps() {
    for encrypted in [false, true] {
        let (mut sim, mut nodes) = cluster(71, 5, |_, config| {
            config.secret_keys = configured(0, encrypted, ("", &[])).secret_keys;
        });
        for (number, step) in STEPS.into_iter().enumerate() {
            for index in 0..nodes.len() {
                restart(&mut sim, &mut nodes, index, configured(index, encrypted, step));
                let agreed = agree(&mut sim, &nodes, secs(20));
                assert!(agreed, "step {number}, node {index}, encrypted {encrypted}");
                // Long enough to lose a node that half of the others cannot hear.
                sim.run_for(secs(30));
                assert!(agree(&mut sim, &nodes, secs(5)));
            }
        }
        assert_eq!(departures(&sim), 0, "no node has missed another");
        // Now one without the label stays outside.
        sim.tolerate_errors();
        let stranger = sim.start(configured(9, encrypted, ("", &[])));
        sim.join(stranger, nodes[0]);
        sim.run_for(secs(10));
        assert_eq!(sim.node(stranger).num_members(), 1);
    }
}

/// Without the first step, no other node understands what the restarted one sends: all that is left
/// are the answers on streams that the others open, which carry no label.
#[test]
fn a_label_without_the_first_step_is_not_understood() {
    let (mut sim, mut nodes) = cluster(73, 5, super::plain);
    sim.tolerate_errors();
    restart(&mut sim, &mut nodes, 0, configured(0, false, ("blue", &[""])));
    sim.run_for(secs(20));
    let joined = |event: &Event| {
        let Event::Finished { outcome: Outcome::Join(Ok(report)), .. } = event else {
            return false;
        };
        !report.joined.is_empty()
    };
    assert_eq!(count(&sim, nodes[0], joined), 0);
    let by_stream = |event: &Event| matches!(event, Event::OnlyByStream { .. });
    assert!(nodes[1..].iter().all(|node| count(&sim, *node, by_stream) > 0));
}
