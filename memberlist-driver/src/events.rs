//! Events on their way to a reader that may be slow.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use memberlist_proto::{BroadcastEnd, Departure, Event, Node, NodeName};

use crate::shared::Shared;
use crate::state::Last;

/// What happens to a node, in order, for one reader. It is a `Stream`, too.
///
/// It ends when the node has ended and every event was read. A slow reader never holds up the node or
/// other readers, and never makes the node hold more than [`EventBounds`] allow. Dropping this value
/// drops what waits, and nothing is kept for it from then on.
///
/// The first reader comes with the node; [`Handle::subscribe`](crate::Handle::subscribe) adds others.
pub struct Events {
    shared: Arc<Shared>,
    reader: u64,
}

impl Events {
    /// The reader that a node begins with.
    pub(crate) fn first(shared: Arc<Shared>) -> Self {
        Self::new(shared, 0)
    }

    pub(crate) fn new(shared: Arc<Shared>, reader: u64) -> Self {
        Self { shared, reader }
    }

    /// The next event; `None` when the node has ended and every event was read. Dropping the future
    /// loses nothing.
    pub async fn next(&mut self) -> Option<Event> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    /// As [`next`](Self::next), for callers that poll.
    pub fn poll_next(&mut self, cx: &Context<'_>) -> Poll<Option<Event>> {
        self.shared.poll_event(cx, self.reader)
    }
}

impl futures_core::Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        Self::poll_next(&mut self, cx)
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.shared.surely(Last::Unread(self.reader));
    }
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}

/// How much may wait for a reader of [`Events`].
///
/// Each of three kinds of events has a share of `count`, so that none can push out another, and one
/// event for what is beyond it:
///
/// | kind | beyond its share |
/// |---|---|
/// | what happens to members | a node that has an event waiting is reported once, as [`Event::Coalesced`], in that event's place; the others are counted in one [`Event::MembershipOverflow`], after which the reader looks at `members()` |
/// | ends of broadcasts | counted by how they ended in one [`Event::BroadcastsFinished`] |
/// | all others: messages, remote states, round trips, refusals, failed exchanges | dropped, and counted in one [`Event::Overflow`] |
///
/// So a reader that has read everything, and looks at `members()` at each
/// [`Event::MembershipOverflow`], has a true view of the membership, however slow it was. Of
/// [`Event::Health`] only the newest waits. At most 3 × `count` + 4 events wait in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventBounds {
    /// Events of each kind, at least 1.
    pub count: usize,
    /// Bytes of all messages, remote states and ack payloads among them.
    pub bytes: usize,
}

impl EventBounds {
    /// So many events of each kind, and so many bytes.
    pub const fn new(count: usize, bytes: usize) -> Self {
        Self { count, bytes }
    }
}

impl Default for EventBounds {
    /// 8,192 events of each kind, 32 MiB.
    fn default() -> Self {
        Self { count: 8192, bytes: 32 << 20 }
    }
}

/// A queue of events that neither grows without bound nor lies: a slow reader's last event about
/// every node is true. [`Events`] reads from one; this is for programs that drive a node themselves,
/// and for tests of slow readers.
#[derive(Debug)]
pub struct EventBuffer {
    bounds: EventBounds,
    /// Entries by number; a number is never used again.
    entries: VecDeque<(u64, Event)>,
    next: u64,
    /// Entries of each kind that has a share, and the bytes of the last.
    members: usize,
    broadcasts: usize,
    others: usize,
    bytes: usize,
    /// The newest entry about each node's membership, and the conflict about its name.
    newest: BTreeMap<NodeName, u64>,
    conflicts: BTreeMap<NodeName, u64>,
    /// The one entry about the health score, and of each summary, until it is read.
    health: Option<u64>,
    overflow: Option<u64>,
    membership: Option<u64>,
    finished: Option<u64>,
}

impl EventBuffer {
    /// An empty queue.
    pub fn new(bounds: EventBounds) -> Self {
        Self {
            bounds,
            entries: VecDeque::new(),
            next: 0,
            members: 0,
            broadcasts: 0,
            others: 0,
            bytes: 0,
            newest: BTreeMap::new(),
            conflicts: BTreeMap::new(),
            health: None,
            overflow: None,
            membership: None,
            finished: None,
        }
    }

    /// Takes in what the node has emitted, in that order.
    pub fn push(&mut self, event: Event) {
        match kind(&event) {
            Kind::Membership(node, departure) => {
                let (node, departure) = (node.clone(), departure.cloned());
                self.push_membership(node, departure, event);
            }
            Kind::Conflict(name) => self.push_conflict(name, event),
            Kind::Broadcast(end) if self.broadcasts >= self.share() => self.count_finished(end),
            Kind::Broadcast(_) => {
                self.broadcasts += 1;
                self.put(event);
            }
            // Only the newest score matters.
            Kind::Health => match self.health.and_then(|number| self.entry(number)) {
                Some(waiting) => *waiting = event,
                None => self.health = Some(self.put(event)),
            },
            Kind::Other(bytes) => {
                let full = self.others >= self.share();
                if full || self.bytes.saturating_add(bytes) > self.bounds.bytes {
                    self.count_dropped();
                } else {
                    self.others += 1;
                    self.bytes += bytes;
                    self.put(event);
                }
            }
            Kind::Summary => {
                self.put(event);
            }
        }
    }

