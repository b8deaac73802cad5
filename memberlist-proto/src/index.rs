//! An index of slots by the hashes of their names, which is moved to a larger table in small steps.

use hashbrown::HashTable;

/// How many slots are moved into a larger table at a time. To move all of a large table at once,
/// and hash every name anew, takes longer than a probe of the same moment may wait.
const STEP: u32 = 8;
/// The number of slots that the first table has room for.
const FIRST: usize = 3;

/// Finds slots by their names. It is never iterated over: its order depends on the hash, which may be
/// keyed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    now: HashTable<u32>,
    /// The slots that have not been moved yet: those from `next` on.
    old: HashTable<u32>,
    next: u32,
}

impl Index {
    pub(crate) fn len(&self) -> usize {
        self.now.len() + self.old.len()
    }

    /// The slot with this hash for which `same` is true.
    pub(crate) fn find(&self, hash: u64, mut same: impl FnMut(u32) -> bool) -> Option<u32> {
        let found = self.now.find(hash, |slot| same(*slot));
        found.or_else(|| self.old.find(hash, |slot| same(*slot))).copied()
    }

    /// Adds a slot that is not in the index. `hash_of` returns the hash of the name of a slot below
    /// `slots`, if it has one.
    pub(crate) fn insert(
        &mut self,
        hash: u64,
        slot: u32,
        slots: u32,
        hash_of: impl Fn(u32) -> Option<u64>,
    ) {
        if self.now.len() == self.now.capacity() && !self.old.is_empty() {
            // Names were removed and added in turn, so the new table is full before all of the old
            // one has been moved: the rest is moved now.
            self.step(slots, slots, &hash_of);
        } else if self.now.len() == self.now.capacity() {
            let room = (2 * self.now.len()).max(FIRST);
            self.old = core::mem::replace(&mut self.now, HashTable::with_capacity(room));
            self.next = 0;
        }
        self.step(STEP, slots, &hash_of);
        self.now.insert_unique(hash, slot, |slot| hash_of(*slot).unwrap_or_default());
    }

    pub(crate) fn remove(&mut self, hash: u64, slot: u32) {
        for table in [&mut self.now, &mut self.old] {
            if let Ok(found) = table.find_entry(hash, |other| *other == slot) {
                found.remove();
                return;
            }
        }
    }

    /// Moves those of the next `number` slots that are in the old table.
    fn step(&mut self, number: u32, slots: u32, hash_of: &impl Fn(u32) -> Option<u64>) {
        if self.old.is_empty() {
            return;
        }
        let end = self.next.saturating_add(number).min(slots);
        for slot in self.next..end {
            let Some(hash) = hash_of(slot) else { continue };
            if let Ok(found) = self.old.find_entry(hash, |other| *other == slot) {
                found.remove();
                self.now.insert_unique(hash, slot, |slot| hash_of(*slot).unwrap_or_default());
            }
        }
        self.next = end;
        if self.old.is_empty() {
            self.old = HashTable::new();
        }
    }
}

#[cfg(test)]
mod tests;
