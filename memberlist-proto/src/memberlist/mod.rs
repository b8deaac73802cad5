//! The state machine: the only code that sees the whole state of a node.
//!
//! This file holds the object, its outputs, and the one loop that carries out what follows from an
//! activity. Each activity of the protocol is one more `impl` block in a file of its own. These
//! files call down only, in this order:
//!
//! * what enters: `inputs`, `commands`, then `jobs` over `packet` and `stream`, which know every
//!   activity;
//! * activities: `join`, `rejoin`, `leave`, `settle`, `cancel`, `disseminate`, `push_pull` over
//!   `merge`, `probe`, `relay` and `ping` over `awaiting`, `gossip`, `reap`, `keys`, `restore`;
//! * decisions: `alive` and `accuse` over `reprieve`, `myself`, `notify`, `admission`
//!   and `reports`;
//! * what leaves: `own_state` and `letters` over `carry` by stream and `send` by datagram, over `budget`; `ticks`
//!   for what recurs;
//! * what only looks: `query`, `status`, `invariants`; what takes the whole: `checkpoint`.

mod accuse;
mod admission;
mod alive;
mod awaiting;
mod budget;
mod cancel;
mod carry;
#[cfg(feature = "checkpoint")]
pub(crate) mod checkpoint;
mod commands;
mod disseminate;
mod forget;
mod gossip;
mod inputs;
mod invariants;
mod jobs;
mod join;
mod keys;
mod leave;
mod letters;
mod merge;
mod message;
mod myself;
mod notify;
mod own_state;
mod packet;
mod ping;
mod probe;
mod push_pull;
mod query;
mod reap;
mod rejoin;
mod relay;
mod reports;
mod reprieve;
mod restore;
mod send;
mod settle;
mod status;
mod stream;
mod ticks;

#[cfg(feature = "checkpoint")]
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;
use core::time::Duration;

use crate::awareness::Awareness;
use crate::builds::Builds;
use crate::config::{Config, ConfigError};
use crate::decider::Decider;
use crate::dissemination::Disseminations;
use crate::event::{BroadcastEnd, Departure, Event, JoinError};
use crate::exchange::{Exchanges, Sender, Waiter};
use crate::farewells::Farewells;
use crate::flaps::Flaps;
use crate::follow::{Follow, Follows};
use crate::hearing::Hearing;
use crate::hooks::Hooks;
#[cfg(not(feature = "checkpoint"))]
use crate::input::Input;
use crate::job::Jobs;
use crate::letters::Letters;
use crate::members::{MemberId, Members};
use crate::node::{NodeName, State, Versions};
use crate::notices::Notices;
use crate::operations::Operations;
use crate::outbox::Outbox;
use crate::peer_states::PeerStates;
use crate::probes::Probes;
use crate::queues::{Finished, Queues};
use crate::rng::Randomness;
use crate::security::Keyring;
use crate::shares::Rates;
use crate::spare::Spare;
use crate::stats::{Counters, Decisions};
use crate::suspects::Suspects;
use crate::time::Instant;
use crate::timers::{TimerId, Timers};
use crate::transmit::{Lookup, Request, StreamId, StreamOp, Transmit};
use crate::wanted::Wanted;
use crate::wire::Scratch;

/// One node of a cluster: bytes and time go in, bytes and events come out.
///
/// It owns no socket, clock or thread. Its driver calls the `handle_*` methods and the operations,
/// each with the current time, and empties the `poll_*` queues after each call. It calls
/// [`handle_timeout`](Self::handle_timeout) when the time of [`poll_timeout`](Self::poll_timeout)
/// has come. Late or needless calls are safe. Time that runs backwards is taken to stand still; the
/// same goes for [`Instant::FAR_FUTURE`], and any time later than 292 years after the origin. The
/// crate's front page shows the loop.
///
/// The same configuration, seed and inputs give the same outputs on every machine.
pub struct Memberlist {
    config: Config,
    /// `config.accept_labels`, shared with what reads a packet.
    accept_labels: Arc<[bytes::Bytes]>,
    decider: Decider,
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
    notices: Notices,
    /// Notices of leaves. They have limits of their own: stale news from any address counts, even
    /// if it may not be answered.
    leave_notices: Notices,
    /// Answers to accusations. They have limits of their own: an accusation can be forged, and must
    /// not keep a member that is considered dead from learning of that.
    answer_notices: Notices,
    farewells: Farewells,
    hearing: Hearing,
    exchanges: Exchanges,
    operations: Operations,
    disseminations: Disseminations,
    out: Outbox,
    follows: Follows,
    counters: Counters,
    decisions: Decisions,
    rates: Rates,
    periodic: Periodic,
    wanted: Wanted,
    /// Why each node that is dead or has left is no longer a member.
    departures: BTreeMap<MemberId, Departure>,
    flaps: Flaps,
    refusals: VecDeque<reports::Refused>,
    jobs: Jobs,
    builds: Builds,
    letters: Letters,
    own_state: Option<own_state::OwnState>,
    peer_states: PeerStates,
    opening: Spare<Scratch>,
    layers: Spare<Scratch>,
    sealing: Spare<send::Workspace>,
    #[cfg(feature = "checkpoint")]
    tap: Option<Box<dyn checkpoint::Tap>>,
}

