use super::*;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn the_score_stays_within_its_limits() {
    let mut health = Awareness::new(8);
    let steps = [
        (0, None, 0),
        (-1, None, 0),
        (-10, None, 0),
        (1, Some(1), 1),
        (-1, Some(0), 0),
        (10, Some(7), 7),
        (10, None, 7),
        (-1, Some(6), 6),
        (-1, Some(5), 5),
        (i32::MAX, Some(7), 7),
        (i32::MIN, Some(0), 0),
    ];
    for (delta, changed, score) in steps {
        assert_eq!((health.apply(delta), health.score()), (changed, score), "delta {delta}");
        assert_eq!(health.scale(SECOND), (score + 1) * SECOND);
    }
}

#[test]
fn a_multiplier_of_one_or_none_keeps_the_score_at_zero() {
    for multiplier in [0, 1] {
        let mut health = Awareness::new(multiplier);
        assert_eq!(health.apply(5), None);
        assert_eq!(health.scale(SECOND), SECOND);
    }
}

#[test]
fn a_lower_multiplier_lowers_the_score() {
    let mut health = Awareness::new(8);
    health.apply(6);
    assert_eq!(health.set_multiplier(10), None);
    assert_eq!(health.set_multiplier(3), Some(2));
    assert_eq!(health.apply(1), None);
}

#[test]
fn scaling_saturates() {
    let mut health = Awareness::new(u32::MAX);
    for _ in 0..3 {
        health.apply(i32::MAX);
    }
    assert_eq!(health.score(), u32::MAX - 1);
    assert_eq!(health.scale(Duration::MAX), Duration::MAX);
}
