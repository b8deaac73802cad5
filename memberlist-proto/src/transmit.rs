//! What the core asks its driver to do: datagrams, streams, look-ups, and questions to the
//! application.

use alloc::string::String;
use core::net::{IpAddr, SocketAddr};

use bytes::Bytes;

use crate::node::{Node, NodeName};
use crate::peer::{Host, Targets};
use crate::time::Instant;

/// A datagram to send from the socket on which this node receives packets.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Transmit {
    /// The address to send it to.
    #[cfg_attr(feature = "serde", serde(with = "crate::serial::exact"))]
    pub to: SocketAddr,
    /// The receiver's name, if it is known: for transports that route by name.
    pub node: Option<NodeName>,
    /// The whole datagram.
    pub payload: Bytes,
    /// The sequence number of the probe whose ping this is, so that it learns of a failed send.
    pub(crate) probe: Option<u32>,
}

/// Identifies a stream; opaque to the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct StreamId(pub(crate) u64);

impl StreamId {
    /// The smallest id, for ranges.
    pub const MIN: Self = Self(0);
    /// The largest id, for ranges.
    pub const MAX: Self = Self(u64::MAX);

    /// The id as a number, which is unique among the streams of one node.
    pub fn as_u64(self) -> u64 {
        self.0
    }
}

/// An operation on a stream. The operations on one stream must be done in the order in which they
/// are handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum StreamOp {
    /// Open a connection, then call
    /// [`handle_stream_connected`](crate::Memberlist::handle_stream_connected), or if that fails
    /// [`handle_stream_closed`](crate::Memberlist::handle_stream_closed).
    Connect {
        /// The new stream.
        id: StreamId,
        /// The address to connect to.
        #[cfg_attr(feature = "serde", serde(with = "crate::serial::exact"))]
        to: SocketAddr,
        /// The receiver's name, if it is known.
        node: Option<NodeName>,
    },
    /// Write all of `data`, reporting the progress by
    /// [`handle_stream_written`](crate::Memberlist::handle_stream_written).
    Write {
        /// The stream.
        id: StreamId,
        /// What to write.
        data: Bytes,
    },
    /// Write what is pending, shut the connection down and call
    /// [`handle_stream_closed`](crate::Memberlist::handle_stream_closed).
    Close {
        /// The stream.
        id: StreamId,
    },
    /// Drop the connection at once, even if writes are pending. The core has forgotten the stream;
    /// later calls with its id do nothing.
    Abort {
        /// The stream.
        id: StreamId,
    },
}

impl StreamOp {
    /// The stream that the operation is for.
    pub fn id(&self) -> StreamId {
        match *self {
            Self::Connect { id, .. }
            | Self::Write { id, .. }
            | Self::Close { id }
            | Self::Abort { id } => id,
        }
    }
}

/// Why a connection ended or could not be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum StreamFailure {
    /// Nothing listens at the address.
    #[error("connection refused")]
    Refused,
    /// The peer, or the network, cut the connection.
    #[error("connection reset by the peer")]
    Reset,
    /// The operating system's own time limit passed.
    #[error("connection timed out")]
    TimedOut,
    /// No route to the address.
    #[error("host or network unreachable")]
    Unreachable,
    /// This process is out of descriptors, ports or memory.
    #[error("out of local resources")]
    Exhausted,
    /// The adapter is shutting down.
    #[error("shutting down")]
    Shutdown,
    /// The transport uses TLS, and one side refused the other.
    #[error(transparent)]
    Tls(#[from] TlsFailure),
    /// The transport does not use TLS, and the peer does.
    #[error("the peer speaks TLS, and this node does not")]
    UnexpectedTls,
    /// Anything else.
    #[error("input or output error")]
    Other,
}

/// Why two nodes did not agree on TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum TlsFailure {
    /// The peer's certificate has expired.
    #[error("the peer's certificate has expired")]
    Expired,
    /// The peer's certificate is not valid yet.
    #[error("the peer's certificate is not valid yet")]
    NotYetValid,
    /// The peer's certificate names neither its address nor the expected server name.
    #[error("the peer's certificate is for another name or address")]
    WrongName,
    /// The peer's certificate was not issued by the expected authority.
    #[error("the peer's certificate is from an unknown issuer")]
    UnknownIssuer,
    /// The peer's certificate is not valid for another reason.
    #[error("the peer's certificate is not valid")]
    InvalidCertificate,
    /// The peer presents no certificate, and one is required.
    #[error("the peer presents no certificate")]
    NoCertificate,
    /// The peer reports that this node's certificate has expired.
    #[error("the peer refuses this node's certificate: it has expired")]
    RefusedExpired,
    /// The peer reports that this node's certificate is from an unknown issuer.
    #[error("the peer refuses this node's certificate: unknown issuer")]
    RefusedIssuer,
    /// The peer requires a certificate, and this node presents none.
    #[error("the peer requires a certificate, and this node presents none")]
    RefusedWithout,
    /// The peer refuses this node's certificate for another reason.
    #[error("the peer refuses this node's certificate")]
    Refused,
    /// The peer speaks plain text where TLS is expected.
    #[error("the peer does not speak TLS")]
    PlainText,
    /// The peer ended the connection before both sides had agreed.
    #[error("the peer ended the connection during the TLS handshake")]
    Cut,
    /// Anything else, such as no version or cipher in common.
    #[error("the TLS handshake failed")]
    Handshake,
}

