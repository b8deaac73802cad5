//! Three zones in the simulator, and the traffic between them.
//!
//! `cargo run --release -p memberlist-tests --example zones` prints the figures of `docs/zones.md`.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use memberlist_proto::wire::Scratch;
use memberlist_proto::wire::message::Message;
use memberlist_proto::wire::packet::{PacketLimits, Rules, Visit, open};
use memberlist_sim::{BroadcastKind, Config, Event, NodeId, Priority, Sent, Sim, Spread, ZoneRole};

/// The size of a cluster of three zones.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// The number of nodes in each zone.
    pub nodes: usize,
    /// How many of them are bridges; `None` for nodes that know of no zones.
    pub bridges: Option<usize>,
}

/// A running cluster of three zones.
pub struct Zoned {
    /// The simulation.
    pub sim: Sim,
    /// The nodes of each zone, its bridges first.
    pub zones: Vec<Vec<NodeId>>,
    traffic: Rc<Cell<Traffic>>,
}

/// The bytes of gossip and full state exchanges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Between nodes of any zones.
    pub all: u64,
    /// Between nodes of different zones.
    pub crossing: u64,
}

impl Traffic {
    /// The share that crosses zones, from 0 to 1.
    pub fn share(&self) -> f64 {
        self.crossing as f64 / self.all.max(1) as f64
    }
}

/// The pause between two checks: checking many nodes after every step would take most of the time.
const STEP: Duration = Duration::from_millis(10);

/// Runs until a condition holds, which is checked after every `step`; returns how long that took,
/// or `None` if it took longer than `within`.
fn wait(
    sim: &mut Sim,
    within: Duration,
    step: Duration,
    mut so: impl FnMut(&Sim) -> bool,
) -> Option<Duration> {
    let begun = sim.now();
    while !so(sim) {
        if sim.now() > begun + within {
            return None;
        }
        sim.run_for(step);
    }
    Some(sim.now().saturating_duration_since(begun))
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

impl Layout {
    /// Starts a cluster of this size, and runs it until all nodes know each other.
    ///
    /// # Panics
    ///
    /// They do not within ten minutes.
    pub fn start(self, seed: u64, change: &dyn Fn(&mut Config)) -> Zoned {
        let mut sim = Sim::new(seed);
        if self.nodes > 30 {
            sim.ignore_laws();
        }
        sim.check_every(100);
        let zones: Vec<Vec<NodeId>> = ["a", "b", "c"]
            .into_iter()
            .map(|zone| (0..self.nodes).map(|at| self.node(&mut sim, zone, at, change)).collect())
            .collect();
        let traffic = Rc::new(Cell::new(Traffic::default()));
        let (sums, nodes) = (Rc::clone(&traffic), self.nodes);
        sim.watch(move |from, to, sent| {
            let bytes = match sent {
                Sent::Packet(packet) if is_probe(packet) => 0,
                Sent::Packet(bytes) | Sent::Stream(bytes) => bytes.len() as u64,
            };
            let mut sum = sums.get();
            sum.all += bytes;
            // Nodes are numbered as they are started.
            if from.index() / nodes != to.index() / nodes {
                sum.crossing += bytes;
            }
            sums.set(sum);
        });
        let first = zones[0][0];
        for node in zones.iter().flatten().skip(1) {
            sim.join(*node, first);
        }
        let mut cluster = Zoned { sim, zones, traffic };
        cluster.agree(secs(600));
        cluster
    }

    fn node(self, sim: &mut Sim, zone: &str, at: usize, change: &dyn Fn(&mut Config)) -> NodeId {
        let mut config = Config::lan(format!("{zone}{at}").as_str());
        if let Some(bridges) = self.bridges {
            config.zone = zone.to_owned().into();
            config.role = if at < bridges { ZoneRole::Bridge } else { ZoneRole::Member };
        }
        change(&mut config);
        sim.start_with(config, Spread::default())
    }
}

impl Zoned {
    /// All nodes.
    pub fn all(&self) -> Vec<NodeId> {
        self.zones.concat()
    }

    /// Runs until all running nodes agree; returns how long that took.
    ///
    /// # Panics
    ///
    /// They do not within this time.
    pub fn agree(&mut self, within: Duration) -> Duration {
        let took = wait(&mut self.sim, within, STEP * 10, |sim| sim.agreement().is_ok());
        took.unwrap_or_else(|| panic!("{:?}", self.sim.agreement()))
    }

    /// The traffic since the last call.
    pub fn traffic(&mut self) -> Traffic {
        self.traffic.take()
    }

    /// Crashes a node; returns how long it takes until all running nodes consider it dead.
    ///
    /// # Panics
    ///
    /// They do not within five minutes.
    pub fn kill(&mut self, node: NodeId) -> Duration {
        self.sim.crash(node);
        self.agree(secs(300))
    }

    /// Broadcasts from a node, while each node passes the broadcast on; returns how long it takes
    /// until all running nodes have it.
    ///
    /// # Panics
    ///
    /// They do not within half a minute.
    pub fn broadcast(&mut self, from: NodeId, payload: &[u8]) -> Duration {
        self.sim.with(from, |node, now| {
            let sent = node.broadcast(now, payload, BroadcastKind::Unique, Priority::Normal);
            sent.expect("it fits into a packet");
        });
        let mut missing = self.all();
        missing.retain(|it| *it != from && self.sim.runs(*it));
        let has = |sim: &Sim, node: NodeId| {
            sim.events(node).iter().rev().any(|(_, event)| {
                matches!(event, Event::Message { payload: it, .. } if it[..] == *payload)
            })
        };
        let took = wait(&mut self.sim, secs(30), STEP, |sim| {
            missing.retain(|it| !has(sim, *it));
            missing.is_empty()
        });
        took.expect("a broadcast reaches all")
    }
}

/// Whether a packet is part of a probe: probes disregard zones.
fn is_probe(packet: &[u8]) -> bool {
    struct Seen(bool);
    impl Visit for Seen {
        fn message(&mut self, message: Message<'_>, _: &[u8]) {
            self.0 |= matches!(
                message,
                Message::Ping(_) | Message::IndirectPing(_) | Message::Ack(_) | Message::Nack(_)
            );
        }
    }
    let rules = Rules {
        label: b"",
        skip_inbound_label_check: false,
        accept_labels: &[],
        keyring: None,
        verify_incoming: false,
        limits: PacketLimits::default(),
    };
    let mut seen = Seen(false);
    open(packet, &rules, &mut Scratch::new(), &mut seen).expect("a packet of a node");
    seen.0
}
