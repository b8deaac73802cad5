//! The table as a whole: in canonical order, and with the versions that are in it.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::{MemberId, Members, Record};
use crate::node::State;
use crate::node::compatibility::Vsn;

/// How many records there are of each kind that matters for versions: whether alive, and which. A
/// cluster has a handful of them, however large it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally(BTreeMap<Key, usize>);

type Key = (bool, Option<[u8; 6]>);

impl Tally {
    pub(super) fn add(&mut self, record: &Record) {
        *self.0.entry(key(record)).or_default() += 1;
    }

    pub(super) fn remove(&mut self, record: &Record) {
        if let Some(count) = self.0.get_mut(&key(record)) {
            *count -= 1;
            if *count == 0 {
                self.0.remove(&key(record));
            }
        }
    }
}

fn key(record: &Record) -> Key {
    (record.state() == State::Alive, record.identity().vsn_bytes())
}

impl Members {
    /// A number that differs from any earlier one if a record has changed since, as peers see it.
    pub(crate) fn edition(&self) -> u64 {
        self.edition
    }

    /// Whether records are alive, with the versions that these have: each combination once.
    pub(crate) fn versions(&self) -> impl Iterator<Item = (bool, Vsn)> {
        let vsn = |bytes: Option<[u8; 6]>| Vsn::stored(bytes.map(Into::into));
        self.tally.0.keys().map(move |(alive, bytes)| (*alive, vsn(*bytes)))
    }

    /// Every record in the order of the names: two nodes that know the same list the same.
    pub(crate) fn by_name(&mut self) -> impl ExactSizeIterator<Item = &Record> {
        let records = &self.records;
        if !self.is_sorted {
            // New records are at the end, and those learned from one peer in order already: a sort
            // that finds such runs.
            self.sorted.sort_by(|one, other| records[*one].name().cmp(&records[*other].name()));
            self.is_sorted = true;
        }
        self.sorted.iter().map(|id| &records[*id])
    }

    /// Whether what is kept beside the records follows from them.
    pub(super) fn check_listing(&self) -> Result<(), &'static str> {
        let mut tally = Tally::default();
        self.iter().for_each(|(_, record)| tally.add(record));
        if tally != self.tally {
            return Err("the versions are counted wrongly");
        }
        let mut sorted: Vec<MemberId> = self.sorted.clone();
        sorted.sort_unstable();
        let mut all = self.order.clone();
        all.sort_unstable();
        if sorted != all {
            return Err("not every record is listed once");
        }
        let names = || self.sorted.iter().map(|id| self.records[*id].name());
        if self.is_sorted && !names().is_sorted() {
            return Err("the list is out of order");
        }
        Ok(())
    }
}
