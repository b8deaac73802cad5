use super::*;

fn at(millis: u64) -> Instant {
    Instant::ORIGIN + Duration::from_secs(1) + Duration::from_millis(millis)
}

#[test]
fn a_flood_of_lines_is_cut_and_counted() {
    let mut throttle = Throttle::default();
    let passed = (0..1000).filter(|number| throttle.pass(at(number / 2), 10).is_some()).count();
    assert_eq!(passed, 10);
    assert_eq!(throttle.pass(at(999), 10), None);
    assert_eq!(throttle.pass(at(1000), 10), Some(991), "the next line says how many are missing");
    assert_eq!(throttle.pass(at(1001), 10), Some(0), "and only once");
}
