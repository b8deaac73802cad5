//! The handle by which an application uses its node.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use memberlist_proto::{
    BroadcastId, BroadcastKind, Command, InputError, Instant, JoinPolicy, JoinReport, Key,
    LeaveReport, NodeName, OpId, Outcome, Peer, PeerError, Pong, Priority, Reply, Target, Timing,
};

use crate::error::Error;
use crate::operation::{Operation, expect};
use crate::shared::Shared;
use crate::state::{Last, State};

mod reads;

/// A running node.
///
/// Cheap to clone, and usable from any thread and on any runtime. The node ends when the last clone
/// is dropped, or with [`shutdown`](Self::shutdown).
///
/// Methods never wait: those that return an [`Operation`] begin at once, and its future waits for
/// the end. Dropping the future cancels what can be cancelled; see [`Operation`].
///
/// # Errors
///
/// In addition to the errors that each method lists, every method that acts on the node returns
/// [`Error::Shutdown`] once [`shutdown`](Self::shutdown) has been called or the node has ended.
/// From within a method of a [`Delegate`](crate::Delegate) that the node is waiting for, every
/// method that returns a `Result` or an [`Operation`] fails with [`Error::Reentrant`], and those
/// that only read and cannot fail return an empty value.
#[derive(Clone)]
pub struct Handle(Arc<Stopper>);

/// Stops the node when the last handle is dropped.
struct Stopper(Arc<Shared>);

impl Drop for Stopper {
    fn drop(&mut self) {
        self.0.surely(Last::Stop);
    }
}

/// Joining and leaving.
impl Handle {
    /// Joins a cluster: exchanges the full state with each of `peers` (Go: `Join`).
    ///
    /// Peers are [`Peer`]s, addresses, nodes, or text such as `10.0.0.1:7946` or `db.example`,
    /// owned or borrowed. Host names are resolved, and `join_parallelism` peers are tried at a
    /// time. The operation ends when each peer has answered or failed, at the latest after
    /// `join_timeout`, and reports the result for each: it is `Ok` if at least one peer was joined,
    /// and may then list failures, too.
    ///
    /// # Errors
    ///
    /// [`Error::NotJoined`]: no peer was joined, or none was given. It holds the report, and its
    /// text lists every failure; the failures are also logged. If another node of the cluster has
    /// this node's name, [`name_holder`](JoinReport::name_holder) of the report is that node's
    /// address.
    ///
    /// [`Error::Join`]: this node has left, or too many operations are under way
    /// (`limits.operations`).
    ///
    /// [`Error::Peer`]: an item cannot be converted to a [`Peer`]; no peer was tried then.
    pub fn join<P>(&self, peers: impl IntoIterator<Item = P>) -> Operation<JoinReport>
    where
        P: TryInto<Peer, Error: Into<PeerError>>,
    {
        self.join_with(peers, JoinPolicy::default())
    }

    /// Joins a cluster as [`join`](Self::join) does, and retries as `policy` says, possibly without
    /// end. Each attempt that has joined no peer is logged, and if another attempt follows, it is
    /// reported as [`Event::JoinRetries`](memberlist_proto::Event::JoinRetries).
    ///
    /// # Errors
    ///
    /// As for [`join`](Self::join).
    pub fn join_with<P>(
        &self,
        peers: impl IntoIterator<Item = P>,
        policy: JoinPolicy,
    ) -> Operation<JoinReport>
    where
        P: TryInto<Peer, Error: Into<PeerError>>,
    {
        let peer = |(index, peer): (usize, P)| {
            peer.try_into().map_err(|error| Error::Peer { index, error: error.into() })
        };
        let peers: Result<Vec<_>, _> = peers.into_iter().enumerate().map(peer).collect();
        self.join_peers(peers, policy)
    }

