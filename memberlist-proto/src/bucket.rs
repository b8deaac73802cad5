//! Limits on how often something may happen in a second, in the core's own time.

use crate::time::Instant;

/// A token bucket. It is stored as the time at which it will be full again: it needs no timer, and
/// a change of its rate or burst takes effect at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Bucket {
    full_at: Instant,
}

impl Bucket {
    /// A full bucket.
    pub(crate) const fn new() -> Self {
        Self { full_at: Instant::ORIGIN }
    }

    /// Takes one token, if there is one. The bucket holds up to `burst` tokens, and `rate` tokens
    /// return each second.
    pub(crate) fn take(&mut self, now: Instant, rate: usize, burst: usize) -> bool {
        const SECOND: u64 = 1_000_000_000;
        // Time stands for tokens: a token is the time in which it returns, and the bucket lacks as
        // many as fit into the time until it is full.
        // A rate of 0 counts as 1, which avoids a division by zero; a burst of 0 lets nothing pass.
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
