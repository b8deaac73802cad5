//! The time, and what is going to happen when.

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
        /// Whether it arrives as a node has sent it.
        honest: bool,
    },
    Wake,
    Lookup {
        id: LookupId,
        found: Vec<IpAddr>,
    },
    Stream(Arrival),
    /// The turn of something that has waited for a slow node.
    Turn(Box<What>),
}

impl What {
    /// What it takes of a socket's buffer.
    pub(crate) fn bytes(&self) -> usize {
        if let Self::Packet { payload, .. } = self { payload.len() } else { 0 }
    }
}

/// Which life of a node something is meant for: `None` for any, as a datagram is.
pub(crate) type Life = Option<u64>;

/// What is due, the earliest first, and in the order of its scheduling where the time is the same.
pub(crate) struct Agenda {
    now: Instant,
    due: BinaryHeap<Reverse<Due>>,
    sequence: u64,
}

impl Agenda {
    /// An empty agenda at the beginning of time.
    pub(crate) fn new() -> Self {
        Self { now: Instant::from_nanos(1_000_000_000), due: BinaryHeap::new(), sequence: 0 }
    }

    pub(crate) fn now(&self) -> Instant {
        self.now
    }

    pub(crate) fn at(&mut self, at: Instant, to: NodeId, life: Life, what: What) {
        self.sequence += 1;
        self.due.push(Reverse(Due { at, sequence: self.sequence, to, life, what }));
    }

    pub(crate) fn after(&mut self, wait: Duration, to: NodeId, life: Life, what: What) {
        self.at(self.now + wait, to, life, what);
    }

    /// Lets time pass until the next thing happens, but not beyond `end`.
    pub(crate) fn next(&mut self, end: Instant) -> Option<(NodeId, Life, What)> {
        if self.due.peek().is_none_or(|next| next.0.at > end) {
            self.now = end;
            return None;
        }
        let Reverse(Due { at, to, life, what, .. }) = self.due.pop()?;
        self.now = self.now.max(at);
        Some((to, life, what))
    }
}

struct Due {
    at: Instant,
    sequence: u64,
    to: NodeId,
    life: Life,
    what: What,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.sequence) == (other.at, other.sequence)
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}
