//! How hard a join tries.

use core::ops::Range;
use core::time::Duration;

/// How hard a join tries.
///
/// ```
/// use core::time::Duration;
///
/// use memberlist_proto::{JoinPolicy, Retry};
///
/// // As long as it takes, but content with two peers.
/// let patient = JoinPolicy::until_joined().enough(2);
/// assert_eq!(patient.retry, Some(Retry::default()));
/// // For a minute.
/// let _ = patient.give_up_after(Duration::from_secs(60));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[must_use = "a policy does nothing by itself"]
#[non_exhaustive]
pub struct JoinPolicy {
    /// The join ends as soon as this many addresses have exchanged their state; zero counts as one.
    /// By default every address is tried.
    pub enough: usize,
    /// Whether, and how soon, to try all peers again, with their names resolved anew, after an
    /// attempt that has joined none of them. `None`, the default, is a single attempt.
    pub retry: Option<Retry>,
    /// How long the whole join may take; zero, the default, for no limit. Each attempt is limited
    /// by `join_timeout` as well.
    pub give_up_after: Duration,
}

/// The waits between attempts. Their upper bound doubles each time, and each wait is random between
/// half of the bound and the whole of it, so that nodes started together do not try together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Retry {
    /// The upper bound of the first wait; at least a millisecond.
    pub first: Duration,
    /// The highest upper bound, at least `first`.
    pub longest: Duration,
}

impl JoinPolicy {
    /// Returns these values with some of them changed, as an expression.
    #[must_use = "the changed values are returned"]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// A policy that tries without end until a peer has been joined.
    pub fn until_joined() -> Self {
        Self::default().retry(Retry::default())
    }

    /// This policy, ending as soon as this many addresses have exchanged their state.
    pub const fn enough(self, enough: usize) -> Self {
        Self { enough, ..self }
    }

    /// This policy, but trying again after these waits.
    pub const fn retry(self, retry: Retry) -> Self {
        Self { retry: Some(retry), ..self }
    }

    /// This policy, giving up after this time; zero for no limit.
    pub const fn give_up_after(self, give_up_after: Duration) -> Self {
        Self { give_up_after, ..self }
    }
}

impl Default for JoinPolicy {
    fn default() -> Self {
        Self { enough: usize::MAX, retry: None, give_up_after: Duration::ZERO }
    }
}

impl Retry {
    /// Returns these values with some of them changed, as an expression.
    #[must_use = "the changed values are returned"]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// Waits whose upper bound begins at `first`, at least a millisecond, and grows to `longest`.
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest }
    }

    /// The range from which to draw the wait after `failed` attempts have failed.
    pub(crate) fn wait(self, failed: u32) -> Range<Duration> {
        let first = self.first.max(Duration::from_millis(1));
        let doubled = first.saturating_mul(1 << failed.saturating_sub(1).min(30));
        let longest = doubled.min(self.longest.max(first));
        longest / 2..longest
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self { first: Duration::from_millis(500), longest: Duration::from_secs(30) }
    }
}