    /// Announces to the cluster that this node leaves on purpose (Go: `Leave`), and ends every join
    /// that is under way. A node that has left cannot join again. The report says how far the
    /// announcement was spread.
    ///
    /// `Ok` means that the announcement has been handed to the socket: once for every other member
    /// in a cluster of up to `differences.leave_directly` of them, and as gossip to
    /// `retransmit_mult` × (decimal digits of the cluster's size) random members. The process may
    /// end at once after that. `timeout` bounds the wait (zero: no bound); a node without any other
    /// member has nothing to wait for. The node continues to answer until it is shut down, and
    /// dropping the future ends only the wait.
    ///
    /// A node that its cluster refused because another node has its name
    /// ([`name_holder`](JoinReport::name_holder)) leaves without an announcement, since members
    /// would attribute that to the other node: the report counts no members.
    ///
    /// # Errors
    ///
    /// [`Error::Wait`] with [`TimedOut`](memberlist_proto::WaitError::TimedOut): the announcement is
    /// still being sent.
    pub fn leave(&self, timeout: Duration) -> Operation<LeaveReport> {
        self.begin(
            |state, now| Ok(state.core.leave(now, timeout)),
            |outcome| match outcome {
                Outcome::Leave(result) => Ok(result?),
                _ => Err(Error::Shutdown),
            },
        )
    }

    /// Waits until no member has joined or departed for `quiet`, and no join is under way; returns
    /// the number of members then, this node included. `timeout` bounds the wait (zero: no bound).
    ///
    /// # Errors
    ///
    /// [`Error::Wait`]: the timeout has passed, or too many operations are under way.
    pub fn settled(&self, quiet: Duration, timeout: Duration) -> Operation<usize> {
        self.begin(
            |state, now| Ok(state.core.settle(now, quiet, timeout)),
            |outcome| match outcome {
                Outcome::Settle(result) => Ok(result?),
                _ => Err(Error::Shutdown),
            },
        )
    }

    /// Searches for peers that were members before this node restarted, as
    /// [`snapshot`](Self::snapshot) returned them. They are treated like members that have just
    /// died: the search continues in the background for `rejoin.give_up_after`. Peers whose host is
    /// a name are ignored, and so are those beyond `limits.lost_members`.
    ///
    /// # Errors
    ///
    /// Only those that every method has.
    pub fn recall(&self, peers: &[Peer]) -> Result<(), Error> {
        self.shared().operate(|state, now| state.core.recall(now, peers.iter().cloned()))
    }

    /// Forgets a node that is dead or has left: ends the search for it, removes its record, and
    /// informs the other members, which search for it as well (Serf: `force-leave --prune`).
    /// Without this call, a node that was killed on purpose is searched for until
    /// `rejoin.give_up_after` has passed.
    ///
    /// This informs only members that still have the record. Once it has been reaped (after
    /// `gossip_to_the_dead_time`), call this at each member that searches for the node.
    ///
    /// # Errors
    ///
    /// [`Error::Forget`]: the node is a live member or this node itself, or it is unknown.
    pub fn forget(&self, name: impl Into<NodeName>) -> Result<(), Error> {
        let name = name.into();
        Ok(self.shared().operate(|state, now| state.core.forget(now, &name))??)
    }

    /// Ends the node without announcing it to the cluster; call [`leave`](Self::leave) first for a
    /// graceful departure.
    ///
    /// The shutdown begins when this method is called, not when the future is polled. What was
    /// queued before is still sent: packets are handed to the socket, and streams that only have to
    /// write queued data finish doing so, each of the two within at most a second. Every operation
    /// that has not ended fails with [`Error::Shutdown`]. The future is ready when all sockets are
    /// closed; dropping it changes nothing. It is also ready if the runtime has ended and dropped
    /// the node's tasks.
    pub fn shutdown(&self) -> impl Future<Output = ()> + Send + 'static {
        let shared = Arc::clone(self.shared());
        shared.surely(Last::Stop);
        std::future::poll_fn(move |cx| shared.poll_ended(cx))
    }
}

/// Messages and pings. A message is anything that can be read as bytes: `&str`, `&[u8]`, `Vec<u8>`,
/// `Bytes`. A target is a node, a name, or an address: see [`Target`].
impl Handle {
    /// Sends a message in one datagram, best effort (Go: `SendBestEffort`). It is lost if the
    /// network, the receiver or a full send buffer drops it, and the loss is not reported.
    ///
    /// # Errors
    ///
    /// [`Error::Send`]: the message does not fit into one packet of `udp_buffer_size` bytes (1,400
    /// by default, less the overhead of label and encryption), no member has that name, the
    /// member's address cannot be used, or `require_node_names` is set and the target has no name.
    pub fn send(&self, to: impl Into<Target>, message: impl AsRef<[u8]>) -> Result<(), Error> {
        let (to, message) = (to.into(), message.as_ref());
        Ok(self.shared().operate(|state, now| state.core.send(now, to, message))??)
    }

