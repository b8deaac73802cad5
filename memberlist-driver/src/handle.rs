//! What the user of a node holds.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use std::vec::Vec;

use bytes::Bytes;

use super::Error;
use super::operation::{Operation, expect};
use super::shared::{Last, Shared, State};
use memberlist_proto::Instant;
use memberlist_proto::Key;
use memberlist_proto::Stats;
use memberlist_proto::Status;
use memberlist_proto::{BroadcastId, JoinReport, LeaveReport, OpId, Outcome, Pong};
use memberlist_proto::{BroadcastKind, Priority};
use memberlist_proto::{Config, Timing};
use memberlist_proto::{JoinPolicy, Peer, Target};
use memberlist_proto::{Node, NodeName};

/// A running node: cheap to clone, usable from every thread. The node ends when the last clone is
/// dropped. Methods that return a future begin at once; the future waits for the end.
#[derive(Clone)]
pub struct Handle(Arc<Stopper>);

/// Dropped with the last handle.
struct Stopper(Arc<Shared>);

impl Drop for Stopper {
    fn drop(&mut self) {
        self.0.surely(Last::Stop);
    }
}

impl Handle {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        Self(Arc::new(Stopper(Arc::clone(shared))))
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.0.0
    }

    /// The address that the node's sockets are bound to, with the real port.
    pub fn bound_address(&self) -> SocketAddr {
        self.shared().bound
    }

    /// Exchanges the full state with each of `peers`, several at a time.
    pub fn join(&self, peers: &[Peer]) -> Operation<JoinReport> {
        self.begin(
            |state, now| Ok(state.core.join(now, peers)),
            |outcome| match outcome {
                Outcome::Join(result) => Ok(result?),
                _ => Err(Error::Shutdown),
            },
        )
    }

    /// As [`join`](Self::join), as hard as `policy` says; dropping the future aborts it.
    pub fn join_with(&self, peers: &[Peer], policy: JoinPolicy) -> Operation<JoinReport> {
        self.begin(
            |state, now| Ok(state.core.join_with(now, peers, policy)),
            |outcome| match outcome {
                Outcome::Join(result) => Ok(result?),
                _ => Err(Error::Shutdown),
            },
        )
    }

    /// Tells the cluster that this node leaves on purpose, and waits until enough members were
    /// told, or for `timeout` (zero: for ever). The node goes on answering until it is shut down.
    pub fn leave(&self, timeout: Duration) -> Operation<LeaveReport> {
        self.begin(
            |state, now| Ok(state.core.leave(now, timeout)),
            |outcome| match outcome {
                Outcome::Leave(result) => Ok(result?),
                _ => Err(Error::Shutdown),
            },
        )
    }

    /// Waits until nobody has joined or departed for `quiet`, and no join is under way, but no
    /// longer than `timeout` (zero: for ever); the number of members then.
    pub fn settled(&self, quiet: Duration, timeout: Duration) -> Operation<usize> {
        self.begin(
            |state, now| Ok(state.core.settle(now, quiet, timeout)),
            |outcome| match outcome {
                Outcome::Settle(result) => Ok(result?),
                _ => Err(Error::Shutdown),
            },
        )
    }

    /// Announces other metadata and waits until enough members were told, or for `timeout` (zero:
    /// for ever).
    pub fn set_meta(&self, meta: impl Into<Bytes>, timeout: Duration) -> Operation<()> {
        let meta = meta.into();
        self.begin(
            |state, now| Ok(state.core.set_meta(now, meta, timeout)?),
            |outcome| match outcome {
                Outcome::SetMeta(result) => Ok(result?),
                _ => Err(Error::Shutdown),
            },
        )
    }

    /// Pings a node by datagram.
    pub fn ping(&self, target: Target) -> Operation<Pong> {
        self.begin(
            |state, now| Ok(state.core.ping(now, target)),
            |outcome| match outcome {
                Outcome::Ping(result) => Ok(result?),
                _ => Err(Error::Shutdown),
            },
        )
    }

    /// Sends a message over a stream, and waits until all of it has been handed to the network.
    pub fn send_reliable(&self, to: Target, message: &[u8]) -> Operation<()> {
        self.begin(
            |state, now| Ok(state.core.send_reliable(now, to, message)?),
            |outcome| match outcome {
                Outcome::SendReliable(result) => Ok(result?),
                _ => Err(Error::Shutdown),
            },
        )
    }

    /// Sends a message by datagram, best effort.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from being sent at all.
    pub fn send(&self, to: Target, message: &[u8]) -> Result<(), Error> {
        Ok(self.shared().operate(|state, now| state.core.send(now, to, message))??)
    }

    /// Gossips a message to some random members. To reach everybody, whoever receives it for the
    /// first time broadcasts it again ([`Memberlist::broadcast`](memberlist_proto::Memberlist::broadcast)).
    ///
    /// # Errors
    ///
    /// The message is too long for a gossip packet, or the node has ended.
    pub fn broadcast(
        &self,
        message: &[u8],
        kind: BroadcastKind,
        priority: Priority,
    ) -> Result<BroadcastId, Error> {
        let push = |state: &mut State, now| state.core.broadcast(now, message, kind, priority);
        Ok(self.shared().operate(push)??)
    }

    /// Spreads a message of any size: a short one by gossip, a longer one by stream to every member
    /// ([`Memberlist::disseminate`](memberlist_proto::Memberlist::disseminate)).
    ///
    /// # Errors
    ///
    /// The message is too long for a stream, too many are on their way, or the node has ended.
    pub fn disseminate(&self, message: &[u8]) -> Result<BroadcastId, Error> {
        Ok(self.shared().operate(|state, now| state.core.disseminate(now, message))??)
    }

    /// The members that are alive or suspect, this node included unless it has left. Empty if a
    /// delegate asks for it from inside the node.
    pub fn members(&self) -> Vec<Node> {
        self.read(|state| state.core.members().collect()).unwrap_or_default()
    }

    /// Every node known, also dead ones and those that left. Empty if a delegate asks for it from
    /// inside the node.
    pub fn nodes(&self) -> Vec<Node> {
        self.read(|state| state.core.nodes().collect()).unwrap_or_default()
    }

    /// One node by name, of any state. `None` if a delegate asks for it from inside the node.
    pub fn member(&self, name: &NodeName) -> Option<Node> {
        self.read(|state| state.core.member(name)).ok().flatten()
    }

    /// How many members are alive or suspect.
    pub fn num_members(&self) -> usize {
        self.read(|state| state.core.num_members()).unwrap_or_default()
    }

    /// This node's own record.
    pub fn local(&self) -> Node {
        self.shared().local()
    }

    /// The configuration in force.
    ///
    /// # Errors
    ///
    /// A delegate asks for it from inside the node.
    pub fn config(&self) -> Result<Config, Error> {
        self.read(|state| state.core.config().clone())
    }

    /// The local health score: 0 is healthy.
    pub fn health_score(&self) -> u32 {
        self.read(|state| state.core.health_score()).unwrap_or_default()
    }

    /// Counters, gauges and what was decided.
    pub fn stats(&self) -> Stats {
        self.read(|state| state.core.stats()).unwrap_or_default()
    }

    /// Everything an operator asks for.
    ///
    /// # Errors
    ///
    /// A delegate asks for it from inside the node.
    pub fn status(&self) -> Result<Status, Error> {
        self.shared().with(|state, now| state.core.status(now))
    }

    /// The live members but this node, to be saved: see [`recall`](Self::recall). Empty if a
    /// delegate asks for it from inside the node.
    pub fn snapshot(&self) -> Vec<Peer> {
        self.read(|state| state.core.snapshot().collect()).unwrap_or_default()
    }

    /// Looks for peers known from an earlier life, as [`snapshot`](Self::snapshot) gave them.
    ///
    /// # Errors
    ///
    /// The node has ended.
    pub fn recall(&self, peers: &[Peer]) -> Result<(), Error> {
        self.shared().operate(|state, now| state.core.recall(now, peers.iter().cloned()))
    }

    /// Whether the node has left the cluster.
    pub fn has_left(&self) -> bool {
        self.read(|state| state.core.has_left()).unwrap_or_default()
    }

    /// The keys, the primary first.
    pub fn keys(&self) -> Vec<Key> {
        self.read(|state| state.core.keys()).unwrap_or_default()
    }

    /// Adds a key for decryption; the first one of all begins encryption.
    ///
    /// # Errors
    ///
    /// The node has ended.
    pub fn add_key(&self, key: Key) -> Result<(), Error> {
        self.shared().operate(|state, now| state.core.add_key(now, key))
    }

    /// Makes a key of the ring the primary.
    ///
    /// # Errors
    ///
    /// The key is not in the ring, or the node has ended.
    pub fn use_key(&self, key: &Key) -> Result<(), Error> {
        Ok(self.shared().operate(|state, now| state.core.use_key(now, key))??)
    }

    /// Removes a key that is not the primary.
    ///
    /// # Errors
    ///
    /// The key is the primary, or the node has ended.
    pub fn remove_key(&self, key: &Key) -> Result<(), Error> {
        Ok(self.shared().operate(|state, now| state.core.remove_key(now, key))??)
    }

    /// Whether, with a key, plain input is refused and output is encrypted.
    ///
    /// # Errors
    ///
    /// The node has ended.
    pub fn set_verify(&self, incoming: bool, outgoing: bool) -> Result<(), Error> {
        self.shared().operate(|state, now| state.core.set_verify(now, incoming, outgoing))
    }

    /// Changes the timing.
    ///
    /// # Errors
    ///
    /// A rule of the configuration is broken, or the node has ended.
    pub fn reconfigure(&self, timing: Timing) -> Result<(), Error> {
        Ok(self.shared().operate(|state, now| state.core.reconfigure(now, timing))??)
    }

    /// Ends the node without a word to the cluster; ready when its sockets are closed. Leave
    /// before for a graceful end.
    pub fn shutdown(&self) -> impl Future<Output = ()> + Send + 'static {
        let shared = Arc::clone(self.shared());
        shared.surely(Last::Stop);
        std::future::poll_fn(move |cx| shared.poll_ended(cx))
    }

    fn begin<T>(
        &self,
        start: impl FnOnce(&mut State, Instant) -> Result<OpId, Error>,
        take: fn(Outcome) -> Result<T, Error>,
    ) -> Operation<T> {
        let begun = self.shared().operate(|state, now| {
            let op = start(state, now)?;
            expect(state, op);
            Ok(op)
        });
        Operation::begin(self.shared(), begun.and_then(|begun| begun), take)
    }

    fn read<R>(&self, f: impl FnOnce(&State) -> R) -> Result<R, Error> {
        self.shared().with(|state, _| f(state))
    }
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Memberlist").field("name", &self.shared().name).finish_non_exhaustive()
    }
}
