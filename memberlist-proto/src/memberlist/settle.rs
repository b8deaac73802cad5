//! Waiting until the membership has come to rest.

use core::time::Duration;

use super::{Memberlist, Timer};
use crate::event::{Event, OpId, Outcome, WaitError};
use crate::operations::Operation;
use crate::time::Instant;

impl Memberlist {
    /// Waits until nobody has joined or departed for `quiet`, and no join is under way: a good
    /// moment to begin work that moves with the membership, such as sharding. Ends as
    /// [`Outcome::Settle`] with the number of members, this node included, or after `timeout`
    /// (zero: never). Begin to join before; a node alone is settled after `quiet`, too.
    pub fn settle(&mut self, now: Instant, quiet: Duration, timeout: Duration) -> OpId {
        let now = self.advance(now);
        let op = self.operations.next_id();
        if self.operations.len() >= self.config.limits.operations {
            self.counters.operations_refused += 1;
            let outcome = Outcome::Settle(Err(WaitError::TooMany));
            self.out.event(Event::Finished { op, outcome });
            return op;
        }
        let until = (!timeout.is_zero()).then(|| now + timeout);
        let at = until.map_or(now + quiet, |until| until.min(now + quiet));
        let timer = self.timers.insert(at, Timer::Operation(op));
        self.operations.insert(op, Operation::Settle { quiet, until, timer });
        op
    }

    /// The time that a wait for rest had to last at least has passed.
    pub(super) fn settle_on(&mut self, now: Instant, op: OpId) {
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
            self.out.event(Event::Finished { op, outcome: Outcome::Settle(result) });
        }
    }
}
