use super::*;

#[test]
fn timeouts_wait_for_packets_but_not_for_a_flood() {
    let mut turns = Turns::default();
    assert!(turns.timeouts(0, false), "nothing waits");
    assert!(turns.timeouts(63, false), "all that waited has been read");
    let batches = Turns::PATIENCE / Turns::BATCH;
    for round in 1..=3 * batches {
        let turn = turns.timeouts(Turns::BATCH, true);
        assert_eq!(turn, round % batches == 0, "batch {round}");
    }
}

#[test]
fn waits_double_up_to_a_second() {
    let mut backoff = Backoff::default();
    let waits: Vec<_> = (0..10).map(|_| backoff.wait().as_millis()).collect();
    assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
    backoff.reset();
    assert_eq!(backoff.wait(), Duration::from_millis(5));
}
