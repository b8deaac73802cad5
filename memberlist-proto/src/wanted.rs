//! Whom a node looks for: its seeds, and members that died.

use alloc::collections::{BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use crate::event::JoinError;
use crate::node::NodeName;
use crate::peer::Peer;
use crate::time::Instant;
use crate::transmit::{LookupId, StreamId};

/// What is known of everybody this node would like to have as a member, and the one attempt to
/// reach one of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) seeds: Vec<Seed>,
    /// In the order in which they died.
    lost: VecDeque<Lost>,
    /// Attempts in a row that found this node without company.
    pub(crate) alone: u32,
    pub(crate) attempt: Option<Attempt>,
}

/// A seed of the configuration.
#[derive(Clone, Debug)]
pub(crate) struct Seed {
    pub(crate) peer: Peer,
    /// Where it is, as far as known: what its name was resolved to last.
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) last: Option<(Instant, Result<(), JoinError>)>,
}

/// A member that died, or one known from an earlier life of this node.
#[derive(Clone, Debug)]
pub(crate) struct Lost {
    pub(crate) name: Option<NodeName>,
    pub(crate) address: SocketAddr,
    pub(crate) since: Instant,
}

/// What is under way.
#[derive(Clone, Debug)]
pub(crate) enum Attempt {
    /// Names are being resolved.
    Looking(BTreeSet<LookupId>),
    /// An exchange runs.
    Trying { stream: StreamId, address: SocketAddr },
}

/// One of those wanted, who is missing if no live member has the address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Missing {
    pub(crate) name: Option<NodeName>,
    pub(crate) address: SocketAddr,
}

impl Wanted {
    /// The seeds of a configuration; those without a port are taken to use `port`.
    pub(crate) fn new(seeds: &[Peer], port: u16) -> Self {
        let seed = |peer: &Peer| Seed {
            peer: peer.clone(),
            addresses: peer.address(port).into_iter().collect(),
            last: None,
        };
        Self { seeds: seeds.iter().map(seed).collect(), ..Self::default() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.seeds.is_empty() && self.lost.is_empty()
    }

    pub(crate) fn lost(&self) -> impl ExactSizeIterator<Item = &Lost> {
        self.lost.iter()
    }

    /// Remembers one that died; beyond `limit` those that died first are forgotten.
    pub(crate) fn lose(&mut self, lost: Lost, limit: usize) {
        if let Some(name) = &lost.name {
            self.found(name.as_bytes());
        }
        while self.lost.len() >= limit {
            self.lost.pop_front();
        }
        self.lost.push_back(lost);
    }

    /// A node is a member again, or is gone on purpose.
    pub(crate) fn found(&mut self, name: &[u8]) {
        let same = |lost: &Lost| lost.name.as_ref().is_some_and(|it| it.as_bytes() == name);
        if let Some(place) = self.lost.iter().position(same) {
            self.lost.remove(place);
        }
    }

    /// Forgets whoever has been gone for longer than `age`.
    pub(crate) fn give_up(&mut self, now: Instant, age: Duration) {
        self.lost.retain(|lost| now.saturating_duration_since(lost.since) < age);
    }

    /// Every address at which somebody is looked for, once.
    pub(crate) fn all(&self) -> Vec<Missing> {
        let seeds = self.seeds.iter().flat_map(|seed| {
            let name = &seed.peer.name;
            seed.addresses.iter().map(move |address| (name, *address))
        });
        let lost = self.lost.iter().map(|lost| (&lost.name, lost.address));
        let mut seen = BTreeSet::new();
        seeds
            .chain(lost)
            .filter(|(_, address)| seen.insert(*address))
            .map(|(name, address)| Missing { name: name.clone(), address })
            .collect()
    }

    /// Notes how an attempt at an address went, for the seeds that are there.
    pub(crate) fn tried(
        &mut self,
        now: Instant,
        address: SocketAddr,
        result: &Result<(), JoinError>,
    ) {
        for seed in self.seeds.iter_mut().filter(|seed| seed.addresses.contains(&address)) {
            seed.last = Some((now, result.clone()));
        }
    }
}

#[cfg(test)]
mod tests;
