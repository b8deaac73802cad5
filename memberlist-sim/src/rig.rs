//! One node under test in virtual time, driven call by call.
//!
//! A [`Rig`] hands a node its inputs, collects its outputs, and checks the [laws](crate::laws) at
//! each step; a broken law panics. The test plays the peers: [`receive`](Rig::receive) and related
//! methods hand over their messages, and [`sent`](Rig::sent) returns in words what the node sends
//! to them.
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
    /// None: for measurements of the node alone, and for very many members. The node's outputs stay
    /// inside it until the test takes them.
    Nothing,
    /// All, except that [`Rig::call`] may begin operations and broadcasts, too.
    Laws,
    /// All: every operation and broadcast must be begun by [`Rig::begin`] or [`Rig::queue`].
    Complete,
}

/// One node in virtual time, and those of its outputs that the test has not taken yet.
///
/// With the laws watched, every method panics in which the node breaks one.
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
    /// Starts a node with [`Watch::Laws`], and takes its first event, the join of the node itself.
    ///
    /// # Panics
    ///
    /// The configuration is not valid.
    pub fn new(config: Config) -> Self {
        Self::with(config, None, Watch::Laws)
    }

    /// Like [`new`](Self::new), with a delegate and a choice of the laws to check.
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

    /// Starts a node at `now` with this seed. No event is taken.
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

    /// The node, for queries.
    pub fn node(&self) -> &Memberlist {
        &self.node
    }

    /// The virtual time.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Sets the time without handling any timer. A time that is earlier than now, or beyond half of
    /// what an [`Instant`] can hold, is ignored, as the node itself ignores it.
    pub fn set_now(&mut self, now: Instant) {
        if now <= LATEST {
            self.now = self.now.max(now);
        }
    }

    /// Sets the time to `at` and calls the node's `handle_timeout` once. `at` may be later or
    /// earlier than the next timer: a node must cope with both.
    pub fn fire(&mut self, at: Instant) {
        self.set_now(at);
        self.node.handle_timeout(at);
        let fired = self.laws.as_mut().map_or(Ok(()), |laws| laws.fired(self.now, &self.node));
        judge(fired);
        self.take(false);
    }

    /// Lets time pass, and handles every timer that becomes due.
    pub fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        self.wait_until(end, |_| false);
    }

    /// Lets time pass, handling every timer that becomes due, until `wanted` holds, which is
    /// checked after each of them, or until `end`. Returns whether it holds.
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

    /// Hands the node a datagram.
    ///
    /// # Errors
    ///
    /// Those of [`Memberlist::handle_packet`].
    pub fn packet(&mut self, from: SocketAddr, packet: &[u8]) -> Result<(), PacketError> {
        self.call(|node, now| node.handle_packet(now, from, packet))
    }

    /// Opens a stream from a peer to the node; `None` if the node refuses it.
    pub fn accept(&mut self, from: SocketAddr) -> Option<StreamId> {
        let id = self.node.accept_stream(self.now, from)?;
        judge(self.laws.as_mut().map_or(Ok(()), |laws| laws.accepted(id)));
        self.take(false);
        Some(id)
    }

    /// Reports to the node that a stream that it wanted is connected.
    pub fn connected(&mut self, id: StreamId) {
        self.call(|node, now| node.handle_stream_connected(now, id));
    }

    /// Hands the node bytes of a stream.
    ///
    /// # Errors
    ///
    /// Those of [`Memberlist::handle_stream_data`].
    pub fn data(&mut self, id: StreamId, data: &[u8]) -> Result<(), ExchangeError> {
        self.call(|node, now| node.handle_stream_data(now, id, data))
    }

    /// Reports to the node that `len` more bytes of what it wanted to write to a stream are
    /// written.
    pub fn written(&mut self, id: StreamId, len: usize) {
        self.call(|node, now| node.handle_stream_written(now, id, len));
    }

    /// Reports to the node that the peer sends nothing more on a stream.
    pub fn eof(&mut self, id: StreamId) {
        self.call(|node, now| node.handle_stream_eof(now, id));
    }

    /// Reports to the node that a stream has ended; `cause` is `None` if it was closed in order.
    pub fn closed(&mut self, id: StreamId, cause: Option<StreamFailure>) {
        if let Some(laws) = &mut self.laws {
            laws.closed(id);
        }
        self.call(|node, now| node.handle_stream_closed(now, id, cause));
    }

    /// Reports the result of a look-up to the node: addresses, or why there are none.
    pub fn resolved(&mut self, id: LookupId, found: Result<&[IpAddr], LookupFailure>) {
        self.call(|node, now| node.handle_lookup(now, id, found));
    }

    /// Gives the node the application's answer to a question.
    pub fn answer(&mut self, id: RequestId, answer: Answer) {
        self.call(|node, now| node.answer(now, id, answer));
    }

    /// Calls any method of the node.
    pub fn call<R>(&mut self, f: impl FnOnce(&mut Memberlist, Instant) -> R) -> R {
        let result = f(&mut self.node, self.now);
        self.take(true);
        result
    }

    /// Begins an operation, of which the laws check that it ends exactly once.
    pub fn begin(&mut self, f: impl FnOnce(&mut Memberlist, Instant) -> OpId) -> OpId {
        let Ok(op) = self.try_begin(|node, now| Ok::<_, std::convert::Infallible>(f(node, now)));
        op
    }

    /// Like [`begin`](Self::begin), for an operation that may be refused.
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

    /// Queues a broadcast, which may be refused; the laws check that it ends exactly once.
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

    /// Gives the node members by [`Memberlist::restore`], for which it emits no events.
    pub fn restore(&mut self, members: impl IntoIterator<Item = Node>) {
        self.node.restore(self.now, members);
        if let Some(laws) = &mut self.laws {
            laws.restored(self.now, &self.node);
        }
        self.take(false);
    }

    /// Lets the node send to this address, even if it is unusable, because the application wants
    /// to.
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

    /// The datagrams since the last call of this method or of one that reads them, such as
    /// [`sent`](Self::sent).
    pub fn packets(&mut self) -> Vec<Transmit> {
        let mut packets = core::mem::take(&mut self.packets);
        packets.extend(core::iter::from_fn(|| self.node.poll_transmit()));
        packets
    }

    /// The operations on streams that the node has wanted since the last call.
    pub fn stream_ops(&mut self) -> Vec<StreamOp> {
        let mut ops = core::mem::take(&mut self.stream_ops);
        ops.extend(core::iter::from_fn(|| self.node.poll_stream()));
        ops
    }

    /// The next job that the node hands out.
    pub fn job(&mut self) -> Option<Job> {
        self.node.poll_job()
    }

    /// Hands back the result of a job; with `None`, the node does the job itself.
    pub fn job_done(&mut self, id: JobId, output: Option<JobOutput>) {
        self.call(|node, now| node.job_done(now, id, output));
    }

    /// Does the jobs that the node hands out, and those that follow from them; returns whether
    /// there were any.
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

    /// Takes every output of a node whose laws are watched, and checks the node. `called` means
    /// that the application has called the node, and may have restored members.
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
