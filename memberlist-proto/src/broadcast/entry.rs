//! The entries of a queue of broadcasts, and their order.

use core::cmp::Reverse;

use siphasher::sip::SipHasher13;

use super::Broadcast;

/// A queued broadcast.
#[derive(Clone, Debug)]
pub(super) struct Entry<B> {
    pub(super) broadcast: B,
    pub(super) key: Key,
    pub(super) kind: Kind,
}

/// How a broadcast is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) enum Kind {
    /// By a plain message that invalidates it.
    Plain,
    /// By a message of its name. It is in the index of names.
    Named,
    /// By no message: it is unique, or named with an empty name.
    Apart,
}

/// An entry's place in the order of the queue. `slot` only leads back to the entry.
///
/// New messages come before those already transmitted, so that news spreads quickly, and long ones
/// before short ones, which still fit into the rest of a packet (Go: `limitedBroadcast.Less`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) transmits: u32,
    pub(super) len: Reverse<usize>,
    pub(super) id: Reverse<u64>,
    pub(super) slot: u32,
}

impl Key {
    /// The key before all keys with this number of transmits whose messages have at most `len` bytes.
    pub(super) fn first(transmits: u32, len: usize) -> Self {
        Self { transmits, len: Reverse(len), id: Reverse(u64::MAX), slot: 0 }
    }
}

/// The keyed hash of a name.
pub(super) fn hash(hash_key: &[u8; 16], name: &[u8]) -> u64 {
    SipHasher13::new_with_key(hash_key).hash(name)
}

/// The name of the entry in a slot; `None` unless the entry is in the index of names.
pub(super) fn name_of<B: Broadcast>(entries: &[Option<Entry<B>>], slot: u32) -> Option<&[u8]> {
    let entry = entries.get(slot as usize)?.as_ref()?;
    if entry.kind == Kind::Named { entry.broadcast.name() } else { None }
}

/// The keyed hash of [`name_of`] the entry in a slot.
pub(super) fn hash_of<B: Broadcast>(
    hash_key: &[u8; 16],
    entries: &[Option<Entry<B>>],
    slot: u32,
) -> Option<u64> {
    name_of(entries, slot).map(|name| hash(hash_key, name))
}
