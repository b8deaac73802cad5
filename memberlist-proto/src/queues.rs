//! The queues of what this node gossips: membership news, the application's broadcasts, and
//! messages of a delegate that did not fit into a packet.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::broadcast::{Broadcast, FinishCause, TransmitLimitedQueue};
use crate::config::Config;
use crate::event::{BroadcastEnd, BroadcastId, OpId, WaitError};
use crate::node::NodeName;
use crate::wire::compound::PER_PART as PART_OVERHEAD;
use crate::wire::message::{Message, MessageType};

/// How a user broadcast relates to those already queued.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum BroadcastKind {
    /// Replaces a queued plain broadcast of the same content and priority.
    Plain,
    /// Replaces nothing and is replaced by nothing.
    Unique,
    /// Replaces the queued broadcast of the same non-empty name and priority.
    Named(Bytes),
}

/// Which user broadcasts go into a packet first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Priority {
    /// Before all others.
    High,
    /// As usual.
    #[default]
    Normal,
    /// After all others.
    Low,
}

/// The most delegate messages held back for a later packet.
const HELD: usize = 256;

/// All queues of messages to gossip.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Queues {
    membership: TransmitLimitedQueue<News>,
    /// The user broadcasts by priority. Many nodes never have one.
    user: Option<Box<[TransmitLimitedQueue<UserMessage>; 3]>>,
    /// The most entries in each of the user queues.
    user_limit: usize,
    /// The longest message that gossip can carry, in bytes with its type byte.
    longest: usize,
    /// How many items of membership news were longer than that so far.
    too_long: u64,
    held: VecDeque<Bytes>,
    last: u64,
    /// Empty between two inputs.
    #[cfg_attr(feature = "serde", serde(skip))]
    finished: VecDeque<Finished>,
    /// The buffer in which messages are encoded first, to learn their length.
    #[cfg_attr(feature = "serde", serde(skip))]
    encoded: Vec<u8>,
    /// The memory of the news that left the queue last, which is reused for the next news.
    #[cfg_attr(feature = "serde", serde(skip))]
    spare: Vec<u8>,
}

/// A message that has left a queue, and that something waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finished {
    Wait(OpId, Result<(), WaitError>),
    User(BroadcastId, BroadcastEnd),
}

/// Membership news, queued under the name of its subject.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct News {
    key: NodeName,
    message: Vec<u8>,
    waiter: Option<OpId>,
}

#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct UserMessage {
    id: BroadcastId,
    kind: BroadcastKind,
    message: Bytes,
}

impl Queues {
    pub(crate) fn new(config: &Config, hash_key: [u8; 16]) -> Self {
        let mult = config.retransmit_mult;
        let mut membership = TransmitLimitedQueue::with_hash_key(mult, hash_key);
        membership.set_keep_finished(true);
        // There is one entry for each name, and the names are bounded by the table of members.
        membership.set_limit(config.limits.members.saturating_add(1));
        Self {
            membership,
            user: None,
            user_limit: config.limits.user_broadcasts,
            longest: usize::MAX,
            too_long: 0,
            held: VecDeque::new(),
            last: 0,
            finished: VecDeque::new(),
            encoded: Vec::new(),
            spare: Vec::new(),
        }
    }

    pub(crate) fn set_retransmit_mult(&mut self, mult: u32) {
        self.membership.set_retransmit_mult(mult);
        for queue in self.user_mut() {
            queue.set_retransmit_mult(mult);
        }
    }

    /// Sets the longest message that gossip can carry, in bytes. Queued messages that are longer
    /// are dropped. Returns how many messages of a delegate were among those.
    pub(crate) fn set_longest(&mut self, longest: usize) -> u64 {
        self.longest = longest;
        self.membership.drop_longer(longest);
        for queue in self.user_mut() {
            queue.drop_longer(longest);
        }
        let held = self.held.len();
        // These messages do not include their type byte.
        self.held.retain(|message| message.len() < longest);
        self.collect();
        (held - self.held.len()) as u64
    }

    /// Queues membership news. News that no packet can carry only ends what it replaces.
    ///
    /// Differs from Go: in Go such news stays queued forever.
    pub(crate) fn push_membership(
        &mut self,
        key: NodeName,
        message: &Message<'_>,
        waiter: Option<OpId>,
    ) {
        self.encoded.clear();
        message.encode(&mut self.encoded);
        let mut message = core::mem::take(&mut self.spare);
        message.clear();
        message.reserve_exact(self.encoded.len());
        message.extend_from_slice(&self.encoded);
        let too_long = (message.len() > self.longest).then(|| key.clone());
        self.membership.queue(News { key, message, waiter });
        if let Some(key) = too_long {
            self.membership.remove(key.as_bytes());
        }
        self.collect();
    }

    /// Drops the queued news about a name, which is no longer known.
    pub(crate) fn forget(&mut self, name: &[u8]) {
        self.membership.remove(name);
        self.collect();
    }

    /// The id for one more broadcast.
    pub(crate) fn next_id(&mut self) -> BroadcastId {
        self.last += 1;
        BroadcastId(self.last)
    }

    pub(crate) fn push_user(
        &mut self,
        payload: &[u8],
        kind: BroadcastKind,
        priority: Priority,
    ) -> BroadcastId {
        let id = self.next_id();
        let mut message = Vec::with_capacity(payload.len() + 1);
        message.push(MessageType::User as u8);
        message.extend_from_slice(payload);
        let alike = &self.membership;
        let user = self.user.get_or_insert_with(|| {
            Box::new([(); 3].map(|()| {
                let mut queue = alike.alike();
                queue.set_keep_finished(true);
                // Below, the oldest makes room instead of the last in the order.
                queue.set_limit(usize::MAX);
                queue
            }))
        });
        let queue = &mut user[priority as usize];
        queue.queue(UserMessage { id, kind, message: message.into() });
        queue.drop_oldest(self.user_limit);
        self.collect();
        id
    }

