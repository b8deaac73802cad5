//! Rules about the source and the documents that the compiler does not check.

mod adapters;
mod direction;
mod documents;
mod files;
mod metrics;
mod size;
mod source;
mod verbs;
mod words;
