//! The choice of the next member to probe.

use super::{MemberId, Members, Record};
use crate::rng::Rng;

/// The search for one member to probe.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProbeTick {
    considered: usize,
    wraps: Wraps,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wraps {
    /// Every end of a round counts as a member considered.
    Count,
    /// The first end of a round starts the count again, the second one ends the search.
    Free,
    /// The first end of a round has been passed.
    Used,
}

impl ProbeTick {
    /// A search that considers as many members as there are, as in Go. `count_wraps` says whether the
    /// end of a round counts as one of them.
    ///
    /// Differs from Go if it does not count: then the search covers the rest of this round and all of
    /// the next, and finds a member if there is one. In Go 43 % of the ticks in a cluster of two nodes
    /// probe no member, and 5 % of those in a cluster of three.
    pub(crate) const fn new(count_wraps: bool) -> Self {
        let wraps = if count_wraps { Wraps::Count } else { Wraps::Free };
        Self { considered: 0, wraps }
    }
}

/// One step of the search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProbeStep {
    /// The member to probe.
    Member(MemberId),
    /// A round is over, which is the time to [reap](Members::reap). The search goes on afterwards.
    Wrapped,
    /// There is no member to probe in this tick.
    Idle,
}

impl Members {
    /// Continues the search for a member to probe, passing over those for which `skip` is true.
    ///
    /// Each round probes all members once in a random order, so that a dead member is probed after
    /// at most two rounds; independent draws would give no such bound (SWIM §4.3).
    ///
    /// Source: `probe` and `resetNodes`; SWIM §4.3.
    pub(crate) fn next_probe(
        &mut self,
        tick: &mut ProbeTick,
        rng: &mut Rng,
        mut skip: impl FnMut(MemberId, &Record) -> bool,
    ) -> ProbeStep {
        loop {
            if tick.considered >= self.order.len() && tick.wraps != Wraps::Free {
                return ProbeStep::Idle;
            }
            if self.cursor >= self.order.len() {
                match tick.wraps {
                    Wraps::Count => tick.considered += 1,
                    Wraps::Free => *tick = ProbeTick { considered: 0, wraps: Wraps::Used },
                    Wraps::Used => return ProbeStep::Idle,
                }
                self.cursor = 0;
                return ProbeStep::Wrapped;
            }
            // One step of a Fisher–Yates shuffle instead of a shuffle of the whole list at the end of
            // the round: every order remains equally likely, and no tick takes O(n).
            let drawn = self.cursor + rng.index(self.order.len() - self.cursor);
            self.order.swap(self.cursor, drawn);
            let id = self.order[self.cursor];
            self.cursor += 1;
            if !skip(id, &self.records[id]) {
                return ProbeStep::Member(id);
            }
            tick.considered += 1;
        }
    }
}