/// The timers of periodic activities.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Periodic {
    probe: Option<TimerId>,
    gossip: gossip::Ticks,
    push_pull: Option<TimerId>,
    reap: Option<TimerId>,
    /// Set while more members are to be forgotten than one call handles.
    reap_rest: Option<TimerId>,
    rejoin: Option<TimerId>,
}

/// What this node knows about itself beyond its record.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Me {
    name: NodeName,
    id: MemberId,
    versions: Versions,
    /// The highest incarnation used.
    incarnation: u32,
    left: bool,
    /// When a cluster last refused this node because another node has its name there; `None` if
    /// this node has been accepted since. It no longer changes once this node has left, which it
    /// then did not announce.
    name_taken: Option<Instant>,
    /// When a node last joined or departed.
    changed: Instant,
    sequence: u32,
}

impl Me {
    fn new(config: &Config, id: MemberId, now: Instant, rng: &mut Randomness) -> Self {
        Self {
            name: config.name.clone(),
            id,
            versions: myself::own_versions(config),
            incarnation: 1,
            left: false,
            name_taken: None,
            changed: now,
            sequence: if config.differences.random_sequence { rng.misc.u32() } else { 0 },
        }
    }
}

/// What a timer is set for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
enum Timer {
    Probe,
    ProbeTimeout(u32),
    ProbeRepeat(u32),
    ProbeDeadline(u32),
    Gossip,
    PushPull,
    Reap,
    ReapRest,
    Rejoin,
    Suspicion(MemberId),
    Relay(u32),
    Nack(u32),
    Ping(u32),
    Stream(StreamId),
    Operation(crate::event::OpId),
}

impl Memberlist {
    /// Creates a node that knows no other yet, and starts its timers.
    ///
    /// `seed` determines every random choice, the nonces of encryption included: outside of tests
    /// it must come from the operating system and never be used twice.
    ///
    /// # Errors
    ///
    /// The first broken rule of the configuration ([`Config::validate`]), or the refusal of the
    /// node's own announcement by its `delegate` or its `cidrs_allowed`.
    pub fn new(
        now: Instant,
        mut config: Config,
        delegate: Option<Arc<dyn Hooks>>,
        seed: [u8; 32],
    ) -> Result<Self, ConfigError> {
        config.validate()?;
        let keyring = keys::ring_of(&config);
        config.secret_keys = keyring.keys().to_vec();
        let mut rng = Randomness::new(seed);
        let hash_key = Randomness::hash_key(seed);
        let now = now.clamp(Instant::from_nanos(1), Instant::LATEST);
        let identity = myself::own_identity(&config, &config.announced(&config.meta));
        let mut members = Members::new(hash_key).in_zone(&config.zone, config.role);
        let id = members.insert(identity, 1, State::Alive, now, &mut rng.probe_order);
        let me = Me::new(&config, id, now, &mut rng);
        let mut node = Self {
            accept_labels: config.accept_labels.as_slice().into(),
            decider: Decider::new(delegate),
            now,
            me,
            members,
            suspects: Suspects::default(),
            awareness: Awareness::new(config.awareness_max_multiplier),
            keyring: Arc::new(keyring),
            timers: Timers::new(),
            queues: Queues::new(&config, hash_key),
            rng,
            probes: Probes::default(),
            notices: Notices::default(),
            leave_notices: Notices::default(),
            answer_notices: Notices::default(),
            farewells: Farewells::default(),
            hearing: Hearing::default(),
            exchanges: Exchanges::default(),
            operations: Operations::default(),
            disseminations: Disseminations::default(),
            out: Outbox::default(),
            follows: Follows::default(),
            counters: Counters::default(),
            decisions: Decisions::default(),
            rates: Rates::new(hash_key),
            periodic: Periodic::default(),
            wanted: Wanted::new(&config.seeds, config.bind_port),
            departures: BTreeMap::new(),
            flaps: Flaps::default(),
            refusals: VecDeque::new(),
            jobs: Jobs::default(),
            builds: Builds::default(),
            letters: Letters::default(),
            own_state: None,
            peer_states: PeerStates::default(),
            opening: Spare::default(),
            layers: Spare::default(),
            sealing: Spare::default(),
            #[cfg(feature = "checkpoint")]
            tap: None,
            config,
        };
        let limit = node.gossip_limit();
        node.queues.set_longest(limit);
        node.announce_first()?;
        node.start_timers(None);
        node.start_rejoining();
        Ok(node)
    }

