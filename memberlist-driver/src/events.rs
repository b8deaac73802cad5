//! Events on their way to a reader that may be slow.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use memberlist_proto::{BroadcastEnd, Departure, Event, Node, NodeName};

use crate::shared::Shared;
use crate::state::Last;

/// A reader of everything that a node reports, in order; also a `Stream` of [`Event`]s.
///
/// It ends when the node has ended and every event has been read. A slow reader never delays the
/// node or other readers, and never makes the node hold more than [`EventBounds`] allows. Dropping
/// a reader drops the events that wait for it; no more are kept for it from then on.
///
/// Starting a node returns its first reader; [`Handle::subscribe`](crate::Handle::subscribe) adds
/// others.
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

    /// Waits for the next event; `None` when the node has ended and every event has been read.
    /// Dropping the future loses no event.
    pub async fn next(&mut self) -> Option<Event> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    /// Polls for the next event, as [`next`](Self::next) does. Only the waker of the latest call is
    /// woken.
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

/// How many events, and bytes of them, may wait for one reader ([`Events`]).
///
/// `count` applies to each of three kinds of events separately, so that no kind displaces another.
/// Events beyond it are summarized:
///
/// | kind | beyond `count` |
/// |---|---|
/// | changes of members | if an event about the node is waiting, [`Event::Coalesced`] takes its place and stands for both; otherwise the event is counted in one [`Event::MembershipOverflow`], after which the reader must look at [`members`](crate::Handle::members) |
/// | ends of broadcasts | counted in one [`Event::BroadcastsFinished`], by how they ended |
/// | all others: messages, remote states, round trips, refusals, failed exchanges | dropped, and counted in one [`Event::Overflow`]; so are those beyond `bytes` |
///
/// A reader that has read everything, and has looked at [`members`](crate::Handle::members) at each
/// [`Event::MembershipOverflow`], therefore has a true view of the membership, however slow it was.
/// Of [`Event::Health`], only the newest waits. At most 3 × `count` + 4 events wait in total.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventBounds {
    /// The maximum number of events of each kind; 0 counts as 1.
    pub count: usize,
    /// The maximum number of bytes in all messages, remote states and ack payloads that wait.
    pub bytes: usize,
}

impl EventBounds {
    /// Bounds of `count` events of each kind, and of `bytes` in total.
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

/// A bounded queue of events, in which the last event about every node is true even if its reader
/// is slow. [`Events`] reads from such a queue; this type is for programs that drive the core
/// themselves, and for tests of slow readers.
#[derive(Debug)]
pub struct EventBuffer {
    bounds: EventBounds,
    /// The entries with their numbers; a number is never reused.
    entries: VecDeque<(u64, Event)>,
    next: u64,
    /// The number of entries of each kind that has a bound of its own, and the bytes of the last
    /// kind.
    members: usize,
    broadcasts: usize,
    others: usize,
    bytes: usize,
    /// The newest entry about each node's membership, and the conflict about its name.
    newest: BTreeMap<NodeName, u64>,
    conflicts: BTreeMap<NodeName, u64>,
    /// The one entry about the health score, and the one of each summary, until it is read.
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

    /// Adds an event. Events must be added in the order in which the node emits them.
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

    /// Takes the oldest event that waits; `None` if none does.
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

    /// The number of events that wait.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no event waits.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The bytes of the messages, remote states and ack payloads that wait.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn share(&self) -> usize {
        self.bounds.count.max(1)
    }

    /// If its kind is at the bound, merges the event with the newest one about the same node.
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

    /// If its kind is at the bound, replaces the conflict that waits about the same name.
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

    /// Counts an event about a member that is missing. The summary may stay where it is: the reader
    /// that reaches it looks at the members, and so sees all that has changed until then.
    fn count_changed(&mut self) {
        let waiting = self.membership.and_then(|number| self.entry(number));
        if let Some(Event::MembershipOverflow { events }) = waiting {
            *events += 1;
        } else {
            self.membership = Some(self.put(Event::MembershipOverflow { events: 1 }));
        }
    }

    /// Counts one more broadcast that has ended.
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

    /// Counts an event that is dropped, in the summary where it already stands.
    fn count_dropped(&mut self) {
        let waiting = self.overflow.and_then(|number| self.entry(number));
        if let Some(Event::Overflow { dropped }) = waiting {
            *dropped += 1;
        } else {
            self.overflow = Some(self.put(Event::Overflow { dropped: 1 }));
        }
    }

    /// Adds an event at the end; returns its number.
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
