//! What every memberlist adapter needs and no asynchronous runtime owns: a node's tasks, written
//! once over the trait [`Runtime`]; the user's [`Handle`] and [`Events`]; operations as futures; log
//! lines; metrics.
//!
//! [`start`] runs a node on any implementation of [`Runtime`]. `memberlist-tokio`, `memberlist-smol`
//! and `memberlist-async-std` are such implementations, and what an application uses;
//! `docs/writing-an-adapter.md` in the repository shows how to write another.
//!
//! # Features
//!
//! * `tracing`: what happens goes to the log through `tracing`, at the severity that the Go library
//!   gives it, with the fields `node`, `peer`, `member` and `reason` where they apply, under the
//!   targets `memberlist::probe`, `memberlist::membership`, `memberlist::stream`,
//!   `memberlist::packet`, `memberlist::join`, `memberlist::rejoin`, `memberlist::address`,
//!   `memberlist::delegate` and `memberlist::record`.
//! * `metrics`: every figure of [`Stats`](memberlist_proto::Stats) through the facade of the crate
//!   `metrics`; see [`metrics`](mod@metrics).
//! * `record`: [`Options::record_to`](bind::Options::record_to), a recording of everything that enters
//!   the node, which replays byte for byte.
//! * `serde`: `Serialize` and `Deserialize` as in `memberlist-proto`; [`settings`], a whole
//!   configuration as a document, in TOML for example.
//! * `async-io`: sockets and timers for runtimes that stand on the reactor of that name.
#![cfg_attr(docsrs, feature(doc_cfg))]
// This is where the machine's clock is read for the core.
#![allow(clippy::disallowed_methods)]

#[cfg(feature = "async-io")]
mod async_io;
pub mod bind;
mod clock;
mod delegate;
mod driver;
mod entropy;
mod error;
mod events;
mod handle;
mod keygen;
mod log;
#[cfg(feature = "metrics")]
pub mod metrics;
mod node;
mod operation;
mod questions;
pub mod runtime;
mod services;
#[cfg(feature = "serde")]
pub mod settings;
mod shared;
mod state;
pub mod transport;

/// Messages, states and metadata are [`Bytes`](bytes::Bytes) of this crate.
pub use bytes;

pub use self::delegate::Delegate;
pub use self::error::Error;
pub use self::events::{EventBounds, EventBuffer, Events};
pub use self::handle::Handle;
pub use self::keygen::GenerateKey;
pub use self::node::start;
pub use self::operation::Operation;
pub use self::runtime::Runtime;
#[cfg(feature = "record")]
pub use memberlist_record::{RecordError, RecordOptions, RecordStats};

#[cfg(test)]
mod tests;
