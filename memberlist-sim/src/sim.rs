//! The simulator: nodes, time, and what happens next.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use memberlist_proto::{
    Config, Event, Instant, Memberlist, Node, NodeName, OpId, State, Stats, StreamId, Transmit,
};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

use crate::agenda::{Due, What};
use crate::app::{App, Silent};
use crate::laws::{Broken, Laws};
use crate::network::Network;
use crate::stream::Streams;
use crate::trace::Trace;

/// One node of a simulation, through all its restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub(crate) usize);

impl NodeId {
    /// The number of the node, from 0 in the order of the first starts.
    pub fn index(self) -> usize {
        self.0
    }
}

/// What is wrong with a node for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The process stands still: what arrives waits, and its timers fire late.
    Frozen,
    /// Its messages are held back in both directions, while its timers go on (Lifeguard's
    /// anomaly).
    Held,
    /// It has too little processor: each input takes a time of its own, drawn exponentially, and
    /// what comes meanwhile waits, datagrams as far as its socket holds.
    Slow {
        /// The mean time that an input takes.
        mean: Duration,
    },
    /// Its interface is down: nothing can be sent, which it is told, and nothing arrives.
    Unplugged,
}

/// What a socket holds for a process that does not read, in bytes, as on Linux by default.
const RECEIVE_BUFFER: usize = 208 << 10;

/// A cluster in virtual time. See the crate's front page.
pub struct Sim {
    pub(crate) seed: u64,
    pub(crate) now: Instant,
    pub(crate) rng: ChaCha8Rng,
    pub(crate) agenda: BinaryHeap<Reverse<Due>>,
    pub(crate) sequence: u64,
    pub(crate) seats: Vec<Seat>,
    pub(crate) addresses: BTreeMap<SocketAddr, NodeId>,
    pub(crate) streams: Streams,
    pub(crate) network: Network,
    pub(crate) trace: Trace,
    pub(crate) tolerant: bool,
    pub(crate) check_every: u64,
    /// What the lives counted that are over.
    pub(crate) past: BTreeMap<&'static str, u64>,
}

/// One node and what surrounds it.
pub(crate) struct Seat {
    pub(crate) node: Option<Memberlist>,
    pub(crate) app: Box<dyn App>,
    pub(crate) config: Config,
    pub(crate) laws: Laws,
    /// Streams that ended while the node's outputs were being carried out.
    pub(crate) ended: Vec<StreamId>,
    pub(crate) log: Vec<(Instant, Event)>,
    /// The next wake-up on the agenda.
    pub(crate) wake: Option<Instant>,
    pub(crate) fault: Option<Fault>,
    /// How far its clock is ahead of the others'.
    pub(crate) ahead: Duration,
    /// What waits while the node is frozen or held, and how many bytes of datagrams.
    inbox: VecDeque<What>,
    pub(crate) inbox_bytes: usize,
    /// Until when a slow node is busy with what came before.
    pub(crate) busy: Instant,
    pub(crate) outbox: Vec<(SocketAddr, Bytes)>,
    /// Counts starts, so that what was meant for an earlier life is not given to a later one.
    pub(crate) life: u64,
}

