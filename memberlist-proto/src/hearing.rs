//! Whether this node hears anything: when the last packet came, and whether peers list it.

use core::time::Duration;

use crate::time::Instant;

/// How many probes in a row end without any packet before that is reported.
const PROBES: u32 = 3;
/// How long it must have lasted.
const QUIET: Duration = Duration::from_secs(10);
/// How long until it is reported again.
const AGAIN: Duration = Duration::from_secs(60);
/// How many states in a row that lack this node are reported. A state that answers a join is from
/// before it, so that a few are honest.
const STATES: u32 = 3;

/// What has been heard, and how long nothing has.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Hearing {
    packet: Option<Instant>,
    ping: Option<Instant>,
    silence: Streak,
    missing: Streak,
}

/// Something that goes on for some time.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Streak {
    times: u32,
    begun: Option<Instant>,
    reported: Option<Instant>,
}

impl Hearing {
    /// A message has come by packet.
    pub(crate) fn packet(&mut self, now: Instant) {
        self.packet = Some(now);
        self.silence = Streak::default();
    }

    /// A ping for this node has come by packet.
    pub(crate) fn ping(&mut self, now: Instant) {
        self.ping = Some(now);
    }

    /// A probe has ended and no packet answered it. For how long none has come, if that is to be
    /// reported.
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

    /// A peer's state has come, with this node among the living or without. Whether it is to be
    /// reported that peers lack it.
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

    /// When the last message came by packet.
    pub(crate) fn last_packet(&self) -> Option<Instant> {
        self.packet
    }

    /// When the last ping for this node came by packet.
    pub(crate) fn last_ping(&self) -> Option<Instant> {
        self.ping
    }
}

impl Streak {
    /// Counts once more; when it began.
    fn again(&mut self, now: Instant) -> Instant {
        self.times = self.times.saturating_add(1);
        *self.begun.get_or_insert(now)
    }
}
