//! One node under test in virtual time, driven call by call.
//!
//! A [`Rig`] hands a node its inputs, collects what comes out, and holds the node to the
//! [laws](crate::laws) at each step; a broken law panics. Peers are played by the test: what they
//! say goes in by [`receive`](Rig::receive) and its relatives, what the node says to them comes out
//! by [`sent`](Rig::sent) in words.
//!
//! ```
//! use std::time::Duration;
//!
//! use memberlist_proto::{Config, State};
//! use memberlist_sim::rig::{Rig, address};
//!
//! let mut config = Config::lan("me");
//! config.advertise_addr = [10, 0, 0, 1].into();
//! let mut rig = Rig::new(config);
//! rig.alive("x", 1);
//! assert_eq!(rig.state("x"), Some((State::Alive, 1)));
//!
//! // It does not answer.
//! rig.wait(Duration::from_secs(3));
//! assert_eq!(rig.state("x"), Some((State::Suspect, 1)));
//! let sent = rig.sent();
//! assert!(sent.iter().any(|it| it.to == address("x") && it.words[0] == "ping x"));
//! ```

mod peers;
mod wires;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use memberlist_proto::{
    Answer, BroadcastId, Config, ConfigError, Event, ExchangeError, Hooks, Instant, Job, JobId,
    JobOutput, Lookup, LookupFailure, LookupId, Memberlist, Node, OpId, PacketError, Request,
    RequestId, StreamFailure, StreamId, StreamOp, Transmit,
};

use self::peers::Peers;
pub use self::peers::{Sent, VSN, addr, address, alive, encoded, stranger};
pub use self::wires::Wires;
use crate::laws::{Broken, LATEST, Laws};

/// Which laws a node is held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// None: for measurements of the node alone, and for very many members. What it wants waits
    /// inside it until it is asked for.
    Nothing,
    /// All, except that operations and broadcasts may be begun by [`Rig::call`].
    Laws,
    /// All: [`Rig::begin`] and [`Rig::queue`] begin every operation and broadcast.
    Complete,
}

/// One node in virtual time, and what it wanted since it was last asked.
pub struct Rig {
    node: Memberlist,
    now: Instant,
    laws: Option<Laws>,
    events: Vec<Event>,
    packets: Vec<Transmit>,
    stream_ops: Vec<StreamOp>,
    lookups: Vec<Lookup>,
    requests: Vec<Request>,
    peers: Peers,
}

impl Rig {
    /// A node that has just started, held to the laws. Its first event, of itself, is taken.
    ///
    /// # Panics
    ///
    /// The configuration is not valid.
    pub fn new(config: Config) -> Self {
        Self::with(config, None, Watch::Laws)
    }

    /// The same with a delegate, and other laws.
    ///
    /// # Panics
    ///
    /// The configuration is not valid.
    pub fn with(config: Config, delegate: Option<Arc<dyn Hooks>>, watch: Watch) -> Self {
        let now = Instant::from_nanos(1_000_000_000);
        let rig = Self::start(now, config, delegate, [7; 32], watch);
        let mut rig = rig.expect("a valid configuration");
        rig.events();
        rig
    }

    /// A node that starts at `now` with this seed.
    ///
    /// # Errors
    ///
    /// The configuration is not valid.
    pub fn start(
        now: Instant,
        config: Config,
        delegate: Option<Arc<dyn Hooks>>,
        seed: [u8; 32],
        watch: Watch,
    ) -> Result<Self, ConfigError> {
        let node = Memberlist::new(now, config, delegate, seed)?;
        let laws = match watch {
            Watch::Nothing => None,
            Watch::Laws => Some(Laws::new(node.config())),
            Watch::Complete => Some(Laws::complete(node.config())),
        };
        let mut rig = Self {
            node,
            now,
            laws,
            events: Vec::new(),
            packets: Vec::new(),
            stream_ops: Vec::new(),
            lookups: Vec::new(),
            requests: Vec::new(),
            peers: Peers::default(),
        };
        rig.take(false);
        Ok(rig)
    }

    /// The node, to be looked at.
    pub fn node(&self) -> &Memberlist {
        &self.node
    }

