use super::*;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn addition_saturates() {
    assert_eq!(Instant::from_nanos(5) + Duration::from_nanos(7), Instant::from_nanos(12));
    assert_eq!(Instant::ORIGIN + Duration::MAX, Instant::FAR_FUTURE);
    assert_eq!(Instant::FAR_FUTURE + Duration::from_nanos(1), Instant::FAR_FUTURE);
    let mut now = Instant::ORIGIN;
    now += SECOND;
    assert_eq!(now.as_nanos(), 1_000_000_000);
}

#[test]
fn checked_operations_stop_at_both_ends() {
    let one = Instant::from_nanos(1);
    assert_eq!(one.checked_sub(Duration::from_nanos(1)), Some(Instant::ORIGIN));
    assert_eq!(one.checked_sub(Duration::from_nanos(2)), None);
    assert_eq!(one.checked_sub(Duration::MAX), None);
    assert_eq!(Instant::FAR_FUTURE.checked_add(Duration::ZERO), Some(Instant::FAR_FUTURE));
    assert_eq!(Instant::FAR_FUTURE.checked_add(Duration::from_nanos(1)), None);
    assert_eq!(Instant::ORIGIN.checked_add(Duration::MAX), None);
}

#[test]
fn differences_never_go_below_zero() {
    let (early, late) = (Instant::from_nanos(3), Instant::from_nanos(10));
    assert_eq!(late.saturating_duration_since(early), Duration::from_nanos(7));
    assert_eq!(early.saturating_duration_since(late), Duration::ZERO);
    assert_eq!(late.checked_duration_since(early), Some(Duration::from_nanos(7)));
    assert_eq!(early.checked_duration_since(late), None);
}

#[test]
fn push_pull_scales_by_doublings_above_32_nodes() {
    let expected = |n: usize| {
        (1..10).find(|factor| n <= 32 << (factor - 1)).expect("some power of two suffices")
    };
    for n in 0..=5_000 {
        assert_eq!(push_pull_scale(SECOND, n), SECOND * expected(n), "n = {n}");
    }
    for (n, seconds) in [(32, 30), (33, 60), (64, 60), (65, 90), (129, 120), (1000, 180)] {
        assert_eq!(push_pull_scale(30 * SECOND, n), seconds * SECOND, "n = {n}");
    }
    assert_eq!(push_pull_scale(Duration::MAX, usize::MAX), Duration::MAX);
}
