//! What every adapter needs and no runtime owns: the node behind a lock, futures for its
//! operations, a bounded buffer for its events.
//!
//! An adapter has one task that reads packets, and one for each stream. They hand what they read
//! to a [`Driver`], wait by its `poll_*` methods for what there is to do, and do it. The user holds
//! a [`Handle`].
// This is where the machine's clock is read for the core.
#![allow(clippy::disallowed_methods)]

pub mod bind;
mod clock;
mod delegate;
mod error;
mod events;
mod guard;
mod handle;
mod intake;
pub mod log;
#[cfg(feature = "metrics")]
pub mod metrics;

mod open;
mod operation;
mod shared;
mod task;
mod turns;

use std::net::SocketAddr;
use std::string::String;
use std::sync::Arc;
use std::vec::Vec;

pub use self::clock::Clock;
pub use self::delegate::Delegate;
pub use self::error::Error;
pub use self::events::EventBounds;
pub use self::guard::{Running, StreamTask};
pub use self::handle::Handle;
pub use self::intake::{Batch, Intake, reachable};

pub use self::open::{Opened, open};
pub use self::operation::Operation;
use self::shared::Shared;
pub use self::task::{Command, Driver, Work, stream_failure};
pub use self::turns::{Backoff, Turns};
use memberlist_proto::Event;
use memberlist_proto::{Config, ConfigError};

/// Where the driver's log lines go: the node's name, the severity and the line.
pub type LogSink = fn(&memberlist_proto::NodeName, log::Severity, &str);

/// What a node is started with beside its [`Config`].
#[derive(Clone, Default)]
pub struct Setup {
    /// Answers the node's questions.
    pub delegate: Option<Arc<dyn Delegate>>,
    /// How many events may wait for their reader.
    pub events: EventBounds,
    /// Where log lines go.
    pub log: Option<LogSink>,
    /// Labels of everything that is published with the feature `metrics` (Go: `MetricLabels`).
    pub metric_labels: Vec<(String, String)>,
}

/// Makes a node and takes it apart into what its user holds, what its reader holds and what its
/// tasks hold. The node ends when the last clone of the [`Handle`] is dropped.
///
/// `seed` must come from the operating system: it decides the nonces of encryption.
///
/// # Errors
///
/// The configuration is not valid.
pub fn start(
    config: Config,
    bound: SocketAddr,
    setup: Setup,
    seed: [u8; 32],
) -> Result<(Handle, Events, Driver), ConfigError> {
    let shared = Arc::new(Shared::new(config, bound, setup, seed)?);
    Ok((Handle::new(&shared), Events(Arc::clone(&shared)), Driver::new(shared)))
}

/// What happens, in order, for one reader. Ends when the node has ended. A slow reader never holds
/// up the node, see [`EventBounds`]; without a reader nothing is kept. It is
/// a `Stream` as well.
pub struct Events(Arc<Shared>);

impl Events {
    /// The next event; `None` when the node has ended and everything was told.
    pub async fn next(&mut self) -> Option<Event> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The next event; `None` when the node has ended and everything was told.
    pub fn poll_next(&mut self, cx: &std::task::Context<'_>) -> std::task::Poll<Option<Event>> {
        self.0.poll_event(cx)
    }
}

impl futures_core::Stream for Events {
    type Item = Event;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Event>> {
        Self::poll_next(&mut self, cx)
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.0.surely(self::shared::Last::Unread);
    }
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Setup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setup").field("events", &self.events).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
