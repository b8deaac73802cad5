use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

#[test]
fn timers_set_to_the_far_future_never_fire() {
    let mut timers = Timers::new();
    timers.insert(Instant::FAR_FUTURE, 'n');
    assert_eq!(timers.next(), None);
    assert_eq!(timers.pop_due(Instant::FAR_FUTURE), None);
    timers.insert(Instant::from_nanos(u64::MAX - 1), 'l');
    assert_eq!(timers.pop_due(Instant::FAR_FUTURE).map(|(_, key)| key), Some('l'));
    assert_eq!((timers.next(), timers.len()), (None, 1));
}

#[test]
fn timers_due_together_fire_in_the_order_they_were_set() {
    let mut timers = Timers::new();
    for key in 0..20 {
        timers.insert(at(5), key);
    }
    timers.insert(at(4), 100);
    assert_eq!(timers.next(), Some(at(4)));
    assert_eq!(timers.pop_due(at(3)), None);
    let fired: Vec<_> = core::iter::from_fn(|| timers.pop_due(at(5))).map(|(_, key)| key).collect();
    assert_eq!(fired[0], 100);
    assert!(fired[1..].iter().copied().eq(0..20));
    assert!(timers.is_empty() && timers.next().is_none());
}

#[test]
fn ids_of_timers_that_are_gone_do_nothing() {
    let mut timers = Timers::new();
    let fired = timers.insert(at(1), 'a');
    assert_eq!(timers.pop_due(at(1)), Some((at(1), 'a')));
    let reused = timers.insert(at(2), 'b');
    assert_eq!(fired.slot, reused.slot);
    assert_eq!(timers.cancel(fired), None);
    assert!(!timers.reschedule(fired, at(9)));
    assert_eq!(timers.due(fired), None);
    assert_eq!(timers.due(reused), Some(at(2)));
    assert_eq!(timers.cancel(reused), Some('b'));
    assert_eq!(timers.cancel(reused), None);
    assert_eq!(timers.len(), 0);
}

#[test]
fn a_rescheduled_timer_queues_behind_its_new_instant() {
    let mut timers = Timers::new();
    let first = timers.insert(at(1), 'a');
    timers.insert(at(5), 'b');
    assert!(timers.reschedule(first, at(5)));
    assert_eq!(timers.pop_due(at(9)), Some((at(5), 'b')));
    assert!(timers.reschedule(first, at(2)));
    assert_eq!(timers.pop_due(at(9)), Some((at(2), 'a')));
}

#[test]
fn slots_are_reused() {
    let mut timers = Timers::new();
    for round in 0..1_000 {
        timers.insert(at(round), round);
        timers.insert(at(round), round);
        timers.pop_due(at(round));
        timers.pop_due(at(round));
    }
    assert_eq!(timers.slots.len(), 2);
}

#[derive(Clone, Debug)]
enum Step {
    Insert(u64),
    Cancel(usize),
    Reschedule(usize, u64),
    Pop(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u64..50).prop_map(Step::Insert),
        1 => any::<usize>().prop_map(Step::Cancel),
        1 => (any::<usize>(), 0_u64..50).prop_map(|(index, at)| Step::Reschedule(index, at)),
        3 => (0_u64..50).prop_map(Step::Pop),
    ]
}

proptest! {
    #[test]
    fn behaves_like_a_sorted_list(steps in proptest::collection::vec(step(), 0..300)) {
        let mut timers = Timers::new();
        // Instant, order of setting, key; kept sorted.
        let mut model: Vec<(Instant, usize, usize)> = Vec::new();
        let mut ids = Vec::new();
        for (order, step) in steps.into_iter().enumerate() {
            match step {
                Step::Insert(nanos) => {
                    let key = ids.len();
                    ids.push(timers.insert(at(nanos), key));
                    model.push((at(nanos), order, key));
                }
                Step::Cancel(index) if !ids.is_empty() => {
                    let key = index % ids.len();
                    let found = model.iter().position(|entry| entry.2 == key);
                    prop_assert_eq!(timers.cancel(ids[key]), found.map(|at| model.remove(at).2));
                }
                Step::Reschedule(index, nanos) if !ids.is_empty() => {
                    let key = index % ids.len();
                    let found = model.iter_mut().find(|entry| entry.2 == key);
                    prop_assert_eq!(timers.reschedule(ids[key], at(nanos)), found.is_some());
                    if let Some(entry) = found {
                        *entry = (at(nanos), order, key);
                    }
                }
                Step::Pop(nanos) => {
                    let due = model.first().is_some_and(|first| first.0 <= at(nanos));
                    let expected = due.then(|| model.remove(0)).map(|(at, _, key)| (at, key));
                    prop_assert_eq!(timers.pop_due(at(nanos)), expected);
                }
                Step::Cancel(_) | Step::Reschedule(..) => {}
            }
            model.sort_unstable();
            prop_assert_eq!(timers.len(), model.len());
            prop_assert_eq!(timers.next(), model.first().map(|first| first.0));
            for (key, id) in ids.iter().enumerate() {
                let expected = model.iter().find(|entry| entry.2 == key).map(|entry| entry.0);
                prop_assert_eq!(timers.due(*id), expected);
            }
        }
    }
}
