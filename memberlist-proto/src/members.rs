//! The member table: every known node, alive or not.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use siphasher::sip::SipHasher13;

use crate::index::Index;
use crate::node::{Identity, Node, State};
use crate::rng::Rng;
use crate::time::Instant;

mod choose;
mod listing;
mod probe;
mod record;
#[cfg(feature = "serde")]
mod serial;
mod slab;
mod zones;

pub(crate) use probe::{ProbeStep, ProbeTick};
pub(crate) use record::Record;
pub(crate) use zones::{Routed, ZoneRules};

use listing::Tally;
use slab::Slab;

/// Identifies a record of a [`Members`] table until that record is reaped. Ids are reused: one that
/// is kept outside the table must be dropped when [`Members::reap`] returns it, or its user must not
/// care which record it names by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct MemberId(u32);

/// Every known node: one record each, found by name, in the order in which they are probed.
///
/// Records live in chunks of fixed size, so that growth copies nothing. The hash of the index is
/// keyed, so that names cannot be chosen to collide. The index is never iterated over: its order
/// depends on the hash, while every order here must follow from the inputs and the seed.
#[derive(Clone, Debug)]
pub(crate) struct Members {
    records: Slab,
    index: Index,
    hash_key: [u8; 16],
    /// Every record once. Those before `cursor` have been probed in this round.
    order: Vec<MemberId>,
    cursor: usize,
    /// The number of records in each state.
    counts: [u32; 4],
    /// The number of records with each combination of versions.
    tally: Tally,
    /// Every record except the newest ones, in the order of the names.
    sorted: Vec<MemberId>,
    /// The newest records, which are not among the sorted ones yet.
    fresh: Vec<MemberId>,
    edition: u64,
    /// The members by their zones, if this node has one.
    zones: Option<alloc::boxed::Box<zones::Zones>>,
}

impl Members {
    /// An empty table whose names are hashed with this key.
    pub(crate) fn new(hash_key: [u8; 16]) -> Self {
        Self {
            records: Slab::new(),
            index: Index::default(),
            hash_key,
            order: Vec::new(),
            cursor: 0,
            counts: [0; 4],
            tally: Tally::default(),
            sorted: Vec::new(),
            fresh: Vec::new(),
            edition: 0,
            zones: None,
        }
    }

    /// How many records there are, dead and left ones included. This is the `n` of every rule that
    /// scales with the cluster (Go: `estNumNodes`).
    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    /// How many records are in this state.
    pub(crate) const fn count(&self, state: State) -> usize {
        self.counts[state as usize] as usize
    }

    /// How many are members: alive or suspect.
    pub(crate) const fn num_live(&self) -> usize {
        self.count(State::Alive) + self.count(State::Suspect)
    }

    /// The record of this name.
    pub(crate) fn get(&self, name: &[u8]) -> Option<MemberId> {
        self.find(self.hash(name), name)
    }

    /// A record.
    ///
    /// # Panics
    /// If it has been reaped.
    pub(crate) fn record(&self, id: MemberId) -> &Record {
        &self.records[id]
    }

    /// A record, unless it has been reaped; its id may by then name another one.
    pub(crate) fn try_record(&self, id: MemberId) -> Option<&Record> {
        self.records.get(id)
    }

    /// A copy of what is known about a node.
    ///
    /// # Panics
    /// If it has been reaped.
    pub(crate) fn node(&self, id: MemberId) -> Node {
        self.records[id].to_node()
    }

