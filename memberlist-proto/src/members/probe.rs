//! Whom to probe next.

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
    /// Each counts as a member considered.
    Count,
    /// The first begins the count anew, the second ends the search.
    Free,
    /// The free one has been used.
    Used,
}

impl ProbeTick {
    /// A search. Like the Go library it considers as many members as there are; `count_wraps` says
    /// whether the end of a round counts as one of them.
    ///
    /// Differs from Go if it does not count: then the search goes through the rest of this round
    /// and all of the next, and so finds a member if there is one. Go's probes nobody in 43 % of
    /// the ticks of two nodes, and in 5 % of those of three.
    pub(crate) const fn new(count_wraps: bool) -> Self {
        let wraps = if count_wraps { Wraps::Count } else { Wraps::Free };
        Self { considered: 0, wraps }
    }
}

/// One step of the search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProbeStep {
    /// Probe this one.
    Member(MemberId),
    /// A round is over: the moment to [reap](Members::reap). Then go on.
    Wrapped,
    /// There is nobody to probe in this tick.
    Nobody,
}

impl Members {
    /// Goes on with the search for a member to probe, past those that `skip` names.
    ///
    /// Each round goes through all members in a random order. Instead of shuffling the list at the
    /// end of a round, each step draws one of those not yet probed (the steps of a Fisher–Yates
    /// shuffle, one at a time): every order remains equally likely, and no tick pays for all.
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
                return ProbeStep::Nobody;
            }
            if self.cursor >= self.order.len() {
                match tick.wraps {
                    Wraps::Count => tick.considered += 1,
                    Wraps::Free => *tick = ProbeTick { considered: 0, wraps: Wraps::Used },
                    Wraps::Used => return ProbeStep::Nobody,
                }
                self.cursor = 0;
                return ProbeStep::Wrapped;
            }
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
