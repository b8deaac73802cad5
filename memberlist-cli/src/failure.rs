//! The failures of the program, and their exit codes.

use std::fmt::Display;
use std::process::ExitCode;

/// A failure: the line that is printed on standard error, and the exit code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// The arguments or the configuration are invalid: exit code 2.
    #[error("{0}")]
    Usage(String),
    /// Anything else that failed: exit code 1.
    #[error("{0}")]
    Failed(String),
    /// There is no agent to ask, or its answer did not arrive: exit code 3.
    #[error("{0}")]
    #[cfg(feature = "agent")]
    Unreachable(String),
}

impl Failure {
    pub(crate) fn usage(message: impl Display) -> Self {
        Self::Usage(message.to_string())
    }

    pub(crate) fn failed(message: impl Display) -> Self {
        Self::Failed(message.to_string())
    }

    #[cfg(feature = "agent")]
    pub(crate) fn unreachable(message: impl Display) -> Self {
        Self::Unreachable(message.to_string())
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Failed(_) => ExitCode::from(1),
            #[cfg(feature = "agent")]
            Self::Unreachable(_) => ExitCode::from(3),
        }
    }
}
