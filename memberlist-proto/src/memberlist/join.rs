//! Joining: full state exchanges with many peers at once.

use alloc::boxed::Box;
use core::net::SocketAddr;

use super::{Memberlist, Timer};
use crate::event::{Event, JoinError, JoinRefused, OpId, Outcome};
use crate::exchange::Why;
use crate::operations::{Asker, Join, JoinStep, Operation, Turn};
use crate::peer::{JoinPolicy, Peer};
use crate::transmit::{Found, Lookup, LookupFailure, LookupId, StreamId};

impl Memberlist {
    pub(super) fn begin_join(&mut self, peers: &[Peer], policy: JoinPolicy) -> OpId {
        let op = self.operations.next_id();
        let refused = if self.me.left {
            Some(JoinRefused::Left)
        } else if self.operations.is_full(self.config.limits.operations) {
            self.counters.operations_refused += 1;
            Some(JoinRefused::TooMany)
        } else {
            None
        };
        if let Some(refused) = refused {
            self.out.finished(op, Outcome::Join(Err(refused)));
            return op;
        }
        let until = (!policy.give_up_after.is_zero()).then(|| self.now + policy.give_up_after);
        let join = Join::new(policy, peers.to_vec(), until);
        self.operations.insert(op, Operation::Join(Box::new(join)));
        self.begin_attempt(op);
        op
    }

    /// The time of an attempt has run out, or of the wait for the next one.
    pub(super) fn join_expired(&mut self, op: OpId) {
        let Some(join) = self.operations.join(op) else {
            return;
        };
        join.set_timer(None);
        if join.until().is_some_and(|until| until <= self.now) {
            self.end_join(op, &JoinError::TimedOut);
        } else if self.me.left {
            self.end_join(op, &JoinError::Cancelled);
        } else if join.is_waiting() {
            self.begin_attempt(op);
        } else if join.retry().is_some() {
            self.drop_attempt(op, &JoinError::TimedOut);
            self.end_attempt(op);
        } else {
            self.end_join(op, &JoinError::TimedOut);
        }
    }

    pub(super) fn join_resolved(
        &mut self,
        id: LookupId,
        op: OpId,
        found: Result<&[Found], LookupFailure>,
    ) {
        let port = self.config.bind_port;
        if self.operations.join(op).is_some_and(|join| join.resolved(id, found, port)) {
            self.join_on(op);
        }
    }

    /// The exchange with one peer of a join has ended.
    pub(super) fn join_exchanged(
        &mut self,
        op: OpId,
        stream: StreamId,
        result: Result<(), JoinError>,
    ) {
        let Some(join) = self.operations.join(op) else { return };
        let tried = result.clone();
        if let Some(address) = join.exchanged(stream, result) {
            // If the address is a seed's, the seed has been tried as well.
            self.wanted.tried(self.now, address, &tried);
            self.join_on(op);
        }
    }

    /// Ends a join early: what is under way is dropped and reported with `error`.
    pub(super) fn end_join(&mut self, op: OpId, error: &JoinError) {
        self.drop_attempt(op, error);
        self.finish_join(op);
    }

    fn begin_attempt(&mut self, op: OpId) {
        let (port, timeout) = (self.config.bind_port, self.config.join_timeout);
        let Some(join) = self.operations.join(op) else {
            return;
        };
        join.begin_attempt(port);
        let attempt = (!timeout.is_zero()).then(|| self.now + timeout);
        let at = attempt.into_iter().chain(join.until()).min();
        join.set_timer(at.map(|at| self.timers.insert(at, Timer::Operation(op))));
        self.join_on(op);
    }

    /// Every peer has been tried: another attempt follows, or the join ends.
    fn end_attempt(&mut self, op: OpId) {
        let Some(join) = self.operations.join(op) else {
            return;
        };
        let Some(retry) = join.retry() else {
            return self.finish_join(op);
        };
        let wait = self.rng.jitter.duration(retry.wait(join.count_failed()));
        let failed = join.wait();
        let next = self.now + wait;
        let at = join.until().map_or(next, |until| until.min(next));
        if let Some(old) = join.set_timer(Some(self.timers.insert(at, Timer::Operation(op)))) {
            self.timers.cancel(old);
        }
        self.out.event(Event::JoinRetries { op, failed, wait });
    }

    fn drop_attempt(&mut self, op: OpId, error: &JoinError) {
        let Some(join) = self.operations.join(op) else {
            return;
        };
        let (lookups, streams) = join.drop_attempt(error);
        for id in lookups {
            self.operations.take_lookup(id);
        }
        for stream in streams {
            self.abort_stream(stream);
        }
    }

    /// Starts as many steps as may run at once, and ends the attempt when nothing is left.
    fn join_on(&mut self, op: OpId) {
        loop {
            let parallel = self.config.join_parallelism;
            let Some(join) = self.operations.join(op) else {
                return;
            };
            match join.turn(parallel) {
                Turn::Step(JoinStep::Resolve(peer)) => self.join_resolve(op, peer),
                Turn::Step(JoinStep::Exchange(peer, address)) => {
                    self.join_exchange(op, peer, address);
                }
                Turn::Wait => return,
                Turn::Over => return self.end_attempt(op),
            }
        }
    }

    fn join_resolve(&mut self, op: OpId, peer: Peer) {
        let id = self.operations.next_lookup(Asker::Join(op));
        let Some(lookup) = Lookup::of(id, &peer.host) else { return };
        self.out.lookup(lookup);
        if let Some(join) = self.operations.join(op) {
            join.looks_up(id, peer);
        }
    }

    fn join_exchange(&mut self, op: OpId, peer: Peer, address: SocketAddr) {
        if !self.operations.join(op).is_some_and(|join| join.is_new(address)) {
            return;
        }
        let opened = if self.is_own_address(address) {
            Err(JoinError::Myself)
        } else if self.config.require_node_names && peer.name.is_none() {
            Err(JoinError::NameRequired)
        } else {
            self.open_push_pull(address, peer.name.clone(), Why::Join(op))
                .map_err(JoinError::Exchange)
        };
        let Some(join) = self.operations.join(op) else {
            return;
        };
        match opened {
            Ok(stream) => join.tries(stream, peer, address),
            Err(error) => join.fail(peer, Some(address), error),
        }
    }

    fn finish_join(&mut self, op: OpId) {
        let Some(mut join) = self.operations.take_join(op) else {
            return;
        };
        if let Some(timer) = join.set_timer(None) {
            self.timers.cancel(timer);
        }
        self.out.finished(op, Outcome::Join(Ok(join.into_report())));
        self.settle_after_joins();
    }
}
