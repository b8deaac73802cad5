//! The serialized form of a queue: its entries by slot. The order and the index of names are
//! rebuilt from them.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::cmp::Reverse;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::entry::{Entry, Key, Kind, hash};
use super::{Broadcast, TransmitLimitedQueue, hash_of, name_of};

#[derive(Serialize, Deserialize)]
#[serde(bound(serialize = "B: Serialize", deserialize = "B: Deserialize<'de>"))]
struct Plain<'a, B: Clone> {
    entries: Vec<Option<Queued<'a, B>>>,
    /// The free slots; the last of these is used next.
    free: Vec<u32>,
    next_id: u64,
    retransmit_mult: u32,
    limit: usize,
    hash_key: [u8; 16],
    keep_finished: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(bound(serialize = "B: Serialize", deserialize = "B: Deserialize<'de>"))]
struct Queued<'a, B: Clone> {
    broadcast: Cow<'a, B>,
    kind: Kind,
    transmits: u32,
    id: u64,
}

/// Leaves out the finished broadcasts that have not been drained yet.
impl<B: Serialize + Clone> Serialize for TransmitLimitedQueue<B> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let entries = self.entries.iter().map(|place| {
            place.as_ref().map(|entry| Queued {
                broadcast: Cow::Borrowed(&entry.broadcast),
                kind: entry.kind,
                transmits: entry.key.transmits,
                id: entry.key.id.0,
            })
        });
        let plain = Plain {
            entries: entries.collect(),
            free: self.free.clone(),
            next_id: self.next_id,
            retransmit_mult: self.retransmit_mult,
            limit: self.limit,
            hash_key: self.hash_key,
            keep_finished: self.keep_finished,
        };
        plain.serialize(to)
    }
}

impl<'de, B: Broadcast + Deserialize<'de> + Clone> Deserialize<'de> for TransmitLimitedQueue<B> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let plain = Plain::<'_, B>::deserialize(from)?;
        let mut queue = Self::with_hash_key(plain.retransmit_mult, plain.hash_key);
        queue.limit = plain.limit;
        queue.keep_finished = plain.keep_finished;
        queue.next_id = plain.next_id;
        let mut free = plain.free.clone();
        free.sort_unstable();
        let vacant = (0_u32..).zip(&plain.entries).filter(|(_, it)| it.is_none());
        if !vacant.map(|(slot, _)| slot).eq(free) {
            return Err(D::Error::custom("free places of a queue"));
        }
        queue.free = plain.free;
        for (slot, queued) in (0_u32..).zip(plain.entries) {
            let entry = queued.map(|it| it.into_entry(slot));
            if entry.as_ref().is_some_and(|entry| !queue.takes(entry)) {
                return Err(D::Error::custom("an entry of a queue"));
            }
            queue.entries.push(entry);
            queue.index(slot);
        }
        // Ids decide the order of entries that are otherwise equal, so each must be unique.
        let mut ids: Vec<u64> = queue.order.iter().map(|key| key.id.0).collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.len() < queue.order.len() {
            return Err(D::Error::custom("two entries of a queue with one number"));
        }
        Ok(queue)
    }
}

impl<B: Broadcast> TransmitLimitedQueue<B> {
    /// One more than the highest number given to an entry so far; 0 if there was none.
    #[cfg(feature = "checkpoint")]
    pub(crate) fn last_id(&self) -> u64 {
        self.next_id
    }

    /// Whether an entry that was read fits into this queue.
    fn takes(&self, entry: &Entry<B>) -> bool {
        let named = entry.broadcast.name().is_some_and(|name| !name.is_empty());
        let unknown = entry.broadcast.name().is_none_or(|name| self.slot_of(name).is_none());
        entry.key.id.0 < self.next_id && (entry.kind == Kind::Named) == named && (!named || unknown)
    }

    /// Adds the entry in a slot, if there is one, to the order and the index of names.
    fn index(&mut self, slot: u32) {
        let Some(Some(entry)) = self.entries.get(slot as usize) else { return };
        self.order.insert(entry.key);
        self.plain += usize::from(entry.kind == Kind::Plain);
        if let Some(name) = name_of(&self.entries, slot) {
            let (entries, hash_key) = (&self.entries, &self.hash_key);
            let hash_of = |slot| hash_of(hash_key, entries, slot);
            self.names.insert(hash(hash_key, name), slot, entries.len() as u32, hash_of);
        }
    }
}

impl<B: Broadcast + Clone> Queued<'_, B> {
    fn into_entry(self, slot: u32) -> Entry<B> {
        let broadcast = self.broadcast.into_owned();
        let len = Reverse(broadcast.message().len());
        let key = Key { transmits: self.transmits, len, id: Reverse(self.id), slot };
        Entry { broadcast, key, kind: self.kind }
    }
}
