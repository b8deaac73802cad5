//! The simulator: nodes, the network between them, and time.

mod observe;
mod record;
mod run;
mod streams;

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use memberlist_proto::{Config, Event, Identity, Instant, Memberlist, Node, NodeName, OpId, Stats};

use self::record::Recording;
use crate::agenda::Agenda;
use crate::app::{App, Silent};
use crate::chance::Chance;
use crate::network::Network;
use crate::seat::{Fault, NodeId};
use crate::seats::Seats;
use crate::streams::Streams;
use crate::trace::Trace;

type Watch = Box<dyn FnMut(NodeId, NodeId, Sent<'_>)>;

/// What one node sends another.
#[derive(Clone, Copy, Debug)]
pub enum Sent<'a> {
    /// A datagram.
    Packet(&'a [u8]),
    /// Bytes on a stream.
    Stream(&'a [u8]),
}

/// A cluster in virtual time. See the crate's front page.
pub struct Sim {
    seed: u64,
    agenda: Agenda,
    chance: Chance,
    seats: Seats,
    network: Network,
    streams: Streams,
    trace: Trace,
    tolerant: bool,
    lawless: bool,
    /// Nodes keep no log of events.
    forgetful: bool,
    check_every: u64,
    /// What the lives counted that are over.
    past: BTreeMap<&'static str, u64>,
    /// At every how many steps a node is replaced by its checkpoint; 0 for never.
    restore_every: u64,
    /// The identity that was reported last of each member: the nodes that report it share it.
    identities: HashMap<NodeName, Identity>,
    /// Sees what is sent.
    watch: Option<Watch>,
    /// Dropped after the nodes.
    recording: Option<Recording>,
}

impl Sim {
    /// An empty network at the beginning of time.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            agenda: Agenda::new(),
            chance: Chance::new(seed),
            seats: Seats::default(),
            network: Network::default(),
            streams: Streams::default(),
            trace: Trace::new(seed),
            tolerant: false,
            lawless: false,
            forgetful: false,
            check_every: 1,
            past: BTreeMap::new(),
            restore_every: 0,
            identities: HashMap::new(),
            watch: None,
            recording: None,
        }
    }

    /// Expects that nodes are sent what they cannot read, because keys, labels or versions are
    /// mixed on purpose. Otherwise that is a broken law.
    pub fn tolerate_errors(&mut self) {
        self.tolerant = true;
    }

    /// Looks through a node's whole state at every so many steps only, by default at each: for
    /// large clusters, where that takes most of the time. Events and requests are checked always.
    pub fn check_every(&mut self, steps: u64) {
        self.check_every = steps.max(1);
    }

    /// Checks no laws in the nodes that are started from now on: for measurements, in which their
    /// time and memory would count. Each node's laws keep a picture of the whole cluster.
    pub fn ignore_laws(&mut self) {
        self.lawless = true;
    }

    /// Keeps no event of the nodes that are started first from now on: for large clusters, in which each
    /// event of each node would take memory. Applications see them all the same.
    pub fn keep_no_events(&mut self) {
        self.forgetful = true;
    }

    /// Has all seen that nodes send one another from now on, whether or not it arrives.
    pub fn watch(&mut self, watch: impl FnMut(NodeId, NodeId, Sent<'_>) + 'static) {
        self.watch = Some(Box::new(watch));
    }

    /// At every so many steps, puts another node in the place of the one whose step it was, made from
    /// its checkpoint; 0 for never, which is the default. Nothing may happen otherwise than without it.
    pub fn restore_every(&mut self, steps: u64) {
        self.restore_every = steps;
    }

    /// The time.
    pub fn now(&self) -> Instant {
        self.agenda.now()
    }

    /// The network, to be changed at any time.
    pub fn network(&mut self) -> &mut Network {
        &mut self.network
    }

    /// Starts a node at an address of its own, with no application.
    ///
    /// # Panics
    ///
    /// The configuration is not valid.
    pub fn start(&mut self, config: Config) -> NodeId {
        self.start_with(config, Silent)
    }

    /// Starts a node with an application. The configuration's address is set by the simulator, to
    /// one of its family.
    ///
    /// # Panics
    ///
    /// The configuration is not valid.
    pub fn start_with(&mut self, config: Config, app: impl App + 'static) -> NodeId {
        let id = self.seats.add(config, Box::new(app), self.forgetful);
        self.boot(id, self.seats[id].place(0));
        id
    }

    /// Starts a node at an address that a node had which does not run any more.
    ///
    /// # Panics
    ///
    /// The configuration is not valid, or a node runs at that address and port.
    pub fn start_at(&mut self, ip: IpAddr, config: Config, app: impl App + 'static) -> NodeId {
        let id = self.seats.add(config, Box::new(app), self.forgetful);
        self.boot(id, ip);
        id
    }

    /// Stops a node without an announcement, as a power failure does.
    pub fn crash(&mut self, id: NodeId) {
        self.seats.vacate(id);
        if let Some(stats) = self.seats[id].crash() {
            add(&mut self.past, &stats);
        }
        self.trace.step(self.agenda.now(), id.index(), "crash", b"");
        self.reset_streams(id);
    }

    /// Starts a crashed node again, with empty memory: at the address that it had, or at one that
    /// no node has had.
    ///
    /// # Panics
    ///
    /// The node runs, or another has its address.
    pub fn restart(&mut self, id: NodeId, new_address: bool) {
        let seat = &self.seats[id];
        let ip = if new_address { seat.place(seat.life() + 1) } else { self.address(id).ip() };
        self.boot(id, ip);
    }

    /// Replaces the configuration of a node that does not run, for its next start; what it says of
    /// the address does not count.
    ///
    /// # Panics
    ///
    /// The node runs.
    pub fn configure(&mut self, id: NodeId, config: Config) {
        assert!(!self.runs(id), "{} runs", self.name(id));
        self.seats[id].configure(config);
    }

    /// Starts a crashed node again, with empty memory, at an address that another node had.
    ///
    /// # Panics
    ///
    /// The node runs, or another runs at that address and port.
    pub fn restart_at(&mut self, id: NodeId, ip: IpAddr) {
        self.boot(id, ip);
    }

    /// The node that runs where another would be that has this address: they cannot both.
    pub fn in_the_way(&self, id: NodeId, ip: IpAddr) -> Option<NodeId> {
        self.seats.in_the_way(id, ip)
    }

    fn boot(&mut self, id: NodeId, ip: IpAddr) {
        assert!(!self.runs(id), "{} runs", self.name(id));
        let (seed, now) = (self.chance.seed(), self.agenda.now());
        self.seats[id].boot(now, ip, seed, self.lawless);
        self.record_life(id, seed);
        self.seats.settle(id);
        self.trace.step(now, id.index(), "start", b"");
        self.drain(id);
    }

    /// Makes something be wrong with a node, or ends with `None` what was wrong: what was held
    /// back then arrives at once.
    pub fn set_fault(&mut self, id: NodeId, fault: Option<Fault>) {
        self.seats[id].set_fault(fault);
        self.trace.step(self.agenda.now(), id.index(), "fault", &[u8::from(fault.is_some())]);
        if fault.is_some() {
            return;
        }
        let (sent, received) = self.seats[id].release();
        for (to, payload) in sent {
            self.send(id, to, payload);
        }
        for what in received {
            self.happen((id, None, what));
        }
        self.wake(id);
    }

    /// Puts a node's clock forward, by a jump or, before anything happens, for good. A driver
    /// keeps clocks that go back from its node.
    pub fn jump(&mut self, id: NodeId, by: Duration) {
        self.seats[id].jump(by);
        self.wake(id);
    }

    /// The time on a node's own clock.
    pub fn clock(&self, id: NodeId) -> Instant {
        self.seats[id].clock(self.agenda.now())
    }

    /// A node that runs.
    ///
    /// # Panics
    ///
    /// It has crashed.
    pub fn node(&self, id: NodeId) -> &Memberlist {
        self.seats[id].node().expect("the node runs")
    }

    /// Every node that was ever started, in the order of the first starts.
    pub fn node_ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        self.seats.ids()
    }

    /// The name that a node announces.
    pub fn name(&self, id: NodeId) -> &NodeName {
        self.seats[id].name()
    }

    /// Whether a node runs.
    pub fn runs(&self, id: NodeId) -> bool {
        self.seats[id].node().is_some()
    }

    /// The address that a node announces.
    pub fn address(&self, id: NodeId) -> SocketAddr {
        self.seats[id].address()
    }

    /// Every event of a node since its first start, with its time.
    pub fn events(&self, id: NodeId) -> &[(Instant, Event)] {
        self.seats[id].log()
    }

    /// The same, for each life of the node.
    pub fn lives(&self, id: NodeId) -> impl Iterator<Item = &[(Instant, Event)]> {
        self.seats[id].lives()
    }

    /// The configuration with which a node was started last.
    pub fn config(&self, id: NodeId) -> &Config {
        self.seats[id].config()
    }

    /// Every node as one of them knows it.
    pub fn view(&self, id: NodeId) -> Vec<Node> {
        self.node(id).nodes().collect()
    }

    /// Calls any operation of a node.
    pub fn with<R>(&mut self, id: NodeId, f: impl FnOnce(&mut Memberlist, Instant) -> R) -> R {
        let now = self.clock(id);
        let node = self.seats[id].node_mut().expect("the node runs");
        let result = f(node, now);
        self.carry_out_all(id);
        self.seats[id].called(now);
        self.rest(id);
        result
    }

    /// Begins to join a node to another.
    pub fn join(&mut self, id: NodeId, other: NodeId) -> OpId {
        let peer = self.address(other).into();
        self.operate(id, |node, now| node.join(now, &[peer]))
    }

    /// Begins an operation that has to end.
    pub fn operate(
        &mut self,
        id: NodeId,
        f: impl FnOnce(&mut Memberlist, Instant) -> OpId,
    ) -> OpId {
        let Ok(op) = self.try_operate(id, |node, now| Ok::<_, Infallible>(f(node, now)));
        op
    }

    /// Begins an operation that has to end, if it can be begun.
    ///
    /// # Errors
    ///
    /// Those of `f`.
    pub fn try_operate<E>(
        &mut self,
        id: NodeId,
        f: impl FnOnce(&mut Memberlist, Instant) -> Result<OpId, E>,
    ) -> Result<OpId, E> {
        let now = self.clock(id);
        let op = f(self.seats[id].node_mut().expect("the node runs"), now);
        if let Ok(op) = &op {
            let result = self.seats[id].begun(*op);
            self.judge(id, result);
        }
        self.drain(id);
        op
    }

    /// Lets time pass.
    pub fn run_for(&mut self, time: Duration) {
        let end = self.now() + time;
        while let Some(next) = self.agenda.next(end) {
            self.happen(next);
        }
    }

    /// Lets time pass until something is so, looked for after every step, but no longer than
    /// `limit`; how long it took.
    pub fn run_until(
        &mut self,
        limit: Duration,
        mut wanted: impl FnMut(&Self) -> bool,
    ) -> Option<Duration> {
        let (begin, end) = (self.now(), self.now() + limit);
        loop {
            if wanted(self) {
                return Some(self.now().saturating_duration_since(begin));
            }
            let next = self.agenda.next(end)?;
            self.happen(next);
        }
    }
}

fn add(sums: &mut BTreeMap<&'static str, u64>, stats: &Stats) {
    for (what, figure) in stats.counters.iter().chain(stats.decisions.iter()) {
        *sums.entry(what).or_default() += figure;
    }
}

impl std::fmt::Debug for Sim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sim")
            .field("seed", &self.seed)
            .field("now", &self.now())
            .field("nodes", &self.seats.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
