//! The nodes that this node searches for: its seeds, and members that died.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use crate::event::JoinError;
use crate::node::NodeName;
use crate::peer::Peer;
use crate::time::Instant;
use crate::transmit::{Found, LookupFailure, LookupId, StreamId};

/// Every node that this node would like to have as a member, and the attempt under way to reach one
/// of them.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Wanted {
    seeds: Vec<Seed>,
    /// In the order in which they died.
    lost: VecDeque<Lost>,
    /// How many of the lost each host has.
    hosts: Hosts,
    /// Attempts in a row that found this node without other members.
    alone: u32,
    attempt: Attempt,
    /// Addresses at which this node may be itself.
    own: Vec<Own>,
}

/// An address that may lead to this node itself, though it announces another one.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Own {
    #[cfg_attr(feature = "serde", serde(with = "crate::serial::exact"))]
    address: SocketAddr,
    /// Until when the address is not tried, once it is certain that it leads to this node; `None`
    /// before. Later the address may lead elsewhere.
    until: Option<Instant>,
}

/// How many addresses at which this node found itself are remembered.
const OWN: usize = 16;

/// A seed of the configuration.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Seed {
    peer: Peer,
    /// The addresses to which its name was last resolved.
    #[cfg_attr(feature = "serde", serde(with = "crate::serial::exact"))]
    addresses: Vec<SocketAddr>,
    last: Option<(Instant, Result<(), JoinError>)>,
}

impl Seed {
    pub(crate) fn peer(&self) -> &Peer {
        &self.peer
    }

    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// When it was last tried, and the result.
    pub(crate) fn last(&self) -> Option<&(Instant, Result<(), JoinError>)> {
        self.last.as_ref()
    }
}

/// A member that died, or one known from an earlier life of this node.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Lost {
    pub(crate) name: Option<NodeName>,
    #[cfg_attr(feature = "serde", serde(with = "crate::serial::exact"))]
    pub(crate) address: SocketAddr,
    pub(crate) since: Instant,
    /// Whether it has ever answered. A node that has not may be a forger's invention.
    pub(crate) answered: bool,
}

/// How many of the lost each host has, so that a death beyond the limit need not count all of them.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Hosts {
    /// For each host: how many it has, and how many of those have never answered.
    by_host: BTreeMap<IpAddr, (usize, usize)>,
    /// How many have never answered, over all hosts.
    invented: usize,
}

impl Hosts {
    fn add(&mut self, lost: &Lost) {
        let (all, invented) = self.by_host.entry(lost.address.ip()).or_default();
        *all += 1;
        *invented += usize::from(!lost.answered);
        self.invented += usize::from(!lost.answered);
    }

    fn remove(&mut self, lost: &Lost) {
        let host = lost.address.ip();
        let Some((all, invented)) = self.by_host.get_mut(&host) else { return };
        *all -= 1;
        *invented -= usize::from(!lost.answered);
        self.invented -= usize::from(!lost.answered);
        if *all == 0 {
            self.by_host.remove(&host);
        }
    }

    /// The host with the most nodes that may be dropped: those that have never answered or, if
    /// there are none, all.
    fn fullest(&self) -> Option<IpAddr> {
        let count = |(all, invented): &(usize, usize)| {
            if self.invented > 0 { *invented } else { *all }
        };
        self.by_host.iter().max_by_key(|(_, counts)| count(counts)).map(|(host, _)| *host)
    }
}

/// The attempt under way.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
enum Attempt {
    #[default]
    None,
    /// Names are being resolved.
    Looking(BTreeSet<LookupId>),
    /// A lost member is asked, by its name, whether it is there.
    Asking {
        stream: StreamId,
        name: NodeName,
        #[cfg_attr(feature = "serde", serde(with = "crate::serial::exact"))]
        address: SocketAddr,
    },
    /// An exchange runs.
    Trying {
        stream: StreamId,
        #[cfg_attr(feature = "serde", serde(with = "crate::serial::exact"))]
        address: SocketAddr,
    },
}

