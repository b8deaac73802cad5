//! Questions to the application whose answers may take long: how many run at once, and what happens
//! to the others.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How many calls of [`local_state`](crate::Delegate::local_state) and
/// [`admit_merge`](crate::Delegate::admit_merge) run at a time. Each occupies a thread of the pool
/// that look-ups, jobs and certificates need as well.
pub(crate) const CALLS: usize = 16;
/// How many questions wait for one of these to return.
const WAITING: usize = 1024;
/// If no call has begun or returned for this long, the application is considered hung. By default,
/// an exchange waits for an answer just as long.
pub(crate) const HUNG: Duration = Duration::from_secs(10);

/// The questions of one node.
#[derive(Debug)]
pub(crate) struct Questions<Q>(Mutex<Out<Q>>);

#[derive(Debug)]
struct Out<Q> {
    /// How many calls run.
    calls: usize,
    waiting: VecDeque<Q>,
    /// When a call last began or returned.
    moved: Option<Instant>,
}

/// What to do with a question.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked<Q> {
    /// Ask it, then each question that [`Questions::next`] returns, until that is `None`.
    Call(Q),
    /// It waits.
    Waits,
    /// The application does not answer, or too many questions wait: answer these without it.
    Hung(VecDeque<Q>),
}

impl<Q> Questions<Q> {
    /// Decides about a question that came at `now`.
    pub(crate) fn ask(&self, now: Instant, question: Q) -> Asked<Q> {
        let mut out = self.lock();
        if out.calls < CALLS {
            out.calls += 1;
            out.moved = Some(now);
            return Asked::Call(question);
        }
        let hung = out.moved.is_some_and(|at| now.saturating_duration_since(at) >= HUNG);
        if hung {
            let mut hung = std::mem::take(&mut out.waiting);
            hung.push_back(question);
            return Asked::Hung(hung);
        }
        if out.waiting.len() >= WAITING {
            return Asked::Hung([question].into());
        }
        out.waiting.push_back(question);
        Asked::Waits
    }

    /// A call has returned at `now`; returns the question that the same thread must ask next.
    pub(crate) fn next(&self, now: Instant) -> Option<Q> {
        let mut out = self.lock();
        out.moved = Some(now);
        let next = out.waiting.pop_front();
        if next.is_none() {
            out.calls -= 1;
        }
        next
    }

    /// A thread has ended although there may be more to ask, or has never begun.
    pub(crate) fn gone(&self) {
        self.lock().calls -= 1;
    }

    fn lock(&self) -> MutexGuard<'_, Out<Q>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<Q> Default for Questions<Q> {
    fn default() -> Self {
        Self(Mutex::new(Out { calls: 0, waiting: VecDeque::new(), moved: None }))
    }
}

#[cfg(test)]
mod tests;
