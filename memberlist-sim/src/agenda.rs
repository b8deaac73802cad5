//! The virtual time, and everything that is scheduled to happen.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use memberlist_proto::{Instant, LookupId};

use crate::seat::NodeId;
use crate::streams::Arrival;

/// Something that happens to a node.
#[derive(Clone, Debug)]
pub(crate) enum What {
    Packet {
        from: SocketAddr,
        payload: Bytes,
        /// Whether it arrives exactly as a node sent it.
        honest: bool,
    },
    Wake,
    Lookup {
        id: LookupId,
        found: Vec<IpAddr>,
    },
    Stream(Arrival),
    /// It is the turn of the input that has waited longest for a slow node; the node's seat holds
    /// it.
    Turn,
}

impl What {
    /// The bytes that it occupies in a socket's receive buffer.
    pub(crate) fn bytes(&self) -> usize {
        if let Self::Packet { payload, .. } = self { payload.len() } else { 0 }
    }
}

/// Which life of a node something is meant for: `None` for any, as for a datagram.
pub(crate) type Life = Option<u64>;

/// Everything that is scheduled, earliest first; what is scheduled for the same time happens in the
/// order in which it was scheduled. The heap holds only times and places, because it moves its
/// elements often; what happens stays at its place.
pub(crate) struct Agenda {
    now: Instant,
    due: BinaryHeap<Reverse<Due>>,
    places: Vec<Option<(NodeId, Life, What)>>,
    free: Vec<u32>,
    sequence: u64,
}

/// When something is due, its number in the order of scheduling, and its place.
type Due = (Instant, u64, u32);

impl Agenda {
    /// An empty agenda at the beginning of time.
    pub(crate) fn new() -> Self {
        Self {
            now: Instant::from_nanos(1_000_000_000),
            due: BinaryHeap::new(),
            places: Vec::new(),
            free: Vec::new(),
            sequence: 0,
        }
    }

    pub(crate) fn now(&self) -> Instant {
        self.now
    }

    pub(crate) fn at(&mut self, at: Instant, to: NodeId, life: Life, what: What) {
        self.sequence += 1;
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(None);
            (self.places.len() - 1) as u32
        });
        self.places[place as usize] = Some((to, life, what));
        self.due.push(Reverse((at, self.sequence, place)));
    }

    pub(crate) fn after(&mut self, wait: Duration, to: NodeId, life: Life, what: What) {
        self.at(self.now + wait, to, life, what);
    }

    /// Lets time pass until the next thing happens, and returns it; `None` if nothing is scheduled
    /// up to `end`, which is then the time.
    pub(crate) fn next(&mut self, end: Instant) -> Option<(NodeId, Life, What)> {
        if self.due.peek().is_none_or(|next| next.0.0 > end) {
            self.now = end;
            return None;
        }
        let Reverse((at, _, place)) = self.due.pop()?;
        self.now = self.now.max(at);
        self.free.push(place);
        self.places[place as usize].take()
    }
}

#[cfg(test)]
mod tests;
