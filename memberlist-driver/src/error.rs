//! Why a call on a running node failed.

use memberlist_proto::ConfigError;
use memberlist_proto::KeyringError;
use memberlist_proto::{ExchangeError, JoinRefused, PingError, SendError, TooLong, WaitError};

/// Every way in which a call on a handle can fail.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The node has been shut down.
    #[error("the node has been shut down")]
    Shutdown,
    /// A delegate called the handle of the node that was asking it.
    #[error("a delegate must not call the node that is asking it")]
    Reentrant,
    /// The message cannot be sent.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The metadata is too long.
    #[error(transparent)]
    TooLong(#[from] TooLong),
    /// The join did not start.
    #[error(transparent)]
    Join(#[from] JoinRefused),
    /// The wait for a broadcast ended early.
    #[error(transparent)]
    Wait(#[from] WaitError),
    /// The ping has no answer.
    #[error(transparent)]
    Ping(#[from] PingError),
    /// The exchange over a stream failed.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// The configuration is not valid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The keyring cannot be changed like that.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
}

impl Error {
    /// Whether only time ran out.
    pub fn is_timeout(&self) -> bool {
        matches!(
            self,
            Self::Wait(WaitError::TimedOut)
                | Self::Ping(PingError::NoResponse)
                | Self::Exchange(ExchangeError::TimedOut(_))
        )
    }
}