    /// The oldest event that waits.
    pub fn pop(&mut self) -> Option<Event> {
        let (number, event) = self.entries.pop_front()?;
        match kind(&event) {
            Kind::Membership(node, _) => {
                self.members -= 1;
                forget(&mut self.newest, &node.name().into(), number);
            }
            Kind::Conflict(name) => {
                self.members -= 1;
                forget(&mut self.conflicts, &name, number);
            }
            Kind::Broadcast(_) => self.broadcasts -= 1,
            Kind::Other(bytes) => {
                self.others -= 1;
                self.bytes -= bytes;
            }
            Kind::Health | Kind::Summary => {
                for one in
                    [&mut self.health, &mut self.overflow, &mut self.membership, &mut self.finished]
                {
                    *one = one.filter(|waiting| *waiting != number);
                }
            }
        }
        Some(event)
    }

    /// Events that wait.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes of the messages, remote states and ack payloads that wait.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn share(&self) -> usize {
        self.bounds.count.max(1)
    }

    /// Beyond its share, joins what waits about the node with what is new into how it stands.
    fn push_membership(&mut self, node: Node, departure: Option<Departure>, event: Event) {
        let name: NodeName = node.name().into();
        if self.members < self.share() {
            self.members += 1;
            let number = self.put(event);
            self.newest.insert(name, number);
            return;
        }
        let waiting = self.newest.get(&name).copied();
        let Some(entry) = waiting.and_then(|number| self.entry(number)) else {
            self.count_changed();
            return;
        };
        let (events, unread) = match entry {
            Event::Coalesced { events, departure, .. } => (*events, departure.take()),
            Event::Departed { reason, .. } => (1, Some(reason.clone())),
            _ => (1, None),
        };
        let departure = unread.or(departure);
        *entry = Event::Coalesced { node, events: events + 1, departure };
    }

    /// Beyond its share, takes the place of what waits about the same name.
    fn push_conflict(&mut self, name: NodeName, event: Event) {
        if self.members < self.share() {
            self.members += 1;
            let number = self.put(event);
            self.conflicts.insert(name, number);
            return;
        }
        let waiting = self.conflicts.get(&name).copied();
        match waiting.and_then(|number| self.entry(number)) {
            Some(entry) => *entry = event,
            None => self.count_changed(),
        }
    }

    /// One more event about a member is missing. Wherever the summary stands, the reader that gets
    /// to it sees what has changed until then.
    fn count_changed(&mut self) {
        let waiting = self.membership.and_then(|number| self.entry(number));
        if let Some(Event::MembershipOverflow { events }) = waiting {
            *events += 1;
        } else {
            self.membership = Some(self.put(Event::MembershipOverflow { events: 1 }));
        }
    }

    /// One more broadcast has ended.
    fn count_finished(&mut self, end: BroadcastEnd) {
        if self.finished.and_then(|number| self.entry(number)).is_none() {
            let none = Event::BroadcastsFinished { sent: 0, replaced: 0, dropped: 0, streamed: 0 };
            self.finished = Some(self.put(none));
        }
        let waiting = self.finished.and_then(|number| self.entry(number));
        if let Some(Event::BroadcastsFinished { sent, replaced, dropped, streamed }) = waiting {
            *match end {
                BroadcastEnd::Sent => sent,
                BroadcastEnd::Replaced => replaced,
                BroadcastEnd::Dropped | BroadcastEnd::TooLong => dropped,
                BroadcastEnd::Streamed { .. } => streamed,
            } += 1;
        }
    }

    /// One more is missing, at the place where its summary stands.
    fn count_dropped(&mut self) {
        let waiting = self.overflow.and_then(|number| self.entry(number));
        if let Some(Event::Overflow { dropped }) = waiting {
            *dropped += 1;
        } else {
            self.overflow = Some(self.put(Event::Overflow { dropped: 1 }));
        }
    }

    /// Puts an event at the end; the number of its place.
    fn put(&mut self, event: Event) -> u64 {
        let number = self.next;
        self.next += 1;
        self.entries.push_back((number, event));
        number
    }

    fn entry(&mut self, number: u64) -> Option<&mut Event> {
        let index = self.entries.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        self.entries.get_mut(index).map(|(_, event)| event)
    }
}

/// How an event is treated when too many wait.
enum Kind<'a> {
    Membership(&'a Node, Option<&'a Departure>),
    Conflict(NodeName),
    Broadcast(BroadcastEnd),
    /// One waits at a time.
    Health,
    /// One of each waits at a time.
    Summary,
    /// Messages and the like, with their bytes.
    Other(usize),
}

fn kind(event: &Event) -> Kind<'_> {
    match event {
        Event::Departed { node, reason, .. } => Kind::Membership(node, Some(reason)),
        Event::Joined { node }
        | Event::Updated { node, .. }
        | Event::Suspected { node, .. }
        | Event::Refuted { node, .. }
        | Event::HadLeft { node, .. }
        | Event::Coalesced { node, .. } => Kind::Membership(node, None),
        Event::Conflict { existing, .. } => Kind::Conflict(existing.name().into()),
        Event::BroadcastFinished { end, .. } => Kind::Broadcast(*end),
        Event::Health { .. } => Kind::Health,
        Event::Overflow { .. }
        | Event::MembershipOverflow { .. }
        | Event::BroadcastsFinished { .. } => Kind::Summary,
        Event::Message { payload, .. } | Event::Pinged { payload, .. } => {
            Kind::Other(payload.len())
        }
        Event::RemoteState { state, .. } => Kind::Other(state.len()),
        _ => Kind::Other(0),
    }
}

fn forget(newest: &mut BTreeMap<NodeName, u64>, name: &NodeName, number: u64) {
    if newest.get(name) == Some(&number) {
        newest.remove(name);
    }
}

#[cfg(test)]
mod tests;
