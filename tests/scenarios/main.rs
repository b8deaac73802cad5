//! Whole clusters in virtual time, each scenario under the simulator's laws.

mod announcements;
mod churn;
mod dissemination;
mod failure;
mod healing;
mod labels;
mod leaves;
mod loss;
mod membership;
mod mistakes;
mod zones;

use std::time::Duration;

use memberlist_proto::Differences;
use memberlist_sim::{Config, Event, NodeId, Sim, Spread, State};

pub(crate) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A cluster of `size` nodes that all know each other.
pub(crate) fn cluster(
    seed: u64,
    size: usize,
    change: impl Fn(usize, &mut Config),
) -> (Sim, Vec<NodeId>) {
    let mut sim = Sim::new(seed);
    sim.check_every(size as u64);
    let nodes = grow(&mut sim, size, change);
    settle(&mut sim);
    (sim, nodes)
}

/// Waits until all agree. What gossip alone has missed, which is rare, arrives with the next full
/// state exchange.
pub(crate) fn settle(sim: &mut Sim) {
    let agreed = sim.run_until(secs(120), |sim| sim.agreement().is_ok());
    assert!(agreed.is_some(), "{:?}", sim.agreement());
    sim.run_for(secs(1));
}

pub(crate) fn grow(sim: &mut Sim, size: usize, change: impl Fn(usize, &mut Config)) -> Vec<NodeId> {
    let nodes: Vec<NodeId> = (0..size)
        .map(|index| {
            let mut config = Config::lan(format!("n{index}").as_str());
            change(index, &mut config);
            sim.start_with(config, Spread::default())
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

/// The state in which `observer` sees `subject`.
pub(crate) fn state(sim: &Sim, observer: NodeId, subject: NodeId) -> Option<State> {
    let name = format!("n{}", index(subject));
    sim.node(observer).member(&name.as_str().into()).map(|node| node.state())
}

/// The number that a node of `grow` has in its name.
pub(crate) fn index(id: NodeId) -> usize {
    id.index()
}

/// The number of events of a node for which `wanted` holds.
pub(crate) fn count(sim: &Sim, id: NodeId, wanted: impl Fn(&Event) -> bool) -> usize {
    sim.events(id).iter().filter(|(_, event)| wanted(event)).count()
}
