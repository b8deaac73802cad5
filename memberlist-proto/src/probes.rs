//! The probe that is running, and every ack that is awaited.

use alloc::collections::BTreeMap;
use core::net::SocketAddr;

use crate::event::OpId;
use crate::members::MemberId;
use crate::node::{Node, NodeName};
use crate::time::Instant;
use crate::timers::TimerId;

/// The running probe of one member (SWIM §3.1; Lifeguard's nacks).
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Probe {
    /// The target as it was when the probe began: it is accused at that incarnation.
    target: Node,
    sequence: u32,
    started: Instant,
    deadline: Instant,
    /// The timer that runs until helpers are asked.
    timeout: Option<TimerId>,
    /// The timer that runs from then on until the target is pinged again.
    repeat: Option<TimerId>,
    expiry: TimerId,
    nacks: Nacks,
    send_failed: bool,
    fallback: Fallback,
}

/// The nacks of a probe's helpers.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Nacks {
    expected: u32,
    received: u32,
    /// How many count at most: one for each helper and one more, as in Go, whose channel has that
    /// capacity.
    most: u32,
}

/// The probe over a stream that runs beside the indirect one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Fallback {
    /// There is none.
    None,
    /// Not answered yet.
    Running,
    /// The member answered: it is reachable, but not by packet.
    Contacted,
    /// It did not answer.
    Failed,
}

/// What waits for the ack of a sequence number.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Awaiting {
    /// A ping of the application.
    Ping { op: OpId, sent: Instant, timer: TimerId },
    /// A peer that asked this node to probe another.
    Relay { requester: Requester, expiry: TimerId, nack: Option<TimerId> },
    /// The suspicion of this member, which was pinged when its time was almost over.
    Suspect(MemberId),
}

/// A peer that asked for an indirect probe.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Requester {
    #[cfg_attr(feature = "serde", serde(with = "crate::serial::exact"))]
    pub(crate) address: SocketAddr,
    pub(crate) node: Option<NodeName>,
    pub(crate) sequence: u32,
}

/// The running probe, and everything else that waits for an ack.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Probes {
    current: Option<Probe>,
    /// Whether a tick was postponed because a probe was running.
    pending: bool,
    awaiting: BTreeMap<u32, Awaiting>,
    relays: usize,
}

impl Probe {
    /// A probe that begins at `started`, with the timers that end its direct step and the probe.
    pub(crate) fn new(
        target: Node,
        sequence: u32,
        (started, deadline): (Instant, Instant),
        (timeout, expiry): (TimerId, TimerId),
    ) -> Self {
        Self {
            target,
            sequence,
            started,
            deadline,
            timeout: Some(timeout),
            repeat: None,
            expiry,
            nacks: Nacks::default(),
            send_failed: false,
            fallback: Fallback::None,
        }
    }

    pub(crate) fn target(&self) -> &Node {
        &self.target
    }

    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Whether the direct step is not over, so that no helper has been asked yet.
    pub(crate) fn awaits_direct_ack(&self) -> bool {
        self.timeout.is_some()
    }

    /// Notes that the direct ping could not be sent.
    pub(crate) fn fail_to_send(&mut self) {
        self.send_failed = true;
    }

    pub(crate) fn has_failed_to_send(&self) -> bool {
        self.send_failed
    }

    /// Ends the direct step. Returns its timer; `None` if the step was over before.
    pub(crate) fn go_indirect(&mut self) -> Option<TimerId> {
        self.timeout.take()
    }

    /// Notes the timer at which the target is pinged again.
    pub(crate) fn repeat_by(&mut self, timer: TimerId) {
        self.repeat = Some(timer);
    }

    /// Notes how many helpers were asked, and how many of them are expected to send a nack if they
    /// get no ack.
    pub(crate) fn expect_nacks(&mut self, helpers: u32, expected: u32) {
        self.nacks.most = helpers + 1;
        self.nacks.expected = expected;
    }

    pub(crate) fn nack(&mut self) {
        self.nacks.received = (self.nacks.received + 1).min(self.nacks.most);
    }

    /// How many expected nacks are missing; `None` if none were expected.
    pub(crate) fn missing_nacks(&self) -> Option<u32> {
        let Nacks { expected, received, .. } = self.nacks;
        (expected > 0).then(|| expected.saturating_sub(received))
    }

    pub(crate) fn fallback(&self) -> Fallback {
        self.fallback
    }

    pub(crate) fn set_fallback(&mut self, fallback: Fallback) {
        self.fallback = fallback;
    }

    /// The timers that may still be running, to be cancelled once the probe is over.
    pub(crate) fn timers(&self) -> impl Iterator<Item = TimerId> {
        self.timeout.into_iter().chain(self.repeat).chain([self.expiry])
    }
}

impl Probes {
    pub(crate) fn begin(&mut self, probe: Probe) {
        self.current = Some(probe);
    }

    /// The running probe, if it has this sequence number.
    pub(crate) fn current(&mut self, sequence: u32) -> Option<&mut Probe> {
        self.current.as_mut().filter(|probe| probe.sequence == sequence)
    }

    pub(crate) fn take_current(&mut self) -> Option<Probe> {
        self.current.take()
    }

    /// Whether a probe is running. If so, the tick is noted as postponed.
    pub(crate) fn postpone(&mut self) -> bool {
        self.pending |= self.current.is_some();
        self.current.is_some()
    }

    /// Whether a tick was postponed since the last call.
    pub(crate) fn take_postponed(&mut self) -> bool {
        core::mem::take(&mut self.pending)
    }

    /// Verifies that the parts fit together, for probes read from a checkpoint.
    #[cfg(feature = "checkpoint")]
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        let relays = self.awaiting.values().filter(|it| matches!(it, Awaiting::Relay { .. }));
        if relays.count() != self.relays {
            return Err("the number of relays");
        }
        let sound = |Nacks { received, most, .. }: Nacks| received <= most && most < u32::MAX;
        if self.current.as_ref().is_some_and(|probe| !sound(probe.nacks)) {
            return Err("the nacks of a probe");
        }
        Ok(())
    }

    pub(crate) fn awaited(&self) -> usize {
        self.awaiting.len() + usize::from(self.current.is_some())
    }

    pub(crate) fn relays(&self) -> usize {
        self.relays
    }

    /// Begins to wait; returns what waited for the same number until now.
    pub(crate) fn wait(&mut self, sequence: u32, awaiting: Awaiting) -> Option<Awaiting> {
        self.relays += usize::from(matches!(awaiting, Awaiting::Relay { .. }));
        let old = self.awaiting.insert(sequence, awaiting);
        self.relays -= usize::from(matches!(old, Some(Awaiting::Relay { .. })));
        old
    }

    /// Takes the nack of a relay, to be sent now. Returns the peer to send it to, and its timer;
    /// `None` if it was taken before.
    pub(crate) fn take_nack(&mut self, sequence: u32) -> Option<(Requester, TimerId)> {
        match self.awaiting.get_mut(&sequence)? {
            Awaiting::Relay { requester, nack, .. } => Some((requester.clone(), nack.take()?)),
            Awaiting::Ping { .. } | Awaiting::Suspect(_) => None,
        }
    }

    pub(crate) fn stop_waiting(&mut self, sequence: u32) -> Option<Awaiting> {
        let old = self.awaiting.remove(&sequence);
        self.relays -= usize::from(matches!(old, Some(Awaiting::Relay { .. })));
        old
    }
}
