//! The experiments by name.

use crate::grid::{Options, Progress};
use crate::report::Report;
use crate::{healing, large, lifeguard, rapid, serf, stress, swim};

/// A published experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Experiment {
    /// The figures of the paper on SWIM.
    Swim,
    /// Those of the paper on Lifeguard.
    Lifeguard,
    /// Exhausted processors, of the same paper.
    Stress,
    /// Serf's page on convergence.
    Serf,
    /// The asymmetric faults of the paper on Rapid.
    Rapid,
    /// Thousands of nodes that join and restart at once.
    Large,
    /// Recovery and convergence, as in Go and with our defaults.
    Healing,
}

impl Experiment {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Swim,
        Self::Lifeguard,
        Self::Stress,
        Self::Serf,
        Self::Rapid,
        Self::Large,
        Self::Healing,
    ];

    /// What it is called on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Swim => "swim",
            Self::Lifeguard => "lifeguard",
            Self::Stress => "stress",
            Self::Serf => "serf",
            Self::Rapid => "rapid",
            Self::Large => "large",
            Self::Healing => "healing",
        }
    }

    /// Runs it.
    pub fn run(self, options: &Options, progress: &dyn Progress) -> Report {
        match self {
            Self::Swim => swim::run(options, progress),
            Self::Lifeguard => lifeguard::run(options, progress),
            Self::Stress => stress::run(options, progress),
            Self::Serf => serf::run(options, progress),
            Self::Rapid => rapid::run(options, progress),
            Self::Large => large::run(options, progress),
            Self::Healing => healing::run(options, progress),
        }
    }
}
