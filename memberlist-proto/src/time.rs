//! Points in time, and how intervals grow with the size of the cluster.

use core::ops::{Add, AddAssign};
use core::time::Duration;

/// A point in time: nanoseconds since an origin that the caller chooses once.
///
/// Unlike the standard library's it can be built from a number, stored and replayed. Arithmetic
/// saturates: 584 years after the origin it stands still at [`Instant::FAR_FUTURE`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The earliest instant.
    pub const ORIGIN: Self = Self(0);
    /// The latest instant; a timer set to it never fires.
    pub const FAR_FUTURE: Self = Self(u64::MAX);

    /// The instant `nanos` nanoseconds after the origin.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the origin.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// `self + duration`, or `None` past [`Instant::FAR_FUTURE`].
    pub fn checked_add(self, duration: Duration) -> Option<Self> {
        let nanos = u64::try_from(duration.as_nanos()).ok()?;
        self.0.checked_add(nanos).map(Self)
    }

    /// `self - duration`, or `None` before the origin.
    pub fn checked_sub(self, duration: Duration) -> Option<Self> {
        let nanos = u64::try_from(duration.as_nanos()).ok()?;
        self.0.checked_sub(nanos).map(Self)
    }

    /// How long after `earlier` this is; zero if it is before.
    pub const fn saturating_duration_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// How long after `earlier` this is, or `None` if it is before.
    pub fn checked_duration_since(self, earlier: Self) -> Option<Duration> {
        self.0.checked_sub(earlier.0).map(Duration::from_nanos)
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    /// Saturates at [`Instant::FAR_FUTURE`].
    fn add(self, duration: Duration) -> Self {
        self.checked_add(duration).unwrap_or(Self::FAR_FUTURE)
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

/// The size up to which push/pull runs at its configured interval.
const PUSH_PULL_SCALE_THRESHOLD: usize = 32;

/// The push/pull interval in a cluster of `n` nodes: `interval` up to 32 nodes, then one more
/// `interval` for every doubling begun (33–64 ×2, 65–128 ×3, …), so that the load of full state
/// exchanges stays level as the cluster grows.
///
/// Source: `pushPullScale`. Saturates at [`Duration::MAX`].
pub(crate) fn push_pull_scale(interval: Duration, n: usize) -> Duration {
    if n <= PUSH_PULL_SCALE_THRESHOLD {
        return interval;
    }
    // The ceiling of log2(n) is the number of bits of n − 1.
    let doublings = (n - 1).ilog2() + 1 - PUSH_PULL_SCALE_THRESHOLD.ilog2();
    interval.saturating_mul(doublings + 1)
}

#[cfg(test)]
mod tests;
