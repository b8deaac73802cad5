//! The choice of random members.

use smallvec::SmallVec;

use super::{MemberId, Members, Record};
use crate::rng::Rng;

impl Members {
    /// Chooses up to `k` different random members that pass `accept`. They replace the contents of
    /// `chosen`.
    ///
    /// With fewer than `3 k` records it looks at all of them. Otherwise it draws at most three times
    /// as often as there are records, which takes O(k) if most of them pass, and may find fewer than
    /// `k` although there are more.
    ///
    /// Source: `kRandomNodes`.
    pub(crate) fn choose(
        &self,
        k: usize,
        rng: &mut Rng,
        chosen: &mut SmallVec<[MemberId; 8]>,
        accept: impl FnMut(MemberId, &Record) -> bool,
    ) {
        chosen.clear();
        if k == 0 {
            return;
        }
        if self.order.len() < k.saturating_mul(3) {
            self.choose_of_all(k, rng, chosen, accept);
        } else {
            self.choose_by_lot(k, rng, chosen, accept);
        }
    }

    fn choose_of_all(
        &self,
        k: usize,
        rng: &mut Rng,
        chosen: &mut SmallVec<[MemberId; 8]>,
        mut accept: impl FnMut(MemberId, &Record) -> bool,
    ) {
        // In small clusters random draws would easily miss the few that pass (Go draws from a shuffled
        // copy here, too).
        let mut left: SmallVec<[MemberId; 32]> = SmallVec::from_slice(&self.order);
        while !left.is_empty() && chosen.len() < k {
            let id = left.swap_remove(rng.index(left.len()));
            if accept(id, &self.records[id]) {
                chosen.push(id);
            }
        }
    }

    fn choose_by_lot(
        &self,
        k: usize,
        rng: &mut Rng,
        chosen: &mut SmallVec<[MemberId; 8]>,
        mut accept: impl FnMut(MemberId, &Record) -> bool,
    ) {
        // The bound is for the case that hardly any member passes, as after a partition: then this
        // takes O(n), like a search of all.
        for _ in 0..3 * self.order.len() {
            let id = self.order[rng.index(self.order.len())];
            // A linear search, since `k` is a handful: gossip goes to 3 or 4 members, and 3 help with
            // a probe.
            if !chosen.contains(&id) && accept(id, &self.records[id]) {
                chosen.push(id);
                if chosen.len() == k {
                    return;
                }
            }
        }
    }
}
