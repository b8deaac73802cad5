//! What the user of a node holds.

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
/// Cheap to clone, and usable from every thread and with every runtime. The node ends when the last
/// clone is dropped, or with [`shutdown`](Self::shutdown).
///
/// Methods never wait: those that return an [`Operation`] begin at once, and the future waits for the
/// end. Dropping the future cancels what can be cancelled; see [`Operation`].
///
/// # Errors
///
/// Beside what each method lists, every method that can fail returns [`Error::Shutdown`] once the
/// node has ended, and [`Error::Reentrant`] from within a method of a [`Delegate`](crate::Delegate)
/// that the node is waiting for. Methods that read and cannot fail return an empty value there.
#[derive(Clone)]
pub struct Handle(Arc<Stopper>);

/// Dropped with the last handle.
struct Stopper(Arc<Shared>);

impl Drop for Stopper {
    fn drop(&mut self) {
        self.0.surely(Last::Stop);
    }
}

/// Joining and leaving.
impl Handle {
    /// Exchanges the full state with each of `peers` ([`Peer`]s, addresses, nodes, or text such as
    /// `10.0.0.1:7946` or `db.example`, owned or borrowed), several at a time, and resolves host names on
    /// the way (Go: `Join`). Ends when each has answered or failed, at the latest after
    /// `join_timeout`, with the result of each. A report of some peer joined may also list failures.
    ///
    /// # Errors
    ///
    /// [`Error::NotJoined`]: no peer was joined, or none was given. It holds the report, and its text
    /// names every failure; the log has it, too. Where the cluster knows another node of this node's
    /// name, [`name_holder`](JoinReport::name_holder) of the report says at which address.
    ///
    /// [`Error::Join`]: this node has left, or too many operations are under way
    /// (`limits.operations`).
    ///
    /// [`Error::Peer`]: a text is not that of a peer; nothing was tried then.
    pub fn join<P>(&self, peers: impl IntoIterator<Item = P>) -> Operation<JoinReport>
    where
        P: TryInto<Peer, Error: Into<PeerError>>,
    {
        self.join_with(peers, JoinPolicy::default())
    }

    /// As [`join`](Self::join), and tries again as `policy` says, which may be without end. Each
    /// attempt that has joined no peer is logged, and reported as
    /// [`Event::JoinRetries`](memberlist_proto::Event::JoinRetries) if another follows.
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

    /// Announces to the cluster that this node leaves on purpose, which is final (Go: `Leave`), and
    /// ends every join that is under way. The report says how far the announcement was spread.
    ///
    /// `Ok` means that the announcement has been handed to the socket: to every other member in a
    /// cluster of up to `differences.leave_directly` of them, and as often as gossip sends anything,
    /// to `retransmit_mult` × (decimal digits of the cluster's size) random members. The process may
    /// end at once after that. `timeout` bounds the wait, zero not at all; a node without any other
    /// member has nothing to wait for. The node goes on answering until it is shut down, and dropping
    /// the future ends only the wait.
    ///
    /// A node that its cluster refused, because another node has its name
    /// ([`name_holder`](JoinReport::name_holder)), leaves without an announcement, which would be taken
    /// for that of the other: the report counts no members.
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

    /// Waits until no member has joined or departed for `quiet`, and no join is under way: the number
    /// of members then, this node included. `timeout` bounds the wait, zero not at all.
    ///
    /// # Errors
    ///
    /// [`Error::Wait`]: the time ran out, or too many operations are under way.
    pub fn settled(&self, quiet: Duration, timeout: Duration) -> Operation<usize> {
        self.begin(
            |state, now| Ok(state.core.settle(now, quiet, timeout)),
            |outcome| match outcome {
                Outcome::Settle(result) => Ok(result?),
                _ => Err(Error::Shutdown),
            },
        )
    }

    /// Looks for peers that were members in an earlier life of this node, as
    /// [`snapshot`](Self::snapshot) returned them: they are searched for until
    /// `rejoin.give_up_after`. Peers whose host is a name are ignored, and so are those beyond
    /// `limits.lost_members`.
    ///
    /// # Errors
    ///
    /// None of its own.
    pub fn recall(&self, peers: &[Peer]) -> Result<(), Error> {
        self.shared().operate(|state, now| state.core.recall(now, peers.iter().cloned()))
    }

    /// Forgets a node that is dead or has left: ends the search for it, removes its record, and
    /// informs the other members, which search for it as well (Serf: `force-leave --prune`). A node
    /// that was killed on purpose is searched for until it is forgotten, or `rejoin.give_up_after`.
    ///
    /// # Errors
    ///
    /// [`Error::Forget`]: the node is a member, or there is nothing to forget.
    pub fn forget(&self, name: impl Into<NodeName>) -> Result<(), Error> {
        let name = name.into();
        Ok(self.shared().operate(|state, now| state.core.forget(now, &name))??)
    }

    /// Ends the node without an announcement; [`leave`](Self::leave) before it for a graceful end.
    ///
    /// The end begins at once. Nothing that was queued before is dropped: packets are handed to the
    /// socket, and streams that have only to write what was queued do so, for at most a second each.
    /// Every other operation ends with [`Error::Shutdown`]. The future is ready when all sockets are
    /// closed; dropping it changes nothing. On a runtime that has ended it is ready, too.
    pub fn shutdown(&self) -> impl Future<Output = ()> + Send + 'static {
        let shared = Arc::clone(self.shared());
        shared.surely(Last::Stop);
        std::future::poll_fn(move |cx| shared.poll_ended(cx))
    }
}

