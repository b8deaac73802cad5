use super::*;

#[test]
fn moments_and_times_are_the_same_in_both_directions() {
    let origin = StdInstant::now();
    let clock = Clock::new(origin);
    for millis in [0, 1, 1500, 86_400_000] {
        let moment = origin + Duration::from_millis(millis);
        assert_eq!(clock.moment(clock.at(moment)), moment);
    }
    assert_eq!(clock.at(origin), Instant::ORIGIN + START);
    assert_eq!(clock.moment(Instant::ORIGIN), origin, "no moment before its own beginning");
}
