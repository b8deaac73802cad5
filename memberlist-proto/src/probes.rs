//! The probe that is running, and every ack that somebody waits for.

use alloc::collections::{BTreeMap, VecDeque};
use core::net::SocketAddr;

use crate::event::OpId;
use crate::members::MemberId;
use crate::node::{Node, NodeName};
use crate::time::Instant;
use crate::timers::TimerId;
use crate::transmit::StreamId;

/// The running probe of one member (SWIM §3.1; Lifeguard's nacks).
#[derive(Clone, Debug)]
pub(crate) struct Probe {
    /// The target as it was when the probe began.
    pub(crate) target: Node,
    pub(crate) sequence: u32,
    pub(crate) started: Instant,
    pub(crate) deadline: Instant,
    pub(crate) timeout: Option<TimerId>,
    pub(crate) expiry: TimerId,
    pub(crate) expected_nacks: u32,
    pub(crate) nacks: u32,
    /// How many nacks are counted at most: one for each helper and one more.
    pub(crate) nacks_max: u32,
    pub(crate) send_failed: bool,
    pub(crate) fallback: Fallback,
}

/// The probe over a stream that runs beside the indirect one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fallback {
    None,
    Running(StreamId),
    Contacted,
    Failed,
}

/// Who waits for an ack with some sequence number.
#[derive(Clone, Debug)]
pub(crate) enum Awaiting {
    /// The application's ping.
    Ping { op: OpId, sent: Instant, timer: TimerId },
    /// A peer that asked this node to probe another.
    Relay { requester: Requester, expiry: TimerId, nack: Option<TimerId> },
}

/// A peer that asked for an indirect probe.
#[derive(Clone, Debug)]
pub(crate) struct Requester {
    pub(crate) address: SocketAddr,
    pub(crate) node: Option<NodeName>,
    pub(crate) sequence: u32,
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Probes {
    pub(crate) current: Option<Probe>,
    /// A tick fell while a probe was running.
    pub(crate) pending: bool,
    awaiting: BTreeMap<u32, Awaiting>,
    relays: usize,
    told: VecDeque<(Instant, MemberId)>,
}

impl Probes {
    /// The running probe, if it has this sequence number.
    pub(crate) fn current(&mut self, sequence: u32) -> Option<&mut Probe> {
        self.current.as_mut().filter(|probe| probe.sequence == sequence)
    }

    pub(crate) fn awaited(&self) -> usize {
        self.awaiting.len() + usize::from(self.current.is_some())
    }

    pub(crate) fn relays(&self) -> usize {
        self.relays
    }

    /// Begins to wait; whoever waited for the same number no longer does.
    pub(crate) fn wait(&mut self, sequence: u32, awaiting: Awaiting) -> Option<Awaiting> {
        self.relays += usize::from(matches!(awaiting, Awaiting::Relay { .. }));
        let old = self.awaiting.insert(sequence, awaiting);
        self.relays -= usize::from(matches!(old, Some(Awaiting::Relay { .. })));
        old
    }

    pub(crate) fn waiting(&mut self, sequence: u32) -> Option<&mut Awaiting> {
        self.awaiting.get_mut(&sequence)
    }

    pub(crate) fn stop_waiting(&mut self, sequence: u32) -> Option<Awaiting> {
        let old = self.awaiting.remove(&sequence);
        self.relays -= usize::from(matches!(old, Some(Awaiting::Relay { .. })));
        old
    }

    /// Whether `id` may be told now that it is held for dead: once in `window`, and at most `max`
    /// members in one window.
    pub(crate) fn may_tell(
        &mut self,
        now: Instant,
        id: MemberId,
        window: core::time::Duration,
        max: usize,
    ) -> bool {
        while self.told.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) >= window)
        {
            self.told.pop_front();
        }
        if self.told.len() >= max || self.told.iter().any(|(_, told)| *told == id) {
            return false;
        }
        self.told.push_back((now, id));
        true
    }
}
