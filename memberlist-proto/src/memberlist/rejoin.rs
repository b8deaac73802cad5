//! The search for seeds and for members that died, so that what a fault has separated comes
//! together again without an operator.
//!
//! Differs from Go: in Go a cluster that was split for longer than `gossip_to_the_dead_time` stays
//! split until an operator joins the halves by hand (hashicorp/memberlist#222).

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use super::{Memberlist, Timer};
use crate::event::{Event, ExchangeError, JoinError};
use crate::exchange::{PingFor, PingStep, Stage, Why};
use crate::members::MemberId;
use crate::node::{NodeName, State};
use crate::operations::Asker;
use crate::peer::{Host, Peer};
use crate::transmit::{ADDRESSES_PER_NAME, Found, Lookup, LookupFailure, LookupId, StreamId};
use crate::wanted::{Lost, Missing};
use crate::wire::message::{Message, Ping};

/// How many times the mean interval is halved for the first attempt of a node that is alone.
const ALONE_SPEEDUP: u32 = 3;

/// For how many intervals an address at which this node found itself is left alone.
const OWN_ADDRESS_PAUSE: u32 = 20;

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
                let lost = Lost { name: peer.name, address, since: self.now, answered: true };
                self.wanted.lose(lost, limit);
            }
        }
        self.await_rejoin();
    }

    /// The live members other than this node, as peers. Save them, and pass them to
    /// [`recall`](Self::recall) at the node's next start, which then needs no seed to find them.
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
        let record = self.members.record(id);
        let identity = record.identity();
        let Some(address) = identity.socket_addr() else { return };
        let (name, answered) = (Some(identity.node_name()), record.has_answered());
        let lost = Lost { name, address, since: self.now, answered };
        self.wanted.lose(lost, self.config.limits.lost_members);
        self.await_rejoin();
    }

    /// Starts or restarts the search, as the configuration in force says.
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
            // The application is looking for peers itself.
            return self.await_rejoin();
        }
        if let Some(pending) = self.wanted.stop_looking() {
            // A name that the resolver has not found in a whole interval may never be found.
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
        found: Result<&[Found], LookupFailure>,
    ) {
        let found = match found {
            Ok(found) => Ok(found.iter().take(ADDRESSES_PER_NAME).copied().collect()),
            Err(failure) => Err((self.now, failure)),
        };
        let done = self.wanted.resolved(id, seed, found, self.config.bind_port);
        if done && self.rejoins() {
            self.rejoin_one();
        }
    }

    /// The exchange with a peer that was searched for has ended.
    pub(super) fn rejoin_ended(&mut self, stream: StreamId, result: Result<(), ExchangeError>) {
        let Some(address) = self.wanted.stop_trying(stream) else { return };
        match result {
            Ok(()) => {
                self.out.event(Event::Rejoined { peer: address });
                self.wanted.tried(self.now, address, &Ok(()));
            }
            Err(error) => self.not_found(address, error),
        }
    }

    /// Whether this node searches: one that has left begins nothing new.
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
            if matches!(seed.peer().host, Host::Ip(_)) {
                continue;
            }
            let id = self.operations.next_lookup(Asker::Seed(index));
            if let Some(lookup) = Lookup::of(id, &seed.peer().host) {
                self.out.lookup(lookup);
                pending.insert(id);
            }
        }
        if pending.is_empty() {
            self.rejoin_one();
        } else {
            self.wanted.begin_looking(pending);
        }
    }

    /// Begins an exchange with one of the missing peers. In a cluster of n members each does so
    /// with a probability of 1/n: together they make about one attempt per interval for each
    /// missing peer.
    fn rejoin_one(&mut self) {
        let mut missing = self.wanted.all();
        missing.retain(|it| it.name.is_some() || !self.config.require_node_names);
        missing.retain(|it| !self.wanted.is_myself(self.now, it.address));
        let others = self.members.num_live().saturating_sub(1).max(1);
        let draw = self.rng.rejoin.index(others);
        // To find out which of them are missing takes a look at every member, and is mostly not
        // necessary.
        if draw >= missing.len() {
            return;
        }
        let present = self.present(&missing.iter().map(|it| it.address).collect());
        missing.retain(|it| !present.contains(&it.address));
        if draw >= missing.len() {
            return;
        }
        // Peers that have never answered may be invented: they get a quarter of the attempts.
        if missing.iter().any(|it| it.answered) && self.rng.rejoin.index(4) > 0 {
            missing.retain(|it| it.answered);
        }
        match missing[self.rng.rejoin.index(missing.len())].clone() {
            Missing { name: Some(name), address, lost: true, .. } => self.ask_lost(name, address),
            Missing { address, .. } if self.wanted.must_ask_for_myself(address) => {
                self.ask(self.me.name.clone(), address, PingFor::Myself);
            }
            Missing { name, address, .. } => {
                self.counters.rejoins += 1;
                self.try_rejoin(name, address);
            }
        }
    }

    /// Asks a lost member whether it is where it was: peers answer a ping over a stream only to
    /// their own name. States are exchanged only then, since the address may have become another
    /// cluster's, and two clusters that exchange a state are one for good.
    fn ask_lost(&mut self, name: NodeName, address: SocketAddr) {
        self.counters.rejoins += 1;
        self.ask(name, address, PingFor::Search);
    }

    /// Sends a ping over a stream, for the peer to answer if this is its name.
    fn ask(&mut self, name: NodeName, address: SocketAddr, what: fn(u32) -> PingFor) {
        let me = self.local();
        let sequence = self.next_sequence();
        let mut message = Vec::with_capacity(128);
        Message::Ping(Ping {
            seq_no: sequence,
            node: name.as_bytes(),
            source_addr: me.addr_bytes(),
            source_port: me.port(),
            source_node: me.name().as_bytes(),
        })
        .encode(&mut message);
        let opened = self.seal_stream(&message).map_err(ExchangeError::from).and_then(|frame| {
            let stage = Stage::Ping(what(sequence), PingStep::Connecting(frame));
            let deadline = self.now + self.config.tcp_timeout;
            self.open_stream(address, Some(name.clone()), stage, deadline)
        });
        match opened {
            Ok(stream) => self.wanted.begin_asking(stream, name, address),
            Err(error) => self.not_found(address, error),
        }
    }

    /// The peer that was pinged has answered to the name, or not.
    pub(super) fn lost_answered(&mut self, stream: StreamId, result: Result<(), ExchangeError>) {
        let Some((name, address)) = self.wanted.stop_asking(stream) else { return };
        match result {
            Ok(()) if self.is_me(name.as_bytes()) => {
                self.wanted.tried(self.now, address, &Err(JoinError::Myself));
                let pause = self.config.rejoin.interval.saturating_mul(OWN_ADDRESS_PAUSE);
                self.wanted.found_myself(address, self.now + pause);
            }
            Ok(()) if self.rejoins() => self.try_rejoin(Some(name), address),
            Ok(()) => {}
            Err(error) => self.not_found(address, error),
        }
    }

    fn try_rejoin(&mut self, name: Option<NodeName>, address: SocketAddr) {
        match self.open_push_pull(address, name, Why::Rejoin) {
            Ok(stream) => self.wanted.begin_trying(stream, address),
            Err(error) => self.not_found(address, error),
        }
    }

    fn not_found(&mut self, address: SocketAddr, error: ExchangeError) {
        self.counters.rejoins_failed += 1;
        self.wanted.tried(self.now, address, &Err(JoinError::Exchange(error)));
    }
}
