//! One node and its surroundings: its process, its clock, its sockets.

mod observed;

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use memberlist_proto::{
    Config, Event, Hooks, Instant, Memberlist, NodeName, OpId, Request, Restoring, Stats, StreamId,
    StreamOp, Transmit,
};

use crate::agenda::What;
use crate::app::App;
use crate::chance::Chance;
use crate::laws::{Broken, Laws};

/// Identifies one node of a simulation, through all its restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(usize);

impl NodeId {
    pub(crate) fn new(index: usize) -> Self {
        Self(index)
    }

    /// The number of the node, from 0 in the order of the first starts.
    pub fn index(self) -> usize {
        self.0
    }
}

/// A fault of a node, until [`Sim::set_fault`](crate::Sim::set_fault) ends it or the node crashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The process stands still: what arrives waits, datagrams beyond its socket's buffer are lost,
    /// and its timers fire late.
    Frozen,
    /// Its packets are held back in both directions, and so is what arrives on streams, while its
    /// timers fire on time: the anomaly of the Lifeguard paper. Incoming datagrams beyond its
    /// socket's buffer are lost.
    Held,
    /// It has too little processor time: each input takes a random time, exponentially distributed.
    /// What arrives meanwhile waits; datagrams beyond its socket's buffer are lost.
    Slow {
        /// The mean time that an input takes.
        mean: Duration,
    },
    /// Its interface is down: sending fails, which it notices, and nothing arrives.
    Unplugged,
    /// Nothing reaches it, neither packets nor streams; what it sends arrives.
    Deaf,
    /// Nothing that it sends arrives, which it does not notice; what others send reaches it.
    Mute,
}

/// What becomes of an input to a node.
pub(crate) enum Reception {
    /// It is handed to the node now.
    Given(What),
    /// It waits until the fault ends or its turn comes, or is lost.
    Kept,
}

pub(crate) struct Seat {
    id: NodeId,
    node: Option<Memberlist>,
    app: Box<dyn App>,
    config: Config,
    /// The hooks that the application returned at the start of this life.
    delegate: Option<Arc<dyn Hooks>>,
    /// The laws of this life, unless they are ignored.
    laws: Option<Laws>,
    /// Streams that ended while the node's outputs were being carried out.
    ended: Vec<StreamId>,
    log: Vec<(Instant, Event)>,
    /// Events are not kept.
    forgetful: bool,
    /// How long the log was at each start.
    starts: Vec<usize>,
    /// The next wake-up on the agenda.
    wake: Option<Instant>,
    fault: Option<Fault>,
    /// How far its clock is ahead of the others'.
    ahead: Duration,
    /// What waits while the node is frozen or held.
    inbox: VecDeque<What>,
    socket: Socket,
    /// What the node has sent while it is held.
    outbox: Vec<(SocketAddr, Bytes)>,
    /// Until when a slow node is busy with earlier inputs.
    busy: Instant,
    /// What waits for a slow node, each with the time of its turn. Only the first is on the agenda,
    /// which would otherwise become long.
    turns: VecDeque<(Instant, What)>,
    /// Counts starts and crashes, so that what was meant for one life is not given to a later one.
    life: u64,
}

impl Seat {
    pub(crate) fn new(id: NodeId, config: Config, app: Box<dyn App>, forgetful: bool) -> Self {
        Self {
            id,
            node: None,
            app,
            config,
            delegate: None,
            laws: None,
            ended: Vec::new(),
            log: Vec::new(),
            forgetful,
            starts: Vec::new(),
            wake: None,
            fault: None,
            ahead: Duration::ZERO,
            inbox: VecDeque::new(),
            socket: Socket::default(),
            outbox: Vec::new(),
            busy: Instant::ORIGIN,
            turns: VecDeque::new(),
            life: 0,
        }
    }

    /// An address of the node's family (IPv4 or IPv6), different for each life.
    pub(crate) fn place(&self, life: u64) -> IpAddr {
        let life = life as u32;
        let moved = if life == 0 { 0 } else { 0x80_0000 + (life << 14) };
        let number = moved + self.id.0 as u32 + 1;
        match self.config.advertise_addr {
            IpAddr::V4(_) => Ipv4Addr::from(0x0a00_0000 + number).into(),
            IpAddr::V6(_) => Ipv6Addr::from((0xfd << 120) + u128::from(number)).into(),
        }
    }

    /// Starts the process with empty memory.
    pub(crate) fn boot(&mut self, now: Instant, ip: IpAddr, seed: [u8; 32], lawless: bool) {
        self.config.advertise_addr = ip;
        self.config.bind_port = self.config.advertise_port;
        self.life += 1;
        self.starts.push(self.log.len());
        self.laws = (!lawless).then(|| Laws::new(&self.config));
        let now = self.clock(now);
        self.delegate = self.app.delegate();
        let node = Memberlist::new(now, self.config.clone(), self.delegate.clone(), seed);
        self.node = Some(node.expect("a valid configuration"));
    }

    /// Replaces the node with one restored from its checkpoint. It is a law that this changes
    /// nothing that the node does.
    pub(crate) fn replace_by_its_checkpoint(&mut self) -> Result<(), Broken> {
        let Some(node) = &mut self.node else { return Ok(()) };
        let (mut before, mut after) = (Vec::new(), Vec::new());
        node.checkpoint(&mut before);
        let with = Restoring {
            keys: node.keys(),
            delegate: self.delegate.clone(),
            ..Restoring::default()
        };
        let mut restored = Memberlist::restore_checkpoint(&before, &with)
            .map_err(|error| Broken::new("checkpoint", error.to_string()))?;
        restored.checkpoint(&mut after);
        if before != after {
            let what = "another one after it was restored".to_owned();
            return Err(Broken::new("checkpoint", what));
        }
        if let Some(tap) = node.set_tap(None) {
            restored.note_decisions();
            restored.note_outputs();
            restored.set_tap(Some(tap));
        }
        *node = restored;
        Ok(())
    }

