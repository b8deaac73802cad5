//! Whether this node receives anything, and whether peers list it.

use core::time::Duration;

use crate::time::Instant;

/// How many probes in a row must end without any packet before that is reported.
const PROBES: u32 = 3;
/// How long silence, or being unlisted, must have lasted before it is reported.
const QUIET: Duration = Duration::from_secs(10);
/// How long until silence is reported again. Being unlisted is reported once.
const AGAIN: Duration = Duration::from_secs(60);
/// How many states in a row must lack this node before that is reported. The state that answers a
/// join is from before the join, so a few may honestly lack it.
const STATES: u32 = 3;

/// When this node last received something, and since when it has not.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Hearing {
    packet: Option<Instant>,
    ping: Option<Instant>,
    silence: Streak,
    missing: Streak,
}

/// A condition that goes on for some time.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Streak {
    times: u32,
    begun: Option<Instant>,
    reported: Option<Instant>,
}

impl Hearing {
    /// Notes that a message has arrived by packet.
    pub(crate) fn packet(&mut self, now: Instant) {
        self.packet = Some(now);
        self.silence = Streak::default();
    }

    /// Notes that a ping for this node has arrived by packet.
    pub(crate) fn ping(&mut self, now: Instant) {
        self.ping = Some(now);
    }

    /// Notes that a probe has ended without a packet that answered it. Returns for how long no
    /// packet has arrived, if that is to be reported.
    pub(crate) fn unanswered(&mut self, now: Instant) -> Option<Duration> {
        let begun = self.silence.again(now);
        let silent = now.saturating_duration_since(self.packet.unwrap_or(begun));
        let due = self.silence.times >= PROBES
            && now.saturating_duration_since(begun) >= QUIET
            && self.silence.reported.is_none_or(|at| now.saturating_duration_since(at) >= AGAIN);
        if due {
            self.silence.reported = Some(now);
        }
        due.then_some(silent)
    }

    /// Notes that a peer's state has arrived, and whether it lists this node as a member. Returns
    /// whether it is to be reported that peers do not list it.
    pub(crate) fn state(&mut self, now: Instant, lists_me: bool) -> bool {
        if lists_me {
            self.missing = Streak::default();
            return false;
        }
        let begun = self.missing.again(now);
        let due = self.missing.times >= STATES
            && now.saturating_duration_since(begun) >= QUIET
            && self.missing.reported.is_none();
        if due {
            self.missing.reported = Some(now);
        }
        due
    }

    /// Since when probes have gone unanswered by any packet, if that has been reported.
    pub(crate) fn silent(&self) -> Option<Instant> {
        self.silence.reported.and(self.silence.begun)
    }

    /// Since when peers' states have lacked this node, if that has been reported.
    pub(crate) fn unlisted(&self) -> Option<Instant> {
        self.missing.reported.and(self.missing.begun)
    }

    /// When the last message arrived by packet; `None` if there was none.
    pub(crate) fn last_packet(&self) -> Option<Instant> {
        self.packet
    }

    /// When the last ping for this node arrived by packet; `None` if there was none.
    pub(crate) fn last_ping(&self) -> Option<Instant> {
        self.ping
    }
}

impl Streak {
    /// Counts one more occurrence. Returns when the first one was.
    fn again(&mut self, now: Instant) -> Instant {
        self.times = self.times.saturating_add(1);
        *self.begun.get_or_insert(now)
    }
}
