//! Joining: full state exchanges with many peers at once.

use alloc::boxed::Box;
use core::net::{IpAddr, SocketAddr};

use super::{Memberlist, Timer};
use crate::event::{Event, JoinError, JoinFailure, JoinRefused, OpId, Outcome};
use crate::exchange::Why;
use crate::operations::{Asker, Join, JoinStep, Operation};
use crate::peer::{Host, JoinPolicy, Peer};
use crate::time::Instant;
use crate::transmit::{Lookup, LookupFailure, LookupId, StreamId};

/// The most addresses taken from one look-up.
pub(super) const ADDRESSES_PER_NAME: usize = 256;

impl Memberlist {
    /// Exchanges the full state with each of `peers`, several at a time, resolving host names on
    /// the way. Ends as [`Outcome::Join`] when all have answered or `join_timeout` has passed,
    /// with the result of each.
    pub fn join(&mut self, now: Instant, peers: &[Peer]) -> OpId {
        self.join_with(now, peers, JoinPolicy::default())
    }

    /// As [`join`](Self::join), as hard as `policy` says. Each attempt after which another follows
    /// is told as [`Event::JoinRetries`]; [`cancel`](Self::cancel) aborts.
    pub fn join_with(&mut self, now: Instant, peers: &[Peer], policy: JoinPolicy) -> OpId {
        let now = self.advance(now);
        let op = self.operations.next_id();
        let refused = if self.me.left {
            Some(JoinRefused::Left)
        } else if self.operations.len() >= self.config.limits.operations {
            self.counters.operations_refused += 1;
            Some(JoinRefused::TooMany)
        } else {
            None
        };
        if let Some(refused) = refused {
            self.out.event(Event::Finished { op, outcome: Outcome::Join(Err(refused)) });
            return op;
        }
        let until = (!policy.give_up_after.is_zero()).then(|| now + policy.give_up_after);
        let join = Join { policy, peers: peers.to_vec(), until, ..Join::default() };
        self.operations.insert(op, Operation::Join(Box::new(join)));
        self.begin_attempt(now, op);
        op
    }

    /// The time of an attempt has run out, or of the wait for the next one.
    pub(super) fn join_expired(&mut self, now: Instant, op: OpId) {
        let Some(join) = self.operations.join_mut(op) else {
            return;
        };
        join.timer = None;
        if join.until.is_some_and(|until| until <= now) {
            self.end_join(op, &JoinError::TimedOut);
        } else if self.me.left {
            self.end_join(op, &JoinError::Cancelled);
        } else if join.waiting {
            self.begin_attempt(now, op);
        } else if join.retries() {
            self.stop_attempt(op, &JoinError::TimedOut);
            self.end_attempt(now, op);
        } else {
            self.end_join(op, &JoinError::TimedOut);
        }
    }

    fn begin_attempt(&mut self, now: Instant, op: OpId) {
        let (port, timeout) = (self.config.bind_port, self.config.join_timeout);
        let Some(join) = self.operations.join_mut(op) else {
            return;
        };
        join.waiting = false;
        join.begin(port);
        let attempt = (!timeout.is_zero()).then(|| now + timeout);
        let at = attempt.into_iter().chain(join.until).min();
        join.timer = at.map(|at| self.timers.insert(at, Timer::Operation(op)));
        self.join_on(now, op);
    }

    /// Every peer has been tried: another attempt follows, or this was it.
    fn end_attempt(&mut self, now: Instant, op: OpId) {
        let Some(join) = self.operations.join_mut(op) else {
            return;
        };
        let retry = join.policy.retry.filter(|_| join.retries());
        let Some(retry) = retry else {
            if let Some(Operation::Join(join)) = self.operations.remove(op) {
                self.finish_join(op, *join);
            }
            return;
        };
        join.failed = join.failed.saturating_add(1);
        join.waiting = true;
        let wait = self.rng.jitter.duration(retry.wait(join.failed));
        let next = now + wait;
        let at = join.until.map_or(next, |until| until.min(next));
        let timer = self.timers.insert(at, Timer::Operation(op));
        if let Some(old) = join.timer.replace(timer) {
            self.timers.cancel(old);
        }
        // At the end the last attempt's failures are the ones to tell.
        let failed = core::mem::take(&mut join.report.failed);
        join.last.clone_from(&failed);
        self.out.event(Event::JoinRetries { op, failed, wait });
    }

    /// A name has been resolved, or could not be.
    pub fn handle_lookup(
        &mut self,
        now: Instant,
        id: LookupId,
        found: Result<&[IpAddr], LookupFailure>,
    ) {
        let now = self.advance(now);
        let found = match found {
            Ok([]) => Err(LookupFailure::NotFound),
            other => other,
        };
        match self.operations.lookups.remove(&id) {
            Some(Asker::Join(op)) => self.join_resolved(now, id, op, found),
            Some(Asker::Seed(seed)) => self.seed_resolved(now, id, seed, found),
            None => {}
        }
    }

