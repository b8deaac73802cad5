//! How a page is served.

use std::sync::Arc;

use crate::guard::{Guard, InvalidOption};

/// Returns the metrics as text.
type Render = Arc<dyn Fn() -> String + Send + Sync>;

/// How a page is served, and to whom.
#[derive(Clone)]
#[must_use]
pub struct Options {
    pub(crate) guard: Guard,
    pub(crate) metrics: Option<Render>,
    pub(crate) streams: usize,
}

impl Default for Options {
    /// To be asked for by an IP address or `localhost`, read by no page of another origin, without
    /// metrics, with at most 32 readers of events.
    fn default() -> Self {
        Self { guard: Guard::default(), metrics: None, streams: 32 }
    }
}

impl Options {
    /// Answers requests whose `Host` is this name, beside IP addresses and `localhost`. Any other
    /// name may be one that an attacker points at this address, so that a page of theirs counts as
    /// one of the same origin (DNS rebinding).
    ///
    /// # Errors
    ///
    /// [`InvalidOption::Host`]: not a name without port.
    pub fn allow_host(mut self, name: &str) -> Result<Self, InvalidOption> {
        self.guard.allow_host(name)?;
        Ok(self)
    }

    /// Answers requests whatever their `Host`: for a server that has checked it.
    pub fn allow_any_host(mut self) -> Self {
        self.guard.allow_any_host();
        self
    }

    /// Lets pages of this origin, such as `http://10.0.0.2:8080`, read `/status` and `/members`, and
    /// lets this page read theirs: what `?peers=` compares. Each side has to allow the other.
    ///
    /// # Errors
    ///
    /// [`InvalidOption::Origin`]: not an origin.
    pub fn allow_origin(mut self, origin: &str) -> Result<Self, InvalidOption> {
        self.guard.allow_origin(origin)?;
        Ok(self)
    }

    /// Answers `/metrics` with what this returns, in the text format of Prometheus.
    pub fn metrics(mut self, render: impl Fn() -> String + Send + Sync + 'static) -> Self {
        self.metrics = Some(Arc::new(render));
        self
    }

    /// How many clients may read `/events` at a time; the others are answered 503.
    pub fn streams(mut self, most: usize) -> Self {
        self.streams = most;
        self
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("guard", &self.guard)
            .field("metrics", &self.metrics.is_some())
            .field("streams", &self.streams)
            .finish()
    }
}
