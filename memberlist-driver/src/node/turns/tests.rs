use super::*;

/// How many packets of this cost make the next batch.
fn batch(turns: &Turns, cost: Duration) -> usize {
    let reads_on = |packets: &usize| turns.reads_on(*packets, cost * *packets as u32);
    (0..1000).take_while(reads_on).count()
}

/// Batches of packets of this cost from a socket that stays full, until the timeouts have their turn.
fn flood(turns: &mut Turns, cost: Duration) -> Vec<usize> {
    let mut batches = Vec::new();
    loop {
        let packets = batch(turns, cost);
        batches.push(packets);
        if turns.timeouts(packets, cost * packets as u32, true) {
            return batches;
        }
        if turns.tasks() {
            turns.begin_round();
        }
    }
}

#[test]
fn timeouts_wait_for_packets_but_not_for_a_flood() {
    let mut turns = Turns::default();
    let none = Duration::ZERO;
    assert!(turns.timeouts(0, none, false), "nothing waits");
    assert!(turns.timeouts(63, none, false), "all that waited has been read");
    turns.begin_round();
    for _ in 0..3 {
        let packets: usize = flood(&mut turns, none).iter().sum();
        assert_eq!(packets, Turns::PATIENCE);
    }
}

#[test]
fn other_tasks_have_their_turn_after_a_round() {
    let mut turns = Turns::default();
    let none = Duration::ZERO;
    turns.timeouts(40, none, false);
    assert!(!turns.tasks());
    // Batches that found the socket empty count as those that did not.
    assert_eq!(batch(&turns, none), 24);
    turns.timeouts(24, none, false);
    assert!(turns.tasks());
    turns.begin_round();
    assert!(!turns.tasks());
    turns.timeouts(1, Turns::ROUND_TIME, true);
    assert!(turns.tasks());
}

#[test]
fn a_flood_of_expensive_packets_is_bounded_in_time() {
    let cost = Duration::from_millis(5);
    let mut turns = Turns::default();
    for _ in 0..100 {
        let batches = flood(&mut turns, cost);
        assert!(batches.iter().all(|packets| *packets <= 2), "of {cost:?} each: {batches:?}");
        let spent = cost * batches.iter().sum::<usize>() as u32;
        assert!(spent <= Duration::from_millis(100), "{spent:?}");
    }
}

#[test]
fn cheap_packets_are_bounded_in_number() {
    let packets: usize = flood(&mut Turns::default(), Duration::from_micros(10)).iter().sum();
    assert_eq!(packets, Turns::PATIENCE);
}

/// The timeouts of a process that slept in the middle of a batch wait for what its socket holds.
#[test]
fn sleep_within_a_batch_is_not_time_spent() {
    let mut turns = Turns::default();
    assert!(!turns.timeouts(1, Duration::from_secs(60), true));
    assert!(!turns.timeouts(Turns::ROUND, Duration::from_millis(10), true));
}

#[test]
fn waits_double_up_to_a_second() {
    let mut backoff = Backoff::default();
    let waits: Vec<_> = (0..10).map(|_| backoff.wait().as_millis()).collect();
    assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
    backoff.reset();
    assert_eq!(backoff.wait(), Duration::from_millis(5));
}
