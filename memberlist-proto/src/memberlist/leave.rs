//! Leaving, announcing new metadata, and the waits for such announcements.

use core::time::Duration;

use bytes::Bytes;

use super::accuse::Accusation;
use super::myself::own_identity;
use super::{Memberlist, Timer};
use crate::event::{Change, Departure, Event, OpId, Outcome, TooLong, WaitError};
use crate::operations::Operation;
use crate::timers::TimerId;

impl Memberlist {
    pub(super) fn begin_leave(&mut self, timeout: Duration) -> OpId {
        let op = self.operations.next_id();
        if self.me.left {
            self.out.finished(op, Outcome::Leave(Ok(())));
            return op;
        }
        self.me.left = true;
        let me = self.me.name.clone();
        let incarnation = self.members.record(self.me.id).incarnation();
        // As in Go: a leave is a death that the dead member itself declares.
        let (node, from) = (me.as_bytes(), me.as_bytes());
        let accusation = Accusation { incarnation, node, from, via: None };
        let wait = self.has_company();
        self.broadcast_dead(accusation, wait.then_some(op));
        self.depart(self.me.id, incarnation, Departure::Left, None);
        if wait {
            let timer = self.wait_timer(op, timeout);
            self.operations.insert(op, Operation::Leave { timer });
        } else {
            self.out.finished(op, Outcome::Leave(Ok(())));
        }
        op
    }

    pub(super) fn begin_set_meta(
        &mut self,
        meta: Bytes,
        timeout: Duration,
    ) -> Result<OpId, TooLong> {
        let (len, limit) = (meta.len(), self.config.meta_max_size);
        if len > limit {
            return Err(TooLong { len, limit });
        }
        let op = self.operations.next_id();
        let identity = own_identity(&self.config, &meta);
        let refused = if self.me.left {
            Some(WaitError::Left)
        } else if self.operations.is_full(self.config.limits.operations) {
            self.counters.operations_refused += 1;
            Some(WaitError::TooMany)
        } else {
            self.admits_me(&identity).is_err().then_some(WaitError::Refused)
        };
        if let Some(refused) = refused {
            self.out.finished(op, Outcome::SetMeta(Err(refused)));
            return Ok(op);
        }
        let changed = self.local().meta() != &meta[..];
        self.config.meta = meta;
        self.me.incarnation = self.me.incarnation.saturating_add(1);
        self.members.replace_identity(self.me.id, identity);
        self.members.raise_incarnation(self.me.id, self.me.incarnation);
        let wait = self.has_company();
        self.broadcast_myself(wait.then_some(op), false);
        self.decisions.alive_mine_announced += 1;
        if changed {
            let change = Change { meta: true, address: false, versions: false };
            self.out.event(Event::Updated { node: self.local(), change });
        }
        if wait {
            let timer = self.wait_timer(op, timeout);
            self.operations.insert(op, Operation::SetMeta { timer });
        } else {
            self.out.finished(op, Outcome::SetMeta(Ok(())));
        }
        Ok(op)
    }

    /// The announcement that an operation waited for has left the queue, or the wait is over.
    pub(super) fn end_wait(&mut self, op: OpId, result: Result<(), WaitError>) {
        let (timer, outcome) = match self.operations.get(op) {
            Some(Operation::Leave { timer }) => (*timer, Outcome::Leave(result)),
            Some(Operation::SetMeta { timer }) => (*timer, Outcome::SetMeta(result)),
            _ => return,
        };
        self.operations.remove(op);
        if let Some(timer) = timer {
            self.timers.cancel(timer);
        }
        self.out.finished(op, outcome);
    }

    fn wait_timer(&mut self, op: OpId, timeout: Duration) -> Option<TimerId> {
        (!timeout.is_zero()).then(|| self.timers.insert(self.now + timeout, Timer::Operation(op)))
    }
}
