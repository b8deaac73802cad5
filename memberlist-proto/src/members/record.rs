//! The record of a node.

use crate::node::{Identity, Name, Node, State};
use crate::time::Instant;

/// What is known about one node, in 32 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Record {
    identity: Identity,
    since: Instant,
    incarnation: u32,
    /// The state in the lowest two bits, above them the bit `ANSWERED`, and above that the
    /// suspicion's slot or `NO_SUSPICION`.
    state_and_suspicion: u32,
}

// A vacant place of the slab must cost nothing besides the record's own bytes, and two records fit
// into a cache line: gossip and probes look at random ones.
const _: () = assert!(size_of::<Option<Record>>() <= 32);

const STATE_BITS: u32 = 2;
const STATE_MASK: u32 = (1 << STATE_BITS) - 1;
const ANSWERED: u32 = 1 << STATE_BITS;
const SLOT_SHIFT: u32 = STATE_BITS + 1;
const NO_SUSPICION: u32 = u32::MAX >> SLOT_SHIFT;

impl Record {
    /// The number of different slots that suspicions can have.
    pub(crate) const MAX_SUSPICIONS: u32 = NO_SUSPICION;

    pub(super) fn new(identity: Identity, incarnation: u32, state: State, since: Instant) -> Self {
        let state_and_suspicion = NO_SUSPICION << SLOT_SHIFT | state as u32;
        Self { identity, since, incarnation, state_and_suspicion }
    }

    /// Its name.
    pub(crate) fn name(&self) -> Name<'_> {
        self.identity.name()
    }

    /// Its name, address, versions and metadata.
    pub(crate) const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The incarnation accepted last.
    pub(crate) const fn incarnation(&self) -> u32 {
        self.incarnation
    }

    /// Its state.
    pub(crate) const fn state(&self) -> State {
        match self.state_and_suspicion & STATE_MASK {
            0 => State::Alive,
            1 => State::Suspect,
            2 => State::Dead,
            _ => State::Left,
        }
    }

    /// When it entered that state.
    pub(crate) const fn since(&self) -> Instant {
        self.since
    }

    /// The slot where its suspicion is kept, if there is one.
    pub(crate) const fn suspicion(&self) -> Option<u32> {
        let slot = self.state_and_suspicion >> SLOT_SHIFT;
        if slot == NO_SUSPICION { None } else { Some(slot) }
    }

    /// Whether the node has ever answered this one. News about a node can be forged by anyone, its
    /// answers only by one that receives what is sent to its address.
    pub(crate) const fn has_answered(&self) -> bool {
        self.state_and_suspicion & ANSWERED != 0
    }

    /// A copy of what is known about the node.
    pub(crate) fn to_node(&self) -> Node {
        Node::new(self.identity.clone(), self.incarnation, self.state(), self.since)
    }

    pub(super) fn set_state(&mut self, state: State, incarnation: u32, since: Instant) {
        self.incarnation = incarnation;
        self.since = since;
        self.state_and_suspicion = self.state_and_suspicion & !STATE_MASK | state as u32;
    }

    /// Sets the suspicion's slot. It is independent of the state here: the caller keeps the two
    /// consistent, since the suspicion's timer does not belong to the record.
    pub(super) fn set_suspicion(&mut self, slot: Option<u32>) {
        debug_assert!(slot.is_none_or(|slot| slot < Self::MAX_SUSPICIONS));
        let slot = slot.unwrap_or(NO_SUSPICION);
        let rest = self.state_and_suspicion & (STATE_MASK | ANSWERED);
        self.state_and_suspicion = slot << SLOT_SHIFT | rest;
    }

    pub(super) fn set_answered(&mut self) {
        self.state_and_suspicion |= ANSWERED;
    }

    pub(super) fn set_identity(&mut self, identity: Identity) -> Identity {
        core::mem::replace(&mut self.identity, identity)
    }
}
