//! Whole clusters, for tests that need more than one node.

use std::time::Duration;

use memberlist_proto::{Config, State};
use memberlist_sim::{NodeId, Sim};

/// Nodes on a perfect network that have joined each other.
pub(crate) fn cluster(size: usize, change: impl Fn(&mut Config)) -> (Sim, Vec<NodeId>) {
    let mut sim = Sim::new(77);
    let nodes: Vec<NodeId> = (0..size)
        .map(|index| {
            let mut config = Config::lan(format!("n{index}").as_str());
            change(&mut config);
            sim.start(config)
        })
        .collect();
    for node in &nodes[1..] {
        sim.join(*node, nodes[0]);
    }
    assert!(sim.run_until(Duration::from_secs(60), |sim| sim.agreement().is_ok()).is_some());
    (sim, nodes)
}

pub(crate) fn sees(sim: &Sim, who: NodeId, whom: NodeId) -> Option<State> {
    sim.node(who).member(sim.name(whom)).map(|node| node.state())
}
