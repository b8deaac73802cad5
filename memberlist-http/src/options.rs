//! The options of a page.

use std::sync::Arc;

use crate::guard::{Guard, InvalidOption};

/// Returns the metrics as text.
type Render = Arc<dyn Fn() -> String + Send + Sync>;

/// The options of a page: which requests it answers, and what it serves.
#[derive(Clone)]
#[must_use]
pub struct Options {
    pub(crate) guard: Guard,
    pub(crate) metrics: Option<Render>,
    pub(crate) streams: usize,
}

impl Default for Options {
    /// Answers requests whose `Host` is an IP address or `localhost`, none from pages of other
    /// origins; without metrics, and with at most 32 readers of events.
    fn default() -> Self {
        Self { guard: Guard::default(), metrics: None, streams: 32 }
    }
}

impl Options {
    /// Also answers requests whose `Host` is this name, in addition to IP addresses and
    /// `localhost`. Other names are refused, since an attacker can point a name of their own at
    /// this address, so that the browser considers their page to be of the same origin (DNS
    /// rebinding).
    ///
    /// # Errors
    ///
    /// [`InvalidOption::Host`]: this is not a host name without a port.
    pub fn allow_host(mut self, name: &str) -> Result<Self, InvalidOption> {
        self.guard.allow_host(name)?;
        Ok(self)
    }

    /// Answers requests whatever their `Host` is: only for a server that has checked it already.
    pub fn allow_any_host(mut self) -> Self {
        self.guard.allow_any_host();
        self
    }

    /// Lets pages of this origin, such as `http://10.0.0.2:8080`, read `/status` and `/members`,
    /// and lets this page read theirs, so that `?peers=` can compare them. Each side must allow the
    /// other.
    ///
    /// # Errors
    ///
    /// [`InvalidOption::Origin`]: this is not an origin.
    pub fn allow_origin(mut self, origin: &str) -> Result<Self, InvalidOption> {
        self.guard.allow_origin(origin)?;
        Ok(self)
    }

    /// Answers `/metrics` with the text that `render` returns, which must be in the text format of
    /// Prometheus. It is called for each request.
    pub fn metrics(mut self, render: impl Fn() -> String + Send + Sync + 'static) -> Self {
        self.metrics = Some(Arc::new(render));
        self
    }

    /// Sets how many clients may read `/events` at a time; others are answered with 503.
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
