//! When periodic activities happen.

use core::time::Duration;

use super::Memberlist;
use crate::time::Instant;

impl Memberlist {
    /// How long until a periodic activity happens first: somewhere within its first interval, so
    /// that nodes started together do not act together.
    ///
    /// Differs from Go: in Go the random phase has no effect, and all nodes start in step.
    pub(super) fn first_phase(&mut self, interval: Duration) -> Duration {
        if self.config.differences.random_phase {
            self.rng.jitter.duration(Duration::ZERO..interval)
        } else {
            interval
        }
    }
}

/// When a periodic timer that was due at `due` is next due: ticks missed meanwhile collapse into
/// one, and the phase is kept.
pub(super) fn next_tick(now: Instant, due: Instant, interval: Duration) -> Instant {
    let step = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX).max(1);
    let missed = now.as_nanos().saturating_sub(due.as_nanos()) / step;
    Instant::from_nanos(
        due.as_nanos().saturating_add(step.saturating_mul(missed.saturating_add(1))),
    )
}
