//! How the program ends when it does not end well.

use std::fmt::Display;
use std::process::ExitCode;

/// What is said on standard error, in one line, and the exit code that goes with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// What was asked for makes no sense: exit code 2.
    #[error("{0}")]
    Usage(String),
    /// It made sense and failed: exit code 1.
    #[error("{0}")]
    Failed(String),
}

impl Failure {
    pub(crate) fn usage(message: impl Display) -> Self {
        Self::Usage(message.to_string())
    }

    pub(crate) fn failed(message: impl Display) -> Self {
        Self::Failed(message.to_string())
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Failed(_) => ExitCode::from(1),
        }
    }
}
