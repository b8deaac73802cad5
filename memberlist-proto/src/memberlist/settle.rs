//! Waiting until the membership is stable.

use core::time::Duration;

use super::{Memberlist, Timer};
use crate::event::{OpId, Outcome, WaitError};
use crate::operations::{Operation, Settle};

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
        let timer = Some(self.timers.insert(at, Timer::Operation(op)));
        let settle = Settle { quiet, until, timer, for_joins: false };
        self.operations.insert(op, Operation::Settle(settle));
        op
    }

    /// No join is in progress any more: what waited only for that goes on.
    pub(super) fn settle_after_joins(&mut self) {
        if !self.operations.joins() {
            for op in self.operations.settling_after_joins() {
                self.settle_on(op);
            }
        }
    }

    /// The minimum time of a wait for a stable membership has passed.
    pub(super) fn settle_on(&mut self, op: OpId) {
        let now = self.now;
        let Some(Operation::Settle(settle)) = self.operations.get(op) else {
            return;
        };
        let Settle { quiet, until, timer, .. } = *settle;
        let (rest, for_joins) = (self.me.changed + quiet, self.operations.joins());
        if rest <= now && !for_joins {
            return self.end_settle(op, Ok(self.num_members()));
        }
        if until.is_some_and(|until| until <= now) {
            return self.end_settle(op, Err(WaitError::TimedOut));
        }
        // When a join ends cannot be predicted: its end wakes the operations that wait for it.
        let rest = (!for_joins).then_some(rest);
        if let Some(timer) = timer {
            self.timers.cancel(timer);
        }
        let at = rest.into_iter().chain(until).min();
        let timer = at.map(|at| self.timers.insert(at, Timer::Operation(op)));
        let settle = Settle { quiet, until, timer, for_joins };
        self.operations.insert(op, Operation::Settle(settle));
    }

    pub(super) fn end_settle(&mut self, op: OpId, result: Result<usize, WaitError>) {
        if let Some(Operation::Settle(settle)) = self.operations.remove(op) {
            if let Some(timer) = settle.timer {
                self.timers.cancel(timer);
            }
            self.out.finished(op, Outcome::Settle(result));
        }
    }
}
