//! Events on their way to a reader that may be slow.

use std::collections::{BTreeMap, VecDeque};

use memberlist_proto::{Departure, Event};
use memberlist_proto::{Node, NodeName};

/// How many events wait for their reader, and of how many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventBounds {
    /// Events, at least 1. Beyond it each node keeps one entry that tells how it stands, and
    /// messages, remote states and round trips are dropped, which is told by
    /// [`Event::Overflow`].
    pub count: usize,
    /// Bytes of the messages and remote states among them.
    pub bytes: usize,
}

impl Default for EventBounds {
    /// 8,192 events, 32 MiB.
    fn default() -> Self {
        Self { count: 8192, bytes: 32 << 20 }
    }
}

/// A queue of events that neither grows without bound nor lies: a slow reader's last word about
/// every node is true, and nobody else waits for it.
#[derive(Debug)]
pub(super) struct EventBuffer {
    bounds: EventBounds,
    /// Nobody reads any more.
    closed: bool,
    /// Entries by number; a number is never used again.
    entries: VecDeque<(u64, Event)>,
    next: u64,
    bytes: usize,
    /// The newest entry about each node's membership, and the conflict about its name.
    newest: BTreeMap<NodeName, u64>,
    conflicts: BTreeMap<NodeName, u64>,
    health: Option<u64>,
    /// The notice of what has been dropped, until it is read.
    overflow: Option<u64>,
}

impl EventBuffer {
    pub(super) fn new(bounds: EventBounds) -> Self {
        Self {
            bounds,
            closed: false,
            entries: VecDeque::new(),
            next: 0,
            bytes: 0,
            newest: BTreeMap::new(),
            conflicts: BTreeMap::new(),
            health: None,
            overflow: None,
        }
    }

    pub(super) fn push(&mut self, event: Event) {
        if self.closed {
            return;
        }
        let full = self.entries.len() >= self.bounds.count.max(1);
        match kind(&event) {
            Kind::Membership(node, departure) => {
                let (node, departure) = (node.clone(), departure.cloned());
                self.push_membership(full, node, departure, event);
            }
            Kind::Conflict(name) => {
                let replaced = self.conflicts.get(&name).copied().filter(|_| full);
                let number = self.put(replaced, event);
                self.conflicts.insert(name, number);
            }
            Kind::Health => {
                let replaced = self.health.filter(|_| full);
                self.health = Some(self.put(replaced, event));
            }
            Kind::Kept => {
                self.put(None, event);
            }
            Kind::Droppable(bytes) => {
                if full || self.bytes.saturating_add(bytes) > self.bounds.bytes {
                    self.count_dropped();
                } else {
                    self.bytes += bytes;
                    self.put(None, event);
                }
            }
        }
    }

    pub(super) fn pop(&mut self) -> Option<Event> {
        let (number, event) = self.entries.pop_front()?;
        match kind(&event) {
            Kind::Membership(node, _) => forget(&mut self.newest, &node.name().into(), number),
            Kind::Conflict(name) => forget(&mut self.conflicts, &name, number),
            Kind::Health => self.health = self.health.filter(|newest| *newest != number),
            Kind::Droppable(bytes) => self.bytes -= bytes,
            Kind::Kept => self.overflow = self.overflow.filter(|notice| *notice != number),
        }
        Some(event)
    }

    /// Drops everything that waits, and whatever is still to come.
    pub(super) fn close(&mut self) {
        *self = Self { closed: true, ..Self::new(self.bounds) };
    }

    /// One more is missing, at the place where its notice stands.
    fn count_dropped(&mut self) {
        let notice = self.overflow.and_then(|number| self.entry(number));
        if let Some(Event::Overflow { dropped }) = notice {
            *dropped += 1;
        } else {
            self.overflow = Some(self.put(None, Event::Overflow { dropped: 1 }));
        }
    }

    /// Beyond the bound, joins what waits about the node with what is new into how it stands.
    fn push_membership(
        &mut self,
        full: bool,
        node: Node,
        departure: Option<Departure>,
        event: Event,
    ) {
        let name: NodeName = node.name().into();
        let waiting = self.newest.get(&name).copied().filter(|_| full);
        let number = match waiting.and_then(|number| self.entry(number)) {
            Some(entry) => {
                let (events, unseen) = match entry {
                    Event::Coalesced { events, departure, .. } => (*events, departure.take()),
                    Event::Departed { reason, .. } => (1, Some(reason.clone())),
                    _ => (1, None),
                };
                let departure = unseen.or(departure);
                *entry = Event::Coalesced { node, events: events + 1, departure };
                return;
            }
            None => self.put(None, event),
        };
        self.newest.insert(name, number);
    }

    /// Puts an event in the place of another, or at the end; the number of its place.
    fn put(&mut self, place: Option<u64>, event: Event) -> u64 {
        if let Some(number) = place
            && let Some(entry) = self.entry(number)
        {
            *entry = event;
            return number;
        }
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
    Health,
    /// Bounded by what the application itself began.
    Kept,
    Droppable(usize),
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
        Event::Health { .. } => Kind::Health,
        Event::Finished { .. } | Event::BroadcastFinished { .. } | Event::Overflow { .. } => {
            Kind::Kept
        }
        Event::Message { payload, .. } | Event::Pinged { payload, .. } => {
            Kind::Droppable(payload.len())
        }
        Event::RemoteState { state, .. } => Kind::Droppable(state.len()),
        _ => Kind::Droppable(0),
    }
}

fn forget(newest: &mut BTreeMap<NodeName, u64>, name: &NodeName, number: u64) {
    if newest.get(name) == Some(&number) {
        newest.remove(name);
    }
}

#[cfg(test)]
mod tests;
