//! Leaving, announcing new metadata, and the waits for such announcements.

use core::time::Duration;

use bytes::Bytes;

use super::myself::own_identity;
use super::state::Accusation;
use super::{Memberlist, Timer};
use crate::event::{
    Change, Departure, Event, JoinError, OpId, Outcome, PingError, TooLong, WaitError,
};
use crate::node::State;
use crate::operations::Operation;
use crate::time::Instant;
use crate::timers::TimerId;

impl Memberlist {
    /// Tells the cluster that this node leaves on purpose; final for this object. Ends as
    /// [`Outcome::Leave`] when the message has been sent as often as gossip sends anything, or
    /// after `timeout` (zero: never). Afterwards the node still answers; stop driving it to end
    /// that.
    pub fn leave(&mut self, now: Instant, timeout: Duration) -> OpId {
        let now = self.advance(now);
        let op = self.operations.next_id();
        if self.me.left {
            self.out.event(Event::Finished { op, outcome: Outcome::Leave(Ok(())) });
            return op;
        }
        self.me.left = true;
        let me = self.me.name.clone();
        let incarnation = self.members.record(self.me.id).incarnation();
        let (node, from) = (me.as_bytes(), me.as_bytes());
        let accusation = Accusation { incarnation, node, from, via: None };
        let wait = self.has_company();
        self.broadcast_dead(accusation, wait.then_some(op));
        self.depart(now, self.me.id, incarnation, Departure::Left, None);
        if wait {
            let timer = self.wait_timer(now, op, timeout);
            self.operations.insert(op, Operation::Leave { timer });
        } else {
            self.out.event(Event::Finished { op, outcome: Outcome::Leave(Ok(())) });
        }
        op
    }

    /// Announces other metadata. Ends as [`Outcome::SetMeta`] when the announcement has been sent
    /// as often as gossip sends anything, or after `timeout` (zero: never).
    ///
    /// # Errors
    ///
    /// Metadata longer than `meta_max_size`; nothing has changed then.
    pub fn set_meta(
        &mut self,
        now: Instant,
        meta: Bytes,
        timeout: Duration,
    ) -> Result<OpId, TooLong> {
        let now = self.advance(now);
        let (len, limit) = (meta.len(), self.config.meta_max_size);
        if len > limit {
            return Err(TooLong { len, limit });
        }
        let op = self.operations.next_id();
        let identity = own_identity(&self.config, &meta);
        let refused = if self.me.left {
            Some(WaitError::Left)
        } else if self.operations.len() >= self.config.limits.operations {
            self.counters.operations_refused += 1;
            Some(WaitError::TooMany)
        } else {
            self.admits_me(&identity).is_err().then_some(WaitError::Refused)
        };
        if let Some(refused) = refused {
            self.out.event(Event::Finished { op, outcome: Outcome::SetMeta(Err(refused)) });
            return Ok(op);
        }
        let changed = self.local().meta() != &meta[..];
        self.config.meta = meta;
        self.me.incarnation = self.me.incarnation.saturating_add(1);
        self.members.replace_identity(self.me.id, identity);
        self.raise_incarnation(self.me.id, self.me.incarnation);
        let wait = self.has_company();
        self.broadcast_myself(wait.then_some(op), false);
        self.counters.alive_accepted += 1;
        if changed {
            let change = Change { meta: true, address: false, versions: false };
            self.out.event(Event::Updated { node: self.local(), change });
        }
        if wait {
            let timer = self.wait_timer(now, op, timeout);
            self.operations.insert(op, Operation::SetMeta { timer });
        } else {
            self.out.event(Event::Finished { op, outcome: Outcome::SetMeta(Ok(())) });
        }
        Ok(op)
    }

    /// Ends an operation at once. A join stops trying, a ping stops waiting, an unfinished
    /// reliable message is cut off; of a leave or a change of metadata only the wait ends.
    /// An operation that has already ended stays as it is.
    pub fn cancel(&mut self, now: Instant, op: OpId) {
        self.advance(now);
        match self.operations.get(op) {
            Some(Operation::Join(_)) => self.end_join(op, &JoinError::Cancelled),
            Some(Operation::Leave { .. } | Operation::SetMeta { .. }) => {
                self.end_wait(op, Err(WaitError::Cancelled));
            }
            Some(Operation::Ping { sequence }) => {
                let sequence = *sequence;
                if let Some(crate::probes::Awaiting::Ping { timer, .. }) =
                    self.probes.stop_waiting(sequence)
                {
                    self.timers.cancel(timer);
                }
                self.ping_failed(op, PingError::Cancelled);
            }
            Some(Operation::SendReliable { stream }) => {
                let stream = *stream;
                self.abort_stream(stream);
                self.sent_reliably(op, Err(crate::event::ExchangeError::Cancelled));
            }
            Some(Operation::Settle { timer, .. }) => {
                self.timers.cancel(*timer);
                self.end_settle(op, Err(WaitError::Cancelled));
            }
            None => {}
        }
    }

    /// The time of an operation has run out.
    pub(super) fn operation_expired(&mut self, now: Instant, op: OpId) {
        match self.operations.get(op) {
            Some(Operation::Join(_)) => self.join_expired(now, op),
            Some(Operation::Leave { .. } | Operation::SetMeta { .. }) => {
                self.end_wait(op, Err(WaitError::TimedOut));
            }
            Some(Operation::Settle { .. }) => self.settle_on(now, op),
            Some(Operation::Ping { .. } | Operation::SendReliable { .. }) | None => {}
        }
    }

    /// The announcement that an operation waited for has left the queue.
    pub(super) fn end_wait(&mut self, op: OpId, result: Result<(), WaitError>) {
        let (timer, outcome) = match self.operations.remove(op) {
            Some(Operation::Leave { timer }) => (timer, Outcome::Leave(result)),
            Some(Operation::SetMeta { timer }) => (timer, Outcome::SetMeta(result)),
            Some(other) => return self.operations.insert(op, other),
            None => return,
        };
        if let Some(timer) = timer {
            self.timers.cancel(timer);
        }
        self.out.event(Event::Finished { op, outcome });
    }

    /// Whether any other member could hear an announcement.
    fn has_company(&self) -> bool {
        let me = self.members.record(self.me.id).state();
        let mine = usize::from(matches!(me, State::Alive | State::Suspect));
        self.members.num_live() > mine
    }

    fn wait_timer(&mut self, now: Instant, op: OpId, timeout: Duration) -> Option<TimerId> {
        (!timeout.is_zero()).then(|| self.timers.insert(now + timeout, Timer::Operation(op)))
    }
}
