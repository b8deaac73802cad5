//! Decides when a node needs fresh randomness from the operating system.

use std::time::Duration;

use memberlist_proto::Instant;

/// Decides when fresh randomness is handed to the core. Otherwise all of its nonces would be
/// derived from one seed, and a virtual machine that is copied, or resumed twice, would use the
/// same nonces as its copy.
#[derive(Debug, Default)]
pub(super) struct Entropy {
    /// When the node was last called. The clock of a copied machine may continue from where it was,
    /// so a sleep is not always detected; and a wall clock would jump for other reasons, too.
    called: Option<Instant>,
    /// When fresh randomness was last due.
    fresh: Option<Instant>,
}

impl Entropy {
    /// Fresh randomness is due this long after the last time. It is also the longest time for which
    /// a resumed copy that does not notice the sleep may use the same nonces as the original.
    pub(super) const EVERY: Duration = Duration::from_secs(60);

    /// Fresh randomness is due at once if the node was not called for this long: the machine may
    /// have been asleep.
    pub(super) const SLEEP: Duration = Duration::from_secs(5);

    /// The node is called; returns whether fresh randomness is due. At the first call the seed is
    /// still fresh.
    pub(super) fn due(&mut self, now: Instant) -> bool {
        let Some(called) = self.called.replace(now) else {
            self.fresh = Some(now);
            return false;
        };
        let slept = now.saturating_duration_since(called) >= Self::SLEEP;
        let old = self.fresh.is_none_or(|at| now.saturating_duration_since(at) >= Self::EVERY);
        if slept || old {
            self.fresh = Some(now);
        }
        slept || old
    }
}

#[cfg(test)]
mod tests;