    /// Takes the next datagram to send; `None` if there is none.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.out.next_transmit()
    }

    /// Takes the next operation on a stream; `None` if there is none.
    pub fn poll_stream(&mut self) -> Option<StreamOp> {
        self.out.next_stream()
    }

    /// Takes the next name to resolve; `None` if there is none.
    pub fn poll_lookup(&mut self) -> Option<Lookup> {
        self.out.next_lookup()
    }

    /// Takes the next question to the application; `None` if there is none.
    pub fn poll_request(&mut self) -> Option<Request> {
        self.out.next_request()
    }

    /// Takes the next event to report to the application; `None` if there is none.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.out.next_event()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next; `None` if no timer is set. The
    /// time may have passed already.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Handles an input at `now`, with which the node's time never runs backwards, and everything
    /// that follows from it.
    fn step<R>(&mut self, now: Instant, act: impl FnOnce(&mut Self) -> R) -> R {
        self.advance(now);
        let result = act(self);
        self.follow_up();
        self.decider.end_input();
        self.wake_gossip();
        #[cfg(feature = "checkpoint")]
        self.show_tap();
        result
    }

    /// Shows an input to the tap, before it is handled.
    #[cfg(not(feature = "checkpoint"))]
    #[inline]
    #[allow(clippy::unused_self)] // There is no tap.
    fn enter<'a>(&mut self, _: Instant, _: impl FnOnce() -> Input<'a>) {}

    fn advance(&mut self, now: Instant) {
        // If time had reached its end, it could not go on: no timer would ever be due again.
        if now <= Instant::LATEST {
            self.now = self.now.max(now);
        }
    }

    /// Carries out what follows elsewhere from what was done, and what follows from that in turn.
    fn follow_up(&mut self) {
        loop {
            if let Some(follow) = self.follows.next() {
                self.follow(follow);
            } else if let Some(finished) = self.queues.next_finished() {
                self.left_queue(finished);
            } else {
                return;
            }
        }
    }

    fn follow(&mut self, follow: Follow) {
        match follow {
            Follow::Died(id) => self.lose(id),
            Follow::StreamGone => self.disseminate_on(),
            Follow::Exchanged { stream, waiter, result } => match waiter {
                Waiter::Join(op) => {
                    self.join_exchanged(op, stream, result.map_err(JoinError::Exchange));
                }
                Waiter::Rejoin => self.rejoin_ended(stream, result),
                Waiter::Message(Sender::Op(op)) => self.sent_reliably(op, result),
                Waiter::Message(Sender::Dissemination(id)) => {
                    self.disseminated(id, stream, result.is_ok());
                }
                Waiter::StreamPing(sequence) => self.fallback_ended(sequence, result.is_ok()),
                Waiter::Search => self.lost_answered(stream, result),
            },
        }
    }

    /// A broadcast is no longer queued.
    fn left_queue(&mut self, finished: Finished) {
        match finished {
            Finished::Wait(op, result) => self.end_wait(op, result),
            Finished::User(id, end) => {
                self.counters.broadcasts_dropped += u64::from(end == BroadcastEnd::Dropped);
                self.out.event(Event::BroadcastFinished { id, end });
            }
        }
    }

    /// A timer has fired that was due at `due`.
    fn fire(&mut self, timer: Timer, due: Instant) {
        match timer {
            Timer::Probe => self.probe_tick(due),
            Timer::ProbeTimeout(sequence) => self.probe_timed_out(sequence),
            Timer::ProbeRepeat(sequence) => self.ping_again(sequence),
            Timer::ProbeDeadline(sequence) => self.probe_deadline(sequence),
            Timer::Gossip => self.gossip_tick(due),
            Timer::PushPull => self.push_pull_tick(),
            Timer::Reap => self.reap_tick(due),
            Timer::ReapRest => self.reap_rest(),
            Timer::Rejoin => self.rejoin_tick(),
            Timer::Suspicion(id) => self.suspicion_looked_at(id),
            Timer::Relay(sequence) => self.relay_expired(sequence),
            Timer::Nack(sequence) => self.relay_nack(sequence),
            Timer::Ping(sequence) => self.ping_expired(sequence),
            Timer::Stream(id) => self.stream_expired(id),
            Timer::Operation(op) => self.operation_expired(op),
        }
    }

    /// Starts the periodic timers according to the configuration in force. Timers that ran
    /// according to the configuration `before` are adapted.
    fn start_timers(&mut self, before: Option<&Config>) {
        let was = |interval: fn(&Config) -> Duration| before.map_or(Duration::ZERO, interval);
        self.start_probing(was(|before| before.probe_interval));
        self.start_gossip(was(|before| before.gossip_interval));
        self.start_push_pull(was(|before| before.push_pull_interval));
        self.start_reaping(was(reap::interval));
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

#[cfg(test)]
mod tests;
