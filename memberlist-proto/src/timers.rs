//! One queue for all timers of a node.

use alloc::vec::Vec;

use crate::time::Instant;

/// Keyed timers in an indexed binary heap. Insert, cancel, reschedule and pop take O(log n). Timers
/// that are due at the same instant fire in the order in which they were set: a replay must not
/// depend on how a heap breaks ties.
///
/// The caller bounds the number of timers.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Timers<K> {
    /// A binary heap with the earliest timer first.
    heap: Vec<Entry>,
    slots: Vec<Slot<K>>,
    /// The first free slot; the others are linked by `Slot::place`. `NONE` if there is none.
    free: u32,
    /// How many timers have been set so far: the order among those due at the same instant.
    set: u64,
}

/// Identifies a timer, even after it is gone: by a slot, which is reused, and by how many timers
/// the slot had before. A stale id therefore never affects the timer that took over its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct TimerId {
    slot: u32,
    generation: u32,
}

#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Entry {
    at: Instant,
    order: u64,
    slot: u32,
}

#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Slot<K> {
    key: Option<K>,
    generation: u32,
    /// The timer's index in the heap, or for a free slot the next free one.
    place: u32,
}

const NONE: u32 = u32::MAX;

impl<K: Copy> Timers<K> {
    /// No timers.
    pub(crate) const fn new() -> Self {
        Self { heap: Vec::new(), slots: Vec::new(), free: NONE, set: 0 }
    }

    /// Sets a timer.
    pub(crate) fn insert(&mut self, at: Instant, key: K) -> TimerId {
        let place = self.heap.len() as u32;
        let slot = if self.free == NONE {
            self.slots.push(Slot { key: Some(key), generation: 0, place });
            self.slots.len() as u32 - 1
        } else {
            let slot = self.free;
            let free = &mut self.slots[slot as usize];
            self.free = free.place;
            free.key = Some(key);
            free.place = place;
            slot
        };
        self.heap.push(Entry { at, order: self.set, slot });
        self.set += 1;
        self.rise(self.heap.len() - 1);
        TimerId { slot, generation: self.slots[slot as usize].generation }
    }

    /// Cancels a timer. Returns its key, or `None` if it is no longer set.
    pub(crate) fn cancel(&mut self, id: TimerId) -> Option<K> {
        let place = self.place(id)?;
        self.remove(place).map(|(_, key)| key)
    }

    /// Moves a timer as if it had been set now. Returns whether it was still set.
    pub(crate) fn reschedule(&mut self, id: TimerId, at: Instant) -> bool {
        let Some(place) = self.place(id) else {
            return false;
        };
        // A new number in the order as well: a timer that is moved to an instant fires after those
        // that were set to it before.
        self.heap[place] = Entry { at, order: self.set, slot: id.slot };
        self.set += 1;
        self.settle(place);
        true
    }

    /// When a timer is due, or `None` if it is no longer set.
    pub(crate) fn due(&self, id: TimerId) -> Option<Instant> {
        self.place(id).map(|place| self.heap[place].at)
    }

    /// When the earliest timer is due. Timers set to [`Instant::FAR_FUTURE`] are never due: a
    /// periodic timer would saturate there, and fire at the same instant forever.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.heap.first().map(|entry| entry.at).filter(|at| *at < Instant::FAR_FUTURE)
    }

    /// Removes and returns the earliest timer, if it is due by `now`.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<(Instant, K)> {
        if self.next()? > now { None } else { self.remove(0) }
    }

    /// How many timers are set.
    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether no timer is set.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// Verifies that the parts fit together, for timers read from a checkpoint.
    #[cfg(feature = "checkpoint")]
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        let fits = |(place, entry): (usize, &Entry)| {
            let slot = self.slots.get(entry.slot as usize);
            slot.is_some_and(|slot| slot.key.is_some() && slot.place as usize == place)
                && (place == 0 || !entry.is_before(&self.heap[(place - 1) / 2]))
                && entry.order < self.set
        };
        if !self.heap.iter().enumerate().all(fits) {
            return Err("the queue of timers");
        }
        let set = self.slots.iter().filter(|slot| slot.key.is_some()).count();
        let (mut free, mut next) = (0, self.free);
        while next != NONE {
            match self.slots.get(next as usize) {
                Some(slot) if slot.key.is_none() && free < self.slots.len() => next = slot.place,
                _ => return Err("the free places of timers"),
            }
            free += 1;
        }
        if set != self.heap.len() || set + free != self.slots.len() {
            return Err("the number of timers");
        }
        Ok(())
    }

    /// How many timers have been set so far.
    #[cfg(feature = "checkpoint")]
    pub(crate) fn set_so_far(&self) -> u64 {
        self.set
    }

    /// The key of a timer that is set.
    #[cfg(feature = "checkpoint")]
    pub(crate) fn key(&self, id: TimerId) -> Option<K> {
        self.place(id).and_then(|_| self.slots[id.slot as usize].key)
    }

    /// The keys of all timers that are set.
    #[cfg(feature = "checkpoint")]
    pub(crate) fn keys(&self) -> impl Iterator<Item = K> {
        self.slots.iter().filter_map(|slot| slot.key)
    }

    fn place(&self, id: TimerId) -> Option<usize> {
        let slot = self.slots.get(id.slot as usize)?;
        let set = slot.key.is_some() && slot.generation == id.generation;
        set.then_some(slot.place as usize)
    }

    fn remove(&mut self, place: usize) -> Option<(Instant, K)> {
        let entry = self.heap.swap_remove(place);
        if place < self.heap.len() {
            self.settle(place);
        }
        let slot = &mut self.slots[entry.slot as usize];
        // From here on ids of this timer are stale. After 2³² timers in one slot an id could match
        // again; none is kept for that long.
        slot.generation = slot.generation.wrapping_add(1);
        slot.place = self.free;
        self.free = entry.slot;
        slot.key.take().map(|key| (entry.at, key))
    }

    /// Restores the heap around a changed entry, which may have to move either way.
    fn settle(&mut self, place: usize) {
        let place = self.rise(place);
        self.sink(place);
    }

    /// Moves an entry towards the root while it is due before its parent. Entries on the way move
    /// down by one place; the entry itself is written once, at its final place.
    fn rise(&mut self, mut place: usize) -> usize {
        let entry = self.heap[place];
        while place > 0 {
            let parent = (place - 1) / 2;
            if !entry.is_before(&self.heap[parent]) {
                break;
            }
            self.put(place, self.heap[parent]);
            place = parent;
        }
        self.put(place, entry);
        place
    }

    /// Moves an entry away from the root while a child is due before it.
    fn sink(&mut self, mut place: usize) {
        let entry = self.heap[place];
        loop {
            let mut child = 2 * place + 1;
            if child >= self.heap.len() {
                break;
            }
            if child + 1 < self.heap.len() && self.heap[child + 1].is_before(&self.heap[child]) {
                child += 1;
            }
            if !self.heap[child].is_before(&entry) {
                break;
            }
            self.put(place, self.heap[child]);
            place = child;
        }
        self.put(place, entry);
    }

    /// Writes an entry into the heap, and its place into its slot: the only way to change the heap,
    /// so that ids always lead to their timers.
    fn put(&mut self, place: usize, entry: Entry) {
        self.heap[place] = entry;
        self.slots[entry.slot as usize].place = place as u32;
    }
}

impl<K: Copy> Default for Timers<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl Entry {
    fn is_before(&self, other: &Self) -> bool {
        (self.at, self.order) < (other.at, other.order)
    }
}

#[cfg(test)]
mod tests;
