//! Waiting until the membership has come to rest.

use core::time::Duration;

use super::{Memberlist, Timer};
use crate::event::{OpId, Outcome, WaitError};
use crate::operations::Operation;

impl Memberlist {
    pub(super) fn begin_settle(&mut self, quiet: Duration, timeout: Duration) -> OpId {
        let now = self.now;
        let op = self.operations.next_id();
        if self.operations.is_full(self.config.limits.operations) {
            self.counters.operations_refused += 1;
            self.out.finished(op, Outcome::Settle(Err(WaitError::TooMany)));
            return op;
        }
        let until = (!timeout.is_zero()).then(|| now + timeout);
        let at = until.map_or(now + quiet, |until| until.min(now + quiet));
        let timer = self.timers.insert(at, Timer::Operation(op));
        self.operations.insert(op, Operation::Settle { quiet, until, timer });
        op
    }

    /// The time that a wait for rest had to last at least has passed.
    pub(super) fn settle_on(&mut self, op: OpId) {
        let now = self.now;
        let Some(Operation::Settle { quiet, until, .. }) = self.operations.get(op) else {
            return;
        };
        let (quiet, until) = (*quiet, *until);
        let rest = if self.operations.joins() { now + quiet } else { self.me.changed + quiet };
        if rest <= now {
            return self.end_settle(op, Ok(self.num_members()));
        }
        if until.is_some_and(|until| until <= now) {
            return self.end_settle(op, Err(WaitError::TimedOut));
        }
        let at = until.map_or(rest, |until| until.min(rest));
        let timer = self.timers.insert(at.max(now + Duration::from_nanos(1)), Timer::Operation(op));
        self.operations.insert(op, Operation::Settle { quiet, until, timer });
    }

    pub(super) fn end_settle(&mut self, op: OpId, result: Result<usize, WaitError>) {
        if self.operations.remove(op).is_some() {
            self.out.finished(op, Outcome::Settle(result));
        }
    }
}
