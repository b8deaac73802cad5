//! When periodic activities happen.

use core::time::Duration;

use super::Memberlist;
use crate::time::Instant;
use crate::timers::TimerId;

impl Memberlist {
    /// Stops a periodic timer. Returns when it would have been due, if it was running.
    pub(super) fn stop_ticking(&mut self, timer: Option<TimerId>) -> Option<Instant> {
        let timer = timer?;
        let due = self.timers.due(timer);
        self.timers.cancel(timer);
        due
    }

    /// When a periodic activity happens next, by its interval. `due` is when it would have been due
    /// by the interval `was` before; if it did not run, the first phase decides.
    pub(super) fn next_phase(
        &mut self,
        due: Option<Instant>,
        was: Duration,
        interval: Duration,
    ) -> Instant {
        match due {
            Some(due) => moved(self.now, due, was, interval),
            None => self.now + self.first_phase(interval),
        }
    }

    /// How long until a periodic activity happens first: somewhere within its first interval, so
    /// that nodes started together do not act together.
    ///
    /// Differs from Go: in Go the random phase has no effect, and all nodes start in step.
    fn first_phase(&mut self, interval: Duration) -> Duration {
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

/// When a periodic timer that was due at `due`, by the interval `was`, is next due by another one:
/// after one interval from its last tick. If that has passed already, it is after the smallest
/// number of intervals that has not, but not later than at `due`. However often the interval
/// changes, ticks thus go on, and nodes that change it together do not act together.
pub(super) fn moved(now: Instant, due: Instant, was: Duration, interval: Duration) -> Instant {
    if due <= now || was == interval {
        return due;
    }
    let nanos = |time: u128| i128::try_from(time).unwrap_or(i128::MAX >> 1);
    let (now, due) = (i128::from(now.as_nanos()), i128::from(due.as_nanos()));
    let (was, step) = (nanos(was.as_nanos()), nanos(interval.as_nanos()).max(1));
    let last = due - was;
    let passed = (now - last).max(0) / step;
    let next = last + step.saturating_mul(passed + 1);
    let next = if step < was { next.min(due) } else { next };
    Instant::from_nanos(u64::try_from(next).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
