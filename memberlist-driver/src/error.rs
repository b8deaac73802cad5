//! Why a call on a running node failed.

use memberlist_proto::{
    ConfigError, ExchangeError, ForgetError, JoinRefused, KeyringError, MetaError, NotJoined,
    Oversized, PeerError, PingError, SendError, WaitError,
};

/// Every way in which a call on a [`Handle`](crate::Handle) can fail.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The node has been shut down, or its runtime has ended.
    #[error("the node has been shut down")]
    Shutdown,
    /// A [`Delegate`](crate::Delegate) called a handle from within a method that a node is waiting
    /// for. Waiting for the node's lock there could be a deadlock.
    #[error("called from within a delegate's method that a node is waiting for")]
    Reentrant,
    /// The message cannot be sent, or too many operations are under way.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The metadata is longer than the configuration allows, or than a packet can carry.
    #[error(transparent)]
    TooLong(#[from] MetaError),
    /// With encryption, the node's own announcement would not fit into a packet.
    #[error(transparent)]
    Oversized(#[from] Oversized),
    /// The join could not start: this node has left, or too many operations are under way.
    #[error(transparent)]
    Join(#[from] JoinRefused),
    /// An item in the list of peers to join is not a valid peer; no peer was tried.
    #[error("peer {index} of the join: {error}")]
    Peer {
        /// Its position in the list, counted from 0.
        index: usize,
        /// What is wrong with it.
        error: PeerError,
    },
    /// No peer was joined; the report has the reason for each failure.
    #[error(transparent)]
    NotJoined(#[from] NotJoined),
    /// A wait failed: for an announcement to be sent, or for the membership to be stable.
    #[error(transparent)]
    Wait(#[from] WaitError),
    /// The ping was not answered, or could not be sent.
    #[error(transparent)]
    Ping(#[from] PingError),
    /// The exchange over a stream failed.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// The node cannot be forgotten: it is a live member, or unknown.
    #[error(transparent)]
    Forget(#[from] ForgetError),
    /// The configuration is not valid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The keyring does not allow the change.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
}

impl Error {
    /// Whether the operation failed only because it ran out of time.
    pub fn is_timeout(&self) -> bool {
        matches!(
            self,
            Self::Wait(WaitError::TimedOut)
                | Self::Ping(PingError::NoResponse)
                | Self::Exchange(ExchangeError::TimedOut(_))
        )
    }
}