impl Sim {
    /// An empty network at the beginning of time.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            now: Instant::from_nanos(1_000_000_000),
            rng: ChaCha8Rng::seed_from_u64(seed),
            agenda: BinaryHeap::new(),
            sequence: 0,
            seats: Vec::new(),
            addresses: BTreeMap::new(),
            streams: Streams::default(),
            network: Network::default(),
            trace: Trace::new(seed),
            tolerant: false,
            check_every: 1,
            past: BTreeMap::new(),
        }
    }

    /// Expects that nodes are sent what they cannot read, because keys, labels or versions are
    /// mixed on purpose. Otherwise that is a broken law.
    pub fn tolerate_errors(&mut self) {
        self.tolerant = true;
    }

    /// Looks through a node's whole state at every so many steps only, by default at each: for
    /// large clusters, where that would take all the time there is. What nodes tell is checked
    /// always.
    pub fn check_every(&mut self, steps: u64) {
        self.check_every = steps.max(1);
    }

    /// The time.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// The network, to be changed at any time.
    pub fn network(&mut self) -> &mut Network {
        &mut self.network
    }

    /// Starts a node at an address of its own, with no application.
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
        let id = NodeId(self.seats.len());
        self.seats.push(Seat {
            node: None,
            app: Box::new(app),
            laws: Laws::new(&config),
            ended: Vec::new(),
            config,
            log: Vec::new(),
            wake: None,
            fault: None,
            ahead: Duration::ZERO,
            inbox: VecDeque::new(),
            inbox_bytes: 0,
            busy: self.now,
            outbox: Vec::new(),
            life: 0,
        });
        self.boot(id, self.place(id, 0));
        id
    }

    /// Stops a node without a word, as a power failure does.
    pub fn crash(&mut self, id: NodeId) {
        let address = self.address(id);
        self.addresses.remove(&address);
        let seat = &mut self.seats[id.0];
        if let Some(node) = seat.node.take() {
            add(&mut self.past, &node.stats());
        }
        seat.life += 1;
        seat.wake = None;
        seat.fault = None;
        seat.inbox.clear();
        seat.inbox_bytes = 0;
        seat.outbox.clear();
        self.trace.step(self.now, id.0, "crash", b"");
        self.streams_of_the_dead(id);
    }

    /// Starts a crashed node again, with empty memory: at its old address, or at a new one.
    pub fn restart(&mut self, id: NodeId, new_address: bool) {
        let ip = if new_address {
            self.place(id, self.seats[id.0].life as u32 + 1)
        } else {
            self.seats[id.0].config.advertise_addr
        };
        self.boot(id, ip);
    }

    /// Makes something be wrong with a node, or `None` what was wrong end: what was held back
    /// then arrives at once.
    pub fn set_fault(&mut self, id: NodeId, fault: Option<Fault>) {
        self.seats[id.0].fault = fault;
        self.trace.step(self.now, id.0, "fault", &[u8::from(fault.is_some())]);
        if fault.is_some() {
            return;
        }
        let seat = &mut self.seats[id.0];
        seat.inbox_bytes = 0;
        let waiting = core::mem::take(&mut seat.inbox);
        for (to, payload) in core::mem::take(&mut seat.outbox) {
            self.send(id, to, payload);
        }
        for what in waiting {
            self.happen(what);
        }
        self.wake(id);
    }

    /// Puts a node's clock forward, by a jump or, before anything happens, for good. Clocks that
    /// go back are an adapter's to keep from its node.
    pub fn jump(&mut self, id: NodeId, by: Duration) {
        self.seats[id.0].ahead += by;
        // Whatever was to be done at its time may be due by now.
        self.seats[id.0].wake = None;
        self.wake(id);
    }

    /// The time on a node's own clock.
    pub fn clock(&self, id: NodeId) -> Instant {
        self.now + self.seats[id.0].ahead
    }

    /// A node that runs.
    ///
    /// # Panics
    ///
    /// It has crashed.
    pub fn node(&self, id: NodeId) -> &Memberlist {
        self.seats[id.0].node.as_ref().expect("the node runs")
    }

    /// Every node that was ever started, in the order of the first starts.
    pub fn node_ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..self.seats.len()).map(NodeId)
    }

    /// The name that a node announces.
    pub fn name(&self, id: NodeId) -> &NodeName {
        &self.seats[id.0].config.name
    }

    /// Whether a node runs.
    pub fn runs(&self, id: NodeId) -> bool {
        self.seats[id.0].node.is_some()
    }

    /// The address that a node announces.
    pub fn address(&self, id: NodeId) -> SocketAddr {
        let config = &self.seats[id.0].config;
        SocketAddr::new(config.advertise_addr, config.advertise_port)
    }

    /// Every event of a node since its first start, with its time.
    pub fn events(&self, id: NodeId) -> &[(Instant, Event)] {
        &self.seats[id.0].log
    }

    /// Calls any operation of a node.
    pub fn with<R>(&mut self, id: NodeId, f: impl FnOnce(&mut Memberlist, Instant) -> R) -> R {
        let now = self.clock(id);
        let node = self.seats[id.0].node.as_mut().expect("the node runs");
        let result = f(node, now);
        self.carry_out_all(id);
        let seat = &mut self.seats[id.0];
        if let Some(node) = seat.node.as_ref()
            && seat.laws.misses_members(node)
        {
            seat.laws.restored(now, node);
        }
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
        let seat = &mut self.seats[id.0];
        let op = f(seat.node.as_mut().expect("the node runs"), now);
        let begun = op.as_ref().map_or(Ok(()), |op| seat.laws.begun(*op));
        begun.unwrap_or_else(|broken| self.broken(id, &broken));
        self.drain(id);
        op
    }

    /// Lets time pass.
    pub fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while self.agenda.peek().is_some_and(|next| next.0.at <= end) {
            self.step();
        }
        self.now = end;
    }

    /// Lets time pass until something is so, looked for after every step, but no longer than
    /// `limit`; how long it took.
    pub fn run_until(
        &mut self,
        limit: Duration,
        mut wanted: impl FnMut(&Self) -> bool,
    ) -> Option<Duration> {
        let (begin, end) = (self.now, self.now + limit);
        loop {
            if wanted(self) {
                return Some(self.now.saturating_duration_since(begin));
            }
            if self.agenda.peek().is_none_or(|next| next.0.at > end) {
                self.now = end;
                return None;
            }
            self.step();
        }
    }

    /// Whether all nodes that run, and have not left, hold exactly each other for alive, at the
    /// same address and incarnation and with the same metadata.
    ///
    /// # Errors
    ///
    /// Who differs from whom, and how.
    pub fn agreement(&self) -> Result<(), String> {
        let running = || self.seats.iter().filter_map(|seat| seat.node.as_ref());
        let facts = |node: &Node| (node.incarnation(), node.address(), node.meta().to_vec());
        let expected: BTreeMap<_, _> = running()
            .filter(|node| !node.has_left())
            .map(|node| (node.local().name().to_owned_name(), facts(&node.local())))
            .collect();
        // Looked at first, because it is quick: long before everything agrees, the numbers differ.
        for node in running().filter(|node| !node.has_left()) {
            if node.num_members() < expected.len() {
                let (name, seen) = (node.local().name().to_owned_name(), node.num_members());
                return Err(format!("{name} sees {seen} of {} members", expected.len()));
            }
        }
        for node in running().filter(|node| !node.has_left()) {
            let seen: BTreeMap<_, _> = node
                .members()
                .filter(|member| member.state() == State::Alive)
                .map(|member| (member.name().to_owned_name(), facts(&member)))
                .collect();
            if seen.len() != node.num_members() {
                return Err(format!("{} suspects somebody", node.local().name()));
            }
            if seen != expected {
                return Err(format!("{} sees {seen:?}, not {expected:?}", node.local().name()));
            }
        }
        Ok(())
    }

    /// Whether no running node has an operation, a stream or a question to its application under
    /// way.
    pub fn is_idle(&self) -> bool {
        self.seats.iter().filter_map(|seat| seat.node.as_ref()).all(|node| {
            let gauges = node.stats().gauges;
            gauges.operations == 0 && gauges.streams == 0 && gauges.requests == 0
        })
    }

    /// What all nodes have counted and decided in all their lives, summed up.
    pub fn counters(&self) -> BTreeMap<&'static str, u64> {
        let mut sums = self.past.clone();
        for node in self.seats.iter().filter_map(|seat| seat.node.as_ref()) {
            add(&mut sums, &node.stats());
        }
        sums
    }

    /// A digest of the whole run so far.
    pub fn trace_hash(&self) -> u64 {
        self.trace.hash()
    }

    /// How many steps the run has had so far.
    pub fn steps(&self) -> u64 {
        self.trace.steps()
    }

    /// An address of the family that a node has, another in each life.
    fn place(&self, id: NodeId, life: u32) -> IpAddr {
        let moved = if life == 0 { 0 } else { 0x80_0000 + (life << 14) };
        let number = moved + id.0 as u32 + 1;
        match self.seats[id.0].config.advertise_addr {
            IpAddr::V4(_) => Ipv4Addr::from(0x0a00_0000 + number).into(),
            IpAddr::V6(_) => Ipv6Addr::from((0xfd << 120) + u128::from(number)).into(),
        }
    }

    fn boot(&mut self, id: NodeId, ip: IpAddr) {
        let mut seed = [0; 32];
        self.rng.fill_bytes(&mut seed);
        let now = self.clock(id);
        let seat = &mut self.seats[id.0];
        seat.config.advertise_addr = ip;
        seat.config.bind_port = seat.config.advertise_port;
        seat.life += 1;
        seat.laws = Laws::new(&seat.config);
        seat.ended.clear();
        let node = Memberlist::new(now, seat.config.clone(), seat.app.delegate(), seed);
        seat.node = Some(node.expect("a valid configuration"));
        let address = self.address(id);
        self.addresses.insert(address, id);
        self.trace.step(self.now, id.0, "start", b"");
        self.drain(id);
    }

    /// Every node as one of them knows it.
    pub fn view(&self, id: NodeId) -> Vec<Node> {
        self.node(id).nodes().collect()
    }
}

