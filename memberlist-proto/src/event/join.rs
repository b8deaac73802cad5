//! How a join ends.

use alloc::vec::Vec;
use core::net::SocketAddr;

use super::ExchangeError;
use crate::peer::Peer;
use crate::transmit::LookupFailure;

/// How each peer of a join answered.
#[derive(Clone, Debug, Default)]
pub struct JoinReport {
    /// The addresses that exchanged their state with this node.
    pub joined: Vec<SocketAddr>,
    /// What failed, and why.
    pub failed: Vec<JoinFailure>,
}

/// One peer, or one address of it, that could not be joined.
#[derive(Clone, Debug)]
pub struct JoinFailure {
    /// The peer as given.
    pub peer: Peer,
    /// The address tried, unless the failure came before there was one.
    pub address: Option<SocketAddr>,
    /// Why.
    pub error: JoinError,
}

/// Why a peer could not be joined.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// Its name could not be resolved.
    #[error(transparent)]
    Lookup(#[from] LookupFailure),
    /// It is this node.
    #[error("that is this node's own address")]
    Myself,
    /// The configuration requires a node name, and the peer was given without.
    #[error("`require_node_names` is set, and the peer has no name")]
    NameRequired,
    /// The exchange failed.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// The join's own time ran out first.
    #[error("the join ran out of time")]
    TimedOut,
    /// This node left first, which is final.
    #[error("this node has left the cluster")]
    Left,
    /// The join was cancelled first.
    #[error("the join was cancelled")]
    Cancelled,
}

/// Why a join did not even start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JoinRefused {
    /// This node has left, which is final.
    #[error("this node has left the cluster")]
    Left,
    /// Too many operations are under way.
    #[error("too many operations are under way")]
    TooMany,
}