    /// Sends a message over a stream of its own (Go: `SendReliable`). The operation ends when all
    /// of it has been handed to the network: the protocol has no acknowledgement, so `Ok` does not
    /// prove that it was received.
    ///
    /// # Errors
    ///
    /// [`Error::Send`]: the message is longer than `limits.stream_bytes` (20 MiB by default), the
    /// target cannot be used, or too many operations or streams are under way. [`Error::Exchange`]:
    /// the connection failed, or made no progress within `tcp_timeout`; or the message, once
    /// encrypted, is longer than the 20 MiB that a peer reads.
    pub fn send_reliable(&self, to: impl Into<Target>, message: impl AsRef<[u8]>) -> Operation<()> {
        // It may be long: nothing of it is copied under the lock.
        let message = Bytes::copy_from_slice(message.as_ref());
        let command = Command::SendReliable { to: to.into(), message };
        self.begin(
            |state, now| match state.core.handle(now, command.into()) {
                Ok(Reply::Begun(op)) => Ok(op),
                other => Err(not_sent(&other)),
            },
            |outcome| match outcome {
                Outcome::SendReliable(result) => Ok(result?),
                _ => Err(Error::Shutdown),
            },
        )
    }

    /// Gossips a message to `retransmit_mult` × (decimal digits of the cluster's size) random
    /// members. When it has left the queue,
    /// [`Event::BroadcastFinished`](memberlist_proto::Event::BroadcastFinished) reports why.
    ///
    /// **A member may receive it more than once**, from several peers, long after the first time,
    /// and in a different order from other members: receivers must recognize what they already
    /// know, by an id in the message or because applying it twice changes nothing. This node does
    /// not receive its own broadcast, unless another application broadcasts it again.
    ///
    /// To reach every member, an application that receives a message for the first time broadcasts
    /// it again: the protocol does not know which messages are new.
    ///
    /// # Errors
    ///
    /// [`Error::Send`]: the message is longer than a gossip packet has room for. A full queue
    /// (`limits.user_broadcasts`) is not an error: it drops its oldest message, which is reported
    /// as the end of that broadcast.
    pub fn broadcast(
        &self,
        message: impl AsRef<[u8]>,
        kind: BroadcastKind,
        priority: Priority,
    ) -> Result<BroadcastId, Error> {
        let message = message.as_ref();
        let push = |state: &mut State, now| state.core.broadcast(now, message, kind, priority);
        Ok(self.shared().operate(push)??)
    }

    /// Spreads a message of any size up to `limits.stream_bytes`. A short one, up to half of what
    /// [`broadcast`](Self::broadcast) accepts, goes by gossip; a longer one goes by stream to every
    /// member that is alive or suspect now, and each is tried once. What goes by gossip may be
    /// received more than once, as with [`broadcast`](Self::broadcast). Its end is reported as
    /// [`Event::BroadcastFinished`](memberlist_proto::Event::BroadcastFinished).
    ///
    /// # Errors
    ///
    /// [`Error::Send`]: the message is longer than `limits.stream_bytes`, or too many messages or
    /// bytes are already being sent to members (`limits.disseminations`,
    /// `limits.dissemination_bytes`).
    pub fn disseminate(&self, message: impl AsRef<[u8]>) -> Result<BroadcastId, Error> {
        let message = Bytes::copy_from_slice(message.as_ref());
        let command = Command::Disseminate { message };
        match self.shared().operate(|state, now| state.core.handle(now, command.into()))? {
            Ok(Reply::Queued(id)) => Ok(id),
            other => Err(not_sent(&other)),
        }
    }

    /// Pings a node by datagram, whether or not it is a member (Go: `Ping`), and returns the round
    /// trip time and the payload of the ack. The result does not affect the membership.
    ///
    /// # Errors
    ///
    /// [`Error::Ping`]: no ack within `probe_timeout`, the target cannot be used, or too many
    /// operations are under way.
    pub fn ping(&self, target: impl Into<Target>) -> Operation<Pong> {
        let target = target.into();
        self.begin(
            |state, now| Ok(state.core.ping(now, target)),
            |outcome| match outcome {
                Outcome::Ping(result) => Ok(result?),
                _ => Err(Error::Shutdown),
            },
        )
    }
}

