//! One copy of what many instances know.

use core::fmt;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use siphasher::sip::SipHasher13;

use super::Identity;

/// Deduplicates equal identities, so that several instances in one process (a simulation above
/// all) hold one copy of what gossip taught each of them.
///
/// Before it grows it forgets what nobody else holds any more: its size is bounded by a small
/// multiple of the identities in use. Meant for instances that trust each other: the hash is
/// deterministic and not keyed.
#[derive(Clone, Default)]
pub struct IdentityPool {
    table: HashTable<Identity>,
}

impl IdentityPool {
    /// An empty pool.
    pub fn new() -> Self {
        Self::default()
    }

    /// The first identity equal to this one that was shared, or this one if it is the first.
    pub fn share(&mut self, identity: Identity) -> Identity {
        if self.table.len() == self.table.capacity() {
            self.forget_unused();
        }
        match self.table.entry(hash(&identity), |other| *other == identity, hash) {
            Entry::Occupied(known) => known.get().clone(),
            Entry::Vacant(place) => {
                place.insert(identity.clone());
                identity
            }
        }
    }

    /// Drops the identities that only the pool still holds.
    pub fn forget_unused(&mut self) {
        self.table.retain(|identity| !identity.is_unshared());
    }

    /// How many different identities it holds.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }
}

impl fmt::Debug for IdentityPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdentityPool").field("len", &self.len()).finish_non_exhaustive()
    }
}

fn hash(identity: &Identity) -> u64 {
    SipHasher13::new().hash(identity.packed())
}