    /// Adds a record at a random place of the probe order. If the name is known, its record takes
    /// these values instead.
    pub(crate) fn insert(
        &mut self,
        identity: Identity,
        incarnation: u32,
        state: State,
        since: Instant,
        rng: &mut Rng,
    ) -> MemberId {
        // One record per name, whatever the caller does: two would probe and count a node twice.
        let name = identity.name().as_bytes();
        let hash = self.hash(name);
        if let Some(id) = self.find(hash, name) {
            self.set_state(id, state, incarnation, since);
            self.replace_identity(id, identity);
            return id;
        }
        let id = self.records.insert(Record::new(identity, incarnation, state, since));
        self.note_in_index(hash, id);
        self.counts[state as usize] += 1;
        self.tally.add(&self.records[id]);
        if let Some(zones) = &mut self.zones {
            zones.add(id, &self.records[id]);
        }
        self.note_fresh(id);
        self.edition += 1;

        // The record that was at the place goes last, as in Go (`aliveNode`): a new member may be
        // probed in this round or in the next. If it went last itself, all members would probe the
        // newest ones only at the end of their rounds, and notice their failures late.
        let last = self.order.len();
        grow(&mut self.order, 1);
        self.order.push(id);
        if last > 0 {
            self.order.swap(rng.index(last), last);
        }
        id
    }

    /// Moves a record to a state.
    ///
    /// # Panics
    /// If it has been reaped.
    pub(crate) fn set_state(
        &mut self,
        id: MemberId,
        state: State,
        incarnation: u32,
        since: Instant,
    ) {
        // The counts are kept, not computed: gossip and probes ask for them on every tick.
        let record = &mut self.records[id];
        self.counts[record.state() as usize] -= 1;
        self.counts[state as usize] += 1;
        self.tally.remove(record);
        if let Some(zones) = &mut self.zones {
            zones.remove(id, record);
        }
        record.set_state(state, incarnation, since);
        self.tally.add(record);
        if let Some(zones) = &mut self.zones {
            zones.add(id, record);
        }
        self.edition += 1;
    }

    /// Notes that a node has answered.
    ///
    /// # Panics
    /// If it has been reaped.
    pub(crate) fn set_answered(&mut self, id: MemberId) {
        self.records[id].set_answered();
    }

    /// Notes a higher incarnation of a node whose state stays as it is.
    ///
    /// # Panics
    /// If it has been reaped.
    pub(crate) fn raise_incarnation(&mut self, id: MemberId, incarnation: u32) {
        let record = &mut self.records[id];
        let (state, since) = (record.state(), record.since());
        record.set_state(state, incarnation, since);
        self.edition += 1;
    }

    /// Sets the slot of a node's suspicion; `None` means that it is not suspected. Slots are below
    /// [`Record::MAX_SUSPICIONS`].
    ///
    /// # Panics
    /// If the record has been reaped.
    pub(crate) fn set_suspicion(&mut self, id: MemberId, slot: Option<u32>) {
        self.records[id].set_suspicion(slot);
    }

    /// Replaces the identity of a record by another one with the same name, and returns the previous
    /// one. If the name differs, nothing changes and the result is `None`.
    ///
    /// # Panics
    /// If the record has been reaped.
    pub(crate) fn replace_identity(
        &mut self,
        id: MemberId,
        identity: Identity,
    ) -> Option<Identity> {
        let record = &mut self.records[id];
        if record.name() != identity.name() {
            return None;
        }
        self.tally.remove(record);
        if let Some(zones) = &mut self.zones {
            zones.remove(id, record);
        }
        let before = record.set_identity(identity);
        self.tally.add(record);
        if let Some(zones) = &mut self.zones {
            zones.add(id, record);
        }
        self.edition += 1;
        Some(before)
    }

    /// Lets the record of this name hold this identity, if it has an equal one.
    pub(crate) fn share_identity(&mut self, identity: &Identity) {
        let Some(id) = self.get(identity.name().as_bytes()) else { return };
        let record = &mut self.records[id];
        if record.identity() == identity {
            record.set_identity(identity.clone());
        }
    }

