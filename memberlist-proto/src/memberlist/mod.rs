//! The state machine: the only place that sees everything.
//!
//! This file holds the object, its inputs' common manners and its outputs; each protocol activity
//! is one more `impl` block in a file of its own.

mod admission;
mod disseminate;
mod gossip;
mod join;
mod keys;
mod leave;
mod myself;
mod packet;
mod probe;
mod push_pull;
mod rejoin;
mod relay;
mod reports;
mod restore;
mod send;
mod settle;
mod state;
mod status;
mod stream;
mod user;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;
use core::net::SocketAddr;

use crate::awareness::Awareness;
use crate::config::{Config, ConfigError, Timing};
use crate::delegate::{Delegate, View};
use crate::dissemination::Disseminations;
use crate::event::{Departure, Event};
use crate::exchange::Exchanges;
use crate::members::{MemberId, Members};
use crate::node::{Name, Node, NodeName, State, Versions};
use crate::operations::Operations;
use crate::outbox::Outbox;
use crate::probes::Probes;
use crate::queues::Queues;
use crate::rng::Randomness;
use crate::security::Keyring;
use crate::shares::Rates;
use crate::stats::{Counters, Decisions, Gauges, Stats};
use crate::suspects::Suspects;
use crate::time::Instant;
use crate::timers::{TimerId, Timers};
use crate::transmit::{Lookup, Request, StreamId, StreamOp, Transmit};
use crate::wanted::Wanted;
use crate::wire::Scratch;

/// One node of a cluster: bytes and time go in, bytes and events come out.
///
/// It owns no socket, clock or thread. Whatever drives it calls the `handle_*` methods and the
/// operations, each with the current time, and after each call empties the `poll_*` queues; it
/// calls [`handle_timeout`](Self::handle_timeout) when [`poll_timeout`](Self::poll_timeout) is
/// due. Late or needless calls are safe, and time that runs backwards is taken to stand still.
/// The crate's front page shows the loop.
///
/// The same configuration, seed and inputs give the same outputs on every machine.
pub struct Memberlist {
    config: Config,
    delegate: Option<Arc<dyn Delegate>>,
    now: Instant,
    me: Me,
    members: Members,
    suspects: Suspects,
    awareness: Awareness,
    keyring: Arc<Keyring>,
    timers: Timers<Timer>,
    rng: Randomness,
    queues: Queues,
    probes: Probes,
    exchanges: Exchanges,
    operations: Operations,
    disseminations: Disseminations,
    out: Outbox,
    counters: Counters,
    decisions: Decisions,
    rates: Rates,
    periodic: Periodic,
    wanted: Wanted,
    /// Why the dead and those that left are that.
    departures: BTreeMap<MemberId, Departure>,
    refusals: VecDeque<reports::Refused>,
    opening: Scratch,
    layers: Scratch,
    sealing: send::Workspace,
}

/// The timers that come back.
#[derive(Clone, Debug, Default)]
struct Periodic {
    probe: Option<TimerId>,
    gossip: Option<TimerId>,
    push_pull: Option<TimerId>,
    reap: Option<TimerId>,
    rejoin: Option<TimerId>,
}

/// What this node knows of itself beyond its record.
#[derive(Clone, Debug)]
struct Me {
    name: NodeName,
    id: MemberId,
    versions: Versions,
    /// The highest incarnation used.
    incarnation: u32,
    left: bool,
    /// When a node last joined or departed.
    changed: Instant,
    sequence: u32,
}

/// Everything that waits for a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Timer {
    Probe,
    ProbeTimeout(u32),
    ProbeDeadline(u32),
    Gossip,
    PushPull,
    Reap,
    Rejoin,
    Suspicion(MemberId),
    Relay(u32),
    Nack(u32),
    Ping(u32),
    Stream(StreamId),
    Operation(crate::event::OpId),
}