    /// Ends the process and drops what waited for it; returns what the node has counted.
    pub(crate) fn crash(&mut self) -> Option<Stats> {
        self.life += 1;
        self.wake = None;
        self.fault = None;
        self.inbox.clear();
        self.turns.clear();
        self.socket = Socket::default();
        self.outbox.clear();
        self.ended.clear();
        self.node.take().map(|node| node.stats())
    }

    pub(crate) fn node(&self) -> Option<&Memberlist> {
        self.node.as_ref()
    }

    pub(crate) fn node_mut(&mut self) -> Option<&mut Memberlist> {
        self.node.as_mut()
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// Replaces the configuration, from the next start on; the address stays.
    pub(crate) fn configure(&mut self, config: Config) {
        let (ip, port) = (self.config.advertise_addr, self.config.advertise_port);
        self.config = config.with(|it| {
            it.advertise_addr = ip;
            it.advertise_port = port;
        });
    }

    pub(crate) fn name(&self) -> &NodeName {
        &self.config.name
    }

    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::new(self.config.advertise_addr, self.config.advertise_port)
    }

    pub(crate) fn log(&self) -> &[(Instant, Event)] {
        &self.log
    }

    /// The log of each life.
    pub(crate) fn lives(&self) -> impl Iterator<Item = &[(Instant, Event)]> {
        let ends = self.starts.iter().skip(1).copied().chain([self.log.len()]);
        self.starts.iter().zip(ends).map(|(start, end)| &self.log[*start..end])
    }

    pub(crate) fn life(&self) -> u64 {
        self.life
    }

    /// The time on the node's own clock.
    pub(crate) fn clock(&self, now: Instant) -> Instant {
        now + self.ahead
    }

    /// Moves the node's clock forward; timers may thereby be due now.
    pub(crate) fn jump(&mut self, by: Duration) {
        self.ahead += by;
        self.wake = None;
    }

    pub(crate) fn is(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    pub(crate) fn set_fault(&mut self, fault: Option<Fault>) {
        self.fault = fault;
    }

    /// Takes what was held back: packets to be sent, and inputs for the node. A node that is no
    /// longer slow handles everything that has waited at once.
    pub(crate) fn release(&mut self) -> (Vec<(SocketAddr, Bytes)>, VecDeque<What>) {
        self.socket = Socket::default();
        self.busy = Instant::ORIGIN;
        let mut received = core::mem::take(&mut self.inbox);
        received.extend(self.turns.drain(..).map(|(_, what)| what));
        (core::mem::take(&mut self.outbox), received)
    }

    /// Receives an input, and decides by the node's fault whether the node gets it now.
    pub(crate) fn receive(&mut self, now: Instant, what: What, chance: &mut Chance) -> Reception {
        let (what, waited) = match what {
            What::Turn => {
                let Some((_, what)) = self.turns.pop_front() else { return Reception::Kept };
                self.socket.read(&what);
                (what, true)
            }
            what => (what, false),
        };
        let is_wake = matches!(what, What::Wake);
        if is_wake {
            self.wake = None;
        }
        match self.fault {
            Some(Fault::Frozen) if is_wake => Reception::Kept,
            Some(Fault::Frozen | Fault::Held) if !is_wake => {
                if self.socket.takes(&what) {
                    self.inbox.push_back(what);
                }
                Reception::Kept
            }
            Some(Fault::Slow { mean }) if !waited => {
                let takes = chance.exponential(mean);
                if !self.socket.takes(&what) {
                    return Reception::Kept;
                }
                self.busy = self.busy.max(now) + takes;
                if is_wake {
                    self.wake = Some(self.busy);
                }
                self.turns.push_back((self.busy, what));
                Reception::Kept
            }
            Some(Fault::Unplugged) if matches!(what, What::Packet { .. }) => Reception::Kept,
            _ => Reception::Given(what),
        }
    }

    /// The time of the turn of the input that has waited longest for a slow node.
    pub(crate) fn turn(&self) -> Option<Instant> {
        self.turns.front().map(|(at, _)| *at)
    }

    /// Keeps what the node sends while it is held; otherwise returns it.
    pub(crate) fn hold_back(&mut self, to: SocketAddr, payload: Bytes) -> Option<Bytes> {
        if self.is(Fault::Held) {
            self.outbox.push((to, payload));
            return None;
        }
        Some(payload)
    }

    /// When to wake the node next, if that is sooner than the wake-up on the agenda.
    pub(crate) fn next_wake(&mut self) -> Option<Instant> {
        let due = self.node.as_ref().and_then(Memberlist::poll_timeout)?;
        let ahead = self.ahead.as_nanos() as u64;
        let due = Instant::from_nanos(due.as_nanos().saturating_sub(ahead));
        if self.wake.is_some_and(|wake| wake <= due) {
            return None;
        }
        self.wake = Some(due);
        self.wake
    }
}

/// The receive buffer of a socket in bytes, as on Linux by default.
const RECEIVE_BUFFER: usize = 208 << 10;

/// How full the buffer of a socket is, in bytes of datagrams.
#[derive(Default)]
struct Socket(usize);

impl Socket {
    /// Buffers an input; returns whether there was room. Only datagrams need any.
    fn takes(&mut self, what: &What) -> bool {
        let fits = self.0 + what.bytes() <= RECEIVE_BUFFER;
        self.0 += if fits { what.bytes() } else { 0 };
        fits || what.bytes() == 0
    }

    /// Frees the room of an input that the process has read.
    fn read(&mut self, what: &What) {
        self.0 = self.0.saturating_sub(what.bytes());
    }
}
