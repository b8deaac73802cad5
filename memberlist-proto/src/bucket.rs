//! Rates: how many of something may happen in a second, in the core's own time.

use crate::time::Instant;

/// A token bucket, kept as the time at which it is full again: it needs no timer, and what it
/// holds at any time follows from the rate and the burst that it is asked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bucket {
    full_at: Instant,
}

impl Bucket {
    /// A full one.
    pub(crate) const fn new() -> Self {
        Self { full_at: Instant::ORIGIN }
    }

    /// Takes one token, if there is one: `burst` fit in, and `rate` come back each second.
    pub(crate) fn take(&mut self, now: Instant, rate: usize, burst: usize) -> bool {
        const SECOND: u64 = 1_000_000_000;
        let token = SECOND / (rate as u64).max(1);
        let missing = self.full_at.saturating_duration_since(now).as_nanos();
        let missing = u64::try_from(missing).unwrap_or(u64::MAX).saturating_add(token);
        if missing > token.saturating_mul(burst as u64) {
            return false;
        }
        self.full_at = Instant::from_nanos(now.as_nanos().saturating_add(missing));
        true
    }
}

#[cfg(test)]
mod tests;
