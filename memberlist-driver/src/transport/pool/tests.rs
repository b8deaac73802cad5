use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

fn address(number: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], number))
}

fn frame(len: usize) -> Bytes {
    Bytes::from(vec![7; len])
}

fn begun(queued: Queued) -> Serial {
    match queued {
        Queued::Begin(serial) => serial,
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_task_carries_the_frames_of_an_address_in_order() {
    let (mut pool, now, to) = (Pool::default(), Instant::now(), address(1));
    let task = begun(pool.push(now, to, frame(1)));
    assert_eq!(pool.push(now, to, frame(2)), Queued::Waits);
    assert_eq!(pool.next(to, task), Turned::Write(frame(1)));
    assert!(!pool.is_flushed());
    pool.written(now, to, task);
    assert_eq!(pool.next(to, task), Turned::Write(frame(2)));
    assert!(!pool.is_flushed(), "it is being written");
    pool.written(now, to, task);
    assert!(pool.is_flushed());
    assert_eq!(pool.next(to, task), Turned::Wait);
    assert_eq!(pool.dropped(), 0);
}

#[test]
fn the_oldest_frames_make_room_in_their_own_queue_alone() {
    let bounds = Bounds { queue_frames: 3, queue_bytes: 100, ..Bounds::default() };
    let (mut pool, now) = (Pool::new(bounds), Instant::now());
    let other = begun(pool.push(now, address(2), frame(9)));
    let task = begun(pool.push(now, address(1), frame(1)));
    for len in 2..=5 {
        assert_eq!(pool.push(now, address(1), frame(len)), Queued::Waits);
    }
    assert_eq!(pool.dropped(), 2);
    // One that is longer than the queue may be still gets its turn, alone.
    assert_eq!(pool.push(now, address(1), frame(200)), Queued::Waits);
    assert_eq!(pool.dropped(), 5);
    assert_eq!(pool.next(address(1), task), Turned::Write(frame(200)));
    assert_eq!(pool.next(address(2), other), Turned::Write(frame(9)));
    assert_eq!(pool.bytes(), 0);
}

#[test]
fn all_queues_together_are_bounded() {
    let bounds = Bounds { bytes: 100, ..Bounds::default() };
    let (mut pool, now) = (Pool::new(bounds), Instant::now());
    let task = begun(pool.push(now, address(1), frame(90)));
    assert_eq!(pool.push(now, address(2), frame(20)), Queued::Full);
    assert_eq!(pool.next(address(1), task), Turned::Write(frame(90)));
    begun(pool.push(now, address(2), frame(20)));
}

#[test]
fn a_peer_that_cannot_be_reached_rests_longer_and_longer() {
    let (mut pool, mut now, to) = (Pool::default(), Instant::now(), address(1));
    let mut task = begun(pool.push(now, to, frame(1)));
    for rest in [100, 200, 400, 800, 1600, 2000, 2000] {
        assert_eq!(pool.push(now, to, frame(1)), Queued::Waits);
        let failed = pool.failed(now, to, task, StreamFailure::TimedOut);
        assert_eq!(failed, Failed::Over);
        assert!(pool.is_flushed());
        assert_eq!(pool.next(to, task), Turned::Gone);
        now += Duration::from_millis(rest - 1);
        assert_eq!(pool.push(now, to, frame(1)), Queued::Rests(StreamFailure::TimedOut));
        now += Duration::from_millis(1);
        task = begun(pool.push(now, to, frame(1)));
    }
    assert_eq!(pool.dropped(), 7 * 3);
    assert_eq!(pool.next(to, task), Turned::Write(frame(1)));
    // Only time proves that the peer takes what is written.
    pool.written(now, to, task);
    assert_eq!(pool.failed(now, to, task, StreamFailure::Reset), Failed::Over);
    now += LONGEST_REST + PROVEN;
    task = begun(pool.push(now, to, frame(1)));
    assert_eq!(pool.next(to, task), Turned::Write(frame(1)));
    pool.written(now, to, task);
    let again = pool.failed(now, to, task, StreamFailure::Reset);
    assert_eq!(again, Failed::Again(now + FIRST_REST));
}

/// The first failure costs nothing of what waits; the second one in a row costs all of it.
#[test]
fn a_queue_survives_one_failure() {
    let (mut pool, mut now, to) = (Pool::default(), Instant::now(), address(1));
    let task = begun(pool.push(now, to, frame(1)));
    assert_eq!(pool.push(now, to, frame(2)), Queued::Waits);
    assert_eq!(pool.next(to, task), Turned::Write(frame(1)));
    let failed = pool.failed(now, to, task, StreamFailure::Reset);
    assert_eq!(failed, Failed::Again(now + FIRST_REST));
    assert!(!pool.is_flushed());
    // Meanwhile a probe is to go on by other ways at once.
    assert_eq!(pool.push(now, to, frame(3)), Queued::Rests(StreamFailure::Reset));
    now += FIRST_REST;
    assert_eq!(pool.push(now, to, frame(4)), Queued::Waits);
    pool.written(now, to, task);
    assert_eq!(pool.next(to, task), Turned::Write(frame(2)));
    assert_eq!(pool.dropped(), 1);
    assert_eq!(pool.failed(now, to, task, StreamFailure::Reset), Failed::Over);
    assert_eq!((pool.dropped(), pool.bytes(), pool.is_flushed()), (3, 0, true));
}

#[test]
fn the_address_used_longest_ago_makes_room() {
    let bounds = Bounds { peers: 2, ..Bounds::default() };
    let (mut pool, now) = (Pool::new(bounds), Instant::now());
    let tasks = [1, 2].map(|number| {
        let later = now + Duration::from_secs(number.into());
        begun(pool.push(later, address(number), frame(1)))
    });
    assert_eq!(pool.push(now, address(3), frame(1)), Queued::Full, "both have something to write");
    for (task, number) in tasks.into_iter().zip(1..) {
        assert_eq!(pool.next(address(number), task), Turned::Write(frame(1)));
    }
    assert_eq!(pool.push(now, address(3), frame(1)), Queued::Full, "both are being written");
    pool.written(now, address(1), tasks[0]);
    pool.written(now, address(2), tasks[1]);
    assert_eq!(pool.take_replaced(), None);
    begun(pool.push(now, address(3), frame(1)));
    assert_eq!(pool.take_replaced(), Some(address(1)));
    assert_eq!(pool.take_replaced(), None);
    assert_eq!(pool.next(address(1), tasks[0]), Turned::Gone);
    assert_eq!(pool.next(address(2), tasks[1]), Turned::Wait);
}

#[test]
fn an_idle_task_ends_unless_a_frame_has_just_come() {
    let (mut pool, now, to) = (Pool::default(), Instant::now(), address(1));
    let task = begun(pool.push(now, to, frame(1)));
    assert!(!pool.ends(to, task));
    assert_eq!(pool.next(to, task), Turned::Write(frame(1)));
    pool.written(now, to, task);
    assert!(pool.ends(to, task));
    assert_eq!(pool.peers(), 0);
    assert!(pool.ends(to, task), "it is gone already");
    assert_ne!(begun(pool.push(now, to, frame(1))), task);
}

#[derive(Clone, Debug)]
enum Step {
    Push(u16, usize),
    Next(u16),
    Written(u16),
    Failed(u16),
    Ends(u16),
    Later(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..6_u16, 0..60_usize).prop_map(|(to, len)| Step::Push(to, len)),
        3 => (0..6_u16).prop_map(Step::Next),
        2 => (0..6_u16).prop_map(Step::Written),
        1 => (0..6_u16).prop_map(Step::Failed),
        1 => (0..6_u16).prop_map(Step::Ends),
        1 => (0..3000_u64).prop_map(Step::Later),
    ]
}

proptest! {
    /// Whatever happens, the bounds hold and every frame is fetched once or counted as dropped.
    #[test]
    fn bounds_hold_and_no_frame_vanishes(steps in prop::collection::vec(step(), 0..200)) {
        let bounds = Bounds { peers: 4, queue_frames: 3, queue_bytes: 80, bytes: 150 };
        let mut pool = Pool::new(bounds.clone());
        let mut now = Instant::now();
        let mut tasks = BTreeMap::new();
        let mut writing = BTreeSet::new();
        let (mut pushed, mut written) = (0, 0);
        for step in steps {
            match step {
                Step::Push(to, len) => {
                    pushed += 1;
                    if let Queued::Begin(task) = pool.push(now, address(to), frame(len)) {
                        tasks.insert(to, task);
                    }
                }
                Step::Next(to) => {
                    if let Some(task) = tasks.get(&to) && !writing.contains(&to) {
                        match pool.next(address(to), *task) {
                            Turned::Write(_) => assert!(writing.insert(to)),
                            Turned::Wait => {}
                            Turned::Gone => drop(tasks.remove(&to)),
                        }
                    }
                }
                Step::Written(to) => {
                    if writing.remove(&to) {
                        written += 1;
                        pool.written(now, address(to), tasks[&to]);
                    }
                }
                Step::Failed(to) => {
                    if let Some(task) = tasks.get(&to)
                        && pool.failed(now, address(to), *task, StreamFailure::Reset) == Failed::Over
                    {
                        tasks.remove(&to);
                        writing.remove(&to);
                    }
                }
                Step::Ends(to) => {
                    if let Some(task) = tasks.get(&to) && !writing.contains(&to)
                        && pool.ends(address(to), *task)
                    {
                        tasks.remove(&to);
                    }
                }
                Step::Later(millis) => now += Duration::from_millis(millis),
            }
            let waiting: usize = pool.peers.values().map(|peer| peer.queue.len()).sum();
            let bytes: usize = pool.peers.values().flat_map(|peer| &peer.queue).map(Bytes::len).sum();
            prop_assert_eq!(pool.bytes(), bytes);
            prop_assert!(bytes <= bounds.bytes && pool.peers() <= bounds.peers);
            prop_assert_eq!(pushed, written + waiting as u64 + writing.len() as u64 + pool.dropped());
        }
    }
}

#[test]
fn queues_may_be_exactly_full() {
    let bounds = Bounds::default().with(|it| (it.queue_bytes, it.bytes) = (100, 150));
    let (mut pool, now) = (Pool::new(bounds), Instant::now());
    begun(pool.push(now, address(1), frame(60)));
    assert_eq!(pool.push(now, address(1), frame(40)), Queued::Waits);
    assert_eq!((pool.bytes(), pool.dropped(), pool.peers()), (100, 0, 1));
    begun(pool.push(now, address(2), frame(50)));
    assert_eq!((pool.bytes(), pool.dropped(), pool.peers()), (150, 0, 2));
    // The queue's oldest frame makes room.
    assert_eq!(pool.push(now, address(1), frame(1)), Queued::Waits);
    assert_eq!((pool.bytes(), pool.dropped()), (91, 1));
    pool.lost(3);
    pool.lost(2);
    assert_eq!(pool.dropped(), 6);
}

#[test]
fn a_peer_that_was_waited_for_long_enough_is_waited_for_again_once_it_takes_something() {
    let (mut pool, now) = (Pool::default(), Instant::now());
    let frozen = begun(pool.push(now, address(1), frame(1)));
    assert_eq!(pool.next(address(1), frozen), Turned::Write(frame(1)));
    pool.abandon();
    assert!(pool.is_flushed());
    // What is written has not necessarily arrived, and others are waited for as ever.
    pool.written(now, address(1), frozen);
    pool.push(now, address(1), frame(2));
    assert!(pool.is_flushed());
    let other = begun(pool.push(now, address(2), frame(3)));
    assert!(!pool.is_flushed());
    assert_eq!(pool.next(address(2), other), Turned::Write(frame(3)));
    pool.written(now, address(2), other);
    assert!(pool.is_flushed());
    pool.took(address(1), frozen);
    assert!(!pool.is_flushed());
}