impl Memberlist {
    /// A node that has announced itself to nobody yet, with its timers started.
    ///
    /// `seed` decides every random choice; the nonces of encryption too, so outside of tests it
    /// must come from the operating system and never be used twice.
    ///
    /// # Errors
    ///
    /// The first rule of the configuration that is broken, or the refusal of the node's own
    /// announcement by its `delegate` or its `cidrs_allowed`.
    pub fn new(
        now: Instant,
        config: Config,
        delegate: Option<Arc<dyn Delegate>>,
        seed: [u8; 32],
    ) -> Result<Self, ConfigError> {
        config.validate()?;
        let mut rng = Randomness::new(seed);
        let hash_key = Randomness::hash_key(seed);
        let now = now.max(Instant::from_nanos(1));
        let identity = myself::own_identity(&config, &config.meta);
        let mut members = Members::new(hash_key);
        let id = members.insert(identity, 1, State::Alive, now, &mut rng.probe_order);
        let me = Me {
            name: config.name.clone(),
            id,
            versions: myself::own_versions(&config),
            incarnation: 1,
            left: false,
            changed: now,
            sequence: if config.differences.random_sequence { rng.misc.u32() } else { 0 },
        };
        let mut node = Self {
            delegate,
            now,
            me,
            members,
            suspects: Suspects::default(),
            awareness: Awareness::new(config.awareness_max_multiplier),
            keyring: Arc::new(keys::ring_of(&config)),
            timers: Timers::new(),
            queues: Queues::new(&config, hash_key),
            rng,
            probes: Probes::default(),
            exchanges: Exchanges::default(),
            operations: Operations::default(),
            disseminations: Disseminations::default(),
            out: Outbox::default(),
            counters: Counters::default(),
            decisions: Decisions::default(),
            rates: Rates::new(hash_key),
            periodic: Periodic::default(),
            wanted: Wanted::new(&config.seeds, config.bind_port),
            departures: BTreeMap::new(),
            refusals: VecDeque::new(),
            opening: Scratch::default(),
            layers: Scratch::default(),
            sealing: send::Workspace::default(),
            config,
        };
        node.announce_first()?;
        node.start_timers();
        Ok(node)
    }

