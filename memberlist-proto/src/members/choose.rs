//! Random members.

use smallvec::SmallVec;

use super::{MemberId, Members, Record};
use crate::rng::Rng;

impl Members {
    /// Chooses up to `k` different random members that pass `accept`, into `chosen`, whose former
    /// contents are dropped.
    ///
    /// With fewer than `3 k` records it looks at each; otherwise it draws up to three times as often
    /// as there are records, and takes O(k) while most of them pass. So it may find fewer than `k`.
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
        for _ in 0..3 * self.order.len() {
            let id = self.order[rng.index(self.order.len())];
            if !chosen.contains(&id) && accept(id, &self.records[id]) {
                chosen.push(id);
                if chosen.len() == k {
                    return;
                }
            }
        }
    }
}