    /// The time.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Lets time pass without handling any timer; it does not go back, and no time is later than
    /// half of what an [`Instant`] can hold, as for the node itself.
    pub fn set_now(&mut self, now: Instant) {
        if now <= LATEST {
            self.now = self.now.max(now);
        }
    }

    /// Handles what is due at `at`, which may be late or, for the node to cope with, early.
    pub fn fire(&mut self, at: Instant) {
        self.set_now(at);
        self.node.handle_timeout(at);
        let fired = self.laws.as_mut().map_or(Ok(()), |laws| laws.fired(self.now, &self.node));
        judge(fired);
        self.take(false);
    }

    /// Lets time pass, with every timer on the way.
    pub fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        self.wait_until(end, |_| false);
    }

    /// Lets time pass, with every timer on the way, until something is so, looked for after each,
    /// or until `end`; whether it became so.
    pub fn wait_until(&mut self, end: Instant, mut wanted: impl FnMut(&mut Self) -> bool) -> bool {
        while let Some(due) = self.node.poll_timeout().filter(|due| *due <= end) {
            self.fire(due.max(self.now));
            self.answer_pings();
            if wanted(self) {
                return true;
            }
        }
        self.fire(end);
        self.node.check_invariants().expect("invariants");
        wanted(self)
    }

    /// Hands over a datagram.
    ///
    /// # Errors
    ///
    /// Those of [`Memberlist::handle_packet`].
    pub fn packet(&mut self, from: SocketAddr, packet: &[u8]) -> Result<(), PacketError> {
        self.call(|node, now| node.handle_packet(now, from, packet))
    }

    /// A peer opens a stream; `None` if the node refuses it.
    pub fn accept(&mut self, from: SocketAddr) -> Option<StreamId> {
        let id = self.node.accept_stream(self.now, from)?;
        judge(self.laws.as_mut().map_or(Ok(()), |laws| laws.accepted(id)));
        self.take(false);
        Some(id)
    }

    /// A stream that the node wanted is connected.
    pub fn connected(&mut self, id: StreamId) {
        self.call(|node, now| node.handle_stream_connected(now, id));
    }

    /// Hands over bytes of a stream.
    ///
    /// # Errors
    ///
    /// Those of [`Memberlist::handle_stream_data`].
    pub fn data(&mut self, id: StreamId, data: &[u8]) -> Result<(), ExchangeError> {
        self.call(|node, now| node.handle_stream_data(now, id, data))
    }

    /// So many bytes of what the node wanted to write are written.
    pub fn written(&mut self, id: StreamId, len: usize) {
        self.call(|node, now| node.handle_stream_written(now, id, len));
    }

    /// The peer sends nothing more on a stream.
    pub fn eof(&mut self, id: StreamId) {
        self.call(|node, now| node.handle_stream_eof(now, id));
    }

    /// A stream has ended.
    pub fn closed(&mut self, id: StreamId, cause: Option<StreamFailure>) {
        if let Some(laws) = &mut self.laws {
            laws.closed(id);
        }
        self.call(|node, now| node.handle_stream_closed(now, id, cause));
    }

    /// A host name was resolved, or not.
    pub fn resolved(&mut self, id: LookupId, found: Result<&[IpAddr], LookupFailure>) {
        self.call(|node, now| node.handle_lookup(now, id, found));
    }

    /// The application answers a question.
    pub fn answer(&mut self, id: RequestId, answer: Answer) {
        self.call(|node, now| node.answer(now, id, answer));
    }

    /// Calls anything of the node.
    pub fn call<R>(&mut self, f: impl FnOnce(&mut Memberlist, Instant) -> R) -> R {
        let result = f(&mut self.node, self.now);
        self.take(true);
        result
    }

    /// Begins an operation.
    pub fn begin(&mut self, f: impl FnOnce(&mut Memberlist, Instant) -> OpId) -> OpId {
        let Ok(op) = self.try_begin(|node, now| Ok::<_, std::convert::Infallible>(f(node, now)));
        op
    }

    /// Begins an operation that may be refused.
    ///
    /// # Errors
    ///
    /// Those of `f`.
    pub fn try_begin<E>(
        &mut self,
        f: impl FnOnce(&mut Memberlist, Instant) -> Result<OpId, E>,
    ) -> Result<OpId, E> {
        let op = f(&mut self.node, self.now);
        if let (Some(laws), Ok(op)) = (&mut self.laws, &op) {
            judge(laws.begun(*op));
        }
        self.take(false);
        op
    }

    /// Queues a broadcast, which may be refused.
    ///
    /// # Errors
    ///
    /// Those of `f`.
    pub fn queue<E>(
        &mut self,
        f: impl FnOnce(&mut Memberlist, Instant) -> Result<BroadcastId, E>,
    ) -> Result<BroadcastId, E> {
        let id = f(&mut self.node, self.now);
        if let (Some(laws), Ok(id)) = (&mut self.laws, &id) {
            judge(laws.queued(*id));
        }
        self.take(false);
        id
    }

    /// Gives the node members, which no event reports.
    pub fn restore(&mut self, members: impl IntoIterator<Item = Node>) {
        self.node.restore(self.now, members);
        if let Some(laws) = &mut self.laws {
            laws.restored(self.now, &self.node);
        }
        self.take(false);
    }

    /// The application wants to send to this address, even if it cannot be sent to.
    pub fn named(&mut self, address: SocketAddr) {
        if let Some(laws) = &mut self.laws {
            laws.named(address);
        }
    }

    /// The events since the last call.
    pub fn events(&mut self) -> Vec<Event> {
        let mut events = core::mem::take(&mut self.events);
        events.extend(core::iter::from_fn(|| self.node.poll_event()));
        events
    }

    /// The datagrams since the last call of this or of [`sent`](Self::sent).
    pub fn packets(&mut self) -> Vec<Transmit> {
        let mut packets = core::mem::take(&mut self.packets);
        packets.extend(core::iter::from_fn(|| self.node.poll_transmit()));
        packets
    }

    /// What the node wanted done with streams since the last call.
    pub fn stream_ops(&mut self) -> Vec<StreamOp> {
        let mut ops = core::mem::take(&mut self.stream_ops);
        ops.extend(core::iter::from_fn(|| self.node.poll_stream()));
        ops
    }

    /// The next job that the node hands out.
    pub fn job(&mut self) -> Option<Job> {
        self.node.poll_job()
    }

    /// A job is done, or the node is to do it by itself.
    pub fn job_done(&mut self, id: JobId, output: Option<JobOutput>) {
        self.call(|node, now| node.job_done(now, id, output));
    }

    /// Does the jobs that the node hands out, and those that follow from them; whether there were any.
    pub fn work(&mut self) -> bool {
        let mut worked = false;
        while let Some(job) = self.job() {
            self.job_done(job.id(), Some(job.run()));
            worked = true;
        }
        worked
    }

    /// The host names to resolve since the last call.
    pub fn lookups(&mut self) -> Vec<Lookup> {
        let mut lookups = core::mem::take(&mut self.lookups);
        lookups.extend(core::iter::from_fn(|| self.node.poll_lookup()));
        lookups
    }

    /// The questions to the application since the last call.
    pub fn requests(&mut self) -> Vec<Request> {
        let mut requests = core::mem::take(&mut self.requests);
        requests.extend(core::iter::from_fn(|| self.node.poll_request()));
        requests
    }

    /// Takes every output of a node that is held to laws, and looks at it. A call of the
    /// application may have restored members.
    fn take(&mut self, called: bool) {
        let (Some(laws), node, now) = (&mut self.laws, &mut self.node, self.now) else { return };
        while let Some(event) = node.poll_event() {
            judge(laws.event(now, &event));
            self.events.push(event);
        }
        while let Some(packet) = node.poll_transmit() {
            judge(laws.sent(node, &packet));
            self.packets.push(packet);
        }
        while let Some(op) = node.poll_stream() {
            judge(laws.stream(&op));
            self.stream_ops.push(op);
        }
        self.lookups.extend(core::iter::from_fn(|| node.poll_lookup()));
        while let Some(request) = node.poll_request() {
            judge(laws.asked(now, &request));
            self.requests.push(request);
        }
        if called && laws.misses_members(node) {
            laws.restored(now, node);
        }
        judge(laws.rest(now, node));
    }
}

fn judge(result: Result<(), Broken>) {
    result.unwrap_or_else(|broken| panic!("a law is broken: {broken}"));
}

impl std::fmt::Debug for Rig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rig")
            .field("node", &self.node.local())
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
