//! Points in time, and how intervals grow with the size of the cluster.

use core::ops::{Add, AddAssign};
use core::time::Duration;

/// A point in time: nanoseconds since an origin that the caller chooses once.
///
/// Unlike the standard library's `Instant`, it can be built from a number, stored and replayed.
/// Arithmetic saturates at [`Instant::FAR_FUTURE`], 584 years after the origin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Instant(u64);

impl Instant {
    /// The earliest instant.
    pub const ORIGIN: Self = Self(0);
    /// The latest instant, which never comes: a timer set to it never fires.
    pub const FAR_FUTURE: Self = Self(u64::MAX);
    /// The latest time that a node accepts as the present: 292 years after the origin. Later than
    /// that, sums of an instant and an interval might saturate.
    pub(crate) const LATEST: Self = Self(u64::MAX / 2);

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
        // A duration may itself be longer than 584 years.
        let nanos = u64::try_from(duration.as_nanos()).ok()?;
        self.0.checked_add(nanos).map(Self)
    }

    /// `self - duration`, or `None` before the origin.
    pub fn checked_sub(self, duration: Duration) -> Option<Self> {
        let nanos = u64::try_from(duration.as_nanos()).ok()?;
        self.0.checked_sub(nanos).map(Self)
    }

    /// The time from `earlier` to `self`; zero if `self` is before it.
    pub const fn saturating_duration_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The time from `earlier` to `self`, or `None` if `self` is before it.
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

/// The largest cluster whose push/pulls run at the configured interval (Go:
/// `pushPullScaleThreshold`).
const PUSH_PULL_SCALE_THRESHOLD: usize = 32;

/// The push/pull interval in a cluster of `n` nodes, dead ones included: `interval` up to 32 nodes,
/// then one more `interval` for every doubling begun (33–64 ×2, 65–128 ×3, …). Each exchange carries
/// every record, so its size grows with the cluster; the longer interval makes up for part of that.
///
/// Source: `pushPullScale`. Saturates at [`Duration::MAX`].
pub(crate) fn push_pull_scale(interval: Duration, n: usize) -> Duration {
    if n <= PUSH_PULL_SCALE_THRESHOLD {
        return interval;
    }
    // The ceiling of log2(n) is the number of bits of n − 1. In integers there is no rounding at the
    // powers of two, where every node of the cluster must arrive at the same interval.
    let doublings = (n - 1).ilog2() + 1 - PUSH_PULL_SCALE_THRESHOLD.ilog2();
    interval.saturating_mul(doublings + 1)
}

#[cfg(test)]
mod tests;
