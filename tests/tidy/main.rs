//! Rules about the source itself which no compiler checks.

mod adapters;
mod direction;
mod documents;
mod files;
mod metrics;
mod size;
mod source;
mod verbs;
