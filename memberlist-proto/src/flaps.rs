//! Members that were considered dead and came back. A member to which that happens again and again,
//! because it receives nothing for a while or is too slow, is given more time to refute than the
//! last time, so that not every gap becomes a departure and a return for every member and its
//! application.

use alloc::collections::BTreeMap;
use core::time::Duration;

use crate::members::MemberId;
use crate::time::Instant;

/// How long the returns of a member count: this many probe intervals after the latest.
const MEMORY: u32 = 600;

/// How often each member came back lately: at most one entry for each record.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Flaps(BTreeMap<MemberId, Flap>);

#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Flap {
    returns: u32,
    latest: Instant,
}

impl Flaps {
    /// Notes that a member that was considered dead is back.
    pub(crate) fn came_back(&mut self, id: MemberId, now: Instant, probe_interval: Duration) {
        let returns = self.returns(id, now, probe_interval).saturating_add(1);
        self.0.insert(id, Flap { returns, latest: now });
    }

    /// How often a member came back; 0 if the latest return was long ago.
    pub(crate) fn returns(&self, id: MemberId, now: Instant, probe_interval: Duration) -> u32 {
        let recent = |flap: &&Flap| {
            now.saturating_duration_since(flap.latest) < probe_interval.saturating_mul(MEMORY)
        };
        self.0.get(&id).filter(recent).map_or(0, |flap| flap.returns)
    }

    /// Forgets the returns of a record that belongs to another process now, or is gone.
    pub(crate) fn forget(&mut self, id: MemberId) {
        self.0.remove(&id);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The members whose returns are counted.
    #[cfg(feature = "checkpoint")]
    pub(crate) fn ids(&self) -> impl Iterator<Item = MemberId> {
        self.0.keys().copied()
    }
}