    /// Passes membership news of at most `limit` bytes to `sink`. Returns the bytes used.
    pub(crate) fn fill_membership(
        &mut self,
        limit: usize,
        members: usize,
        mut sink: impl FnMut(&[u8]),
    ) -> usize {
        if self.membership.is_empty() {
            return 0;
        }
        let taken = self
            .membership
            .get_broadcasts(PART_OVERHEAD, limit, members, |news| sink(&news.message));
        self.collect();
        taken.bytes
    }

    /// Passes user messages of at most `limit` bytes to `sink`. Returns the bytes used.
    pub(crate) fn fill_user(
        &mut self,
        limit: usize,
        members: usize,
        mut sink: impl FnMut(&[u8]),
    ) -> usize {
        let mut used = 0;
        for queue in self.user_mut() {
            if queue.is_empty() {
                continue;
            }
            let taken = queue.get_broadcasts(PART_OVERHEAD, limit - used, members, |message| {
                sink(&message.message);
            });
            used += taken.bytes;
        }
        self.collect();
        used
    }

    /// How many of `limit` bytes the user messages that are queued now would use.
    pub(crate) fn user_demand(&self, limit: usize) -> usize {
        let mut used = 0;
        for queue in self.user() {
            used += queue.demand(PART_OVERHEAD, limit - used);
        }
        used
    }

    /// Keeps a delegate's message for a later packet. Returns whether there was room.
    pub(crate) fn hold(&mut self, message: Bytes) -> bool {
        let room = self.held.len() < HELD;
        if room {
            self.held.push_back(message);
        }
        room
    }

    /// Takes the next message held back, if it is at most `limit` bytes long.
    pub(crate) fn take_held(&mut self, limit: usize) -> Option<Bytes> {
        if self.held.front()?.len() <= limit { self.held.pop_front() } else { None }
    }

    pub(crate) fn next_finished(&mut self) -> Option<Finished> {
        self.finished.pop_front()
    }

    /// The highest number given to anything so far.
    #[cfg(feature = "checkpoint")]
    pub(crate) fn last_ids(&self) -> u64 {
        let queued = self.user().iter().map(TransmitLimitedQueue::last_id);
        queued.chain([self.last, self.membership.last_id(), self.too_long]).max().unwrap_or(0)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.membership.is_empty()
            && self.held.is_empty()
            && self.user().iter().all(TransmitLimitedQueue::is_empty)
    }

    pub(crate) fn membership_len(&self) -> usize {
        self.membership.len()
    }

    /// How many items of membership news no packet could carry so far.
    pub(crate) fn too_long(&self) -> u64 {
        self.too_long
    }

    pub(crate) fn user_len(&self) -> usize {
        self.user().iter().map(TransmitLimitedQueue::len).sum()
    }

    pub(crate) fn held_len(&self) -> usize {
        self.held.len()
    }

    fn user(&self) -> &[TransmitLimitedQueue<UserMessage>] {
        self.user.as_ref().map_or(&[], |all| &all[..])
    }

    fn user_mut(&mut self) -> &mut [TransmitLimitedQueue<UserMessage>] {
        self.user.as_mut().map_or(&mut [], |all| &mut all[..])
    }

    fn collect(&mut self) {
        for it in self.membership.drain_finished() {
            let end = match it.cause {
                FinishCause::Transmitted | FinishCause::Replaced | FinishCause::Pruned => Ok(()),
                // Its name was forgotten, unless no packet could carry it from the start.
                FinishCause::Removed if it.broadcast.message.len() <= self.longest => Ok(()),
                FinishCause::Removed | FinishCause::TooLong => Err(WaitError::TooLong),
            };
            self.too_long += u64::from(end.is_err());
            self.finished.extend(it.broadcast.waiter.map(|op| Finished::Wait(op, end)));
            self.spare = it.broadcast.message;
        }
        for queue in self.user.iter_mut().flat_map(|all| all.iter_mut()) {
            for it in queue.drain_finished() {
                let end = match it.cause {
                    FinishCause::Transmitted => BroadcastEnd::Sent,
                    FinishCause::Replaced => BroadcastEnd::Replaced,
                    FinishCause::Pruned | FinishCause::Removed => BroadcastEnd::Dropped,
                    FinishCause::TooLong => BroadcastEnd::TooLong,
                };
                self.finished.push_back(Finished::User(it.broadcast.id, end));
            }
        }
    }
}

impl Broadcast for News {
    fn invalidates(&self, other: &Self) -> bool {
        self.key == other.key
    }

    fn message(&self) -> &[u8] {
        &self.message
    }

    fn name(&self) -> Option<&[u8]> {
        Some(self.key.as_bytes())
    }
}

impl Broadcast for UserMessage {
    fn invalidates(&self, other: &Self) -> bool {
        self.message == other.message
    }

    fn message(&self) -> &[u8] {
        &self.message
    }

    fn name(&self) -> Option<&[u8]> {
        match &self.kind {
            BroadcastKind::Named(name) => Some(name),
            BroadcastKind::Plain | BroadcastKind::Unique => None,
        }
    }

    fn is_unique(&self) -> bool {
        self.kind == BroadcastKind::Unique
    }
}