    /// The records in probe order.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (MemberId, &Record)> {
        self.order.iter().map(|id| (*id, &self.records[*id]))
    }

    /// Removes the dead and left records for which `expired` is true, at most `most` of them, and
    /// returns them in order. If no record is dead or left, it returns at once; otherwise it takes
    /// O(n).
    ///
    /// Source: `resetNodes`, which does this at the end of a round of probes.
    pub(crate) fn reap(
        &mut self,
        most: usize,
        mut expired: impl FnMut(&Record) -> bool,
    ) -> Vec<(MemberId, Node)> {
        let mut reaped = Vec::new();
        // The usual case: every round of probes ends here, in a cluster of any size.
        if self.count(State::Dead) + self.count(State::Left) == 0 {
            return reaped;
        }
        // The others keep their order, and the cursor its place among them: reaping neither repeats
        // nor skips a probe of this round.
        let (mut place, mut probed) = (0, 0);
        let records = &self.records;
        self.order.retain(|id| {
            let record = &records[*id];
            let keep = reaped.len() >= most || record.state().is_live() || !expired(record);
            if keep {
                probed += usize::from(place < self.cursor);
            } else {
                reaped.push((*id, record.to_node()));
            }
            place += 1;
            keep
        });
        self.cursor = probed;
        if reaped.is_empty() {
            return reaped;
        }
        self.edition += 1;
        for (id, node) in &reaped {
            self.counts[node.state() as usize] -= 1;
            let hash = self.hash(node.name().as_bytes());
            self.index.remove(hash, id.0);
            self.tally.remove(&self.records[*id]);
            if let Some(zones) = &mut self.zones {
                zones.remove(*id, &self.records[*id]);
            }
            self.records.remove(*id);
        }
        let records = &self.records;
        self.sorted.retain(|id| records.get(*id).is_some());
        self.fresh.retain(|id| records.get(*id).is_some());
        reaped
    }

    /// Verifies every internal invariant.
    ///
    /// # Errors
    /// A description of the first one that does not hold.
    pub(crate) fn check(&self) -> Result<(), String> {
        let n = self.order.len();
        if self.index.len() != n || self.records.len() != n {
            let (index, records) = (self.index.len(), self.records.len());
            return Err(format!("{n} in order, {index} in the index, {records} records"));
        }
        if self.cursor > n {
            return Err(format!("cursor {} of {n}", self.cursor));
        }
        let mut counts = [0; 4];
        let mut seen: Vec<MemberId> = self.order.clone();
        seen.sort_unstable();
        seen.dedup();
        if seen.len() < n {
            return Err(format!("{n} in order, {} of them different", seen.len()));
        }
        for id in &self.order {
            let Some(record) = self.records.get(*id) else {
                return Err(format!("{id:?} in the order has no record"));
            };
            counts[record.state() as usize] += 1;
            if self.get(record.name().as_bytes()) != Some(*id) {
                return Err(format!("{:?} is not found by its name", record.name()));
            }
        }
        if counts != self.counts {
            return Err(format!("counted {counts:?}, recorded {:?}", self.counts));
        }
        self.check_zones()?;
        self.check_listing().map_err(String::from)
    }

    fn find(&self, hash: u64, name: &[u8]) -> Option<MemberId> {
        let same = |id: u32| self.records[MemberId(id)].name() == *name;
        self.index.find(hash, same).map(MemberId)
    }

    fn note_in_index(&mut self, hash: u64, id: MemberId) {
        let (records, hash_key) = (&self.records, &self.hash_key);
        let hash_of = |id| Some(hash_name(hash_key, records.get(MemberId(id))?.name().as_bytes()));
        self.index.insert(hash, id.0, records.ids(), hash_of);
    }

    fn hash(&self, name: &[u8]) -> u64 {
        hash_name(&self.hash_key, name)
    }
}

/// Makes room in a list that holds an id of each member. It grows by an eighth, where a `Vec` would
/// double and leave a quarter of the lists of a large table unused on average.
fn grow(list: &mut Vec<MemberId>, more: usize) {
    if list.capacity() - list.len() < more {
        list.reserve_exact(more.max(list.len() / 8));
    }
}

fn hash_name(hash_key: &[u8; 16], name: &[u8]) -> u64 {
    SipHasher13::new_with_key(hash_key).hash(name)
}

#[cfg(test)]
mod tests;
