//! The choice of random members.

use smallvec::SmallVec;

use super::{MemberId, Members, Record};
use crate::rng::Rng;

/// The members to choose from: those of two lists together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pool<'a>(pub(super) &'a [MemberId], pub(super) &'a [MemberId]);

impl Pool<'_> {
    const fn len(self) -> usize {
        self.0.len() + self.1.len()
    }

    /// A random one of them; `None` if there is none.
    pub(super) fn draw(self, rng: &mut Rng) -> Option<MemberId> {
        if self.len() == 0 {
            return None;
        }
        let at = rng.index(self.len());
        self.0.get(at).or_else(|| self.1.get(at - self.0.len())).copied()
    }
}

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
        self.choose_more(Pool(&self.order, &[]), k, rng, chosen, accept);
    }

    /// As [`choose`](Self::choose), but from `pool`, and in addition to the members that are in
    /// `chosen` already: up to `k` in all.
    pub(super) fn choose_more(
        &self,
        pool: Pool<'_>,
        k: usize,
        rng: &mut Rng,
        chosen: &mut SmallVec<[MemberId; 8]>,
        accept: impl FnMut(MemberId, &Record) -> bool,
    ) {
        if chosen.len() >= k || pool.len() == 0 {
            return;
        }
        if pool.len() < k.saturating_mul(3) {
            self.choose_of_all(pool, k, rng, chosen, accept);
        } else {
            self.choose_by_lot(pool, k, rng, chosen, accept);
        }
    }

    pub(super) fn choose_of_all(
        &self,
        pool: Pool<'_>,
        k: usize,
        rng: &mut Rng,
        chosen: &mut SmallVec<[MemberId; 8]>,
        mut accept: impl FnMut(MemberId, &Record) -> bool,
    ) {
        // In small clusters random draws would easily miss the few that pass (Go draws from a shuffled
        // copy here, too).
        let mut left: SmallVec<[MemberId; 32]> = SmallVec::from_slice(pool.0);
        left.extend_from_slice(pool.1);
        while !left.is_empty() && chosen.len() < k {
            let id = left.swap_remove(rng.index(left.len()));
            if !chosen.contains(&id) && accept(id, &self.records[id]) {
                chosen.push(id);
            }
        }
    }

    fn choose_by_lot(
        &self,
        pool: Pool<'_>,
        k: usize,
        rng: &mut Rng,
        chosen: &mut SmallVec<[MemberId; 8]>,
        mut accept: impl FnMut(MemberId, &Record) -> bool,
    ) {
        // The bound is for the case that hardly any member passes, as after a partition: this then
        // takes O(n), like a search of all.
        for _ in 0..3 * pool.len() {
            let Some(id) = pool.draw(rng) else { return };
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
