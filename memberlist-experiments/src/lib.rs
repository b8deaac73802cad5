//! The published experiments with the protocol, run again with the code that ships: SWIM's figures,
//! Lifeguard's grids, Serf's curve, Rapid's faults.
//!
//! An [`Experiment`] runs every cell of a [`Grid`] with every seed in `memberlist-sim`, sums up the
//! outcomes ([`Summary`], with intervals of confidence), and makes a [`Report`]: tables, plots, and
//! what the result should show. `memberlist simulate NAME` is its face; `docs/experiments` has what
//! it found.

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
