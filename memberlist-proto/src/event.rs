//! Events, which report to the application what happened.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use bytes::Bytes;

pub(crate) mod display;
mod exchange;
mod join;
mod outcome;

pub use self::exchange::{ExchangeError, ExchangeKind, ExchangeStep, VersionMismatch};
pub use self::join::{JoinError, JoinFailure, JoinRefused, JoinReport, NotJoined};
pub use self::outcome::{
    BroadcastEnd, ForgetError, LeaveReport, MetaError, Outcome, PingError, Pong, SendError,
    WaitError,
};
use crate::node::{Node, NodeName};

/// The id of an operation begun by the application, which ends with [`Event::Finished`] exactly
/// once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct OpId(pub(crate) u64);

impl OpId {
    /// A number that is unique among the operations of one node.
    pub fn as_u64(self) -> u64 {
        self.0
    }
}

/// The id of a user broadcast, which ends with [`Event::BroadcastFinished`] exactly once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct BroadcastId(pub(crate) u64);

impl BroadcastId {
    /// A number that is unique among the broadcasts of one node.
    pub fn as_u64(self) -> u64 {
        self.0
    }
}

/// Something that happened, reported to the application in the order in which it happened.
///
/// With the feature `serde`, an event in JSON is an object whose only key is its name in snake
/// case: `{"departed": {"node": {…}, "reason": "left", "from": "10.0.0.2:7946"}}`. Nodes are as
/// [`Node`] says; addresses are text; messages, states and payloads are text where they are UTF-8,
/// else a list of their bytes; durations are seconds; variants without fields (`"left"`) are words.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Event {
    /// A node is now a member: new, or back from the dead. The first such event is about this node itself.
    Joined {
        /// The member.
        node: Node,
    },
    /// A member announced other metadata, another address or other versions.
    Updated {
        /// The member as it is now.
        node: Node,
        /// What changed.
        change: Change,
    },
    /// A node is no longer a member.
    Departed {
        /// The node, `Dead` or `Left`.
        node: Node,
        /// Why it is no longer a member.
        reason: Departure,
        /// The sender of the news; `None` if this node found out itself. News about nodes is not
        /// signed: any peer that can send packets can also send another node's leave. This is where
        /// the news came from first.
        #[cfg_attr(feature = "serde", serde(with = "crate::serial::exact"))]
        from: Option<SocketAddr>,
    },
    /// A node that was reported as failed had in fact left: its leave has only now arrived
    /// (`differences.learn_leaves`).
    HadLeft {
        /// The node, `Left`.
        node: Node,
        /// The sender of the news.
        #[cfg_attr(feature = "serde", serde(with = "crate::serial::exact"))]
        from: Option<SocketAddr>,
    },
    /// A member is suspected to have failed, and has some time to refute.
    Suspected {
        /// The suspect.
        node: Node,
        /// The first accuser.
        by: NodeName,
    },
    /// A suspect, or this node itself, refuted.
    Refuted {
        /// The node with its new incarnation.
        node: Node,
        /// The accuser, if this node itself refuted and the accuser is known.
        by: Option<NodeName>,
    },
    /// Another node claims the name of a known node, with another address.
    Conflict {
        /// The known node, which keeps the name.
        existing: Node,
        /// The claimant.
        claimant: Node,
    },
    /// News about a node was refused.
    Refused {
        /// The node's name.
        node: NodeName,
        /// Who sent the news.
        #[cfg_attr(feature = "serde", serde(with = "crate::serial::exact"))]
        from: Option<SocketAddr>,
        /// Why it was refused.
        reason: Refusal,
    },
    /// A message from another application.
    Message {
        /// Where it came from: the peer that passed it on, which need not be its author.
        #[cfg_attr(feature = "serde", serde(with = "crate::serial::exact"))]
        from: SocketAddr,
        /// How it travelled.
        channel: Channel,
        /// The message.
        #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serial::text::serialize"))]
        payload: Bytes,
    },
    /// The state of another node's application, from a full state exchange; never empty.
    RemoteState {
        /// The peer's address.
        #[cfg_attr(feature = "serde", serde(with = "crate::serial::exact"))]
        from: SocketAddr,
        /// Whether the exchange is part of a join, or of the search for seeds and lost members.
        join: bool,
        /// The state.
        #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serial::text::serialize"))]
        state: Bytes,
    },
    /// A probed member answered directly and in time.
    Pinged {
        /// The member.
        node: Node,
        /// The round trip time.
        #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serial::seconds::serialize"))]
        rtt: Duration,
        /// What the ack carried.
        #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serial::text::serialize"))]
        payload: Bytes,
    },
    /// An operation ended.
    Finished {
        /// Which operation.
        op: OpId,
        /// How it ended.
        outcome: Outcome,
    },
    /// An attempt of a join has joined no peer, and another one follows.
    JoinRetries {
        /// The join.
        op: OpId,
        /// What failed in this attempt, and why.
        failed: Vec<JoinFailure>,
        /// How long until the next attempt.
        #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serial::seconds::serialize"))]
        wait: Duration,
    },
    /// A user broadcast has ended.
    BroadcastFinished {
        /// Which broadcast.
        id: BroadcastId,
        /// How it ended.
        end: BroadcastEnd,
    },
    /// The local health score changed: 0 is healthy.
    Health {
        /// The new score.
        score: u32,
    },
    /// This node was accused at the highest possible incarnation and cannot refute: its name is
    /// unusable until every member has forgotten it.
    NamePoisoned {
        /// The accuser, if known.
        by: Option<NodeName>,
    },
    /// No packet has come for a while, although this node probes members: something blocks UDP, or
    /// the address that this node announces is not its own. Reported again after a minute, as long
    /// as it lasts.
    NothingReceived {
        /// How long ago the last packet came; if none ever did, for how long probes have gone
        /// unanswered.
        #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serial::seconds::serialize"))]
        silent: Duration,
        /// The address that this node announces, to which peers send.
        #[cfg_attr(feature = "serde", serde(with = "crate::serial::exact"))]
        announced: SocketAddr,
    },
    /// The states of several peers in a row do not list this node as a member: they refuse its
    /// announcement, or it does not reach them. Reported once until a peer lists it.
    NotListed {
        /// The last of those peers.
        #[cfg_attr(feature = "serde", serde(with = "crate::serial::exact"))]
        peer: SocketAddr,
    },
    /// A probed member was reached over a stream but not by packet.
    OnlyByStream {
        /// The member.
        node: Node,
    },
    /// Several things happened to a node while an adapter's reader was too slow to receive each:
    /// this is the node's current state. Never emitted by the core itself.
    Coalesced {
        /// The node as it is now.
        node: Node,
        /// How many events this one stands for.
        events: u64,
        /// Why it departed, if it did: the first reason not reported yet.
        departure: Option<Departure>,
    },
    /// More nodes changed than there was room to report while an adapter's reader was slow: what
    /// the reader knows may be out of date until it calls the adapter's `members()`. What changes
    /// after this event is reported as usual. Never emitted by the core itself.
    MembershipOverflow {
        /// How many events about members this one stands for.
        events: u64,
    },
    /// More broadcasts ended than there was room to report while an adapter's reader was slow.
    /// Never emitted by the core itself.
    BroadcastsFinished {
        /// How many were sent as often as their transmit limit says.
        sent: u64,
        /// How many were replaced by a newer one of the same name.
        replaced: u64,
        /// How many were dropped because the queue was full, or no longer fitted into a packet.
        dropped: u64,
        /// How many went by stream to every member.
        streamed: u64,
    },
    /// An adapter's reader was so slow that messages, remote states or round trips were dropped.
    /// Never emitted by the core itself.
    Overflow {
        /// How many since this was last reported.
        dropped: u64,
    },
    /// A seed, or a member that had died, was found again and has exchanged its state with this
    /// node; the members it brings are reported as usual.
    Rejoined {
        /// Where it was found.
        #[cfg_attr(feature = "serde", serde(with = "crate::serial::exact"))]
        peer: SocketAddr,
    },
    /// An exchange over a stream failed, and no operation was waiting for it.
    ExchangeFailed {
        /// The peer.
        #[cfg_attr(feature = "serde", serde(with = "crate::serial::exact"))]
        peer: SocketAddr,
        /// What it was.
        exchange: ExchangeKind,
        /// Why it failed.
        error: ExchangeError,
    },
}