    /// Does everything that is due at `now`; afterwards nothing is due any more.
    ///
    /// Packets and stream data that have already arrived should be handed in before, so that a
    /// late call does not take answers that merely wait for silence.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.advance(now);
        while let Some((due, timer)) = self.timers.pop_due(now) {
            match timer {
                Timer::Probe => self.probe_tick(now, due),
                Timer::ProbeTimeout(seq) => self.probe_indirectly(now, seq),
                Timer::ProbeDeadline(seq) => self.probe_deadline(now, seq),
                Timer::Gossip => self.gossip_tick(now, due),
                Timer::PushPull => self.push_pull_tick(now),
                Timer::Reap => self.reap_tick(now, due),
                Timer::Rejoin => self.rejoin_tick(now),
                Timer::Suspicion(id) => self.suspicion_expired(now, id),
                Timer::Relay(seq) => self.relay_expired(seq),
                Timer::Nack(seq) => self.relay_nack(now, seq),
                Timer::Ping(seq) => self.ping_expired(seq),
                Timer::Stream(id) => self.stream_expired(now, id),
                Timer::Operation(op) => self.operation_expired(now, op),
            }
        }
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.out.transmits.pop_front()
    }

    /// The next thing to do with a stream.
    pub fn poll_stream(&mut self) -> Option<StreamOp> {
        self.out.streams.pop_front()
    }

    /// The next name to resolve.
    pub fn poll_lookup(&mut self) -> Option<Lookup> {
        self.out.lookups.pop_front()
    }

    /// The next question to the application.
    pub fn poll_request(&mut self) -> Option<Request> {
        self.out.requests.pop_front()
    }

    /// The next thing to tell the application.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.out.events.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) should be called next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Changes the timing of a running node; what already runs ends by the old one.
    ///
    /// # Errors
    ///
    /// The first rule that is broken; nothing has changed then.
    pub fn reconfigure(&mut self, now: Instant, timing: Timing) -> Result<(), ConfigError> {
        self.advance(now);
        let mut changed = self.config.clone();
        changed.set_timing(timing);
        changed.validate_timing()?;
        self.config = changed;
        if let Some(score) = self.awareness.set_multiplier(self.config.awareness_max_multiplier) {
            self.out.event(Event::Health { score });
        }
        self.queues.set_retransmit_mult(self.config.retransmit_mult);
        self.start_timers();
        Ok(())
    }

    /// The configuration as it is in force.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// This node's own record.
    pub fn local(&self) -> Node {
        self.members.node(self.me.id)
    }

    /// One node by name, of any state.
    pub fn member(&self, name: &NodeName) -> Option<Node> {
        self.members.get(name.as_bytes()).map(|id| self.members.node(id))
    }

    /// The members that are alive or suspect, this node included unless it has left, in no
    /// particular order.
    pub fn members(&self) -> impl Iterator<Item = Node> {
        self.nodes().filter(|node| node.state().is_live())
    }

    /// Every node known, also dead ones and those that left, in no particular order.
    pub fn nodes(&self) -> impl Iterator<Item = Node> {
        self.members.iter().map(|(_, record)| record.to_node())
    }

    /// How many members are alive or suspect.
    pub fn num_members(&self) -> usize {
        self.members.num_live()
    }

    /// The local health score: 0 is healthy, and the probe deadline grows with it.
    pub fn health_score(&self) -> u32 {
        self.awareness.score()
    }

    /// Whether [`leave`](Self::leave) has been called.
    pub fn has_left(&self) -> bool {
        self.me.left
    }

    /// Counters, gauges and what was decided.
    pub fn stats(&self) -> Stats {
        let count = |state| self.members.count(state) as u64;
        let gauges = Gauges {
            alive: count(State::Alive),
            suspect: count(State::Suspect),
            dead: count(State::Dead),
            left: count(State::Left),
            health_score: u64::from(self.awareness.score()),
            membership_queue: self.queues.membership_len() as u64,
            user_queue: self.queues.user_len() as u64,
            held_broadcasts: self.queues.held_len() as u64,
            timers: self.timers.len() as u64,
            suspicions: self.suspects.len() as u64,
            acks_awaited: self.probes.awaited() as u64,
            streams: self.exchanges.len() as u64,
            stream_memory: self.exchanges.held() as u64,
            push_pulls: self.exchanges.push_pulls_served() as u64,
            operations: self.operations.len() as u64,
            disseminations: self.disseminations.len() as u64,
            dissemination_bytes: self.disseminations.bytes() as u64,
            lost_members: self.wanted.lost().len() as u64,
            requests: self.exchanges.requests() as u64,
            local_state_bytes: self.exchanges.local_state_bytes,
            remote_state_bytes: self.exchanges.remote_state_bytes,
        };
        Stats { counters: self.counters.clone(), gauges, decisions: self.decisions.clone() }
    }

    /// Takes note of the time: it never runs backwards here.
    fn advance(&mut self, now: Instant) -> Instant {
        self.now = self.now.max(now);
        self.now
    }

    fn view(&self) -> View<'_> {
        View { local: &self.me.name, members: &self.members }
    }

    fn next_sequence(&mut self) -> u32 {
        self.me.sequence = self.me.sequence.wrapping_add(1);
        self.me.sequence
    }

    fn is_me(&self, name: &[u8]) -> bool {
        name == self.me.name.as_bytes()
    }

    fn is_own_address(&self, address: SocketAddr) -> bool {
        address == SocketAddr::new(self.config.advertise_addr, self.config.advertise_port)
    }

    /// Starts or restarts the periodic timers by the configuration in force.
    fn start_timers(&mut self) {
        self.start_probing();
        self.start_gossip();
        self.start_push_pull();
        self.start_reaping();
        self.start_rejoining();
    }

    /// How long until a periodic activity happens first: somewhere within its first interval, so
    /// that nodes started together do not act together.
    ///
    /// Differs from Go: there the random phase has no effect, and everybody starts in step.
    fn first_phase(&mut self, interval: core::time::Duration) -> core::time::Duration {
        if self.config.differences.random_phase {
            self.rng.jitter.duration(core::time::Duration::ZERO..interval)
        } else {
            interval
        }
    }

    fn name_of(&self, id: MemberId) -> Name<'_> {
        self.members.record(id).name()
    }

    /// Notes a higher incarnation of a node whose state stays as it is.
    fn raise_incarnation(&mut self, id: MemberId, incarnation: u32) {
        let record = self.members.record(id);
        let (state, since) = (record.state(), record.since());
        self.members.set_state(id, state, incarnation, since);
    }
}

impl core::fmt::Debug for Memberlist {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Memberlist")
            .field("name", &self.me.name)
            .field("now", &self.now)
            .field("members", &self.members.len())
            .finish_non_exhaustive()
    }
}

/// When a periodic timer that was due at `due` is next due: ticks missed meanwhile collapse into
/// one, and the phase is kept.
fn next_tick(now: Instant, due: Instant, interval: core::time::Duration) -> Instant {
    let step = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX).max(1);
    let missed = now.as_nanos().saturating_sub(due.as_nanos()) / step;
    Instant::from_nanos(
        due.as_nanos().saturating_add(step.saturating_mul(missed.saturating_add(1))),
    )
}

#[cfg(test)]
mod tests;
