//! The search for seeds and for members that died, so that what a fault has separated comes
//! together again by itself.
//!
//! Differs from Go: there a cluster that was split for longer than `gossip_to_the_dead_time` stays
//! split until an operator joins the halves by hand (hashicorp/memberlist#222).

use alloc::collections::BTreeSet;
use core::net::IpAddr;
use core::time::Duration;

use super::{Memberlist, Timer};
use crate::event::{Event, ExchangeError, JoinError};
use crate::exchange::Why;
use crate::members::MemberId;
use crate::node::State;
use crate::operations::Asker;
use crate::peer::{Host, Peer};
use crate::transmit::{ADDRESSES_PER_NAME, Lookup, LookupFailure, LookupId, StreamId};
use crate::wanted::{Lost, Missing};

/// A node without company looks for some this much sooner at first.
const ALONE_SPEEDUP: u32 = 3;

impl Memberlist {
    pub(super) fn begin_recall(&mut self, peers: impl IntoIterator<Item = Peer>) {
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
                self.wanted.lose(Lost { name: peer.name, address, since: self.now }, limit);
            }
        }
        self.await_rejoin();
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
    pub(super) fn lose(&mut self, id: MemberId) {
        // It may have come back, or been forgotten, within the same input.
        let dead = self.members.try_record(id).is_some_and(|it| it.state() == State::Dead);
        if !dead
            || id == self.me.id
            || !self.rejoins()
            || self.config.rejoin.give_up_after.is_zero()
        {
            return;
        }
        let identity = self.members.record(id).identity();
        let Some(address) = identity.socket_addr() else { return };
        let lost = Lost { name: Some(identity.node_name()), address, since: self.now };
        self.wanted.lose(lost, self.config.limits.lost_members);
        self.await_rejoin();
    }

    /// Starts or restarts the search by the configuration in force.
    pub(super) fn start_rejoining(&mut self) {
        if let Some(timer) = self.periodic.rejoin.take() {
            self.timers.cancel(timer);
        }
        self.await_rejoin();
    }

    pub(super) fn rejoin_tick(&mut self) {
        self.periodic.rejoin = None;
        if !self.rejoins() {
            return;
        }
        self.wanted.give_up(self.now, self.config.rejoin.give_up_after);
        let alone = self.members.num_live() <= 1;
        self.wanted.count_alone(alone);
        if alone && self.operations.joins() {
            // The application is at it.
            return self.await_rejoin();
        }
        if let Some(pending) = self.wanted.stop_looking() {
            // What the resolver has not found in a whole interval, it may never find.
            for id in pending {
                if let Some(Asker::Seed(seed)) = self.operations.take_lookup(id) {
                    self.wanted.lookup_too_late(self.now, seed);
                }
            }
            self.rejoin_one();
        } else if !self.wanted.is_trying() {
            self.resolve_seeds();
        }
        self.await_rejoin();
    }

    /// One name of a seed has been resolved, or could not be.
    pub(super) fn seed_resolved(
        &mut self,
        id: LookupId,
        seed: usize,
        found: Result<&[IpAddr], LookupFailure>,
    ) {
        let found = match found {
            Ok(found) => Ok(found.iter().take(ADDRESSES_PER_NAME).copied().collect()),
            Err(failure) => Err((self.now, failure)),
        };
        if self.wanted.resolved(id, seed, found, self.config.bind_port) {
            self.rejoin_one();
        }
    }

    /// The exchange with one that was searched for has ended.
    pub(super) fn rejoin_ended(&mut self, stream: StreamId, result: Result<(), ExchangeError>) {
        let Some(address) = self.wanted.stop_trying(stream) else { return };
        if result.is_ok() {
            self.out.event(Event::Rejoined { peer: address });
        } else {
            self.counters.rejoins_failed += 1;
        }
        self.wanted.tried(self.now, address, &result.map_err(JoinError::Exchange));
    }

    fn rejoins(&self) -> bool {
        self.config.differences.rejoin && !self.config.rejoin.interval.is_zero() && !self.me.left
    }

    /// Sets the timer for the next attempt, if there is anything to look for: anywhere within
    /// twice the interval, so that nodes that lost each other together do not act together.
    fn await_rejoin(&mut self) {
        if self.periodic.rejoin.is_some() || self.wanted.is_empty() || !self.rejoins() {
            return;
        }
        let mut mean = self.config.rejoin.interval;
        if self.members.num_live() <= 1 {
            mean /= 1 << ALONE_SPEEDUP.saturating_sub(self.wanted.alone());
        }
        let wait = self.rng.rejoin.duration(Duration::ZERO..mean.saturating_mul(2));
        self.periodic.rejoin = Some(self.timers.insert(self.now + wait, Timer::Rejoin));
    }

    /// Resolves every seed that has a name, then goes on.
    fn resolve_seeds(&mut self) {
        let mut pending = BTreeSet::new();
        for (index, seed) in self.wanted.seeds().iter().enumerate() {
            if let Host::Name(host) = &seed.peer().host {
                let id = self.operations.next_lookup(Asker::Seed(index));
                self.out.lookup(Lookup { id, host: host.clone() });
                pending.insert(id);
            }
        }
        if pending.is_empty() {
            self.rejoin_one();
        } else {
            self.wanted.begin_looking(pending);
        }
    }

    /// Begins an exchange with one of those that are missing. In a cluster of n members each does
    /// so with the n-th part of the probability: together they make about one attempt per interval
    /// for each that is missing.
    fn rejoin_one(&mut self) {
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
        match self.open_push_pull(address, name, Why::Rejoin) {
            Ok(stream) => {
                self.counters.rejoins += 1;
                self.wanted.begin_trying(stream, address);
            }
            Err(error) => {
                self.counters.rejoins_failed += 1;
                self.wanted.tried(self.now, address, &Err(JoinError::Exchange(error)));
            }
        }
    }
}
