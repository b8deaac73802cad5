//! Whole clusters in virtual time, each scenario under the simulator's laws.

mod churn;
mod failure;
mod membership;
mod mistakes;
mod swarm;

use std::time::Duration;

use memberlist_sim::{Config, Differences, Event, NodeId, Sim, State};

pub(crate) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A cluster of `size` that knows itself.
pub(crate) fn cluster(
    seed: u64,
    size: usize,
    change: impl Fn(usize, &mut Config),
) -> (Sim, Vec<NodeId>) {
    let mut sim = Sim::new(seed);
    let nodes = grow(&mut sim, size, change);
    sim.run_for(secs(10));
    assert_eq!(sim.agreement(), Ok(()));
    (sim, nodes)
}

pub(crate) fn grow(sim: &mut Sim, size: usize, change: impl Fn(usize, &mut Config)) -> Vec<NodeId> {
    let nodes: Vec<NodeId> = (0..size)
        .map(|index| {
            let mut config = Config::lan(format!("n{index}").as_str());
            change(index, &mut config);
            sim.start(config)
        })
        .collect();
    for node in &nodes[1..] {
        sim.join(*node, nodes[0]);
    }
    nodes
}

pub(crate) fn plain(_: usize, _: &mut Config) {}

pub(crate) fn as_go(_: usize, config: &mut Config) {
    config.differences = Differences::none();
}

/// How `observer` holds `subject`.
pub(crate) fn state(sim: &Sim, observer: NodeId, subject: NodeId) -> Option<State> {
    let name = format!("n{}", index(subject));
    sim.node(observer).member(&name.as_str().into()).map(|node| node.state())
}

/// The number that a node of `grow` has in its name.
pub(crate) fn index(id: NodeId) -> usize {
    id.index()
}

/// How many events of a node are as wanted.
pub(crate) fn count(sim: &Sim, id: NodeId, wanted: impl Fn(&Event) -> bool) -> usize {
    sim.events(id).iter().filter(|(_, event)| wanted(event)).count()
}
