//! How an exchange over a stream fails.

use alloc::string::String;
use core::net::SocketAddr;

use crate::node::{NodeName, VersionKind};
use crate::transmit::StreamFailure;
use crate::wire::frame::{FrameError, FrameTooLong};

/// What an exchange over a stream was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum ExchangeKind {
    /// A periodic full state exchange begun here.
    PushPull,
    /// A join begun here.
    Join,
    /// An exchange with a seed or a member that died, to find it again.
    Rejoin,
    /// A reliable message sent.
    SendReliable,
    /// A probe over a stream.
    StreamPing,
    /// Anything that a peer began.
    Accepted,
}

/// What an exchange was doing when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum ExchangeStep {
    /// The connection was being established.
    Connecting,
    /// This node's message was being written.
    Writing,
    /// The peer's message was awaited or being read.
    Reading,
    /// The application was being asked for its state.
    LocalState,
    /// The application was being asked whether to merge.
    AdmitMerge,
    /// This node was opening a long message, or building or merging a full state.
    Working,
}

/// Why an exchange over a stream failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum ExchangeError {
    /// A step took longer than `tcp_timeout`.
    #[error("timed out while {0}")]
    TimedOut(ExchangeStep),
    /// The connection failed.
    #[error(transparent)]
    Stream(#[from] StreamFailure),
    /// The peer closed the connection before its message was complete, or reset it before it had
    /// begun to answer. A peer with another label does so silently, and so does one whose limits
    /// were exceeded.
    #[error(
        "closed by the peer without an answer (a different label, or a state longer than it \
         accepts, closes silently)"
    )]
    Closed,
    /// The peer closed the connection before it could have read what this node sends: `written` of
    /// `len` bytes were handed to the operating system by then.
    #[error(
        "closed by the peer after {written} of {len} bytes (a state or message longer than it \
         accepts is cut off)"
    )]
    CutOff {
        /// How many bytes the operating system had taken.
        written: u64,
        /// How many there were to send.
        len: u64,
    },
    /// What the peer sent could not be understood.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The peer answered with an error message: the first 1,024 bytes of it.
    #[error("the peer refused: {0}")]
    Remote(String),
    /// The peer answered with a message of an unexpected type: its code.
    #[error("the peer answered with message type {0}")]
    Unexpected(u8),
    /// The peer opened a stream with a message of a type that cannot open one: its code.
    #[error("the peer opened a stream with message type {0}")]
    Opening(u8),
    /// The peer opened a stream with an HTTP request, as a health check or a browser sends.
    #[error("the peer opened a stream and sent what looks like HTTP")]
    Http,
    /// The protocol versions of some nodes are incompatible.
    #[error(transparent)]
    Versions(#[from] VersionMismatch),
    /// The application refused the merge.
    #[error("the merge was refused: {0}")]
    Vetoed(String),
    /// The application's state is longer than `limits.stream_bytes`.
    #[error("the application's state is {len} bytes long, and at most {limit} can be sent")]
    StateTooLong {
        /// Its length in bytes.
        len: usize,
        /// The most that can be sent.
        limit: usize,
    },
    /// The application gave another kind of answer than it was asked for.
    #[error("the application's answer does not fit the question")]
    WrongAnswer,
    /// What was to be sent is longer than any peer accepts.
    #[error(transparent)]
    TooLong(#[from] FrameTooLong),
    /// Too many streams are open.
    #[error("too many streams are open")]
    TooMany,
    /// Too many bytes are held for streams already (`limits.stream_memory`).
    #[error("too many bytes of streams are held")]
    TooManyBytes,
    /// The peer's cluster knows another node of this node's name, alive or suspect, and therefore
    /// refuses this one. Only a join and the search for seeds and lost members end like this. The
    /// cluster may let go of the name when that node leaves or dies.
    #[error("the cluster knows another node of this node's name, at {holder}")]
    NameTaken {
        /// The address of the node that has the name.
        #[cfg_attr(feature = "serde", serde(with = "crate::serial::exact"))]
        holder: SocketAddr,
    },
    /// The exchange was cancelled.
    #[error("cancelled")]
    Cancelled,
}

/// How many bytes of a peer's error text are kept.
const REMOTE_MAX: usize = 1024;

impl ExchangeError {
    /// The error message that a peer answered with, cut to `REMOTE_MAX` bytes.
    pub(crate) fn remote(text: &[u8]) -> Self {
        let text = text.get(..REMOTE_MAX).unwrap_or(text);
        Self::Remote(String::from_utf8_lossy(text).into_owned())
    }
}

/// A node's version that is incompatible with those of other nodes (Go: `verifyProtocol`).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[error(
    "{kind} protocol version {current} of {node} is incompatible: {min} to {max} are understood by every member"
)]
pub struct VersionMismatch {
    /// Which of the two versions does not fit.
    pub kind: VersionKind,
    /// The node whose version does not fit.
    pub node: NodeName,
    /// The version it speaks.
    pub current: u8,
    /// The lowest version that every member understands.
    pub min: u8,
    /// The highest version that every member understands.
    pub max: u8,
}

impl core::fmt::Display for ExchangeStep {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Connecting => "connecting",
            Self::Writing => "writing",
            Self::Reading => "reading",
            Self::LocalState => "waiting for the application's state",
            Self::AdmitMerge => "waiting for the application to admit a merge",
            Self::Working => "working on a long message",
        })
    }
}
