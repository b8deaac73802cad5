//! How operations end, and why some do not begin.

use core::time::Duration;

use bytes::Bytes;

use super::{ExchangeError, JoinRefused, JoinReport};
use crate::config::Oversized;

/// How an operation ended.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Outcome {
    /// The outcome of `join`.
    Join(Result<JoinReport, JoinRefused>),
    /// The outcome of `leave`.
    Leave(Result<LeaveReport, WaitError>),
    /// The outcome of `set_meta`.
    SetMeta(Result<(), WaitError>),
    /// The outcome of `ping`.
    Ping(Result<Pong, PingError>),
    /// The outcome of `send_reliable`.
    SendReliable(Result<(), ExchangeError>),
    /// The outcome of `settle`: how many members there are.
    Settle(Result<usize, WaitError>),
}

/// How far a leave has been spread when it ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct LeaveReport {
    /// How many other members there were.
    pub members: usize,
    /// How many of them it was sent to directly, in addition to gossip: all, if there are at most
    /// `differences.leave_directly`.
    pub sent_directly: usize,
}

/// Why a wait ended early, or did not begin. An announcement that was waited for goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum WaitError {
    /// What was waited for did not happen in time.
    #[error("not finished in time")]
    TimedOut,
    /// The wait was cancelled.
    #[error("the wait was cancelled")]
    Cancelled,
    /// This node has left, which is final.
    #[error("this node has left the cluster")]
    Left,
    /// Too many operations are under way.
    #[error("too many operations are under way")]
    TooMany,
    /// The announcement no longer fits into a packet.
    #[error("the announcement fits into no packet")]
    TooLong,
    /// The node's own delegate refuses the announcement.
    #[error("this node's own announcement is refused")]
    Refused,
}

/// The answer to a ping.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Pong {
    /// The round trip time.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serial::seconds::serialize"))]
    pub rtt: Duration,
    /// What the ack carried.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serial::text::serialize"))]
    pub payload: Bytes,
}

/// Why a ping has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum PingError {
    /// No ack within `probe_timeout`.
    #[error("no response")]
    NoResponse,
    /// It could not be sent.
    #[error(transparent)]
    Send(#[from] SendError),
    /// It was cancelled.
    #[error("the ping was cancelled")]
    Cancelled,
}

/// Why a node cannot be forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ForgetError {
    /// It is a member, or this node itself.
    #[error("it is a member, and only a node that is dead or has left can be forgotten")]
    Member,
    /// There is no record of it, and it is not searched for.
    #[error("no node of that name is known")]
    Unknown,
}

/// Why a message cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum SendError {
    /// It is longer than fits into a packet, or than a peer reads from a stream.
    #[error("the message is {len} bytes long, and at most {limit} fit")]
    TooLong {
        /// Its length in bytes.
        len: usize,
        /// The most that fits.
        limit: usize,
    },
    /// There is no record of a node of this name.
    #[error("no member of that name")]
    UnknownMember,
    /// The member's address cannot be sent to.
    #[error("the member's address cannot be sent to")]
    UnusableAddress,
    /// The configuration requires a node name, and the target was given without one.
    #[error("`require_node_names` is set, and the target has no name")]
    NameRequired,
    /// Too many operations or streams are under way.
    #[error("too many operations are under way")]
    TooMany,
}

/// How a user broadcast ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum BroadcastEnd {
    /// It was sent as often as its transmit limit says.
    Sent,
    /// A newer one of the same name took its place.
    Replaced,
    /// The queue was full; or the message was to go by stream, and once compressed it takes more
    /// room than there is (`limits.dissemination_bytes`).
    Dropped,
    /// It fitted into a packet when it was queued and no longer does: encryption has begun since.
    /// Or it was to go by stream, and is longer than a peer reads once it is encrypted.
    TooLong,
    /// It was sent by stream to every member, once each.
    Streamed {
        /// How many members it was sent to.
        sent: u32,
        /// How many members could not be reached.
        failed: u32,
    },
}

/// Why metadata cannot be announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetaError {
    /// It is longer than the configuration allows.
    #[error("the metadata is {len} bytes long, and at most {limit} are allowed (`{field}`)")]
    TooLong {
        /// Its length in bytes.
        len: usize,
        /// The most allowed.
        limit: usize,
        /// The field of [`Config`](crate::Config) that says so: `meta_max_size`, or
        /// `differences.received_meta_max`, beyond which peers configured alike refuse it.
        field: &'static str,
    },
    /// With it, the announcement fits into no packet.
    #[error(transparent)]
    Oversized(#[from] Oversized),
}
