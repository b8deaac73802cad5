//! Joining: full state exchanges with many peers at once.

use alloc::boxed::Box;
use core::net::{IpAddr, SocketAddr};

use super::{Memberlist, Timer};
use crate::event::{Event, JoinError, JoinFailure, JoinRefused, OpId, Outcome};
use crate::exchange::Why;
use crate::operations::{Asker, Join, JoinStep, Operation};
use crate::peer::{Host, Peer};
use crate::time::Instant;
use crate::transmit::{Lookup, LookupFailure, LookupId, StreamId};

/// The most addresses taken from one look-up.
pub(super) const ADDRESSES_PER_NAME: usize = 256;

impl Memberlist {
    /// Exchanges the full state with each of `peers`, several at a time, resolving host names on
    /// the way. Ends as [`Outcome::Join`] when all have answered or `join_timeout` has passed,
    /// with the result of each.
    pub fn join(&mut self, now: Instant, peers: &[Peer]) -> OpId {
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
        let mut join = Join::default();
        for peer in peers {
            match peer.address(self.config.bind_port) {
                Some(address) => join.steps.push_back(JoinStep::Exchange(peer.clone(), address)),
                None => join.steps.push_back(JoinStep::Resolve(peer.clone())),
            }
        }
        if !self.config.join_timeout.is_zero() {
            let at = now + self.config.join_timeout;
            join.timer = Some(self.timers.insert(at, Timer::Operation(op)));
        }
        self.operations.insert(op, Operation::Join(Box::new(join)));
        self.join_on(now, op);
        op
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
        let Some(Operation::Join(mut join)) = self.operations.remove(op) else {
            return;
        };
        for (id, peer) in core::mem::take(&mut join.looking) {
            self.operations.lookups.remove(&id);
            join.report.failed.push(JoinFailure { peer, address: None, error: error.clone() });
        }
        for (stream, (peer, address)) in core::mem::take(&mut join.trying) {
            self.abort_stream(stream);
            let address = Some(address);
            join.report.failed.push(JoinFailure { peer, address, error: error.clone() });
        }
        for step in core::mem::take(&mut join.steps) {
            let (peer, address) = match step {
                JoinStep::Resolve(peer) => (peer, None),
                JoinStep::Exchange(peer, address) => (peer, Some(address)),
            };
            join.report.failed.push(JoinFailure { peer, address, error: error.clone() });
        }
        self.finish_join(op, *join);
    }

    /// Starts what fits within the parallelism, and ends the join when nothing is left.
    fn join_on(&mut self, now: Instant, op: OpId) {
        loop {
            let parallel = self.config.join_parallelism;
            let Some(join) = self.operations.join_mut(op) else {
                return;
            };
            if join.running() >= parallel {
                return;
            }
            match join.steps.pop_front() {
                Some(JoinStep::Resolve(peer)) => self.join_resolve(op, peer),
                Some(JoinStep::Exchange(peer, address)) => {
                    self.join_exchange(now, op, peer, address);
                }
                None if join.running() > 0 => return,
                None => break,
            }
        }
        if let Some(Operation::Join(join)) = self.operations.remove(op) {
            self.finish_join(op, *join);
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
