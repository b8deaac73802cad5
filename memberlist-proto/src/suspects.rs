//! The suspicions that are running, found through their members' records.

use alloc::vec::Vec;

use crate::suspicion::Suspicion;
use crate::timers::TimerId;

/// One running suspicion and the timer that ends it.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Suspect {
    suspicion: Suspicion,
    timer: TimerId,
    /// The sequence number of the pings that were sent to it because its time was almost over.
    asked: Option<u32>,
}

impl Suspect {
    pub(crate) fn new(suspicion: Suspicion, timer: TimerId) -> Self {
        Self { suspicion, timer, asked: None }
    }

    pub(crate) fn set_timer(&mut self, timer: TimerId) {
        self.timer = timer;
    }

    pub(crate) fn asked(&self) -> Option<u32> {
        self.asked
    }

    pub(crate) fn ask(&mut self, sequence: u32) {
        self.asked = Some(sequence);
    }

    /// Notes that those pings need no answer any more. Returns their sequence number, if any were
    /// sent.
    pub(crate) fn answered(&mut self) -> Option<u32> {
        self.asked.take()
    }

    pub(crate) fn suspicion(&self) -> &Suspicion {
        &self.suspicion
    }

    pub(crate) fn suspicion_mut(&mut self) -> &mut Suspicion {
        &mut self.suspicion
    }

    pub(crate) fn timer(&self) -> TimerId {
        self.timer
    }

    pub(crate) fn into_parts(self) -> (Suspicion, TimerId) {
        (self.suspicion, self.timer)
    }
}

/// The running suspicions in a slab. The record of each suspected member holds the slot of its own.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Suspects {
    slots: Vec<Option<Suspect>>,
    free: Vec<u32>,
}

impl Suspects {
    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Verifies that the parts fit together, for suspicions read from a checkpoint.
    #[cfg(feature = "checkpoint")]
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        let mut free = self.free.clone();
        free.sort_unstable();
        let vacant = (0_u32..).zip(&self.slots).filter(|(_, it)| it.is_none());
        if !vacant.map(|(slot, _)| slot).eq(free) {
            return Err("the free places of suspicions");
        }
        if self.slots.iter().flatten().any(|it| !it.suspicion.is_sound()) {
            return Err("the accusers of a suspect");
        }
        Ok(())
    }

    pub(crate) fn insert(&mut self, suspect: Suspect) -> u32 {
        if let Some(slot) = self.free.pop() {
            self.slots[slot as usize] = Some(suspect);
            return slot;
        }
        self.slots.push(Some(suspect));
        (self.slots.len() - 1) as u32
    }

    pub(crate) fn get(&self, slot: u32) -> Option<&Suspect> {
        self.slots.get(slot as usize)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, slot: u32) -> &mut Suspect {
        self.slots[slot as usize].as_mut().expect("a record's suspicion is running")
    }

    pub(crate) fn remove(&mut self, slot: u32) -> Suspect {
        let suspect = self.slots[slot as usize].take().expect("a record's suspicion is running");
        self.free.push(slot);
        if self.free.len() == self.slots.len() {
            self.slots = Vec::new();
            self.free = Vec::new();
        }
        suspect
    }
}
