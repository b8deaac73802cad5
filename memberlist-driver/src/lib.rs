//! The part of a memberlist adapter that does not depend on the asynchronous runtime: a node's
//! tasks, written once over the trait [`Runtime`]; the [`Handle`] and the [`Events`] of the
//! application; operations as futures; log lines; metrics.
//!
//! [`start`] runs a node on any implementation of [`Runtime`]. Applications use one of
//! `memberlist-tokio`, `memberlist-smol` and `memberlist-async-std`, which are such
//! implementations; `docs/writing-an-adapter.md` in the repository shows how to write another.
//!
//! # Features
//!
//! * `tracing`: log lines through the crate `tracing`, with the severity that the Go library gives
//!   them and the fields `node`, `peer`, `member` and `reason` where they apply, under the targets
//!   `memberlist::probe`, `memberlist::membership`, `memberlist::stream`, `memberlist::packet`,
//!   `memberlist::join`, `memberlist::rejoin`, `memberlist::address`, `memberlist::delegate` and
//!   `memberlist::record`.
//! * `metrics`: every figure of [`Stats`](memberlist_proto::Stats) through the facade of the crate
//!   `metrics`; see [`metrics`](mod@metrics).
//! * `record`: [`Options::record_to`](bind::Options::record_to) makes a recording of all input to
//!   the node, which replays byte for byte.
//! * `serde`: `Serialize` and `Deserialize` as in `memberlist-proto`; [`settings`], a whole
//!   configuration as a document, for example in TOML.
//! * `async-io`: sockets and timers for runtimes that are built on the reactor of that name.
#![cfg_attr(docsrs, feature(doc_cfg))]
// This crate reads the machine's clock on behalf of the core.
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

/// The crate whose [`Bytes`](bytes::Bytes) messages, states and metadata are.
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
