//! Looking for seeds and for members that died, so that what a fault has separated comes together
//! again by itself.
//!
//! Differs from Go: there a cluster that was split for longer than `gossip_to_the_dead_time` stays
//! split until somebody joins the halves by hand (hashicorp/memberlist#222).

use alloc::collections::BTreeSet;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use super::{Memberlist, Timer};
use crate::event::{Event, ExchangeError, JoinError};
use crate::exchange::Why;
use crate::members::MemberId;
use crate::operations::Asker;
use crate::peer::{Host, Peer};
use crate::time::Instant;
use crate::transmit::{LookupFailure, LookupId, StreamId};
use crate::wanted::{Attempt, Lost, Missing};

/// A node without company looks for some this much sooner at first.
const ALONE_SPEEDUP: u32 = 3;

impl Memberlist {
    /// Takes over peers known from an earlier life, as a [`snapshot`](Self::snapshot) holds them:
    /// they are looked for like members that died just now, until `rejoin.give_up_after`. Those
    /// whose host is a name, and whatever `limits.lost_members` leaves no room for, are ignored.
    pub fn recall(&mut self, now: Instant, peers: impl IntoIterator<Item = Peer>) {
        let now = self.advance(now);
        if !self.rejoins() {
            return;
        }
        let limit = self.config.limits.lost_members;
        for peer in peers {
            let known = peer.name.as_ref().is_some_and(|name| {
                let id = self.members.get(name.as_bytes());
                id.is_some_and(|id| self.members.record(id).state().is_live())
            });
            if let Some(address) = peer.address(self.config.bind_port)
                && !known
                && !self.is_own_address(address)
            {
                self.wanted.lose(Lost { name: peer.name, address, since: now }, limit);
            }
        }
        self.await_rejoin(now);
    }

    /// The live members but this node, as peers: to be saved, and given to
    /// [`recall`](Self::recall) by the node's next life, which then needs no seed to find them.
    pub fn snapshot(&self) -> impl Iterator<Item = Peer> {
        let others = self
            .members
            .iter()
            .filter(|(id, record)| *id != self.me.id && record.state().is_live());
        others.filter_map(|(_, record)| {
            let address = record.identity().socket_addr()?;
            Some(Peer { name: Some(record.identity().node_name()), ..Peer::from(address) })
        })
    }

    /// A member has died: it may only be out of reach.
    pub(super) fn lose(&mut self, now: Instant, id: MemberId) {
        if id == self.me.id || !self.rejoins() || self.config.rejoin.give_up_after.is_zero() {
            return;
        }
        let identity = self.members.record(id).identity();
        let Some(address) = identity.socket_addr() else { return };
        let lost = Lost { name: Some(identity.node_name()), address, since: now };
        self.wanted.lose(lost, self.config.limits.lost_members);
        self.await_rejoin(now);
    }

    /// Starts or restarts the search by the configuration in force.
    pub(super) fn start_rejoining(&mut self) {
        if let Some(timer) = self.periodic.rejoin.take() {
            self.timers.cancel(timer);
        }
        self.await_rejoin(self.now);
    }

    pub(super) fn rejoin_tick(&mut self, now: Instant) {
        self.periodic.rejoin = None;
        if !self.rejoins() {
            return;
        }
        self.wanted.give_up(now, self.config.rejoin.give_up_after);
        let alone = self.members.num_live() <= 1;
        self.wanted.alone = if alone { self.wanted.alone.saturating_add(1) } else { 0 };
        if alone && self.operations.joins() {
            // The application is at it.
            return self.await_rejoin(now);
        }
        match self.wanted.attempt.take() {
            Some(attempt @ Attempt::Trying { .. }) => self.wanted.attempt = Some(attempt),
            Some(Attempt::Looking(pending)) => {
                // What the resolver has not found in a whole interval, it may never tell.
                for id in pending {
                    self.lookup_too_late(now, id);
                }
                self.rejoin_one(now);
            }
            None => self.resolve_seeds(now),
        }
        self.await_rejoin(now);
    }

    /// One name of a seed has been resolved, or could not be.
    pub(super) fn seed_resolved(
        &mut self,
        now: Instant,
        id: LookupId,
        seed: usize,
        found: Result<&[IpAddr], LookupFailure>,
    ) {
        let Some(Attempt::Looking(pending)) = &mut self.wanted.attempt else { return };
        if !pending.remove(&id) {
            return;
        }
        let done = pending.is_empty();
        if let Some(seed) = self.wanted.seeds.get_mut(seed) {
            let port = seed.peer.port.unwrap_or(self.config.bind_port);
            match found {
                Ok(found) => {
                    let found = found.iter().take(super::join::ADDRESSES_PER_NAME);
                    let addresses = found.map(|ip| SocketAddr::new(ip.to_canonical(), port));
                    seed.addresses = addresses.collect();
                }
                // Where it was last is a better guess than nowhere.
                Err(failure) => seed.last = Some((now, Err(JoinError::Lookup(failure)))),
            }
        }
        if done {
            self.wanted.attempt = None;
            self.rejoin_one(now);
        }
    }

