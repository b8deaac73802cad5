//! Messages waiting to be gossiped.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::fmt;
use core::ops::Bound;

mod entry;
#[cfg(feature = "serde")]
mod serial;
mod shrink;

use crate::index::Index;
use entry::{Entry, Key, Kind, hash, hash_of, name_of};

/// A message to be gossiped to the cluster.
///
/// A *named* message replaces the queued message of the same name. Without a name, a message is
/// either *unique*, and replaces nothing, or *plain*, and replaces every plain message that it
/// invalidates. A named message whose name is empty replaces like a plain one, but nothing ever
/// replaces it.
///
/// Source: `Broadcast`, `NamedBroadcast`, `UniqueBroadcast`.
pub trait Broadcast {
    /// Whether queueing this message makes `other` obsolete. `other` is always a plain message, and
    /// this one is plain or has an empty name.
    fn invalidates(&self, other: &Self) -> bool;

    /// The message's bytes. They must not change while it is queued.
    fn message(&self) -> &[u8];

    /// Called once, when the message leaves the queue for any reason.
    fn finished(&mut self) {}

    /// The name of a named message. It must not change while the message is queued.
    fn name(&self) -> Option<&[u8]> {
        None
    }

    /// Whether a message without a name is unique.
    fn is_unique(&self) -> bool {
        false
    }
}

/// A queue of broadcasts, each of which is transmitted a limited number of times: `retransmit_mult`
/// times the number of decimal digits of the cluster's size, but at least once.
///
/// The messages transmitted least often come first, then the longest, then the newest. Filling a
/// packet takes O(log n) for each message taken and for each distinct number of transmissions,
/// however many messages do not fit.
///
/// ```
/// use memberlist_proto::{Broadcast, TransmitLimitedQueue};
///
/// struct Score(Vec<u8>);
///
/// impl Broadcast for Score {
///     fn invalidates(&self, other: &Self) -> bool {
///         self.0[0] == other.0[0] // the same player
///     }
///
///     fn message(&self) -> &[u8] {
///         &self.0
///     }
/// }
///
/// let mut queue = TransmitLimitedQueue::new(2);
/// queue.queue(Score(b"a1".to_vec()));
/// queue.queue(Score(b"b1".to_vec()));
/// queue.queue(Score(b"a2".to_vec()));
/// assert_eq!(queue.len(), 2);
///
/// // A packet with room for 5 bytes, in which each message costs 3 bytes besides its own.
/// let mut packet = Vec::new();
/// queue.get_broadcasts(3, 5, 4, |score| packet.extend_from_slice(score.message()));
/// assert_eq!(packet, b"a2");
/// ```
///
/// Source: `TransmitLimitedQueue`.
#[derive(Clone)]
pub struct TransmitLimitedQueue<B> {
    entries: Vec<Option<Entry<B>>>,
    free: Vec<u32>,
    order: BTreeSet<Key>,
    names: Index,
    /// How many entries are plain. Only these can be invalidated, and usually there are none.
    plain: usize,
    next_id: u64,
    retransmit_mult: u32,
    limit: usize,
    hash_key: [u8; 16],
    keep_finished: bool,
    finished: Vec<Finished<B>>,
    /// Entries taken by the current pull that return to the queue at its end; empty between pulls.
    taken: Vec<u32>,
}

/// How much one pull may take from a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// The most bytes of all messages together, overheads included.
    pub limit: usize,
    /// Bytes that each message takes in a packet besides its own.
    pub overhead: usize,
    /// The most messages.
    pub max_messages: usize,
}

/// How much a pull took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// The number of messages.
    pub messages: usize,
    /// Their bytes, overheads included.
    pub bytes: usize,
}

/// A broadcast that has left the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished<B> {
    /// The broadcast.
    pub broadcast: B,
    /// How often it was transmitted.
    pub transmits: u32,
    /// Why it left.
    pub cause: FinishCause,
}

/// Why a broadcast left the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinishCause {
    /// It was transmitted as often as the retransmit limit allows.
    Transmitted,
    /// A newer one replaced it.
    Replaced,
    /// The queue was full, or was pruned.
    Pruned,
    /// The queue was reset, or the broadcast was removed by name.
    Removed,
    /// It was longer than the limit of [`TransmitLimitedQueue::drop_longer`].
    TooLong,
}

/// The most entries of a queue, unless [`TransmitLimitedQueue::set_limit`] changes it.
const DEFAULT_QUEUE_LIMIT: usize = 65_536;

