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

/// What one node sends to another, as [`Sim::watch`] shows it.
#[derive(Clone, Copy, Debug)]
pub enum Sent<'a> {
    /// A datagram.
    Packet(&'a [u8]),
    /// Bytes on a stream.
    Stream(&'a [u8]),
}

/// A cluster in virtual time: nodes, the network between them, and a clock. See the
/// [crate](crate)'s front page.
///
/// The method that takes a step in which a node breaks a [law](crate::laws) panics, with the seed.
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
    /// What the lives that are over have counted.
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

    /// Accepts from now on that nodes receive packets and streams that they cannot read, because
    /// keys, labels or versions are mixed on purpose. Without this, it panics like a broken law.
    pub fn tolerate_errors(&mut self) {
        self.tolerant = true;
    }

    /// Checks a node's whole state, and the packets that it sends, only at every `steps`-th step;
    /// by default at each. Meant for large clusters, where that takes most of the time. Events,
    /// streams and requests are always checked.
    pub fn check_every(&mut self, steps: u64) {
        self.check_every = steps.max(1);
    }

    /// Checks no laws for the nodes that are started from now on: for measurements of time or
    /// memory. The laws of each node keep a picture of the whole cluster.
    pub fn ignore_laws(&mut self) {
        self.lawless = true;
    }

    /// Keeps no log of events for the nodes that are started for the first time from now on: for
    /// large clusters, in which the logs would take much memory. Applications still see every
    /// event.
    pub fn keep_no_events(&mut self) {
        self.forgetful = true;
    }

    /// Calls `watch` with the sender, the receiver and the bytes of everything that one node sends
    /// to another from now on, including what the network then loses. It does not see packets to an
    /// address where no node runs, from a node that is unplugged or mute, or to a deaf one. It
    /// replaces any watch set before.
    pub fn watch(&mut self, watch: impl FnMut(NodeId, NodeId, Sent<'_>) + 'static) {
        self.watch = Some(Box::new(watch));
    }

    /// After every `steps`-th step, replaces the node that took the step with one restored from its
    /// checkpoint; 0, the default, for never. The run must be the same as without it, and a node
    /// whose checkpoint changes thereby breaks the law `checkpoint`.
    pub fn restore_every(&mut self, steps: u64) {
        self.restore_every = steps;
    }

    /// The virtual time.
    pub fn now(&self) -> Instant {
        self.agenda.now()
    }

    /// The network, which may be changed at any time.
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

    /// Starts a node with an application. The simulator replaces the address in the configuration
    /// with a free one of the same family (IPv4 or IPv6); the port stays.
    ///
    /// # Panics
    ///
    /// The configuration is not valid.
    pub fn start_with(&mut self, config: Config, app: impl App + 'static) -> NodeId {
        let id = self.seats.add(config, Box::new(app), self.forgetful);
        self.boot(id, self.seats[id].place(0));
        id
    }

    /// Starts a new node with an application at a given address, such as that of a node that no
    /// longer runs.
    ///
    /// # Panics
    ///
    /// The configuration is not valid, or a node runs at that address and port.
    pub fn start_at(&mut self, ip: IpAddr, config: Config, app: impl App + 'static) -> NodeId {
        let id = self.seats.add(config, Box::new(app), self.forgetful);
        self.boot(id, ip);
        id
    }

    /// Stops a node without an announcement, as a killed process does. Its open streams are reset.
    pub fn crash(&mut self, id: NodeId) {
        self.seats.vacate(id);
        if let Some(stats) = self.seats[id].crash() {
            add(&mut self.past, &stats);
        }
        self.trace.step(self.agenda.now(), id.index(), "crash", b"");
        self.reset_streams(id);
    }

    /// Starts a crashed node again, with empty memory: at the address that it had, or, with
    /// `new_address`, at one that no node has had.
    ///
    /// # Panics
    ///
    /// The node runs, or another has its address.
    pub fn restart(&mut self, id: NodeId, new_address: bool) {
        let seat = &self.seats[id];
        let ip = if new_address { seat.place(seat.life() + 1) } else { self.address(id).ip() };
        self.boot(id, ip);
    }

    /// Replaces the configuration of a node that does not run, for its next start. Its address and
    /// port are ignored: the node keeps those that it has.
    ///
    /// # Panics
    ///
    /// The node runs.
    pub fn configure(&mut self, id: NodeId, config: Config) {
        assert!(!self.runs(id), "{} runs", self.name(id));
        self.seats[id].configure(config);
    }

    /// Starts a crashed node again, with empty memory, at a given address, such as that of another
    /// node that no longer runs.
    ///
    /// # Panics
    ///
    /// The node runs, or another runs at that address and port.
    pub fn restart_at(&mut self, id: NodeId, ip: IpAddr) {
        self.boot(id, ip);
    }

    /// The running node that prevents the node `id` from starting at the address `ip`, because it
    /// has that address and the same port.
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

    /// Gives a node a fault, in place of any that it has, or ends its fault with `None`: what
    /// waited for the node is then delivered at once, and what it sent while held is sent.
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

    /// Moves a node's clock forward by `by`. Before anything happens, this makes it a clock that is
    /// permanently ahead. Clocks cannot go back: a driver hides that from its node.
    pub fn jump(&mut self, id: NodeId, by: Duration) {
        self.seats[id].jump(by);
        self.wake(id);
    }

    /// The time on a node's own clock.
    pub fn clock(&self, id: NodeId) -> Instant {
        self.seats[id].clock(self.agenda.now())
    }

    /// The protocol core of a running node.
    ///
    /// # Panics
    ///
    /// The node does not run.
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

    /// Every event of a node since its first start, with its time on the simulator's clock; empty
    /// after [`keep_no_events`](Self::keep_no_events).
    pub fn events(&self, id: NodeId) -> &[(Instant, Event)] {
        self.seats[id].log()
    }

    /// The events of each life of a node, from its first start on; a restart begins a new life.
    pub fn lives(&self, id: NodeId) -> impl Iterator<Item = &[(Instant, Event)]> {
        self.seats[id].lives()
    }

    /// The configuration with which a node was last started, or the one [set](Self::configure) for
    /// its next start.
    pub fn config(&self, id: NodeId) -> &Config {
        self.seats[id].config()
    }

    /// Every node that the node `id` knows, in any state, in no particular order.
    ///
    /// # Panics
    ///
    /// The node does not run.
    pub fn view(&self, id: NodeId) -> Vec<Node> {
        self.node(id).nodes().collect()
    }

    /// Calls any method of a node, with the time on its clock, and carries out what follows. Use
    /// [`operate`](Self::operate) for an operation: the laws then check that it ends.
    ///
    /// # Panics
    ///
    /// The node does not run.
    pub fn with<R>(&mut self, id: NodeId, f: impl FnOnce(&mut Memberlist, Instant) -> R) -> R {
        let now = self.clock(id);
        let node = self.seats[id].node_mut().expect("the node runs");
        let result = f(node, now);
        self.carry_out_all(id);
        self.seats[id].called(now);
        self.rest(id);
        result
    }

    /// Makes a node begin to join another, at the address that that one announces.
    ///
    /// # Panics
    ///
    /// The node that is to join does not run.
    pub fn join(&mut self, id: NodeId, other: NodeId) -> OpId {
        let peer = self.address(other).into();
        self.operate(id, |node, now| node.join(now, &[peer]))
    }

    /// Begins an operation on a node, and checks that it ends exactly once.
    ///
    /// # Panics
    ///
    /// The node does not run.
    pub fn operate(
        &mut self,
        id: NodeId,
        f: impl FnOnce(&mut Memberlist, Instant) -> OpId,
    ) -> OpId {
        let Ok(op) = self.try_operate(id, |node, now| Ok::<_, Infallible>(f(node, now)));
        op
    }

    /// Like [`operate`](Self::operate), for an operation that may be refused.
    ///
    /// # Errors
    ///
    /// Those of `f`.
    ///
    /// # Panics
    ///
    /// The node does not run.
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

    /// Lets time pass, with everything that happens in it.
    pub fn run_for(&mut self, time: Duration) {
        let end = self.now() + time;
        while let Some(next) = self.agenda.next(end) {
            self.happen(next);
        }
    }

    /// Lets time pass until `wanted` holds, which is checked now and after every step. Returns how
    /// long that took, or `None` if it did not hold within `limit`.
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
