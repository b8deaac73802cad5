//! When a node needs fresh randomness from the operating system.

use std::time::Duration;

use memberlist_proto::Instant;

/// Decides when fresh randomness is handed to the core, whose nonces all come from one seed
/// otherwise: a virtual machine that is copied, or resumed twice, would go on with those of its
/// twin.
#[derive(Debug, Default)]
pub(super) struct Entropy {
    /// When the node was last called. The clock of a copied machine may go on from where it was, so
    /// that a sleep is not always seen; and a wall clock jumps for other reasons, too.
    called: Option<Instant>,
    /// When fresh randomness was due last.
    fresh: Option<Instant>,
}

impl Entropy {
    /// Fresh randomness is due this long after the last: for as long, at most, a resumed copy that
    /// does not notice it goes on with the nonces of its twin.
    pub(super) const EVERY: Duration = Duration::from_secs(60);

    /// Fresh randomness is due at once if the node was not called for so long: the machine may have
    /// been asleep.
    pub(super) const SLEEP: Duration = Duration::from_secs(5);

    /// The node is called: whether fresh randomness is due. The first call follows the seed.
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
