//! How long a suspect has to refute, and how accusations by others shorten it.

use core::time::Duration;

use smallvec::SmallVec;

use crate::node::{Name, NodeName};
use crate::time::Instant;

/// What a suspicion is measured by, frozen when it starts: later changes of the cluster's size do
/// not move it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SuspicionParams {
    /// Confirmations that bring the time down to `min`.
    pub needed: u32,
    /// The time with all confirmations, and from the start if none are needed.
    pub min: Duration,
    /// The time without any confirmation.
    pub max: Duration,
}

impl SuspicionParams {
    /// The parameters in a cluster of `n` nodes, with `SuspicionMult`, `SuspicionMaxTimeoutMult` and
    /// the probe interval.
    ///
    /// Source: `suspectNode`. Durations saturate.
    pub(crate) fn new(mult: u32, max_mult: u32, n: usize, probe_interval: Duration) -> Self {
        let min = suspicion_timeout(mult, n, probe_interval);
        Self { needed: confirmations_needed(mult, n), min, max: min.saturating_mul(max_mult) }
    }
}

/// A node's time to refute an accusation. It begins at the maximum and shrinks with every
/// independent confirmation, down to the minimum: Lifeguard's dynamic suspicion timeout.
///
/// Source: `suspicion.go`; Lifeguard, "Local Health Aware Suspicion".
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Suspicion {
    params: SuspicionParams,
    start: Instant,
    /// The first accuser, then those who confirmed: never more than `needed + 1`.
    accusers: SmallVec<[NodeName; 4]>,
}

/// What a confirmation changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Confirmation {
    /// A new accuser: pass the message on, and let the suspicion end at `deadline`, which is now if
    /// the shortened time is already over.
    New {
        /// When the suspect's time is over.
        deadline: Instant,
    },
    /// This accuser is known. Nothing changed.
    Known,
    /// The time is at its minimum. Nothing changed.
    Enough,
}

impl Suspicion {
    /// A suspicion that begins now with the word of `from`, who counts as the accuser and never as
    /// a confirmation.
    pub(crate) fn new(now: Instant, from: NodeName, params: SuspicionParams) -> Self {
        Self { params, start: now, accusers: SmallVec::from_iter([from]) }
    }

    /// Takes the word of one more accuser.
    pub(crate) fn confirm(&mut self, now: Instant, from: Name<'_>) -> Confirmation {
        if self.confirmations() >= self.params.needed {
            return Confirmation::Enough;
        }
        if self.accusers.iter().any(|known| *known == from) {
            return Confirmation::Known;
        }
        self.accusers.push(from.to_owned_name());
        Confirmation::New { deadline: self.deadline().max(now) }
    }

    /// When the suspect's time is over, by the confirmations so far.
    pub(crate) fn deadline(&self) -> Instant {
        self.start + total(self.confirmations(), self.params)
    }

    /// How many have confirmed it, the first accuser not counted.
    pub(crate) fn confirmations(&self) -> u32 {
        self.accusers.len() as u32 - 1
    }

    /// Who accused: the first one, then those who confirmed, in order.
    pub(crate) fn accusers(&self) -> &[NodeName] {
        &self.accusers
    }

    /// What it is measured by.
    pub(crate) const fn params(&self) -> SuspicionParams {
        self.params
    }
}

/// The least time a suspect gets in a cluster of `n` nodes: `mult` probe intervals, times the
/// decimal logarithm of `n` from 10 nodes on, because news takes longer in a larger cluster.
///
/// Source: `suspicionTimeout`. Saturates at 584 years.
pub(crate) fn suspicion_timeout(mult: u32, n: usize, interval: Duration) -> Duration {
    // Exact at powers of ten: a quotient of natural logarithms gives 2999 for 1000 nodes.
    let scale = libm::log10(n.max(1) as f64).max(1.0);
    let thousandths = (scale * 1000.0) as u128;
    let nanos =
        thousandths.saturating_mul(u128::from(mult)).saturating_mul(interval.as_nanos()) / 1000;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// How many confirmations bring a suspicion to its least time: two fewer than `mult`, or none if
/// the cluster is too small to have that many besides the suspect and the first accuser.
///
/// Source: `suspectNode`.
pub(crate) fn confirmations_needed(mult: u32, n: usize) -> u32 {
    let needed = mult.saturating_sub(2);
    if n.saturating_sub(2) < needed as usize { 0 } else { needed }
}

/// The whole time of a suspect with this many confirmations, a whole number of milliseconds unless
/// it is the minimum or the maximum.
fn total(confirmations: u32, SuspicionParams { needed, min, max }: SuspicionParams) -> Duration {
    if needed == 0 {
        return min;
    }
    if confirmations == 0 {
        return max;
    }
    let share = libm::log(f64::from(confirmations) + 1.0) / libm::log(f64::from(needed) + 1.0);
    let (min_secs, max_secs) = (min.as_secs_f64(), max.as_secs_f64());
    let secs = max_secs - share * (max_secs - min_secs);
    // The cast takes a negative time to zero.
    Duration::from_millis(libm::floor(1000.0 * secs) as u64).max(min)
}

#[cfg(test)]
mod tests;
