//! The life of one cluster: a quiet time, a join, a broadcast, a leave and a failure.

use std::collections::BTreeSet;
use std::time::Duration;

use memberlist_proto::{Event, Instant};
use memberlist_sim::{Link, NodeId};

use crate::cluster::{Change, Cluster, between, secs};
use crate::hearer::Hearer;

/// How long a join, a broadcast or a leave may take to reach all members.
const NEWS: Duration = secs(8);
/// How long the detection of a failure may take, in seconds.
const DETECTION: u64 = 300;

/// A cluster and its network.
#[derive(Clone, Copy)]
pub(crate) struct Setting<'a> {
    pub(crate) nodes: usize,
    /// The share of packets that is lost. If there is loss, pings over streams are off: a real
    /// network that loses packets also loses those of streams.
    pub(crate) loss: f64,
    pub(crate) quiet: Duration,
    pub(crate) change: Change<'a>,
}

/// The measurements of one life. Times are in seconds, and infinite for what did not happen in
/// time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Life {
    /// From a kill until the first member declares it dead, and until the last one does.
    pub(crate) first: f64,
    pub(crate) all: f64,
    /// From a join, a broadcast and a leave until every member knows of it.
    pub(crate) join: f64,
    pub(crate) broadcast: f64,
    pub(crate) leave: f64,
    /// Running members that were declared dead in the quiet time, each counted once however many
    /// members report it.
    pub(crate) false_positives: u64,
    /// The packets that all nodes sent in the quiet time, and the bytes of packets and streams.
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    /// The processor time of the quiet time, including the simulator's; it differs from run to run.
    pub(crate) processor: Option<Duration>,
}

impl Setting<'_> {
    pub(crate) fn live(self, seed: u64) -> Life {
        let lossy = self.loss > 0.0;
        let change = |config: &mut memberlist_proto::Config| {
            (self.change)(config);
            config.disable_tcp_pings |= lossy;
        };
        let hearers: Vec<Hearer> = (0..self.nodes).map(|_| Hearer::default()).collect();
        let app = |index: usize| hearers[index].clone();
        let mut cluster = Cluster::warm_with(seed, self.nodes, secs(1), &change, app);
        cluster.sim.network().set_default(Link { loss: self.loss, ..Link::default() });
        // Each node has had its first full state exchange after this time.
        cluster.sim.run_for(secs(5));
        let mut life = Life::default();
        life.quiet(&mut cluster, self.quiet);
        life.join(&mut cluster, &change, seed);
        life.broadcast(&mut cluster, &hearers, seed);
        life.leave(&mut cluster, seed);
        life.kill(&mut cluster, seed);
        life
    }
}

impl Life {
    fn quiet(&mut self, cluster: &mut Cluster, time: Duration) {
        let start = cluster.sim.now();
        let before = traffic(cluster);
        let processor = processor_time();
        cluster.sim.run_for(time);
        self.processor = processor.zip(processor_time()).map(|(from, to)| to.saturating_sub(from));
        let after = traffic(cluster);
        (self.packets, self.bytes) = (after.0 - before.0, after.1 - before.1);
        let mut declared = BTreeSet::new();
        for observer in &cluster.nodes {
            for (_, event) in cluster.sim.events(*observer).iter().filter(|(at, _)| *at >= start) {
                if let Event::Departed { node, .. } = event {
                    declared.insert((cluster.id(node), node.incarnation()));
                }
            }
        }
        self.false_positives = declared.len() as u64;
    }

    fn join(&mut self, cluster: &mut Cluster, change: Change<'_>, seed: u64) {
        let others = cluster.nodes.clone();
        let start = cluster.sim.now();
        let new = cluster.start(change, Hearer::default());
        cluster.sim.join(new, others[seed as usize % others.len()]);
        cluster.sim.run_for(NEWS);
        self.join = last(
            cluster,
            &others,
            start,
            |cluster, event| matches!(event, Event::Joined { node } if cluster.id(node) == new),
        );
    }

