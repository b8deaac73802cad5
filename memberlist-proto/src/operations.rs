//! The operations that the application waits for.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use crate::event::{JoinFailure, JoinReport, OpId};
use crate::peer::{JoinPolicy, Peer};
use crate::time::Instant;
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
    Settle { quiet: Duration, until: Option<Instant>, timer: TimerId },
}

/// A join: what is still to be tried, and how the rest went.
#[derive(Clone, Debug, Default)]
pub(crate) struct Join {
    pub(crate) steps: VecDeque<JoinStep>,
    pub(crate) seen: BTreeSet<SocketAddr>,
    pub(crate) looking: BTreeMap<LookupId, Peer>,
    pub(crate) trying: BTreeMap<StreamId, (Peer, SocketAddr)>,
    pub(crate) report: JoinReport,
    /// The end of this attempt, or of the wait for the next.
    pub(crate) timer: Option<TimerId>,
    pub(crate) policy: JoinPolicy,
    /// Whom to try again: what was given, if it may be needed.
    pub(crate) peers: Vec<Peer>,
    /// Attempts that have failed.
    pub(crate) failed: u32,
    /// When the whole join gives up.
    pub(crate) until: Option<Instant>,
    /// Waits for the next attempt.
    pub(crate) waiting: bool,
    /// What failed in the attempt before this wait.
    pub(crate) last: Vec<JoinFailure>,
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

    /// How many more may be begun: no more at a time than `parallel`, and no more exchanges than
    /// are still wanted.
    pub(crate) fn room(&self, parallel: usize) -> usize {
        let wanted = self.policy.enough.max(1).saturating_sub(self.report.joined.len());
        parallel.min(wanted).saturating_sub(self.running())
    }

    /// Whether enough peers have answered.
    pub(crate) fn is_content(&self) -> bool {
        self.report.joined.len() >= self.policy.enough.max(1)
    }

    /// Whether another attempt follows this one.
    pub(crate) fn retries(&self) -> bool {
        self.policy.retry.is_some() && self.report.joined.is_empty()
    }

    /// Lines up every peer that was given.
    pub(crate) fn begin(&mut self, default_port: u16) {
        self.seen.clear();
        let step = |peer: &Peer| match peer.address(default_port) {
            Some(address) => JoinStep::Exchange(peer.clone(), address),
            None => JoinStep::Resolve(peer.clone()),
        };
        self.steps = self.peers.iter().map(step).collect();
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

    /// Whether any join is under way.
    pub(crate) fn joins(&self) -> bool {
        self.map.values().any(|operation| matches!(operation, Operation::Join(_)))
    }

    pub(crate) fn remove(&mut self, id: OpId) -> Option<Operation> {
        self.map.remove(&id)
    }
}