impl Seat {
    /// What waits for a process that does not read; datagrams only as far as its socket holds.
    pub(crate) fn keep(&mut self, what: What) {
        if self.takes(&what) {
            self.inbox.push_back(what);
        }
    }

    /// The node has handled its timers.
    pub(crate) fn fired(&mut self, now: Instant) -> Result<(), Broken> {
        self.node.as_ref().map_or(Ok(()), |node| self.laws.fired(now, node))
    }

    /// The node sends something.
    pub(crate) fn sent(&mut self, transmit: &Transmit) -> Result<(), Broken> {
        self.node.as_ref().map_or(Ok(()), |node| self.laws.sent(node, transmit))
    }

    /// The node wants nothing more for now.
    pub(crate) fn rest(&mut self, now: Instant, thorough: bool) -> Result<(), Broken> {
        for id in self.ended.drain(..) {
            self.laws.closed(id);
        }
        self.laws.drained();
        let node = self.node.as_ref().filter(|_| thorough);
        node.map_or(Ok(()), |node| self.laws.rest(now, node))
    }

    /// Whether there is room for it in the socket's buffer, and if so takes it.
    pub(crate) fn takes(&mut self, what: &What) -> bool {
        let takes = self.inbox_bytes + what.bytes() <= RECEIVE_BUFFER;
        self.inbox_bytes += if takes { what.bytes() } else { 0 };
        takes || what.bytes() == 0
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
            .field("now", &self.now)
            .field("nodes", &self.seats.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
