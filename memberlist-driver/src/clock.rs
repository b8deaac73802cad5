//! The machine's clock, converted to the core's time.

use std::time::{Duration, Instant as StdInstant};

use memberlist_proto::Instant;

/// Maps the machine's monotonic clock to the core's time, which begins when this value is created.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin: StdInstant,
}

/// The core's time at the clock's origin, so that `Instant::ORIGIN` lies before everything that
/// happens.
const START: Duration = Duration::from_secs(1);

impl Clock {
    /// A clock whose time begins at `origin`.
    pub(crate) fn new(origin: StdInstant) -> Self {
        Self { origin }
    }

    /// The core's time at a moment of the machine's clock.
    pub(crate) fn at(&self, moment: StdInstant) -> Instant {
        Instant::ORIGIN + START + moment.saturating_duration_since(self.origin)
    }

    /// The moment of the machine's clock at a time of the core: the origin for an earlier time, and
    /// a year after the origin if the clock cannot represent it.
    pub(crate) fn moment(&self, time: Instant) -> StdInstant {
        let since = time.saturating_duration_since(Instant::ORIGIN + START);
        let year = Duration::from_secs(365 * 86_400);
        self.origin.checked_add(since).unwrap_or_else(|| self.origin + year)
    }
}

#[cfg(test)]
mod tests;
