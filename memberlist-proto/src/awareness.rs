//! The local health score: how much a node distrusts its own view of the cluster.

use core::time::Duration;

/// Lifeguard's local health multiplier: 0 for a healthy node, up to a maximum for one that misses
/// acks and nacks, or must refute that it is suspected. The higher it is, the longer a probe may
/// take: a node that is itself slow would otherwise accuse healthy members.
///
/// Source: `awareness.go`; Lifeguard, "Local Health Aware Probe".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Awareness {
    score: u32,
    max: u32,
}

impl Awareness {
    /// A healthy node whose score stays below `multiplier` (`AwarenessMaxMultiplier`). A multiplier
    /// of 0 counts as 1, which keeps the score at 0; in Go it makes the score negative and with it
    /// every probe's time zero.
    pub(crate) const fn new(multiplier: u32) -> Self {
        Self { score: 0, max: multiplier.saturating_sub(1) }
    }

    /// Adds `delta` within the limits. Returns the new score if it changed.
    pub(crate) fn apply(&mut self, delta: i32) -> Option<u32> {
        // Both bounds are applied at once: after a long bad time, as many successful probes as the
        // maximum restore the score, however many failed.
        let score = self.score.saturating_add_signed(delta).min(self.max);
        let changed = score != self.score;
        self.score = score;
        changed.then_some(score)
    }

    /// Changes the multiplier. Returns the new score if it was above the new limit.
    pub(crate) fn set_multiplier(&mut self, multiplier: u32) -> Option<u32> {
        self.max = multiplier.saturating_sub(1);
        self.apply(0)
    }

    /// The score; 0 is healthy.
    pub(crate) const fn score(self) -> u32 {
        self.score
    }

    /// `timeout` multiplied by one more than the score. Only the deadline of a probe is scaled, and
    /// with it the time to the next probe: suspicions are not, since their length is what the other
    /// members expect.
    pub(crate) const fn scale(self, timeout: Duration) -> Duration {
        timeout.saturating_mul(self.score.saturating_add(1))
    }
}

#[cfg(test)]
mod tests;
