//! A digest of everything that happened.

use std::hash::Hasher as _;

use memberlist_proto::{Event, Instant, Node};
use siphasher::sip::SipHasher13;

/// A hash over all steps so far, equal for equal runs.
#[derive(Clone, Debug)]
pub(crate) struct Trace {
    hasher: SipHasher13,
    steps: u64,
}

impl Trace {
    pub(crate) fn new(seed: u64) -> Self {
        let mut hasher = SipHasher13::new();
        hasher.write_u64(seed);
        Self { hasher, steps: 0 }
    }

    pub(crate) fn step(&mut self, now: Instant, node: usize, what: &str, bytes: &[u8]) {
        self.steps += 1;
        self.hasher.write_u64(now.as_nanos());
        self.hasher.write_u64(node as u64);
        self.hasher.write(what.as_bytes());
        self.hasher.write(bytes);
    }

    /// Adds an event of a node: its text, or its fields if it is a frequent one, whose text would
    /// take more time than the protocol itself.
    pub(crate) fn event(&mut self, now: Instant, node: usize, event: &Event) {
        let kind = match event {
            Event::Joined { .. } => "joined",
            Event::Suspected { .. } => "suspected",
            Event::Pinged { .. } => "pinged",
            Event::Message { .. } => "message",
            Event::RemoteState { .. } => "state",
            Event::Health { .. } => "health",
            _ => "event",
        };
        self.step(now, node, kind, b"");
        match event {
            Event::Joined { node } => self.node(node),
            Event::Suspected { node, by } => {
                self.node(node);
                self.hasher.write(by.as_bytes());
            }
            Event::Pinged { node, rtt, payload } => {
                self.node(node);
                self.hasher.write_u64(rtt.as_nanos() as u64);
                self.hasher.write(payload);
            }
            Event::Message { payload, .. } => self.hasher.write(payload),
            Event::RemoteState { state, .. } => self.hasher.write(state),
            Event::Health { score } => self.hasher.write_u32(*score),
            other => {
                if let Event::Updated { node, .. }
                | Event::Departed { node, .. }
                | Event::HadLeft { node, .. }
                | Event::Refuted { node, .. } = other
                {
                    self.node(node);
                }
                self.hasher.write(other.to_string().as_bytes());
            }
        }
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hasher.finish()
    }

    pub(crate) fn steps(&self) -> u64 {
        self.steps
    }

    fn node(&mut self, node: &Node) {
        self.hasher.write(node.name().as_bytes());
        self.hasher.write(node.addr_bytes().unwrap_or_default());
        self.hasher.write_u16(node.port());
        self.hasher.write(node.meta());
        self.hasher.write_u32(node.incarnation());
        self.hasher.write_u8(node.state() as u8);
    }
}
