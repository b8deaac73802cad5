use proptest::prelude::*;

use super::*;

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

fn nanos(nanos: u64) -> Duration {
    Duration::from_nanos(nanos)
}

#[test]
fn a_changed_interval_counts_from_the_last_tick() {
    // The last tick was at 100, the one before the change is due at 110.
    assert_eq!(moved(at(104), at(110), nanos(10), nanos(10)), at(110));
    assert_eq!(moved(at(104), at(110), nanos(10), nanos(30)), at(130));
    assert_eq!(moved(at(104), at(110), nanos(10), nanos(5)), at(105));
    assert_eq!(moved(at(104), at(110), nanos(10), nanos(3)), at(106), "its phase is kept");
    assert_eq!(moved(at(110), at(110), nanos(10), nanos(30)), at(110), "a tick that is due");
    assert_eq!(moved(at(109), at(110), nanos(10), nanos(9)), at(110), "not put off");
    // A first tick may be due earlier than one interval after the origin.
    assert_eq!(moved(at(1), at(9), nanos(10), nanos(4)), at(3));
}

proptest! {
    #[test]
    fn a_tick_is_at_most_one_interval_away(
        now in 0..1_000_u64, ahead in 1..1_000_u64, was in 1..1_000_u64, interval in 1..1_000_u64,
    ) {
        prop_assume!(ahead <= was);
        let next = moved(at(now), at(now + ahead), nanos(was), nanos(interval));
        prop_assert!(next > at(now) && next <= at(now + interval), "{next:?}");
    }
}
