//! How long a suspect has to refute, and how accusations by other members shorten that time.

use core::time::Duration;

use smallvec::SmallVec;

use crate::node::{Name, NodeName};
use crate::time::Instant;

/// The bounds of a suspicion, fixed when it starts: later changes of the cluster's size do not move
/// them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct SuspicionParams {
    /// How many confirmations reduce the time to `min`.
    needed: u32,
    /// The time with all confirmations, and from the start if none are needed.
    min: Duration,
    /// The time without any confirmation.
    max: Duration,
}

impl SuspicionParams {
    /// The bounds in a cluster of `n` nodes, dead ones included, for `SuspicionMult`,
    /// `SuspicionMaxTimeoutMult` and the probe interval.
    ///
    /// Source: `suspectNode`. Durations saturate.
    pub(crate) fn new(mult: u32, max_mult: u32, n: usize, probe_interval: Duration) -> Self {
        let min = suspicion_timeout(mult, n, probe_interval);
        Self { needed: confirmations_needed(mult, n), min, max: min.saturating_mul(max_mult) }
    }

    /// The same bounds with both times doubled `times` times. Durations saturate.
    pub(crate) const fn doubled(self, times: u32) -> Self {
        let factor = 2_u32.saturating_pow(times);
        let (min, max) = (self.min.saturating_mul(factor), self.max.saturating_mul(factor));
        Self { min, max, ..self }
    }
}

/// A node's time to refute an accusation. It begins at the maximum and shrinks with every
/// independent confirmation, down to the minimum: Lifeguard's dynamic suspicion timeout. A single
/// accuser may itself be the one that is slow or badly connected, so that its word alone must leave
/// much time; many accusers are rarely wrong together.
///
/// Source: `suspicion.go`; Lifeguard, "Local Health Aware Suspicion".
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Suspicion {
    params: SuspicionParams,
    /// The instant from which its time counts.
    start: Instant,
    /// When the first accusation came.
    begun: Instant,
    /// The first accuser, then those that confirmed: never more than `needed + 1`.
    accusers: SmallVec<[NodeName; 4]>,
}

/// The effect of a confirmation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Confirmation {
    /// The accuser is a new one: its message must be passed on, and the suspicion now ends at
    /// `deadline`.
    New {
        /// When the suspect's time is over; the present, if the shortened time is over already.
        deadline: Instant,
    },
    /// The accuser is known. Nothing changed.
    Known,
    /// The time is at its minimum already. Nothing changed.
    Enough,
}

impl Suspicion {
    /// A suspicion that begins now. `from` is the first accuser, which never counts as a
    /// confirmation: its own message comes back to it by gossip.
    pub(crate) fn new(now: Instant, from: NodeName, params: SuspicionParams) -> Self {
        Self { params, start: now, begun: now, accusers: SmallVec::from_iter([from]) }
    }

    /// A suspicion that begins now because a peer considers the node dead: others have confirmed it
    /// already, so it ends after the minimum.
    pub(crate) fn of_verdict(now: Instant, from: NodeName, params: SuspicionParams) -> Self {
        let mut suspicion = Self::new(now, from, params);
        suspicion.hear_verdict();
        suspicion
    }

    /// Notes that a peer considers the suspect dead: no more confirmations are needed. Returns when
    /// the suspect's time is over.
    pub(crate) fn hear_verdict(&mut self) -> Instant {
        self.params.needed = self.confirmations();
        self.deadline()
    }

    /// Notes that the suspect has answered. Its time begins anew, and earlier confirmations no
    /// longer count. That is so only until an unconfirmed suspicion would have ended: a node that
    /// has restarted and knows no peer answers pings but cannot refute, and is found again only
    /// once it is considered dead. Returns whether the suspect got new time.
    pub(crate) fn restart(&mut self, now: Instant) -> bool {
        let early = now < self.begun + total(0, self.params);
        if early {
            self.start = now;
            self.accusers.truncate(1);
        }
        early
    }

