//! Messages sent directly to one member because it seems to have missed some news. Their number is
//! limited, since what a peer seems to have missed can be forged.

use alloc::collections::VecDeque;
use core::net::SocketAddr;
use core::time::Duration;

use crate::members::MemberId;
use crate::time::Instant;

/// The notices sent lately: when, about which member, and to which address.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Notices(
    #[cfg_attr(feature = "serde", serde(with = "crate::serial::exact"))]
    VecDeque<(Instant, MemberId, SocketAddr)>,
);

impl Notices {
    /// Whether a notice about `subject` may be sent to an address now: each only once in `window`,
    /// and at most `max` in all within it. If so, the notice is counted.
    pub(crate) fn may_send(
        &mut self,
        now: Instant,
        subject: MemberId,
        to: SocketAddr,
        (window, max): (Duration, usize),
    ) -> bool {
        let old = |at: Instant| now.saturating_duration_since(at) >= window;
        while self.0.front().is_some_and(|(at, ..)| old(*at)) {
            self.0.pop_front();
        }
        let repeated =
            |(_, about, sent): &(Instant, MemberId, SocketAddr)| *about == subject && *sent == to;
        if self.0.len() >= max || self.0.iter().any(repeated) {
            return false;
        }
        self.0.push_back((now, subject, to));
        true
    }

    /// Forgets the notices about a record that is gone: its id may name another one later.
    pub(crate) fn forget(&mut self, id: MemberId) {
        self.0.retain(|(_, about, _)| *about != id);
    }
}
