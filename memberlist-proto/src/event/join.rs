//! How a join ends.

use alloc::vec::Vec;
use core::net::SocketAddr;

use super::ExchangeError;
use crate::peer::Peer;
use crate::transmit::LookupFailure;

/// How each peer of a join answered. `Display` is one line with every failure and its reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[must_use = "some of the peers may have failed"]
pub struct JoinReport {
    /// The addresses that exchanged their state with this node.
    #[cfg_attr(feature = "serde", serde(with = "crate::serial::exact"))]
    pub joined: Vec<SocketAddr>,
    /// What failed, and why.
    pub failed: Vec<JoinFailure>,
}

impl JoinReport {
    /// Returns this report if at least one peer was joined.
    ///
    /// # Errors
    ///
    /// [`NotJoined`] with this report, if no peer was joined or none was given.
    pub fn into_result(self) -> Result<Self, NotJoined> {
        if self.joined.is_empty() { Err(NotJoined { report: self }) } else { Ok(self) }
    }

    /// The address of another node that has this node's name in the cluster to be joined, because
    /// of which that cluster refuses this node; `None` if that is not among the failures.
    pub fn name_holder(&self) -> Option<SocketAddr> {
        self.failed.iter().find_map(|failure| match failure.error {
            JoinError::Exchange(ExchangeError::NameTaken { holder }) => Some(holder),
            _ => None,
        })
    }
}

/// A join that has joined no peer, or was given none. `Display` is one line with the reason of each
/// failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotJoined {
    /// How each peer answered. Its `joined` is empty.
    pub report: JoinReport,
}

impl core::error::Error for NotJoined {}

/// One peer, or one address of it, that could not be joined.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct JoinFailure {
    /// The peer as given.
    pub peer: Peer,
    /// The address tried, unless the failure came before there was one.
    #[cfg_attr(feature = "serde", serde(with = "crate::serial::exact"))]
    pub address: Option<SocketAddr>,
    /// Why it failed.
    pub error: JoinError,
}

impl core::error::Error for JoinFailure {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&self.error)
    }
}

/// Why a peer could not be joined.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum JoinError {
    /// Its name could not be resolved.
    #[error(transparent)]
    Lookup(#[from] LookupFailure),
    /// It is this node.
    #[error("that is this node's own address")]
    Myself,
    /// The configuration requires a node name, and the peer was given without one.
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
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum JoinRefused {
    /// This node has left, which is final.
    #[error("this node has left the cluster")]
    Left,
    /// Too many operations are under way.
    #[error("too many operations are under way")]
    TooMany,
}
