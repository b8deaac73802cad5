//! The table as a whole: in the order of the names, and the versions that occur in it.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::{MemberId, Members, Record, grow};
use crate::node::State;
use crate::node::compatibility::Vsn;

/// When there are this many new records, they are filed among the sorted ones.
const FRESH: usize = 1024;

/// How many records there are of each kind that matters for versions: alive or not, with which
/// versions. A cluster has a handful of kinds, however large it is.
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
    /// A number that grows with every change of a record that peers can see.
    pub(crate) fn edition(&self) -> u64 {
        self.edition
    }

    /// Every combination of versions that occurs, once among alive records (`true`) and once among
    /// the others (`false`).
    pub(crate) fn versions(&self) -> impl Iterator<Item = (bool, Vsn)> {
        let vsn = |bytes: Option<[u8; 6]>| Vsn::stored(bytes.map(Into::into));
        self.tally.0.keys().map(move |(alive, bytes)| (*alive, vsn(*bytes)))
    }

    /// Every record in the order of the names: two nodes that know the same members list them
    /// alike.
    pub(crate) fn by_name(&mut self) -> impl ExactSizeIterator<Item = &Record> {
        self.by_name_after(None)
    }

    /// The records whose names come after this one, in the order of the names.
    pub(crate) fn by_name_after(
        &mut self,
        name: Option<&[u8]>,
    ) -> impl ExactSizeIterator<Item = &Record> {
        self.file();
        let records = &self.records;
        let before =
            |id: &MemberId| name.is_some_and(|name| records[*id].name().as_bytes() <= name);
        let start = self.sorted.partition_point(before);
        self.sorted.iter().skip(start).map(|id| &records[*id])
    }

    /// Every record in the order of the names, without filing the newest ones.
    pub(crate) fn listed(&self) -> impl Iterator<Item = (MemberId, &Record)> {
        let name = |id: &MemberId| self.records[*id].name();
        let mut fresh = self.fresh.clone();
        fresh.sort_by(|one, other| name(one).cmp(&name(other)));
        let mut fresh = fresh.into_iter().peekable();
        let mut sorted = self.sorted.iter().copied().peekable();
        let ids = core::iter::from_fn(move || match (sorted.peek(), fresh.peek()) {
            (Some(old), Some(new)) if name(new) < name(old) => fresh.next(),
            (None, _) => fresh.next(),
            _ => sorted.next(),
        });
        ids.map(|id| (id, &self.records[id]))
    }

    /// Notes a new record, which is filed later together with others.
    pub(super) fn note_fresh(&mut self, id: MemberId) {
        self.fresh.push(id);
        if self.fresh.len() >= FRESH {
            self.file();
        }
    }

    /// Files the newest records among the sorted ones. The place of each is searched for, and the
    /// records between two places are moved as a whole, so few of the names are looked at.
    fn file(&mut self) {
        let mut fresh = core::mem::take(&mut self.fresh);
        if fresh.is_empty() {
            return;
        }
        let name = |id: &MemberId| self.records[*id].name();
        fresh.sort_by(|one, other| name(one).cmp(&name(other)));
        let mut end = self.sorted.len();
        grow(&mut self.sorted, fresh.len());
        // The records learned from one peer come in order.
        if self.sorted.last().map(name) < fresh.first().map(name) {
            self.sorted.append(&mut fresh);
            return;
        }
        self.sorted.extend_from_slice(&fresh);
        while let Some(id) = fresh.pop() {
            let sorted = self.sorted.get(..end).unwrap_or_default();
            let is_before = |other: &MemberId| name(other) < name(&id);
            // Most records that came in order belong between the same two names.
            let follows = sorted.last().is_none_or(is_before);
            let at = if follows { end } else { sorted.partition_point(is_before) };
            self.sorted.copy_within(at..end, at + fresh.len() + 1);
            if let Some(place) = self.sorted.get_mut(at + fresh.len()) {
                *place = id;
            }
            end = at;
        }
    }

    /// Verifies that the tally and the lists agree with the records.
    pub(super) fn check_listing(&self) -> Result<(), &'static str> {
        let mut tally = Tally::default();
        self.iter().for_each(|(_, record)| tally.add(record));
        if tally != self.tally {
            return Err("the versions are counted wrongly");
        }
        let mut sorted: Vec<MemberId> = self.sorted.iter().chain(&self.fresh).copied().collect();
        sorted.sort_unstable();
        let mut all = self.order.clone();
        all.sort_unstable();
        if sorted != all {
            return Err("not every record is listed once");
        }
        let names = || self.sorted.iter().map(|id| self.records[*id].name());
        if !names().is_sorted() || self.fresh.len() >= FRESH {
            return Err("the list is out of order");
        }
        Ok(())
    }
}