/// What an update changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Change {
    /// The metadata. The Go library reports an update only then.
    pub meta: bool,
    /// The address or port.
    pub address: bool,
    /// The protocol versions.
    pub versions: bool,
}

/// Why a node is no longer a member.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Departure {
    /// It announced so itself.
    Left,
    /// Its suspicion ran out here.
    Failed {
        /// Every node that accused it, the first accuser first.
        by: Vec<NodeName>,
        /// How many independent confirmations there were.
        confirmations: u32,
    },
    /// Another node declared it dead.
    Declared {
        /// That node.
        by: NodeName,
    },
}

/// Why news about a node was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Refusal {
    /// The delegate's `admit` refused it.
    #[error("vetoed by the application: {0}")]
    Vetoed(String),
    /// Its address, or the sender's, lies outside `cidrs_allowed`.
    #[error("the address is outside the allowed networks")]
    Network,
    /// It announced impossible protocol versions, or none where they are required.
    #[error("unusable protocol versions")]
    Versions,
    /// Its name is empty or too long: the length in bytes.
    #[error("the name is {0} bytes long")]
    Name(usize),
    /// Its metadata is too long: the length in bytes.
    #[error("the metadata is {0} bytes long")]
    Meta(usize),
    /// Its address cannot be probed: unspecified, multicast, broadcast, without a port, or none.
    #[error("the address cannot be sent to")]
    Address,
    /// The table of members is full.
    #[error("too many members")]
    TooMany,
    /// Too many new names at once.
    #[error("too many new names at once")]
    TooFast,
}

/// How a message travelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Channel {
    /// A datagram: gossip or best effort.
    Packet,
    /// A stream.
    Stream,
}
