use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use super::*;

const SEED: [u8; 32] = *b"the seed of the golden test 0123";

#[test]
fn golden_first_draws() {
    let mut all = Randomness::new(SEED);
    let streams = [&mut all.probe_order, &mut all.gossip, &mut all.jitter, &mut all.misc];
    let draws = streams.map(Rng::u64);
    // Computed with an independent implementation of ChaCha.
    let expected = [
        14_430_420_084_039_287_795,
        6_456_782_342_589_986_796,
        5_804_362_675_881_854_242,
        18_136_986_625_484_730_215,
    ];
    assert_eq!(draws, expected);
    assert_eq!(all.nonces.nonce(), 0x5c48_230d_a05e_170a_adf7_5648_u128.to_be_bytes()[4..]);
    assert_eq!(all.nonces.nonce(), 0x1bd1_43e6_7cf8_8e81_bd10_ab6a_u128.to_be_bytes()[4..]);
    let hash_key = 0x48e2_7d3f_251d_0c84_3754_42fc_f959_3373_u128;
    assert_eq!(Randomness::hash_key(SEED), hash_key.to_be_bytes());
    let mut rng = Rng::from_seed(SEED);
    assert_eq!((rng.u32(), rng.below(1_000), rng.index(7)), (3_121_016_115, 244, 4));
    let draw = rng.duration(Duration::ZERO..Duration::from_secs(1));
    assert_eq!(draw, Duration::from_nanos(976_074_439));
}

#[test]
fn a_draw_in_one_stream_leaves_the_others_alone() {
    let mut one = Randomness::new(SEED);
    let mut two = one.clone();
    for _ in 0..100 {
        one.gossip.u32();
        one.nonces.nonce();
    }
    assert_eq!(one.probe_order.u64(), two.probe_order.u64());
    assert_eq!(one.jitter.u64(), two.jitter.u64());
    assert_eq!(one.misc.u64(), two.misc.u64());
    assert_ne!(one.gossip.u64(), two.gossip.u64());
}

fn nonces(all: &mut Randomness) -> [[u8; 12]; 4] {
    core::array::from_fn(|_| all.nonces.nonce())
}

#[test]
fn twins_part_when_fresh_randomness_is_mixed_in() {
    let mut one = Randomness::new(SEED);
    one.nonces.nonce();
    let mut two = one.clone();
    assert_eq!(nonces(&mut one), nonces(&mut two), "without it, copies repeat each other");
    one.mix([1; 32]);
    two.mix([2; 32]);
    let (ones, twos) = (nonces(&mut one), nonces(&mut two));
    assert!(ones.iter().all(|nonce| !twos.contains(nonce)), "{ones:?} {twos:?}");
}

#[test]
fn a_replay_with_the_same_fresh_bytes_gives_the_same_nonces() {
    let run = |inputs: &[[u8; 32]]| {
        let mut all = Randomness::new(SEED);
        let mut drawn = Vec::from(nonces(&mut all));
        for fresh in inputs {
            all.mix(*fresh);
            drawn.extend(nonces(&mut all));
        }
        drawn
    };
    let recorded = run(&[[7; 32], [8; 32]]);
    assert_eq!(run(&[[7; 32], [8; 32]]), recorded);
    // One bit of the first input changes everything after it, and nothing before.
    let mut other = [7; 32];
    other[31] ^= 0x80;
    let changed = run(&[other, [8; 32]]);
    assert_eq!(changed[..4], recorded[..4]);
    assert!(changed[4..].iter().all(|nonce| !recorded.contains(nonce)));
}

#[test]
fn weak_fresh_bytes_do_no_harm() {
    let mut mixed = Randomness::new(SEED);
    let mut untouched = mixed.clone();
    mixed.mix([0; 32]);
    let after = nonces(&mut mixed);
    let stream: Vec<_> = (0..100).map(|_| untouched.nonces.nonce()).collect();
    assert!(after.iter().all(|nonce| !stream.contains(nonce)), "no nonce is used again");
    // The former stream still counts: the fresh bytes alone do not determine the nonces.
    let mut other = Randomness::new([9; 32]);
    other.mix([0; 32]);
    assert_ne!(nonces(&mut other), after);
}

#[test]
fn mixing_changes_nothing_but_the_nonces() {
    let mut one = Randomness::new(SEED);
    let mut two = one.clone();
    one.mix([3; 32]);
    let draws = |all: &mut Randomness| {
        let Randomness { probe_order, gossip, jitter, rejoin, misc, .. } = all;
        [probe_order, gossip, jitter, rejoin, misc].map(Rng::u64)
    };
    assert_eq!(draws(&mut one), draws(&mut two));
    assert_ne!(one.nonces.nonce(), two.nonces.nonce());
}

#[test]
fn golden_nonce_after_mixing() {
    let mut all = Randomness::new(SEED);
    all.mix(*b"fresh bytes of the golden test 4");
    // Computed with an independent implementation of ChaCha.
    assert_eq!(all.nonces.nonce(), 0x88a3_b717_caec_1434_c8ac_3153_u128.to_be_bytes()[4..]);
}

#[test]
fn bounded_draws_are_in_range_and_even() {
    let mut rng = Rng::from_seed(SEED);
    assert_eq!((rng.below(0), rng.below(1), rng.index(0)), (0, 0, 0));
    for n in [2, 3, 7, 10] {
        let mut seen = vec![0_u32; n];
        for _ in 0..10_000 * n {
            seen[rng.index(n)] += 1;
        }
        // Ten standard deviations.
        assert!(seen.iter().all(|count| count.abs_diff(10_000) < 1_000), "{seen:?}");
    }
    // A bound at which a plain product gives every third number twice as often.
    let bound = 3 << 62;
    let thirds = (0..9_000).filter(|_| rng.below(bound).is_multiple_of(3)).count();
    assert!(thirds.abs_diff(3_000) < 450, "{thirds}");
    assert!((0..1_000).all(|_| rng.below(bound) < bound));
}

#[test]
fn durations_are_in_their_range() {
    let mut rng = Rng::from_seed(SEED);
    let range = Duration::from_millis(10)..Duration::from_millis(20);
    let draws = [(); 1_000].map(|()| rng.duration(range.clone()));
    assert!(draws.iter().all(|draw| range.contains(draw)));
    assert!(draws.iter().any(|draw| *draw < Duration::from_millis(11)));
    assert!(draws.iter().any(|draw| *draw > Duration::from_millis(19)));
    let second = Duration::from_secs(1);
    assert_eq!(rng.duration(second..second), second);
    assert_eq!(rng.duration(second..Duration::ZERO), second);
    assert!(rng.duration(Duration::ZERO..Duration::MAX) > Duration::ZERO);
}

#[test]
fn debug_output_does_not_reveal_the_state() {
    let shown = format!("{:?}", Randomness::new(SEED));
    assert!(shown.contains("gossip: Rng(ChaCha8)") && shown.contains("nonces: Nonces(ChaCha20)"));
    assert!(!shown.chars().any(|c| c.is_ascii_digit() && c != '8' && c != '2' && c != '0'));
}
