//! The operations that the application waits for.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use core::net::SocketAddr;

use crate::event::{JoinReport, OpId};
use crate::peer::Peer;
use crate::timers::TimerId;
use crate::transmit::{LookupId, StreamId};

/// One operation under way.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Join(Box<Join>),
    Leave { timer: Option<TimerId> },
    SetMeta { timer: Option<TimerId> },
    Ping { sequence: u32 },
    SendReliable { stream: StreamId },
}

/// A join: what is still to be tried, and how the rest went.
#[derive(Clone, Debug, Default)]
pub(crate) struct Join {
    pub(crate) steps: VecDeque<JoinStep>,
    pub(crate) seen: BTreeSet<SocketAddr>,
    pub(crate) looking: BTreeMap<LookupId, Peer>,
    pub(crate) trying: BTreeMap<StreamId, (Peer, SocketAddr)>,
    pub(crate) report: JoinReport,
    pub(crate) timer: Option<TimerId>,
}

/// The next thing to do for one peer of a join.
#[derive(Clone, Debug)]
pub(crate) enum JoinStep {
    Resolve(Peer),
    Exchange(Peer, SocketAddr),
}

impl Join {
    pub(crate) fn running(&self) -> usize {
        self.looking.len() + self.trying.len()
    }
}

/// Who asked for a name to be resolved.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Asker {
    Join(OpId),
    /// The search for the seed of this index.
    Seed(usize),
}

/// All operations under way, by id.
#[derive(Clone, Debug, Default)]
pub(crate) struct Operations {
    map: BTreeMap<OpId, Operation>,
    last: u64,
    /// Who waits for a look-up.
    pub(crate) lookups: BTreeMap<LookupId, Asker>,
    last_lookup: u64,
}

impl Operations {
    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }

    pub(crate) fn next_id(&mut self) -> OpId {
        self.last += 1;
        OpId(self.last)
    }

    pub(crate) fn next_lookup(&mut self, asker: Asker) -> LookupId {
        self.last_lookup += 1;
        let id = LookupId(self.last_lookup);
        self.lookups.insert(id, asker);
        id
    }

    pub(crate) fn insert(&mut self, id: OpId, operation: Operation) {
        self.map.insert(id, operation);
    }

    pub(crate) fn get(&self, id: OpId) -> Option<&Operation> {
        self.map.get(&id)
    }

    pub(crate) fn join_mut(&mut self, id: OpId) -> Option<&mut Join> {
        match self.map.get_mut(&id) {
            Some(Operation::Join(join)) => Some(join),
            _ => None,
        }
    }

    pub(crate) fn remove(&mut self, id: OpId) -> Option<Operation> {
        self.map.remove(&id)
    }
}