/// A wanted node, which is missing if no live member has the address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Missing {
    pub(crate) name: Option<NodeName>,
    pub(crate) address: SocketAddr,
    /// Whether it is a lost member, which must answer to its name before states are exchanged: its
    /// address may belong to another cluster by now. A seed is trusted, since the operator gave it.
    pub(crate) lost: bool,
    /// Whether it has ever answered, or is a seed.
    pub(crate) answered: bool,
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

    pub(crate) fn seeds(&self) -> &[Seed] {
        &self.seeds
    }

    /// The lost members, in the order in which they died.
    pub(crate) fn lost(&self) -> impl ExactSizeIterator<Item = &Lost> {
        self.lost.iter()
    }

    /// Notes whether an attempt found this node without other members.
    pub(crate) fn count_alone(&mut self, alone: bool) {
        self.alone = if alone { self.alone.saturating_add(1) } else { 0 };
    }

    /// Attempts in a row that found this node without other members.
    pub(crate) fn alone(&self) -> u32 {
        self.alone
    }

    /// Whether a peer is being asked, or an exchange runs.
    pub(crate) fn is_trying(&self) -> bool {
        matches!(self.attempt, Attempt::Asking { .. } | Attempt::Trying { .. })
    }

    /// Begins to wait for the look-ups of every seed's name.
    pub(crate) fn begin_looking(&mut self, pending: BTreeSet<LookupId>) {
        self.attempt = Attempt::Looking(pending);
    }

    /// Gives up on the look-ups that are not answered yet, and returns them; `None` if none were
    /// awaited.
    pub(crate) fn stop_looking(&mut self) -> Option<BTreeSet<LookupId>> {
        match core::mem::take(&mut self.attempt) {
            Attempt::Looking(pending) => Some(pending),
            other => {
                self.attempt = other;
                None
            }
        }
    }

    /// Handles the result of a look-up for the seed of this index. Returns whether it was the last
    /// one that was awaited.
    pub(crate) fn resolved(
        &mut self,
        id: LookupId,
        seed: usize,
        found: Result<Vec<Found>, (Instant, LookupFailure)>,
        default_port: u16,
    ) -> bool {
        let Attempt::Looking(pending) = &mut self.attempt else { return false };
        if !pending.remove(&id) {
            return false;
        }
        let done = pending.is_empty();
        if done {
            self.attempt = Attempt::None;
        }
        if let Some(seed) = self.seeds.get_mut(seed) {
            let given = seed.peer.port;
            match found {
                Ok(found) => {
                    let address = |(ip, port): Found| {
                        let port = given.or(port).unwrap_or(default_port);
                        SocketAddr::new(ip.to_canonical(), port)
                    };
                    seed.addresses = found.into_iter().map(address).collect();
                    // The name can be resolved again, and its addresses may need no attempt.
                    if matches!(seed.last, Some((_, Err(JoinError::Lookup(_))))) {
                        seed.last = None;
                    }
                }
                // The former addresses are kept: they are a better guess than none.
                Err((now, failure)) => seed.last = Some((now, Err(JoinError::Lookup(failure)))),
            }
        }
        done
    }

    /// Notes that the look-up for the seed of this index was given up.
    pub(crate) fn lookup_too_late(&mut self, now: Instant, seed: usize) {
        if let Some(seed) = self.seeds.get_mut(seed) {
            seed.last = Some((now, Err(JoinError::Lookup(LookupFailure::TimedOut))));
        }
    }

    pub(crate) fn begin_asking(&mut self, stream: StreamId, name: NodeName, address: SocketAddr) {
        self.attempt = Attempt::Asking { stream, name, address };
    }

    /// Notes the end of a ping. Returns the member and the address asked, if this was that ping.
    pub(crate) fn stop_asking(&mut self, stream: StreamId) -> Option<(NodeName, SocketAddr)> {
        match core::mem::take(&mut self.attempt) {
            Attempt::Asking { stream: asked, name, address } if asked == stream => {
                Some((name, address))
            }
            other => {
                self.attempt = other;
                None
            }
        }
    }

    pub(crate) fn begin_trying(&mut self, stream: StreamId, address: SocketAddr) {
        self.attempt = Attempt::Trying { stream, address };
    }

    /// Notes the end of an exchange. Returns the address tried, if this was that exchange.
    pub(crate) fn stop_trying(&mut self, stream: StreamId) -> Option<SocketAddr> {
        let Attempt::Trying { stream: tried, address } = self.attempt else { return None };
        (tried == stream).then(|| {
            self.attempt = Attempt::None;
            address
        })
    }

    /// Remembers a member that died. Beyond `limit` one is dropped: one that has never answered
    /// rather than one that has, and on the host with the most of them the one that died first. So
    /// neither invented names nor those of one host can displace all others.
    pub(crate) fn lose(&mut self, lost: Lost, limit: usize) {
        if let Some(name) = &lost.name {
            self.found(name.as_bytes());
        }
        self.hosts.add(&lost);
        self.lost.push_back(lost);
        while self.lost.len() > limit {
            self.forget_one();
        }
    }

    fn forget_one(&mut self) {
        let invented = self.hosts.invented > 0;
        let Some(host) = self.hosts.fullest() else { return };
        self.remove_first(|lost| lost.address.ip() == host && !(lost.answered && invented));
    }

    fn remove_first(&mut self, which: impl FnMut(&Lost) -> bool) {
        if let Some(lost) = self.lost.iter().position(which).and_then(|at| self.lost.remove(at)) {
            self.hosts.remove(&lost);
        }
    }

    fn retain(&mut self, mut which: impl FnMut(&Lost) -> bool) {
        let hosts = &mut self.hosts;
        self.lost.retain(|lost| {
            let stays = which(lost);
            if !stays {
                hosts.remove(lost);
            }
            stays
        });
    }

    /// Notes that this node may have exchanged its state with itself at an address.
    pub(crate) fn suspect_myself(&mut self, address: SocketAddr) {
        self.note_own(Own { address, until: None });
    }

    /// Notes that an address leads to this node itself; it is not tried before `until`.
    pub(crate) fn found_myself(&mut self, address: SocketAddr, until: Instant) {
        self.note_own(Own { address, until: Some(until) });
    }

    fn note_own(&mut self, own: Own) {
        self.own.retain(|known| known.address != own.address);
        if self.own.len() >= OWN {
            self.own.remove(0);
        }
        self.own.push(own);
    }

    /// Whether this node has lately found itself at an address.
    pub(crate) fn is_myself(&self, now: Instant, address: SocketAddr) -> bool {
        let own = |own: &Own| own.address == address && own.until.is_some_and(|it| now < it);
        self.own.iter().any(own)
    }

    /// Whether this node must first ask whether an address leads to itself. Returns `true` only
    /// once for each suspicion.
    pub(crate) fn must_ask_for_myself(&mut self, address: SocketAddr) -> bool {
        let before = self.own.len();
        self.own.retain(|own| own.address != address || own.until.is_some());
        self.own.len() < before
    }

    /// Ends the search for a name. Returns whether there was one.
    pub(crate) fn forget(&mut self, name: &[u8]) -> bool {
        let before = self.lost.len();
        self.found(name);
        self.lost.len() < before
    }

    /// Notes that an address belongs to the member `by` now: a member of another name that was lost
    /// there is no longer searched for.
    pub(crate) fn taken(&mut self, address: SocketAddr, by: &[u8]) {
        self.retain(|lost| {
            let other = lost.name.as_ref().is_some_and(|name| name.as_bytes() != by);
            lost.address != address || !other
        });
    }

    /// Notes that a node is a member again, or has left: it is no longer searched for.
    pub(crate) fn found(&mut self, name: &[u8]) {
        self.remove_first(|lost| lost.name.as_ref().is_some_and(|it| it.as_bytes() == name));
    }

    /// Forgets the members that have been lost for `age` or longer.
    pub(crate) fn give_up(&mut self, now: Instant, age: Duration) {
        self.retain(|lost| now.saturating_duration_since(lost.since) < age);
    }

    /// Every address at which a node is searched for, each once, seeds first.
    pub(crate) fn all(&self) -> Vec<Missing> {
        let seeds = self.seeds.iter().flat_map(|seed| {
            let name = &seed.peer.name;
            seed.addresses.iter().map(move |address| (name, *address, false, true))
        });
        let lost = self.lost.iter().map(|it| (&it.name, it.address, true, it.answered));
        let mut seen = BTreeSet::new();
        seeds
            .chain(lost)
            .filter(|(_, address, ..)| seen.insert(*address))
            .map(|(name, address, lost, answered)| Missing {
                name: name.clone(),
                address,
                lost,
                answered,
            })
            .collect()
    }

    /// Notes the result of an attempt at an address, for the seeds with that address.
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
