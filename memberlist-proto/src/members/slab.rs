//! The storage of the records.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::{Index, IndexMut};

use super::{MemberId, Record};

/// Records in each chunk: 8 KiB. Growing a single vector of 100,000 records would copy megabytes
/// within one call, in the middle of a node's timers.
const CHUNK: usize = 256;

/// Records by id, in chunks that never move.
#[derive(Clone, Debug)]
pub(super) struct Slab {
    chunks: Vec<Box<[Option<Record>]>>,
    /// All ids below this one have been assigned at some time.
    next: u32,
    /// Ids of removed records, which are assigned again first.
    free: Vec<MemberId>,
}

impl Slab {
    pub(super) const fn new() -> Self {
        Self { chunks: Vec::new(), next: 0, free: Vec::new() }
    }

    /// The record of each id assigned so far, `None` for a free one, and the free ids.
    #[cfg(feature = "serde")]
    pub(super) fn parts(&self) -> (impl Iterator<Item = Option<&Record>>, &[MemberId]) {
        ((0..self.next).map(|id| self.get(MemberId(id))), &self.free)
    }

    /// The storage with these parts; `None` if the free ids are not exactly those without a record.
    #[cfg(feature = "serde")]
    pub(super) fn of(records: Vec<Option<Record>>, free: Vec<MemberId>) -> Option<Self> {
        let mut sorted = free.clone();
        sorted.sort_unstable();
        let vacant = (0_u32..).zip(&records).filter(|(_, it)| it.is_none());
        if !vacant.map(|(id, _)| MemberId(id)).eq(sorted) {
            return None;
        }
        let mut slab = Self { chunks: Vec::new(), next: records.len() as u32, free };
        let mut records = records.into_iter();
        while records.len() > 0 {
            slab.chunks.push((0..CHUNK).map(|_| records.next().flatten()).collect());
        }
        Some(slab)
    }

    pub(super) fn len(&self) -> usize {
        self.next as usize - self.free.len()
    }

    /// One more than the highest id ever assigned.
    pub(super) const fn ids(&self) -> u32 {
        self.next
    }

    pub(super) fn insert(&mut self, record: Record) -> MemberId {
        // Ids of reaped records are reused first, so that memory follows the largest number of
        // records at a time, not the number of all records that there ever were.
        let id = self.free.pop().unwrap_or_else(|| {
            let id = MemberId(self.next);
            self.next += 1;
            id
        });
        if id.chunk() == self.chunks.len() {
            self.chunks.push((0..CHUNK).map(|_| None).collect());
        }
        self.chunks[id.chunk()][id.place()] = Some(record);
        id
    }

    pub(super) fn remove(&mut self, id: MemberId) {
        if self.chunks[id.chunk()][id.place()].take().is_some() {
            self.free.push(id);
        }
    }

    pub(super) fn get(&self, id: MemberId) -> Option<&Record> {
        self.chunks.get(id.chunk())?[id.place()].as_ref()
    }
}

impl Index<MemberId> for Slab {
    type Output = Record;

    fn index(&self, id: MemberId) -> &Record {
        self.get(id).expect("the record has not been reaped")
    }
}

impl IndexMut<MemberId> for Slab {
    fn index_mut(&mut self, id: MemberId) -> &mut Record {
        let place = self.chunks.get_mut(id.chunk()).and_then(|chunk| chunk[id.place()].as_mut());
        place.expect("the record has not been reaped")
    }
}

impl MemberId {
    const fn chunk(self) -> usize {
        self.0 as usize / CHUNK
    }

    const fn place(self) -> usize {
        self.0 as usize % CHUNK
    }
}