    fn join_resolved(
        &mut self,
        now: Instant,
        id: LookupId,
        op: OpId,
        found: Result<&[IpAddr], LookupFailure>,
    ) {
        let port = self.config.bind_port;
        let Some(join) = self.operations.join_mut(op) else {
            return;
        };
        let Some(peer) = join.looking.remove(&id) else {
            return;
        };
        let port = peer.port.unwrap_or(port);
        match found {
            Ok(addresses) => {
                for ip in addresses.iter().take(ADDRESSES_PER_NAME).rev() {
                    let address = SocketAddr::new(ip.to_canonical(), port);
                    join.steps.push_front(JoinStep::Exchange(peer.clone(), address));
                }
            }
            Err(failure) => {
                let error = JoinError::Lookup(failure);
                join.report.failed.push(JoinFailure { peer, address: None, error });
            }
        }
        self.join_on(now, op);
    }

    /// The exchange with one peer of a join has ended.
    pub(super) fn join_exchanged(
        &mut self,
        now: Instant,
        op: OpId,
        stream: StreamId,
        result: Result<(), JoinError>,
    ) {
        let Some(join) = self.operations.join_mut(op) else {
            return;
        };
        let Some((peer, address)) = join.trying.remove(&stream) else {
            return;
        };
        match result {
            Ok(()) => join.report.joined.push(address),
            Err(error) => {
                join.report.failed.push(JoinFailure { peer, address: Some(address), error });
            }
        }
        self.join_on(now, op);
    }

    /// Ends a join early: what is under way is dropped, what waits is reported with `error`.
    pub(super) fn end_join(&mut self, op: OpId, error: &JoinError) {
        self.stop_attempt(op, error);
        if let Some(Operation::Join(mut join)) = self.operations.remove(op) {
            if join.waiting {
                join.report.failed = core::mem::take(&mut join.last);
            }
            self.finish_join(op, *join);
        }
    }

    /// Drops what is under way in an attempt; what waits is reported with `error`.
    fn stop_attempt(&mut self, op: OpId, error: &JoinError) {
        let Some(join) = self.operations.join_mut(op) else {
            return;
        };
        let (looking, trying) =
            (core::mem::take(&mut join.looking), core::mem::take(&mut join.trying));
        let failed = &mut join.report.failed;
        let mut fail = |peer, address| {
            failed.push(JoinFailure { peer, address, error: error.clone() });
        };
        for peer in looking.values() {
            fail(peer.clone(), None);
        }
        for (peer, address) in trying.values() {
            fail(peer.clone(), Some(*address));
        }
        for step in core::mem::take(&mut join.steps) {
            match step {
                JoinStep::Resolve(peer) => fail(peer, None),
                JoinStep::Exchange(peer, address) => fail(peer, Some(address)),
            }
        }
        for id in looking.keys() {
            self.operations.lookups.remove(id);
        }
        for stream in trying.keys() {
            self.abort_stream(*stream);
        }
    }

    /// Starts what there is room for, and ends the attempt when nothing is left.
    fn join_on(&mut self, now: Instant, op: OpId) {
        loop {
            let parallel = self.config.join_parallelism;
            let Some(join) = self.operations.join_mut(op) else {
                return;
            };
            if join.is_content() {
                join.steps.clear();
            } else if join.room(parallel) == 0 {
                return;
            }
            match join.steps.pop_front() {
                Some(JoinStep::Resolve(peer)) => self.join_resolve(op, peer),
                Some(JoinStep::Exchange(peer, address)) => {
                    self.join_exchange(now, op, peer, address);
                }
                None if join.running() > 0 => return,
                None => return self.end_attempt(now, op),
            }
        }
    }

    fn join_resolve(&mut self, op: OpId, peer: Peer) {
        let Host::Name(host) = &peer.host else { return };
        let id = self.operations.next_lookup(Asker::Join(op));
        self.out.lookups.push_back(Lookup { id, host: host.clone() });
        if let Some(join) = self.operations.join_mut(op) {
            join.looking.insert(id, peer);
        }
    }

    fn join_exchange(&mut self, now: Instant, op: OpId, peer: Peer, address: SocketAddr) {
        let Some(join) = self.operations.join_mut(op) else {
            return;
        };
        if !join.seen.insert(address) {
            return;
        }
        let error = if self.is_own_address(address) {
            Some(JoinError::Myself)
        } else if self.config.require_node_names && peer.name.is_none() {
            Some(JoinError::NameRequired)
        } else {
            None
        };
        let opened = match error {
            Some(error) => Err(error),
            None => self
                .open_push_pull(now, address, peer.name.clone(), Why::Join(op))
                .map_err(JoinError::Exchange),
        };
        let Some(join) = self.operations.join_mut(op) else {
            return;
        };
        match opened {
            Ok(stream) => {
                join.trying.insert(stream, (peer, address));
            }
            Err(error) => {
                join.report.failed.push(JoinFailure { peer, address: Some(address), error });
            }
        }
    }

    fn finish_join(&mut self, op: OpId, join: Join) {
        if let Some(timer) = join.timer {
            self.timers.cancel(timer);
        }
        let outcome = Outcome::Join(Ok(join.report));
        self.out.event(Event::Finished { op, outcome });
    }
}