impl<B: Broadcast> TransmitLimitedQueue<B> {
    /// An empty queue that holds at most 65,536 entries.
    ///
    /// The hash of the names is not keyed. If peers choose the names, use
    /// [`with_hash_key`](Self::with_hash_key).
    pub fn new(retransmit_mult: u32) -> Self {
        Self::with_hash_key(retransmit_mult, [0; 16])
    }

    /// An empty queue whose names are hashed with this key. A key that peers cannot know keeps them
    /// from choosing names that collide.
    pub fn with_hash_key(retransmit_mult: u32, hash_key: [u8; 16]) -> Self {
        Self {
            entries: Vec::new(),
            free: Vec::new(),
            order: BTreeSet::new(),
            names: Index::default(),
            plain: 0,
            next_id: 0,
            retransmit_mult,
            limit: DEFAULT_QUEUE_LIMIT,
            hash_key,
            keep_finished: false,
            finished: Vec::new(),
            taken: Vec::new(),
        }
    }

    /// An empty queue for another type of broadcast, with the same multiplier and key.
    pub(crate) fn alike<C: Broadcast>(&self) -> TransmitLimitedQueue<C> {
        TransmitLimitedQueue::with_hash_key(self.retransmit_mult, self.hash_key)
    }

    /// Sets whether broadcasts that leave the queue are kept for
    /// [`drain_finished`](Self::drain_finished), which must then be called after every change: they
    /// are kept without a limit. By default they are dropped after [`Broadcast::finished`].
    pub fn set_keep_finished(&mut self, keep: bool) {
        self.keep_finished = keep;
        if !keep {
            self.finished.clear();
        }
    }

    /// Changes the multiplier of the retransmit limit, from the next pull on.
    pub fn set_retransmit_mult(&mut self, retransmit_mult: u32) {
        self.retransmit_mult = retransmit_mult;
    }