    fn broadcast(&mut self, cluster: &mut Cluster, hearers: &[Hearer], seed: u64) {
        let from = (seed as usize * 7 + 1) % hearers.len();
        let start = hearers[from].begin(cluster, from);
        cluster.sim.run_for(NEWS);
        let heard = |it: &Hearer| it.heard().map_or(f64::INFINITY, |at| between(start, at));
        self.broadcast = hearers.iter().map(heard).fold(0.0, f64::max);
    }

    fn leave(&mut self, cluster: &mut Cluster, seed: u64) {
        // The node that joined last stays, so that two remain in the smallest cluster.
        let leaver = cluster.nodes[(seed as usize * 13 + 2) % (cluster.nodes.len() - 1)];
        let start = cluster.sim.now();
        cluster.sim.operate(leaver, |node, now| node.leave(now, secs(5)));
        cluster.sim.run_for(NEWS);
        let others: Vec<NodeId> =
            cluster.nodes.iter().copied().filter(|it| *it != leaver).collect();
        self.leave = last(
            cluster,
            &others,
            start,
            |cluster, event| matches!(event, Event::Departed { node, .. } if cluster.id(node) == leaver),
        );
        cluster.sim.crash(leaver);
    }

    fn kill(&mut self, cluster: &mut Cluster, seed: u64) {
        let running: Vec<NodeId> =
            cluster.nodes.iter().copied().filter(|it| cluster.sim.runs(*it)).collect();
        let killed = running[(seed as usize * 17 + 3) % running.len()];
        let others: Vec<NodeId> = running.into_iter().filter(|it| *it != killed).collect();
        let (name, start) = (cluster.sim.name(killed).clone(), cluster.sim.now());
        cluster.sim.crash(killed);
        for _ in 0..DETECTION {
            cluster.sim.run_for(secs(1));
            let knows = |it: &NodeId| {
                let member = cluster.sim.node(*it).member(&name);
                member.is_none_or(|node| !node.state().is_live())
            };
            if others.iter().all(knows) {
                break;
            }
        }
        let died = |cluster: &Cluster, event: &Event| matches!(event, Event::Departed { node, .. } if cluster.id(node) == killed);
        let times: Vec<f64> = others.iter().map(|it| first(cluster, *it, start, died)).collect();
        self.first = times.iter().copied().fold(f64::INFINITY, f64::min);
        self.all = times.iter().copied().fold(0.0, f64::max);
    }
}

/// How long after `start` a node first reported something, in seconds; infinite if it did not.
fn first(
    cluster: &Cluster,
    observer: NodeId,
    start: Instant,
    wanted: impl Fn(&Cluster, &Event) -> bool,
) -> f64 {
    let mut events = cluster.sim.events(observer).iter().skip_while(|(at, _)| *at < start);
    let found = events.find(|(_, event)| wanted(cluster, event));
    found.map_or(f64::INFINITY, |(at, _)| between(start, *at))
}

/// How long after `start` the last of some nodes reported something, in seconds; infinite if one
/// did not.
fn last(
    cluster: &Cluster,
    observers: &[NodeId],
    start: Instant,
    wanted: impl Fn(&Cluster, &Event) -> bool,
) -> f64 {
    observers.iter().map(|it| first(cluster, *it, start, &wanted)).fold(0.0, f64::max)
}

fn traffic(cluster: &Cluster) -> (u64, u64) {
    let counters = cluster.sim.counters();
    let of = |what: &str| counters.get(what).copied().unwrap_or_default();
    (of("packets_sent"), of("packet_bytes_sent") + of("stream_bytes_sent"))
}

/// The processor time of this thread so far; `None` if the system does not report it.
fn processor_time() -> Option<Duration> {
    #[cfg(unix)]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Some(Duration::new(time.tv_sec.try_into().ok()?, time.tv_nsec.try_into().ok()?))
    }
    #[cfg(not(unix))]
    None
}
