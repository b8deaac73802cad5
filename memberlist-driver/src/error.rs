//! Why a call on a running node failed.

use memberlist_proto::{
    ConfigError, ExchangeError, ForgetError, JoinRefused, KeyringError, MetaError, NotJoined,
    Oversized, PeerError, PingError, SendError, WaitError,
};

/// Every way in which a call on a [`Handle`](crate::Handle) can fail.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The node has been shut down, or has ended with its runtime.
    #[error("the node has been shut down")]
    Shutdown,
    /// A [`Delegate`](crate::Delegate) called a handle from within a method that a node is waiting
    /// for.
    #[error("called from within a delegate's method that a node is waiting for")]
    Reentrant,
    /// The message cannot be sent, or too many operations are under way.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The metadata is too long.
    #[error(transparent)]
    TooLong(#[from] MetaError),
    /// With encryption, the node's own announcement would fit into no packet.
    #[error(transparent)]
    Oversized(#[from] Oversized),
    /// The join could not start.
    #[error(transparent)]
    Join(#[from] JoinRefused),
    /// What was given as a peer to join is none; nothing was tried.
    #[error("peer {index} of the join: {error}")]
    Peer {
        /// Its place, counted from 0.
        index: usize,
        /// Why it is none.
        error: PeerError,
    },
    /// The join has joined no peer; its report has the reason of each failure.
    #[error(transparent)]
    NotJoined(#[from] NotJoined),
    /// The wait for an announcement ended before it was sent.
    #[error(transparent)]
    Wait(#[from] WaitError),
    /// The ping was not answered.
    #[error(transparent)]
    Ping(#[from] PingError),
    /// The exchange over a stream failed.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// The node cannot be forgotten.
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
    /// Whether the time that was allowed has run out, and nothing else is wrong.
    pub fn is_timeout(&self) -> bool {
        matches!(
            self,
            Self::Wait(WaitError::TimedOut)
                | Self::Ping(PingError::NoResponse)
                | Self::Exchange(ExchangeError::TimedOut(_))
        )
    }
}
