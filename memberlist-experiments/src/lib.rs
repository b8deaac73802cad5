//! The published experiments with the protocol, run again with the code of this project: SWIM's
//! figures, Lifeguard's grids, Serf's curve, Rapid's faults.
//!
//! An [`Experiment`] runs every cell of a [`Grid`] with every seed in `memberlist-sim`, summarizes
//! the outcomes (as a [`Summary`], with confidence intervals), and makes a [`Report`]: tables,
//! plots, and whether the result is as expected. `memberlist simulate NAME` runs one at the
//! terminal; `docs/experiments` contains the results.

mod cluster;
mod experiment;
mod grid;
mod healing;
mod hearer;
mod large;
mod life;
mod lifeguard;
mod page;
mod plot;
mod rapid;
mod report;
mod serf;
mod stress;
mod summary;
mod swim;
mod table;
mod what_if;

pub use crate::experiment::Experiment;
pub use crate::grid::{Grid, Options, Progress};
pub use crate::healing::{Harm, Tally};
pub use crate::lifeguard::{Part, Selection};
pub use crate::plot::{DrawError, Plot};
pub use crate::report::{Expectation, Report, WriteError};
pub use crate::summary::{Estimate, Summary};
pub use crate::table::{Cell, Table};
pub use crate::what_if::{Goal, GoalError, WhatIf};
