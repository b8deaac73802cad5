//! Questions to the application that may take their time: how many of them run at once, and what becomes
//! of the others.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How many calls of [`local_state`](crate::Delegate::local_state) and
/// [`admit_merge`](crate::Delegate::admit_merge) run at a time: each takes a thread of those that
/// look-ups, jobs and certificates need as well.
pub(crate) const CALLS: usize = 16;
/// How many questions wait for one of these to return.
const WAITING: usize = 1024;
/// If none has returned for so long, none is expected to. It is as long as an exchange waits for an
/// answer by default.
pub(crate) const HUNG: Duration = Duration::from_secs(10);

/// The questions of one node.
#[derive(Debug)]
pub(crate) struct Questions<Q>(Mutex<Out<Q>>);

#[derive(Debug)]
struct Out<Q> {
    /// Calls that run.
    calls: usize,
    waiting: VecDeque<Q>,
    /// When one last began or returned.
    moved: Option<Instant>,
}

/// What is to be done with a question.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked<Q> {
    /// Put it, then what [`Questions::next`] gives, until that is nothing.
    Call(Q),
    /// It waits.
    Waits,
    /// The application does not answer: these are to be answered without it.
    Hung(VecDeque<Q>),
}

impl<Q> Questions<Q> {
    /// A question that came at `now`.
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

    /// A call has returned at `now`: what the same thread is to put next.
    pub(crate) fn next(&self, now: Instant) -> Option<Q> {
        let mut out = self.lock();
        out.moved = Some(now);
        let next = out.waiting.pop_front();
        if next.is_none() {
            out.calls -= 1;
        }
        next
    }

    /// A thread has ended although there may be more to put, or has never begun.
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
