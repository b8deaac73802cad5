use super::*;

#[test]
fn timeouts_wait_for_packets_but_not_for_a_flood() {
    let mut turns = Turns::default();
    let none = Duration::ZERO;
    assert!(turns.timeouts(0, none, false), "nothing waits");
    assert!(turns.timeouts(63, none, false), "all that waited has been read");
    let batches = Turns::PATIENCE / Turns::BATCH;
    for round in 1..=3 * batches {
        let turn = turns.timeouts(Turns::BATCH, none, true);
        assert_eq!(turn, round % batches == 0, "batch {round}");
    }
}

#[test]
fn a_flood_of_expensive_packets_is_bounded_in_time() {
    let cost = Duration::from_millis(5);
    let batch = (0..).take_while(|packets| Turns::reads_on(*packets, cost * *packets as u32));
    let packets = batch.count();
    assert_eq!(packets, 2, "of {cost:?} each, what they caused is sent after two");
    let mut turns = Turns::default();
    let mut since = Duration::ZERO;
    for round in 0..1000 {
        let spent = cost * packets as u32;
        since += spent;
        if turns.timeouts(packets, spent, true) {
            since = Duration::ZERO;
        }
        assert!(since < Duration::from_millis(100), "round {round}: {since:?}");
    }
}

#[test]
fn cheap_packets_are_bounded_in_number() {
    let cost = Duration::from_micros(10);
    let batch = (0..).take_while(|packets| Turns::reads_on(*packets, cost * *packets as u32));
    assert_eq!(batch.count(), Turns::BATCH);
    let mut turns = Turns::default();
    let batches = (0..1000).take_while(|_| !turns.timeouts(Turns::BATCH, cost * 64, true)).count();
    assert_eq!((batches + 1) * Turns::BATCH, Turns::PATIENCE);
}

/// The timeouts of a process that slept in the middle of a batch wait for what its socket holds.
#[test]
fn sleep_within_a_batch_is_not_time_spent() {
    let mut turns = Turns::default();
    assert!(!turns.timeouts(1, Duration::from_secs(60), true));
    assert!(!turns.timeouts(Turns::BATCH, Duration::from_millis(10), true));
}

#[test]
fn waits_double_up_to_a_second() {
    let mut backoff = Backoff::default();
    let waits: Vec<_> = (0..10).map(|_| backoff.wait().as_millis()).collect();
    assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
    backoff.reset();
    assert_eq!(backoff.wait(), Duration::from_millis(5));
}
