use alloc::format;
use alloc::vec;

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