/// Messages and pings. A message is anything that holds bytes: `&str`, `&[u8]`, `Vec<u8>`, `Bytes`. A
/// target is a node, a name, or an address: see [`Target`].
impl Handle {
    /// Sends a message by one datagram, best effort (Go: `SendBestEffort`). It is lost if the
    /// network, the receiver or a full send buffer drops it.
    ///
    /// # Errors
    ///
    /// [`Error::Send`]: the message does not fit into one packet of `udp_buffer_size` bytes (1,400
    /// by default, less what label and encryption take), no member has the name, its address cannot
    /// be used, or a name is required and none was given.
    pub fn send(&self, to: impl Into<Target>, message: impl AsRef<[u8]>) -> Result<(), Error> {
        let (to, message) = (to.into(), message.as_ref());
        Ok(self.shared().operate(|state, now| state.core.send(now, to, message))??)
    }

    /// Sends a message over a stream of its own (Go: `SendReliable`), and waits until all of it has
    /// been handed to the network: the protocol has no acknowledgement of it.
    ///
    /// # Errors
    ///
    /// [`Error::Send`]: the message is longer than `limits.stream_bytes` (20 MiB by default), the
    /// target cannot be used, or too many operations or streams are under way. [`Error::Exchange`]:
    /// the connection failed, or made no progress within `tcp_timeout`; or encrypted, the message is
    /// longer than the 20 MiB that a peer reads.
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
    /// members. Its end is reported as
    /// [`Event::BroadcastFinished`](memberlist_proto::Event::BroadcastFinished).
    ///
    /// **A member may receive it more than once**, from several peers, long after the first time, and
    /// in another order than other members: receivers must recognize what they know already, by an id
    /// in the message or because applying it twice changes nothing. This node does not receive its
    /// own broadcast, unless another application passes it on.
    ///
    /// To reach every member, an application that receives a message for the first time broadcasts
    /// it again: the protocol does not know which messages are new.
    ///
    /// # Errors
    ///
    /// [`Error::Send`]: the message is longer than a gossip packet has room for. A queue that is full
    /// (`limits.user_broadcasts`) drops its oldest message instead, which is reported as its end.
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

    /// Spreads a message of any size: one up to half of what [`broadcast`](Self::broadcast) takes by
    /// gossip, a longer one by stream to every member that is alive or suspect now, each tried once.
    /// What goes by gossip may be received more than once, as with [`broadcast`](Self::broadcast).
    /// Its end is reported as
    /// [`Event::BroadcastFinished`](memberlist_proto::Event::BroadcastFinished).
    ///
    /// # Errors
    ///
    /// [`Error::Send`]: the message is longer than `limits.stream_bytes`, or too many messages, or
    /// bytes of them, are on their way (`limits.disseminations`, `limits.dissemination_bytes`).
    pub fn disseminate(&self, message: impl AsRef<[u8]>) -> Result<BroadcastId, Error> {
        let message = Bytes::copy_from_slice(message.as_ref());
        let command = Command::Disseminate { message };
        match self.shared().operate(|state, now| state.core.handle(now, command.into()))? {
            Ok(Reply::Queued(id)) => Ok(id),
            other => Err(not_sent(&other)),
        }
    }

    /// Pings a node by datagram, member or not (Go: `Ping`): the round trip time, and the payload of
    /// the ack. Without effect on the membership.
    ///
    /// # Errors
    ///
    /// [`Error::Ping`]: no answer within `probe_timeout`, the target cannot be used, or too many
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
    /// Announces other metadata (Go: `UpdateNode`), and waits until the announcement has been handed
    /// to the socket as often as gossip sends anything, or for `timeout` (zero: without a bound).
    /// Dropping the future ends only the wait.
    ///
    /// # Errors
    ///
    /// [`Error::TooLong`]: more than `meta_max_size` bytes (512 by default). [`Error::Wait`]: the
    /// time ran out, this node has left, its own delegate refuses the announcement, or too many
    /// operations are under way.
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

    /// Adds a key, with which input is decrypted from now on. The first key of all becomes the
    /// primary, and encrypts.
    ///
    /// # Errors
    ///
    /// None of its own.
    pub fn add_key(&self, key: Key) -> Result<(), Error> {
        self.shared().operate(|state, now| state.core.add_key(now, key))?.map_err(Error::from)
    }

    /// Makes a key of the ring the primary, which encrypts.
    ///
    /// # Errors
    ///
    /// [`Error::Keyring`]: the key is not in the ring.
    pub fn use_key(&self, key: &Key) -> Result<(), Error> {
        Ok(self.shared().operate(|state, now| state.core.use_key(now, key))??)
    }

    /// Removes a key from the ring; one that is not in it needs no removal.
    ///
    /// # Errors
    ///
    /// [`Error::Keyring`]: the key is the primary, or the ring is empty.
    pub fn remove_key(&self, key: &Key) -> Result<(), Error> {
        Ok(self.shared().operate(|state, now| state.core.remove_key(now, key))??)
    }

    /// Whether a node that has a key refuses input in clear text, and whether it encrypts its output
    /// (Go: `GossipVerifyIncoming`, `GossipVerifyOutgoing`).
    ///
    /// # Errors
    ///
    /// None of its own.
    pub fn set_verify(&self, incoming: bool, outgoing: bool) -> Result<(), Error> {
        self.shared().operate(|state, now| state.core.set_verify(now, incoming, outgoing))
    }

    /// Changes the timing of the running node: see [`Config::timing`](memberlist_proto::Config::timing).
    ///
    /// # Errors
    ///
    /// [`Error::Config`]: a rule of the configuration is broken; nothing has changed then.
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

/// Why a message was not taken.
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