impl TlsFailure {
    /// All the values.
    pub const ALL: [Self; 13] = [
        Self::Expired,
        Self::NotYetValid,
        Self::WrongName,
        Self::UnknownIssuer,
        Self::InvalidCertificate,
        Self::NoCertificate,
        Self::RefusedExpired,
        Self::RefusedIssuer,
        Self::RefusedWithout,
        Self::Refused,
        Self::PlainText,
        Self::Cut,
        Self::Handshake,
    ];

    /// Its name in metrics and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::WrongName => "wrong_name",
            Self::UnknownIssuer => "unknown_issuer",
            Self::InvalidCertificate => "invalid_certificate",
            Self::NoCertificate => "no_certificate",
            Self::RefusedExpired => "refused_expired",
            Self::RefusedIssuer => "refused_issuer",
            Self::RefusedWithout => "refused_without",
            Self::Refused => "refused",
            Self::PlainText => "plain_text",
            Self::Cut => "cut",
            Self::Handshake => "handshake",
        }
    }
}

/// Identifies a name look-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct LookupId(pub(crate) u64);

/// The most addresses taken from one look-up.
pub(crate) const ADDRESSES_PER_NAME: usize = 256;

/// A host name to resolve; the answer goes to
/// [`handle_lookup`](crate::Memberlist::handle_lookup).
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Lookup {
    /// Which look-up this is.
    pub id: LookupId,
    /// The name, never an IP literal.
    pub host: String,
    /// `None` if `host` is a plain host name. Otherwise it is a service: look up its SRV records,
    /// resolve their targets as this says, and answer with
    /// [`handle_service`](crate::Memberlist::handle_service).
    pub service: Option<Targets>,
}

impl Lookup {
    /// The look-up of a host; `None` if it is an IP address already.
    pub(crate) fn of(id: LookupId, host: &Host) -> Option<Self> {
        match host {
            Host::Ip(_) => None,
            Host::Name(name) => Some(Self { id, host: name.clone(), service: None }),
            Host::Service { name, targets } => {
                Some(Self { id, host: name.clone(), service: Some(*targets) })
            }
        }
    }
}

/// One address that a look-up has found, with the port if an SRV record gives one.
pub(crate) type Found = (IpAddr, Option<u16>);

/// Why a name could not be resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum LookupFailure {
    /// The name has no address.
    #[error("no such host")]
    NotFound,
    /// The name is a service, and looking up services is not built in (feature `srv`).
    #[error("this program cannot look up SRV records")]
    Unsupported,
    /// The name server did not answer in time.
    #[error("the name server did not answer")]
    TimedOut,
    /// Anything else.
    #[error("the name could not be resolved")]
    Other,
}

/// Identifies a question to the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RequestId(pub(crate) u64);

/// A question to the application, answered by [`answer`](crate::Memberlist::answer); it delays
/// only the exchange that it belongs to.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Request {
    /// Which question this is.
    pub id: RequestId,
    /// The time at which the exchange fails if there is no answer; a later one has no effect.
    pub deadline: Instant,
    /// What is asked.
    pub kind: RequestKind,
}

/// What the application is asked.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum RequestKind {
    /// The application's state, to be sent in a full state exchange (Go: `LocalState`). Asked only
    /// with [`Config::ask_local_state`](crate::Config::ask_local_state).
    LocalState {
        /// Whether the exchange is part of a join, or of the search for seeds and lost members.
        join: bool,
    },
    /// Whether to merge the state of a peer that this node may never have met (Go: `NotifyMerge`):
    /// asked in a join, and when the search finds a seed or a lost member, on both sides. Asked
    /// only with [`Config::ask_admit_merge`](crate::Config::ask_admit_merge).
    AdmitMerge {
        /// Every node that the peer reported, each in the state that it reported.
        peers: alloc::vec::Vec<Node>,
    },
}

/// The application's answer to a [`Request`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Answer {
    /// Answers [`RequestKind::LocalState`]: the state, which may be empty.
    LocalState(Bytes),
    /// Answers [`RequestKind::AdmitMerge`]: `Err` refuses the merge and gives the reason.
    AdmitMerge(Result<(), String>),
}
