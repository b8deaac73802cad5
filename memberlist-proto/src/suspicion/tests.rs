use proptest::prelude::*;

use super::*;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn params(needed: u32, min: Duration, max: Duration) -> SuspicionParams {
    SuspicionParams { needed, min, max }
}

/// How much of its time a suspect has left after `elapsed` (Go: `remainingSuspicionTime`); zero if
/// the time is over.
fn remaining(confirmations: u32, elapsed: Duration, params: SuspicionParams) -> Duration {
    total(confirmations, params).saturating_sub(elapsed)
}

#[test]
fn remaining_time_by_confirmations() {
    let params = params(3, secs(2), secs(30));
    let cases = [
        (0, 0, 30_000),
        (1, 2, 14_000),
        (2, 3, 4_810),
        // Over since 2, 3 and 8 seconds.
        (3, 4, 0),
        (4, 5, 0),
        (5, 10, 0),
    ];
    for (confirmations, elapsed, left) in cases {
        assert_eq!(remaining(confirmations, secs(elapsed), params), millis(left));
    }
    let totals = [0, 1, 2, 3, 4, 5].map(|confirmations| total(confirmations, params));
    assert_eq!(totals, [30_000, 16_000, 7_810, 2_000, 2_000, 2_000].map(millis));
}

#[test]
fn the_least_time_grows_with_the_logarithm_of_the_cluster() {
    for (n, thousandths) in
        [(5, 1000), (10, 1000), (50, 1698), (100, 2000), (500, 2698), (1000, 3000)]
    {
        assert_eq!(suspicion_timeout(3, n, secs(1)), 3 * millis(thousandths), "n = {n}");
    }
    for (n, least) in [(0, 4000), (1, 4000), (10, 4000), (99, 7980), (100, 8000), (1000, 12_000)] {
        assert_eq!(suspicion_timeout(4, n, secs(1)), millis(least), "n = {n}");
    }
    for power in 1..=19 {
        let n = 10_usize.pow(power);
        assert_eq!(suspicion_timeout(1, n, secs(1)), secs(power.into()), "n = {n}");
    }
    assert_eq!(suspicion_timeout(0, 10, secs(1)), Duration::ZERO);
    assert_eq!(suspicion_timeout(4, 10, Duration::ZERO), Duration::ZERO);
    assert_eq!(suspicion_timeout(u32::MAX, usize::MAX, Duration::MAX).as_nanos(), u64::MAX.into());
}

#[test]
fn small_clusters_need_no_confirmations() {
    let cases = [
        ((4, 5), 2),
        ((4, 4), 2),
        ((4, 3), 0),
        ((4, 1), 0),
        ((4, 0), 0),
        ((2, 100), 0),
        ((0, 100), 0),
        ((6, 6), 4),
        ((6, 5), 0),
        ((u32::MAX, 1000), 0),
    ];
    for ((mult, n), needed) in cases {
        assert_eq!(confirmations_needed(mult, n), needed, "mult {mult}, n {n}");
    }
}

#[test]
fn lan_defaults() {
    let params = SuspicionParams::new(4, 6, 5, secs(1));
    assert_eq!(params, super::SuspicionParams { needed: 2, min: secs(4), max: secs(24) });
    let totals = [0, 1, 2].map(|confirmations| total(confirmations, params));
    assert_eq!(totals, [24_000, 11_381, 4_000].map(millis));
    let saturated = SuspicionParams::new(u32::MAX, u32::MAX, usize::MAX, Duration::MAX);
    assert!(saturated.min <= saturated.max);
}

#[test]
fn confirmations_count_once_and_only_while_needed() {
    let start = Instant::from_nanos(1_000);
    let mut suspicion =
        Suspicion::new(start, NodeName::from("me"), params(3, millis(500), secs(2)));
    assert_eq!(suspicion.deadline(), start + secs(2));
    let steps = [
        ("me", Confirmation::Known),
        ("foo", Confirmation::New { deadline: start + millis(1_250) }),
        ("foo", Confirmation::Known),
        ("me", Confirmation::Known),
        ("bar", Confirmation::New { deadline: start + millis(811) }),
        ("baz", Confirmation::New { deadline: start + millis(500) }),
        ("zoo", Confirmation::Enough),
        ("foo", Confirmation::Enough),
    ];
    assert!(suspicion.lacks_confirmations());
    for (step, (from, expected)) in (0..).zip(steps) {
        let now = start + millis(25 * step);
        assert_eq!(suspicion.confirm(now, from.into()), expected, "{from}");
    }
    assert_eq!((suspicion.confirmations(), suspicion.lacks_confirmations()), (3, false));
    assert_eq!(suspicion.accusers(), ["me", "foo", "bar", "baz"]);
    assert_eq!(suspicion.deadline(), start + millis(500));
}

#[test]
fn without_needed_confirmations_the_time_is_minimal_from_the_start() {
    let params = params(0, millis(25), secs(30));
    let mut suspicion = Suspicion::new(Instant::ORIGIN, NodeName::from("me"), params);
    assert_eq!(suspicion.deadline(), Instant::ORIGIN + millis(25));
    assert!(!suspicion.lacks_confirmations());
    assert_eq!(suspicion.confirm(Instant::ORIGIN, "foo".into()), Confirmation::Enough);
}

#[test]
fn a_late_confirmation_ends_the_suspicion_at_once() {
    let params = params(1, millis(100), secs(30));
    let mut suspicion = Suspicion::new(Instant::ORIGIN, NodeName::from("me"), params);
    let now = Instant::ORIGIN + millis(200);
    assert_eq!(suspicion.confirm(now, "foo".into()), Confirmation::New { deadline: now });
}

proptest! {
    #[test]
    fn times_shrink_monotonically_within_their_bounds(
        needed in 0_u32..200,
        min in 0_u64..10_000_000_000,
        mult in 1_u32..100,
        extra in 0_u32..20,
    ) {
        let min = Duration::from_nanos(min);
        let params = params(needed, min, min * mult);
        let mut before = Duration::MAX;
        for confirmations in 0..=needed + extra {
            let time = total(confirmations, params);
            prop_assert!(min <= time && time <= params.max);
            prop_assert!(time <= before);
            before = time;
        }
        prop_assert!(needed == 0 || total(0, params) == params.max);
        // Rounding in the logarithms may leave it one floored millisecond short, never below.
        prop_assert!(before < min + millis(1));
    }

    #[test]
    fn confirming_is_idempotent_and_bounded(
        needed in 0_u32..8,
        gaps in proptest::collection::vec((0_u8..12, 0_u64..4_000), 0..60),
    ) {
        let params = params(needed, secs(1), secs(10));
        let mut now = Instant::ORIGIN;
        let mut suspicion = Suspicion::new(now, NodeName::from(&[0_u8][..]), params);
        let mut seen = alloc::collections::BTreeSet::from([0]);
        for (from, gap) in gaps {
            now += millis(gap);
            let before = suspicion.clone();
            let outcome = suspicion.confirm(now, Name::new(&[from]));
            if seen.len() > needed as usize {
                prop_assert_eq!(outcome, Confirmation::Enough);
            } else if seen.insert(from) {
                let deadline = suspicion.deadline().max(now);
                prop_assert_eq!(outcome, Confirmation::New { deadline });
                prop_assert!(suspicion.deadline() <= before.deadline());
            } else {
                prop_assert_eq!(outcome, Confirmation::Known);
            }
            if !matches!(outcome, Confirmation::New { .. }) {
                prop_assert_eq!(&suspicion, &before);
            }
            prop_assert_eq!(suspicion.confirmations() as usize + 1, seen.len());
        }
    }
}
