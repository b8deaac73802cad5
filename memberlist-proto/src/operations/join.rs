//! A join: the peers still to be tried, and the results so far.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::event::{JoinError, JoinFailure, JoinReport};
use crate::peer::{JoinPolicy, Peer, Retry};
use crate::time::Instant;
use crate::timers::TimerId;
use crate::transmit::{ADDRESSES_PER_NAME, Found, LookupFailure, LookupId, StreamId};

/// A join under way: one attempt after another, until enough peers have answered or the policy
/// allows no further attempt.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Join {
    policy: JoinPolicy,
    /// The peers as given; every attempt starts with all of them.
    peers: Vec<Peer>,
    /// When the whole join gives up.
    until: Option<Instant>,
    /// The end of this attempt, or of the wait for the next.
    timer: Option<TimerId>,
    steps: VecDeque<JoinStep>,
    #[cfg_attr(feature = "serde", serde(with = "crate::serial::exact"))]
    seen: BTreeSet<SocketAddr>,
    looking: BTreeMap<LookupId, Peer>,
    #[cfg_attr(feature = "serde", serde(with = "crate::serial::exact"))]
    trying: BTreeMap<StreamId, (Peer, SocketAddr)>,
    report: JoinReport,
    /// Attempts that have failed.
    failed: u32,
    /// While it waits for the next attempt: the failures of the one before.
    waiting: Option<Vec<JoinFailure>>,
}

/// The next thing to do for one peer of a join.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum JoinStep {
    Resolve(Peer),
    Exchange(Peer, #[cfg_attr(feature = "serde", serde(with = "crate::serial::exact"))] SocketAddr),
}

/// What a join does next.
#[derive(Clone, Debug)]
pub(crate) enum Turn {
    Step(JoinStep),
    /// Wait until a look-up or exchange under way has ended.
    Wait,
    /// The attempt is over.
    Over,
}

impl Join {
    pub(crate) fn new(policy: JoinPolicy, peers: Vec<Peer>, until: Option<Instant>) -> Self {
        Self { policy, peers, until, ..Self::default() }
    }

    pub(crate) fn until(&self) -> Option<Instant> {
        self.until
    }

    /// Sets the timer of the attempt, or of the wait for the next one. Returns the former timer.
    pub(crate) fn set_timer(&mut self, timer: Option<TimerId>) -> Option<TimerId> {
        core::mem::replace(&mut self.timer, timer)
    }

    /// Begins an attempt: every peer that was given is to be tried.
    pub(crate) fn begin_attempt(&mut self, default_port: u16) {
        self.waiting = None;
        self.seen.clear();
        let step = |peer: &Peer| match peer.address(default_port) {
            Some(address) => JoinStep::Exchange(peer.clone(), address),
            None => JoinStep::Resolve(peer.clone()),
        };
        self.steps = self.peers.iter().map(step).collect();
    }

    /// What to do next, with at most `parallel` look-ups and exchanges at a time.
    pub(crate) fn turn(&mut self, parallel: usize) -> Turn {
        let wanted = self.policy.enough.max(1).saturating_sub(self.report.joined.len());
        if wanted == 0 {
            self.steps.clear();
        } else if self.running() >= parallel.min(wanted) {
            // There must be no more exchanges than are still wanted: each of them would merge.
            return Turn::Wait;
        }
        match self.steps.pop_front() {
            Some(step) => Turn::Step(step),
            None if self.running() > 0 => Turn::Wait,
            None => Turn::Over,
        }
    }

    /// Whether an address is new in this attempt: several names may resolve to the same one.
    pub(crate) fn is_new(&mut self, address: SocketAddr) -> bool {
        self.seen.insert(address)
    }

    pub(crate) fn looks_up(&mut self, id: LookupId, peer: Peer) {
        self.looking.insert(id, peer);
    }

    pub(crate) fn tries(&mut self, stream: StreamId, peer: Peer, address: SocketAddr) {
        self.trying.insert(stream, (peer, address));
    }

    pub(crate) fn fail(&mut self, peer: Peer, address: Option<SocketAddr>, error: JoinError) {
        self.report.failed.push(JoinFailure { peer, address, error });
    }

    /// Handles the result of a look-up. Returns whether this attempt waited for it.
    pub(crate) fn resolved(
        &mut self,
        id: LookupId,
        found: Result<&[Found], LookupFailure>,
        default_port: u16,
    ) -> bool {
        let Some(peer) = self.looking.remove(&id) else { return false };
        match found {
            Ok(addresses) => {
                for (ip, port) in addresses.iter().take(ADDRESSES_PER_NAME).rev() {
                    let port = peer.port.or(*port).unwrap_or(default_port);
                    let address = SocketAddr::new(ip.to_canonical(), port);
                    self.steps.push_front(JoinStep::Exchange(peer.clone(), address));
                }
            }
            Err(failure) => self.fail(peer, None, JoinError::Lookup(failure)),
        }
        true
    }

    /// Handles the end of an exchange. Returns the peer's address, if this attempt waited for it.
    pub(crate) fn exchanged(
        &mut self,
        stream: StreamId,
        result: Result<(), JoinError>,
    ) -> Option<SocketAddr> {
        let (peer, address) = self.trying.remove(&stream)?;
        match result {
            Ok(()) => self.report.joined.push(address),
            Err(error) => self.fail(peer, Some(address), error),
        }
        Some(address)
    }

    /// Ends the attempt: everything under way or still to be tried fails with `error`. Returns the
    /// look-ups that no longer matter, and the streams to abort.
    pub(crate) fn drop_attempt(&mut self, error: &JoinError) -> (Vec<LookupId>, Vec<StreamId>) {
        let looking = core::mem::take(&mut self.looking);
        let trying = core::mem::take(&mut self.trying);
        for peer in looking.values() {
            self.fail(peer.clone(), None, error.clone());
        }
        for (peer, address) in trying.values() {
            self.fail(peer.clone(), Some(*address), error.clone());
        }
        for step in core::mem::take(&mut self.steps) {
            match step {
                JoinStep::Resolve(peer) => self.fail(peer, None, error.clone()),
                JoinStep::Exchange(peer, address) => self.fail(peer, Some(address), error.clone()),
            }
        }
        (looking.into_keys().collect(), trying.into_keys().collect())
    }

    /// How to retry; `None` if no other attempt follows this one.
    pub(crate) fn retry(&self) -> Option<Retry> {
        self.policy.retry.filter(|_| self.report.joined.is_empty())
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// Counts a failed attempt. Returns how many there have been.
    pub(crate) fn count_failed(&mut self) -> u32 {
        self.failed = self.failed.saturating_add(1);
        self.failed
    }

    /// Begins to wait for the next attempt. Returns the failures of this one.
    pub(crate) fn wait(&mut self) -> Vec<JoinFailure> {
        let failed = core::mem::take(&mut self.report.failed);
        self.waiting = Some(failed.clone());
        failed
    }

    /// The report of the join. Between two attempts it has the failures of the last one.
    pub(crate) fn into_report(self) -> JoinReport {
        let failed = self.waiting.unwrap_or(self.report.failed);
        JoinReport { failed, ..self.report }
    }

    fn running(&self) -> usize {
        self.looking.len() + self.trying.len()
    }
}