/// Changes to the running node.
impl Handle {
    /// Replaces this node's metadata and announces it (Go: `UpdateNode`). The operation ends when
    /// the announcement has been handed to the socket as many times as gossip retransmits a
    /// message, or with an error after `timeout` (zero: no bound). Dropping the future ends only
    /// the wait.
    ///
    /// # Errors
    ///
    /// [`Error::TooLong`]: the metadata is longer than `meta_max_size` (512 bytes by default), or
    /// so long that the announcement does not fit into a packet; nothing has changed then.
    /// [`Error::Wait`]: `timeout` has passed, this node has left, its own delegate refuses the
    /// announcement, or too many operations are under way.
    pub fn set_meta(&self, meta: impl AsRef<[u8]>, timeout: Duration) -> Operation<()> {
        let meta = Bytes::copy_from_slice(meta.as_ref());
        self.begin(
            |state, now| Ok(state.core.set_meta(now, meta, timeout)?),
            |outcome| match outcome {
                Outcome::SetMeta(result) => Ok(result?),
                _ => Err(Error::Shutdown),
            },
        )
    }

    /// Adds a key to the ring: from now on, this node can also decrypt what is encrypted with it.
    /// The first key of an empty ring becomes the primary, and output is encrypted with it.
    ///
    /// # Errors
    ///
    /// [`Error::Oversized`]: with encryption, this node's own announcement would not fit into a
    /// packet; nothing has changed then.
    pub fn add_key(&self, key: Key) -> Result<(), Error> {
        self.shared().operate(|state, now| state.core.add_key(now, key))?.map_err(Error::from)
    }

    /// Makes a key of the ring the primary: from now on, output is encrypted with it.
    ///
    /// # Errors
    ///
    /// [`Error::Keyring`]: the key is not in the ring.
    pub fn use_key(&self, key: &Key) -> Result<(), Error> {
        Ok(self.shared().operate(|state, now| state.core.use_key(now, key))??)
    }

    /// Removes a key from the ring: from now on, what is encrypted with it is refused. Removing a
    /// key that is not in the ring succeeds and changes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Keyring`]: the key is the primary, or the ring is empty.
    pub fn remove_key(&self, key: &Key) -> Result<(), Error> {
        Ok(self.shared().operate(|state, now| state.core.remove_key(now, key))??)
    }

    /// Sets whether this node, once it has a key, refuses unencrypted input, and whether it
    /// encrypts its output (Go: `GossipVerifyIncoming`, `GossipVerifyOutgoing`).
    ///
    /// # Errors
    ///
    /// Only those that every method has.
    pub fn set_verify(&self, incoming: bool, outgoing: bool) -> Result<(), Error> {
        self.shared().operate(|state, now| state.core.set_verify(now, incoming, outgoing))
    }

    /// Changes the timing of the running node: see
    /// [`Config::timing`](memberlist_proto::Config::timing). What is already under way ends by the
    /// old timing.
    ///
    /// # Errors
    ///
    /// [`Error::Config`]: the timing breaks a rule of the configuration; nothing has changed then.
    pub fn reconfigure(&self, timing: Timing) -> Result<(), Error> {
        Ok(self.shared().operate(|state, now| state.core.reconfigure(now, timing))??)
    }
}

impl Handle {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        Self(Arc::new(Stopper(Arc::clone(shared))))
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.0.0
    }

    fn join_peers(
        &self,
        peers: Result<Vec<Peer>, Error>,
        policy: JoinPolicy,
    ) -> Operation<JoinReport> {
        let joined = |outcome| match outcome {
            Outcome::Join(result) => Ok(result?.into_result()?),
            _ => Err(Error::Shutdown),
        };
        self.begin(|state, now| Ok(state.core.join_with(now, &peers?, policy)), joined)
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
}

/// Why the core did not accept a message.
fn not_sent(reply: &Result<Reply, InputError>) -> Error {
    match reply {
        Err(InputError::Send(error)) => (*error).into(),
        _ => Error::Shutdown,
    }
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Memberlist").field("name", &self.shared().name).finish_non_exhaustive()
    }
}