    /// Counts an accusation by `from`.
    pub(crate) fn confirm(&mut self, now: Instant, from: Name<'_>) -> Confirmation {
        // More accusers than needed are not even remembered, as in Go: they could not shorten the
        // time, and what is not new is not passed on, so that the gossip about a suspect dies out.
        // It also bounds the list, which forged accusers could grow otherwise.
        if self.confirmations() >= self.params.needed {
            return Confirmation::Enough;
        }
        if self.accusers.iter().any(|known| *known == from) {
            return Confirmation::Known;
        }
        self.accusers.push(from.to_owned_name());
        // The time counts from the start, not from the confirmation: confirmations can only bring
        // the end forward, to the present at the earliest.
        Confirmation::New { deadline: self.deadline().max(now) }
    }

    /// When the suspect's time is over, given the confirmations so far.
    pub(crate) fn deadline(&self) -> Instant {
        self.start + total(self.confirmations(), self.params)
    }

    /// How many accusers have confirmed it, the first one not counted.
    pub(crate) fn confirmations(&self) -> u32 {
        self.accusers.len() as u32 - 1
    }

    /// Whether it has fewer confirmations than it could use. One that ends so may be the failure of
    /// a few observers, or of the whole network (Go: the metric `degraded.timeout`).
    pub(crate) fn lacks_confirmations(&self) -> bool {
        self.confirmations() < self.params.needed
    }

    /// Whether it can have arisen; checked for a suspicion read from a checkpoint.
    #[cfg(feature = "checkpoint")]
    pub(crate) fn is_sound(&self) -> bool {
        let SuspicionParams { needed, min, max } = self.params;
        let accusers = self.accusers.len();
        min <= max && accusers >= 1 && accusers - 1 <= needed as usize
    }

    /// The accusers: the first one, then those that confirmed, in order.
    pub(crate) fn accusers(&self) -> &[NodeName] {
        &self.accusers
    }
}

/// The minimum time that a suspect has in a cluster of `n` nodes: `mult` probe intervals,
/// multiplied by the decimal logarithm of `n` from 10 nodes on, because gossip takes that much
/// longer to reach every member and to come back.
///
/// Source: `suspicionTimeout`. Saturates at 584 years.
fn suspicion_timeout(mult: u32, n: usize, interval: Duration) -> Duration {
    // Exact at powers of ten, as in Go; a quotient of natural logarithms gives 2.999 for 1000.
    let scale = libm::log10(n.max(1) as f64).max(1.0);
    // The rest is integer arithmetic on whole thousandths, as in Go, so that our suspicions end at
    // the same nanosecond.
    let thousandths = (scale * 1000.0) as u128;
    let nanos =
        thousandths.saturating_mul(u128::from(mult)).saturating_mul(interval.as_nanos()) / 1000;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// How many confirmations reduce a suspicion to its minimum: two fewer than `mult`, or none if the
/// cluster is too small to have that many members besides the suspect and the first accuser.
/// Waiting for confirmations that cannot come would make every suspicion last the maximum.
///
/// Source: `suspectNode`.
fn confirmations_needed(mult: u32, n: usize) -> u32 {
    let needed = mult.saturating_sub(2);
    if n.saturating_sub(2) < needed as usize { 0 } else { needed }
}

/// The whole time of a suspect with this many confirmations: a whole number of milliseconds, unless
/// it is the minimum or the maximum.
///
/// Source: `remainingSuspicionTime`; Lifeguard, "Local Health Aware Suspicion": the time falls with
/// the logarithm of the confirmations, so that the first one shortens it most.
fn total(confirmations: u32, SuspicionParams { needed, min, max }: SuspicionParams) -> Duration {
    if needed == 0 {
        return min;
    }
    // Exactly the maximum, which the formula would round down to a millisecond (Go does not apply
    // it before the first confirmation either).
    if confirmations == 0 {
        return max;
    }
    let share = libm::log(f64::from(confirmations) + 1.0) / libm::log(f64::from(needed) + 1.0);
    let (min_secs, max_secs) = (min.as_secs_f64(), max.as_secs_f64());
    let secs = max_secs - share * (max_secs - min_secs);
    // Go rounds down to a millisecond. The cast turns a negative time into zero.
    Duration::from_millis(libm::floor(1000.0 * secs) as u64).max(min)
}

#[cfg(test)]
mod tests;
