//! The experiments by name.

use crate::grid::{Options, Progress};
use crate::report::Report;
use crate::{healing, large, lifeguard, rapid, serf, stress, swim};

/// A published experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Experiment {
    /// The figures of the paper on SWIM.
    Swim,
    /// The experiments of the paper on Lifeguard, with members whose messages are held back.
    Lifeguard,
    /// Exhausted processors, from the same paper.
    Stress,
    /// Serf's page on convergence.
    Serf,
    /// The asymmetric faults of the paper on Rapid.
    Rapid,
    /// Thousands of nodes that join within a minute and restart at once.
    Large,
    /// Recovery from disturbances as in Go and with our defaults, and convergence beside theory.
    Healing,
}

impl Experiment {
    /// All experiments.
    pub const ALL: [Self; 7] = [
        Self::Swim,
        Self::Lifeguard,
        Self::Stress,
        Self::Serf,
        Self::Rapid,
        Self::Large,
        Self::Healing,
    ];

    /// The name of the experiment on the command line.
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

    /// Runs the experiment and returns its report. It may take minutes to hours, unless
    /// [`Options::quick`] is set.
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
