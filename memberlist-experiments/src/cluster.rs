//! The clusters that experiments are made with.

use std::time::Duration;

use memberlist_proto::{Config, Differences, Event, Instant, Node, NodeName};
use memberlist_sim::{App, Fault, NodeId, Silent, Sim};

/// The change of the configuration that distinguishes a cell of a grid.
pub(crate) type Change<'a> = &'a (dyn Fn(&mut Config) + Sync);

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) const fn millis(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Running nodes and the network between them. Laws are not checked, because that would take time.
pub(crate) struct Cluster {
    pub(crate) sim: Sim,
    pub(crate) nodes: Vec<NodeId>,
}

impl Cluster {
    /// Starts nodes that all know each other without having joined. They are started one after
    /// another within the time `within`, so that nodes without a random phase do not act in step.
    pub(crate) fn warm(seed: u64, size: usize, within: Duration, change: Change<'_>) -> Self {
        Self::warm_with(seed, size, within, change, |_| Silent)
    }

    /// Like [`warm`](Self::warm), with an application on each node.
    pub(crate) fn warm_with<A: App + 'static>(
        seed: u64,
        size: usize,
        within: Duration,
        change: Change<'_>,
        app: impl Fn(usize) -> A,
    ) -> Self {
        let mut cluster = Self::empty(seed);
        let step = within / u32::try_from(size).unwrap_or(u32::MAX);
        for index in 0..size {
            cluster.start(change, app(index));
            cluster.sim.run_for(step);
        }
        let known: Vec<Node> =
            cluster.nodes.iter().map(|id| cluster.sim.node(*id).local()).collect();
        for id in cluster.nodes.clone() {
            cluster.sim.with(id, |node, now| node.restore(now, known.iter().cloned()));
        }
        cluster
    }

    /// A cluster without nodes.
    pub(crate) fn empty(seed: u64) -> Self {
        let mut sim = Sim::new(seed);
        sim.ignore_laws();
        Self { sim, nodes: Vec::new() }
    }

    /// Starts one more node, which knows no other.
    pub(crate) fn start(&mut self, change: Change<'_>, app: impl App + 'static) -> NodeId {
        let name = NodeName::from(format!("n{}", self.nodes.len()).as_str());
        let mut config = Config::lan(name);
        change(&mut config);
        let id = self.sim.start_with(config, app);
        self.nodes.push(id);
        id
    }

    /// The departures that a node has reported since `since`: the time of each, and the node that
    /// departed.
    pub(crate) fn departures(
        &self,
        observer: NodeId,
        since: Instant,
    ) -> impl Iterator<Item = (Instant, NodeId)> {
        self.reported(observer, since, |event| match event {
            Event::Departed { node, .. } => Some(node),
            _ => None,
        })
    }

    /// The suspicions that a node has reported since `since`: the time of each, and the suspect.
    pub(crate) fn suspicions(
        &self,
        observer: NodeId,
        since: Instant,
    ) -> impl Iterator<Item = (Instant, NodeId)> {
        self.reported(observer, since, |event| match event {
            Event::Suspected { node, .. } => Some(node),
            _ => None,
        })
    }

    /// The events that a node has reported since `since` and for which `about` returns a node.
    fn reported(
        &self,
        observer: NodeId,
        since: Instant,
        about: impl Fn(&Event) -> Option<&Node>,
    ) -> impl Iterator<Item = (Instant, NodeId)> {
        let events = self.sim.events(observer).iter().filter(move |(at, _)| *at >= since);
        events.filter_map(move |(at, event)| Some((*at, self.id(about(event)?))))
    }

    /// The node that has this record. Nodes are named by their numbers.
    pub(crate) fn id(&self, node: &Node) -> NodeId {
        let name = node.name().to_owned_name().to_string();
        let number = name.strip_prefix('n').and_then(|number| number.parse::<usize>().ok());
        self.nodes[number.expect("nodes are called by their numbers")]
    }

    /// The value of a counter, summed over all nodes.
    pub(crate) fn count(&self, what: &str) -> u64 {
        self.sim.counters().get(what).copied().unwrap_or_default()
    }
}

/// Gives some nodes the same fault, or ends their faults with `None`.
pub(crate) fn set_all(cluster: &mut Cluster, nodes: &[NodeId], fault: Option<Fault>) {
    for id in nodes {
        cluster.sim.set_fault(*id, fault);
    }
}

/// The seconds between two times.
pub(crate) fn between(from: Instant, to: Instant) -> f64 {
    to.saturating_duration_since(from).as_secs_f64()
}

/// Replaces a configuration except for its name.
pub(crate) fn replace(config: &mut Config, other: &Config) {
    let name = config.name.clone();
    *config = other.clone().with(|it| it.name = name);
}

/// Makes a node behave as the Go library does.
pub(crate) fn as_go(config: &mut Config) {
    config.differences = Differences::none();
}