    /// Limits the number of entries: those last in the order are dropped, even one just queued.
    ///
    /// Differs from Go: its queue grows until the application prunes it.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
        self.prune(limit);
    }

    /// Queues a broadcast, and removes those that it replaces.
    pub fn queue(&mut self, broadcast: B) {
        // As Go decides by the interfaces that a message implements (`queueBroadcast`): one with a
        // name, even an empty one, is never asked whether it is unique.
        let kind = match broadcast.name() {
            Some([]) => Kind::Apart,
            Some(_) => Kind::Named,
            None if broadcast.is_unique() => Kind::Apart,
            None => Kind::Plain,
        };
        let hash = broadcast.name().map(|name| hash(&self.hash_key, name));
        if kind == Kind::Named {
            let named = broadcast.name().zip(hash);
            if let Some(slot) = named.and_then(|(name, hash)| self.find(hash, name)) {
                self.finish(slot, FinishCause::Replaced);
            }
        } else if kind == Kind::Plain || broadcast.name().is_some() {
            self.finish_invalidated(&broadcast);
        }
        // Replaced messages leave first, so that a full queue drops nothing for an update of what it
        // already holds.
        self.insert(broadcast, kind, hash);
        self.prune(self.limit);
    }

    /// Passes the messages that fit to `sink`, in order, and counts each as transmitted once more.
    /// `limit` and `overhead` are in bytes, as in [`Budget`]; `num_nodes` is the size of the cluster,
    /// for the retransmit limit.
    pub fn get_broadcasts(
        &mut self,
        overhead: usize,
        limit: usize,
        num_nodes: usize,
        sink: impl FnMut(&B),
    ) -> Taken {
        self.pull(Budget { limit, overhead, max_messages: usize::MAX }, num_nodes, sink)
    }

    /// As [`get_broadcasts`](Self::get_broadcasts), with a limit on the number of messages too.
    pub fn pull(&mut self, budget: Budget, num_nodes: usize, mut sink: impl FnMut(&B)) -> Taken {
        // From the cluster's size at this moment, as in Go: news that is queued while the cluster
        // grows is transmitted more often than it would have been at first.
        let transmit_limit = retransmit_limit(self.retransmit_mult, num_nodes);
        let mut taken = Taken::default();
        let mut tier = 0;
        while taken.messages < budget.max_messages {
            let free = budget.limit.saturating_sub(taken.bytes).saturating_sub(budget.overhead);
            // Not even an empty message is taken then, as in Go.
            if free == 0 {
                break;
            }
            let Some(key) = self.first_fitting(Bound::Included(Key::first(tier, free)), free)
            else {
                break;
            };
            let Some(entry) = self.entry_mut(key.slot) else {
                break;
            };
            // Earlier tiers need not be looked at again: nothing in them fits, and room only shrinks.
            tier = key.transmits;
            sink(&entry.broadcast);
            entry.key.transmits = key.transmits.saturating_add(1);
            // Compared after counting, so that a limit of 0 (an empty cluster, a multiplier of 0) still
            // transmits everything once.
            let done = entry.key.transmits >= transmit_limit;
            taken.messages += 1;
            taken.bytes += key.len.0 + budget.overhead;
            // An entry returns to the queue only after the pull: in the next tier it would be found
            // again, and the same packet would carry it twice.
            self.order.remove(&key);
            if done {
                self.finish(key.slot, FinishCause::Transmitted);
            } else {
                self.taken.push(key.slot);
            }
        }
        self.requeue_taken();
        self.shrink();
        taken
    }

    /// How many bytes of `limit` [`get_broadcasts`](Self::get_broadcasts) would take now.
    pub fn demand(&self, overhead: usize, limit: usize) -> usize {
        // The same walk as in `pull`. Nothing changes its place, so that each entry must be passed
        // explicitly.
        let (mut bytes, mut from) = (0, Bound::Unbounded);
        loop {
            let free = limit.saturating_sub(bytes).saturating_sub(overhead);
            let found = if free == 0 { None } else { self.first_fitting(from, free) };
            let Some(key) = found else {
                return bytes;
            };
            bytes += key.len.0 + overhead;
            from = Bound::Excluded(key);
        }
    }

    /// The queued broadcast with this name; `None` if there is none.
    pub fn get(&self, name: &[u8]) -> Option<&B> {
        let entry = self.entries[self.slot_of(name)? as usize].as_ref()?;
        Some(&entry.broadcast)
    }

    /// Removes the broadcast with this name, and returns whether there was one.
    pub fn remove(&mut self, name: &[u8]) -> bool {
        let slot = self.slot_of(name);
        if let Some(slot) = slot {
            self.finish(slot, FinishCause::Removed);
            self.shrink();
        }
        slot.is_some()
    }

    /// Drops the broadcasts that come last in the order until at most `max` are left.
    pub fn prune(&mut self, max: usize) {
        while self.order.len() > max {
            let Some(last) = self.order.last().copied() else {
                break;
            };
            self.finish(last.slot, FinishCause::Pruned);
        }
    }

    /// Drops the broadcasts that were queued first, however often they were transmitted, until at
    /// most `max` are left. Takes O(n) for each broadcast dropped.
    pub fn drop_oldest(&mut self, max: usize) {
        while self.order.len() > max {
            // The smaller number is the older one.
            let Some(oldest) = self.order.iter().max_by_key(|key| key.id).copied() else {
                break;
            };
            self.finish(oldest.slot, FinishCause::Pruned);
        }
    }

    /// Drops the broadcasts whose messages are longer than `len` bytes. Takes O(n).
    pub fn drop_longer(&mut self, len: usize) {
        let longer = self.order.iter().filter(|key| key.len.0 > len);
        let slots: Vec<u32> = longer.map(|key| key.slot).collect();
        for slot in slots {
            self.finish(slot, FinishCause::TooLong);
        }
        self.shrink();
    }

    /// Drops all broadcasts.
    pub fn reset(&mut self) {
        while let Some(first) = self.order.first().copied() {
            self.finish(first.slot, FinishCause::Removed);
        }
        self.shrink();
    }

    /// The broadcasts that have left the queue since the last call, in the order in which they
    /// left; none unless [`set_keep_finished`](Self::set_keep_finished) is on.
    pub fn drain_finished(&mut self) -> impl Iterator<Item = Finished<B>> {
        self.finished.drain(..)
    }

    /// The queued broadcasts in the order of the queue.
    pub fn iter(&self) -> impl Iterator<Item = &B> {
        let entries = self.order.iter().filter_map(|key| self.entries[key.slot as usize].as_ref());
        entries.map(|entry| &entry.broadcast)
    }

    /// How many broadcasts are queued.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether nothing is queued.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Adds an entry. `hash` is that of its name, if it has one.
    fn insert(&mut self, broadcast: B, kind: Kind, hash: Option<u64>) {
        let slot = self.free.pop().unwrap_or(self.entries.len() as u32);
        // Ids never start again from zero. Go's do whenever the queue is empty for a moment, even
        // within a pull, and it then overwrites an entry of equal length, transmits and id.
        let id = self.next_id;
        self.next_id += 1;
        let len = broadcast.message().len();
        let key = Key { transmits: 0, len: Reverse(len), id: Reverse(id), slot };
        self.order.insert(key);
        let entry = Some(Entry { broadcast, key, kind });
        if let Some(place) = self.entries.get_mut(slot as usize) {
            *place = entry;
        } else {
            self.entries.push(entry);
        }
        match (kind, hash) {
            (Kind::Named, Some(hash)) => {
                let (entries, hash_key) = (&self.entries, &self.hash_key);
                let hash_of = |slot| hash_of(hash_key, entries, slot);
                self.names.insert(hash, slot, entries.len() as u32, hash_of);
            }
            (Kind::Plain, _) => self.plain += 1,
            _ => {}
        }
    }

    fn finish_invalidated(&mut self, by: &B) {
        if self.plain == 0 {
            return;
        }
        // O(n), but only for plain messages. Membership news is named, and never gets here.
        let invalidated = |key: &Key| {
            let entry = self.entries[key.slot as usize].as_ref()?;
            let gone = entry.kind == Kind::Plain && by.invalidates(&entry.broadcast);
            gone.then_some(key.slot)
        };
        let slots: Vec<u32> = self.order.iter().filter_map(invalidated).collect();
        for slot in slots {
            self.finish(slot, FinishCause::Replaced);
        }
    }

    /// Removes an entry from everything that refers to it.
    fn finish(&mut self, slot: u32, cause: FinishCause) {
        if let Some(name) = name_of(&self.entries, slot) {
            let hash = hash(&self.hash_key, name);
            self.names.remove(hash, slot);
        }
        let Some(mut entry) = self.entries[slot as usize].take() else {
            return;
        };
        self.order.remove(&entry.key);
        self.free.push(slot);
        self.plain -= usize::from(entry.kind == Kind::Plain);
        // Last, when the queue is consistent again: the application's code may panic.
        entry.broadcast.finished();
        if self.keep_finished {
            let transmits = entry.key.transmits;
            self.finished.push(Finished { broadcast: entry.broadcast, transmits, cause });
        }
    }

    /// The first entry in the order that has at most `free` bytes and is not before `from`.
    fn first_fitting(&self, mut from: Bound<Key>, free: usize) -> Option<Key> {
        loop {
            let found = *self.order.range((from, Bound::Unbounded)).next()?;
            if found.len.0 <= free {
                return Some(found);
            }
            // Within its number of transmits, skip everything longer than `free` at once: otherwise a
            // queue full of long messages would cost O(n) for every packet.
            from = Bound::Included(Key::first(found.transmits, free));
        }
    }

    fn requeue_taken(&mut self) {
        for slot in self.taken.drain(..) {
            if let Some(entry) = &self.entries[slot as usize] {
                self.order.insert(entry.key);
            }
        }
    }

    fn entry_mut(&mut self, slot: u32) -> Option<&mut Entry<B>> {
        self.entries.get_mut(slot as usize)?.as_mut()
    }

    fn slot_of(&self, name: &[u8]) -> Option<u32> {
        self.find(hash(&self.hash_key, name), name)
    }

    fn find(&self, hash: u64, name: &[u8]) -> Option<u32> {
        let same = |slot| name_of(&self.entries, slot) == Some(name);
        self.names.find(hash, same)
    }
}

impl<B: fmt::Debug> fmt::Debug for TransmitLimitedQueue<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = self.order.iter().filter_map(|key| self.entries[key.slot as usize].as_ref());
        f.debug_list().entries(entries).finish()
    }
}

/// How often a message is gossiped in a cluster of `n` nodes: `mult` times the number of decimal
/// digits of `n`, or 0 if `n` is 0. An epidemic reaches every member in a number of rounds that
/// grows with the logarithm of the cluster's size.
///
/// Source: `retransmitLimit`. Saturates at `u32::MAX`.
pub(crate) fn retransmit_limit(mult: u32, n: usize) -> u32 {
    // Go computes the ceiling of log10(n + 1) in floating point, which is the number of digits.
    let digits = n.checked_ilog10().map_or(0, |log| log + 1);
    mult.saturating_mul(digits)
}

#[cfg(test)]
mod tests;
