//! The application's operations under way.

mod join;

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

pub(crate) use self::join::{Join, JoinStep, Turn};
use crate::event::{LeaveReport, OpId};
use crate::time::Instant;
use crate::timers::TimerId;
use crate::transmit::{LookupId, StreamId};

/// One operation under way.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Operation {
    Join(Box<Join>),
    Leave {
        timer: Option<TimerId>,
        report: LeaveReport,
    },
    SetMeta {
        timer: Option<TimerId>,
    },
    Ping {
        sequence: u32,
    },
    /// It has no stream while the message is being sealed.
    SendReliable {
        stream: Option<StreamId>,
    },
    Settle(Settle),
}

/// A wait for the membership to settle.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Settle {
    pub(crate) quiet: Duration,
    pub(crate) until: Option<Instant>,
    pub(crate) timer: Option<TimerId>,
    /// Whether the membership has been quiet for long enough, and it only waits for the joins under
    /// way.
    pub(crate) for_joins: bool,
}

/// What asked for a name to be resolved.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Asker {
    Join(OpId),
    /// The search for the seed of this index.
    Seed(usize),
}

/// All operations under way, by id.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Operations {
    map: BTreeMap<OpId, Operation>,
    last: u64,
    lookups: BTreeMap<LookupId, Asker>,
    last_lookup: u64,
}

impl Operations {
    /// The highest number given to anything so far.
    #[cfg(feature = "checkpoint")]
    pub(crate) fn last_ids(&self) -> u64 {
        self.last.max(self.last_lookup)
    }

    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }

    pub(crate) fn is_full(&self, limit: usize) -> bool {
        self.map.len() >= limit
    }

    pub(crate) fn next_id(&mut self) -> OpId {
        self.last += 1;
        OpId(self.last)
    }

    /// Begins to wait for a look-up.
    pub(crate) fn next_lookup(&mut self, asker: Asker) -> LookupId {
        self.last_lookup += 1;
        let id = LookupId(self.last_lookup);
        self.lookups.insert(id, asker);
        id
    }

    /// Notes that a look-up has ended, or is no longer needed. Returns what asked for it.
    pub(crate) fn take_lookup(&mut self, id: LookupId) -> Option<Asker> {
        self.lookups.remove(&id)
    }

    pub(crate) fn insert(&mut self, id: OpId, operation: Operation) {
        self.map.insert(id, operation);
    }

    pub(crate) fn get(&self, id: OpId) -> Option<&Operation> {
        self.map.get(&id)
    }

    pub(crate) fn join(&mut self, id: OpId) -> Option<&mut Join> {
        match self.map.get_mut(&id) {
            Some(Operation::Join(join)) => Some(join),
            _ => None,
        }
    }

    pub(crate) fn take_join(&mut self, id: OpId) -> Option<Join> {
        self.join(id)?;
        match self.map.remove(&id) {
            Some(Operation::Join(join)) => Some(*join),
            _ => None,
        }
    }

    /// The joins under way.
    pub(crate) fn all_joins(&self) -> Vec<OpId> {
        let joins = self.map.iter().filter(|(_, it)| matches!(it, Operation::Join(_)));
        joins.map(|(op, _)| *op).collect()
    }

    /// Whether any join is under way.
    pub(crate) fn joins(&self) -> bool {
        self.map.values().any(|operation| matches!(operation, Operation::Join(_)))
    }

    /// The waits for the membership to settle that only wait for joins.
    pub(crate) fn settling_after_joins(&self) -> Vec<OpId> {
        let waits = |it: &Operation| matches!(it, Operation::Settle(settle) if settle.for_joins);
        self.map.iter().filter(|(_, it)| waits(it)).map(|(op, _)| *op).collect()
    }

    pub(crate) fn remove(&mut self, id: OpId) -> Option<Operation> {
        self.map.remove(&id)
    }
}
