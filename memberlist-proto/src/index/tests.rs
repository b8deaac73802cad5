use alloc::vec::Vec;

use super::*;

/// A hash: those of neighbouring slots are far apart.
fn hash(slot: u32) -> u64 {
    u64::from(slot + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[test]
fn every_slot_is_found_while_the_index_grows() {
    let mut index = Index::default();
    let mut known: Vec<bool> = Vec::new();
    for slot in 0..3_000_u32 {
        known.push(true);
        let is_known = |slot: u32| known[slot as usize].then(|| hash(slot));
        index.insert(hash(slot), slot, slot + 1, is_known);
        // Some slots are removed, and some of these are added again.
        for (every, back) in [(3, false), (7, true)] {
            let other = slot / 2;
            if slot % every == 0 && known[other as usize] != back {
                known[other as usize] = back;
                if back {
                    let is_known = |slot: u32| known[slot as usize].then(|| hash(slot));
                    index.insert(hash(other), other, slot + 1, is_known);
                } else {
                    index.remove(hash(other), other);
                }
            }
        }
        let number = known.iter().filter(|known| **known).count();
        assert_eq!(index.len(), number);
        for slot in (0..=slot).step_by(37).chain([slot, slot / 2]) {
            let found = index.find(hash(slot), |other| other == slot);
            assert_eq!(found, known[slot as usize].then_some(slot), "{slot}");
        }
    }
}

#[test]
fn no_insertion_moves_many_slots() {
    let mut index = Index::default();
    let mut most = 0;
    for slot in 0..20_000_u32 {
        let hashed = core::cell::Cell::new(0);
        index.insert(hash(slot), slot, slot + 1, |slot| {
            hashed.set(hashed.get() + 1);
            Some(hash(slot))
        });
        most = most.max(hashed.get());
    }
    assert!(most <= STEP as usize, "{most}");
    assert!(index.old.is_empty(), "what was moved is freed");
}
