//! Leaving, announcing new metadata, and the waits for such announcements.

use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use super::accuse::Accusation;
use super::myself::own_identity;
use super::{Memberlist, Timer};
use crate::event::{
    Change, Departure, Event, JoinError, LeaveReport, MetaError, OpId, Outcome, WaitError,
};
use crate::node::Identity;
use crate::operations::Operation;
use crate::timers::TimerId;
use crate::wire::message::{Dead, Message};

impl Memberlist {
    pub(super) fn begin_leave(&mut self, timeout: Duration) -> OpId {
        let op = self.operations.next_id();
        if self.me.left {
            self.out.finished(op, Outcome::Leave(Ok(LeaveReport::default())));
            return op;
        }
        self.me.left = true;
        for join in self.operations.all_joins() {
            self.end_join(join, &JoinError::Left);
        }
        let me = self.me.name.clone();
        let incarnation = self.members.record(self.me.id).incarnation();
        if self.me.name_taken.is_some() {
            // Differs from Go: in Go the announcement goes out, and the cluster considers the
            // bearer of the name departed until that one refutes.
            self.depart(self.me.id, incarnation, Departure::Left, None);
            self.out.finished(op, Outcome::Leave(Ok(LeaveReport::default())));
            return op;
        }
        // As in Go: a leave is a death that the dead member itself declares.
        let (node, from) = (me.as_bytes(), me.as_bytes());
        let accusation = Accusation { incarnation, node, from, via: None };
        let wait = self.has_company();
        self.broadcast_dead(accusation, wait.then_some(op));
        self.depart(self.me.id, incarnation, Departure::Left, None);
        let report = self.leave_directly(accusation);
        if wait {
            let timer = self.wait_timer(op, timeout);
            self.operations.insert(op, Operation::Leave { timer, report });
        } else {
            self.out.finished(op, Outcome::Leave(Ok(report)));
        }
        op
    }

    /// Sends the leave to every other member of a small cluster.
    ///
    /// Differs from Go: in Go it is gossiped to random members only. Of eight members, one or two
    /// in a hundred miss it without any loss, and more where some that were just killed are
    /// gossiped to as well.
    fn leave_directly(&mut self, accusation: Accusation<'_>) -> LeaveReport {
        // This node has left and is not among them any more.
        let mut report = LeaveReport { members: self.members.num_live(), sent_directly: 0 };
        if report.members > self.config.differences.leave_directly {
            return report;
        }
        let others = self.members.iter().filter(|(_, it)| it.state().is_live());
        let others: Vec<Identity> = others.map(|(_, it)| it.identity().clone()).collect();
        let Accusation { incarnation, node, from, .. } = accusation;
        for identity in others.iter().filter(|it| it.socket_addr().is_some()) {
            self.send_to_node(identity, &Message::Dead(Dead { incarnation, node, from }));
            report.sent_directly += 1;
        }
        report
    }

    pub(super) fn begin_set_meta(
        &mut self,
        meta: Bytes,
        timeout: Duration,
    ) -> Result<OpId, MetaError> {
        let announced = self.config.announced(&meta);
        self.check_meta(&announced)?;
        let op = self.operations.next_id();
        let identity = own_identity(&self.config, &announced);
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
        let changed = self.local().meta() != &announced[..];
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

    /// Whether this node may announce such metadata at all.
    fn check_meta(&self, meta: &[u8]) -> Result<(), MetaError> {
        let len = meta.len();
        // Peers with the same configuration refuse what this node would refuse from them.
        for (limit, field) in [
            (self.config.meta_max_size, "meta_max_size"),
            (self.config.differences.received_meta_max, "differences.received_meta_max"),
        ] {
            if len > limit {
                return Err(MetaError::TooLong { len, limit, field });
            }
        }
        Ok(self.config.check_announcement(meta, self.has_key())?)
    }

    /// The announcement that an operation waited for has left the queue, or the wait is over.
    pub(super) fn end_wait(&mut self, op: OpId, result: Result<(), WaitError>) {
        let (timer, outcome) = match self.operations.get(op) {
            Some(Operation::Leave { timer, report }) => {
                let report = *report;
                (*timer, Outcome::Leave(result.map(|()| report)))
            }
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