    /// The exchange with one that was looked for has ended.
    pub(super) fn rejoin_ended(
        &mut self,
        now: Instant,
        stream: StreamId,
        result: Result<(), ExchangeError>,
    ) {
        let Some(Attempt::Trying { stream: tried, address }) = self.wanted.attempt else { return };
        if tried != stream {
            return;
        }
        self.wanted.attempt = None;
        if result.is_ok() {
            self.out.event(Event::Rejoined { peer: address });
        } else {
            self.counters.rejoins_failed += 1;
        }
        self.wanted.tried(now, address, &result.map_err(JoinError::Exchange));
    }

    fn rejoins(&self) -> bool {
        self.config.differences.rejoin && !self.config.rejoin.interval.is_zero() && !self.me.left
    }

    /// Sets the timer for the next attempt, if there is anything to look for: anywhere within
    /// twice the interval, so that nodes that lost each other together do not act together.
    fn await_rejoin(&mut self, now: Instant) {
        if self.periodic.rejoin.is_some() || self.wanted.is_empty() || !self.rejoins() {
            return;
        }
        let mut mean = self.config.rejoin.interval;
        if self.members.num_live() <= 1 {
            mean /= 1 << ALONE_SPEEDUP.saturating_sub(self.wanted.alone);
        }
        let wait = self.rng.rejoin.duration(Duration::ZERO..mean.saturating_mul(2));
        self.periodic.rejoin = Some(self.timers.insert(now + wait, Timer::Rejoin));
    }

    /// Resolves every seed that has a name, then goes on.
    fn resolve_seeds(&mut self, now: Instant) {
        let mut pending = BTreeSet::new();
        for (index, seed) in self.wanted.seeds.iter().enumerate() {
            if let Host::Name(host) = &seed.peer.host {
                let id = self.operations.next_lookup(Asker::Seed(index));
                self.out.lookups.push_back(crate::transmit::Lookup { id, host: host.clone() });
                pending.insert(id);
            }
        }
        if pending.is_empty() {
            self.rejoin_one(now);
        } else {
            self.wanted.attempt = Some(Attempt::Looking(pending));
        }
    }

    fn lookup_too_late(&mut self, now: Instant, id: LookupId) {
        if let Some(Asker::Seed(index)) = self.operations.lookups.remove(&id)
            && let Some(seed) = self.wanted.seeds.get_mut(index)
        {
            seed.last = Some((now, Err(JoinError::Lookup(LookupFailure::TimedOut))));
        }
    }

    /// Begins an exchange with one of those that are missing. In a cluster of n members each does
    /// so with the n-th part of the probability: together they make about one attempt per interval
    /// for each that is missing.
    fn rejoin_one(&mut self, now: Instant) {
        let mut missing = self.wanted.all();
        missing.retain(|it| it.name.is_some() || !self.config.require_node_names);
        let others = self.members.num_live().saturating_sub(1).max(1);
        let draw = self.rng.rejoin.index(others);
        // Who of them is missing takes a look at every member, and mostly need not be known.
        if draw >= missing.len() {
            return;
        }
        let present = self.present(&missing.iter().map(|it| it.address).collect());
        missing.retain(|it| !present.contains(&it.address));
        if draw >= missing.len() {
            return;
        }
        let Missing { name, address } = missing[self.rng.rejoin.index(missing.len())].clone();
        match self.open_push_pull(now, address, name, Why::Rejoin) {
            Ok(stream) => {
                self.counters.rejoins += 1;
                self.wanted.attempt = Some(Attempt::Trying { stream, address });
            }
            Err(error) => {
                self.counters.rejoins_failed += 1;
                self.wanted.tried(now, address, &Err(JoinError::Exchange(error)));
            }
        }
    }

    /// Which of these addresses are live members', or this node's own.
    pub(super) fn present(&self, of: &BTreeSet<SocketAddr>) -> BTreeSet<SocketAddr> {
        let own = SocketAddr::new(self.config.advertise_addr, self.config.advertise_port);
        let live = self.members.iter().filter(|(_, record)| record.state().is_live());
        let live = live.filter_map(|(_, record)| record.identity().socket_addr());
        live.chain([own]).filter(|address| of.contains(address)).collect()
    }
}
