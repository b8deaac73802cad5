use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;

use super::*;
use crate::node::{Identity, IdentityParts, Name};

mod model;

fn about(name: &str, message: &'static [u8]) -> MemberBroadcast {
    let parts = IdentityParts { name: name.as_bytes(), ..IdentityParts::default() };
    let subject = Identity::new(parts).expect("short enough");
    MemberBroadcast::new(subject, Bytes::from_static(message))
}

fn names(queue: &TransmitLimitedQueue<MemberBroadcast>) -> Vec<alloc::string::String> {
    queue.iter().map(|broadcast| alloc::format!("{}", broadcast.subject())).collect()
}

/// Four messages of 18 bytes about four nodes.
fn four(retransmit_mult: u32) -> TransmitLimitedQueue<MemberBroadcast> {
    let mut queue = TransmitLimitedQueue::new(retransmit_mult);
    queue.set_keep_finished(true);
    queue.queue(about("test", b"1. this is a test."));
    queue.queue(about("foo", b"2. this is a test."));
    queue.queue(about("bar", b"3. this is a test."));
    queue.queue(about("baz", b"4. this is a test."));
    queue
}

fn pull(queue: &mut TransmitLimitedQueue<MemberBroadcast>, overhead: usize) -> usize {
    queue.get_broadcasts(overhead, 80, 10, |_| {}).messages
}

#[test]
fn a_named_message_replaces_the_one_of_its_name() {
    let mut queue = TransmitLimitedQueue::new(1);
    queue.set_keep_finished(true);
    for name in ["test", "foo", "bar"] {
        queue.queue(about(name, b""));
    }
    assert_eq!(names(&queue), ["bar", "foo", "test"]);
    queue.queue(about("test", b""));
    assert_eq!(names(&queue), ["test", "bar", "foo"]);
    let finished: Vec<_> = queue.drain_finished().collect();
    let replaced =
        Finished { broadcast: about("test", b""), transmits: 0, cause: FinishCause::Replaced };
    assert_eq!(finished, [replaced]);
    assert_eq!(queue.get(b"foo"), Some(&about("foo", b"")));
    assert!(queue.remove(b"foo") && !queue.remove(b"foo"));
    assert_eq!(queue.get(b"foo"), None);
    assert_eq!(queue.len(), 2);
}

#[test]
fn overhead_counts_for_every_message() {
    assert_eq!(pull(&mut four(3), 2), 4);
    assert_eq!(pull(&mut four(3), 3), 3);
    let taken = four(3).get_broadcasts(3, 80, 10, |_| {});
    assert_eq!(taken, Taken { messages: 3, bytes: 63 });
}

#[test]
fn each_message_is_transmitted_up_to_the_retransmit_limit() {
    let mut queue = four(1);
    assert_eq!([3, 3, 2, 0].map(|_| pull(&mut queue, 3)), [3, 3, 2, 0]);
    let finished: Vec<_> = queue.drain_finished().collect();
    assert_eq!(finished.len(), 4);
    for entry in finished {
        assert_eq!((entry.transmits, entry.cause), (2, FinishCause::Transmitted));
    }
    assert!(queue.is_empty());
}

#[test]
fn every_message_is_transmitted_at_least_once() {
    for (mult, nodes) in [(0, 10), (4, 0)] {
        let mut queue = four(mult);
        let mut seen = Vec::new();
        queue.get_broadcasts(0, 1_000, nodes, |broadcast| {
            seen.push(broadcast.message()[0]);
        });
        assert_eq!(seen, b"4321");
        assert!(queue.is_empty());
    }
}

#[test]
fn the_multiplier_can_change() {
    let mut queue = four(1);
    queue.set_retransmit_mult(3);
    let pulls = core::iter::repeat_with(|| pull(&mut queue, 2)).take_while(|taken| *taken > 0);
    assert_eq!(pulls.count(), 6);
}

#[test]
fn a_pull_ends_at_its_number_of_messages() {
    let mut queue = four(3);
    let budget = Budget { limit: 1_000, overhead: 2, max_messages: 2 };
    assert_eq!(queue.pull(budget, 10, |_| {}), Taken { messages: 2, bytes: 40 });
    assert_eq!(names(&queue), ["foo", "test", "baz", "bar"]);
    let none = Budget { max_messages: 0, ..budget };
    assert_eq!(queue.pull(none, 10, |_| {}), Taken::default());
}

#[test]
fn pruning_drops_the_last_in_order() {
    let mut queue = four(1);
    queue.prune(2);
    assert_eq!(names(&queue), ["baz", "bar"]);
    let finished: Vec<_> = queue.drain_finished().collect();
    assert!(finished.iter().all(|entry| entry.cause == FinishCause::Pruned));
    let order: Vec<_> = finished.iter().map(|entry| &entry.broadcast).collect();
    assert_eq!(
        order,
        [&about("test", b"1. this is a test."), &about("foo", b"2. this is a test.")]
    );
    TransmitLimitedQueue::<MemberBroadcast>::new(1).prune(0);
}

#[test]
fn a_full_queue_drops_the_last_in_order() {
    let mut queue = four(1);
    queue.set_limit(3);
    assert_eq!(names(&queue), ["baz", "bar", "foo"]);
    queue.queue(about("new", b"long enough to come first"));
    assert_eq!(names(&queue), ["new", "baz", "bar"]);
    queue.queue(about("short", b""));
    assert_eq!(names(&queue), ["new", "baz", "bar"]);
}

#[test]
fn the_oldest_makes_room_however_long_it_is() {
    let mut queue = four(1);
    queue.queue(about("short", b""));
    queue.drop_oldest(4);
    queue.queue(about("shorter", b""));
    queue.drop_oldest(4);
    let mut left = names(&queue);
    left.sort_unstable();
    assert_eq!(left, ["bar", "baz", "short", "shorter"]);
}

#[test]
fn resetting_finishes_everything() {
    let mut queue = four(1);
    queue.reset();
    assert!(queue.is_empty());
    let causes: Vec<_> = queue.drain_finished().map(|entry| entry.cause).collect();
    assert_eq!(causes, vec![FinishCause::Removed; 4]);
    assert_eq!(queue.get(b"foo"), None);
}

#[test]
fn nothing_is_lost_when_a_pull_empties_the_queue() {
    let mut queue = four(2);
    let mut rounds = vec![pull(&mut queue, 0)];
    queue.queue(about("one", b"5. this is a test."));
    queue.queue(about("two", b"6. this is a test."));
    while !queue.is_empty() {
        rounds.push(pull(&mut queue, 0));
    }
    // Six messages, four times each.
    assert_eq!(rounds.iter().sum::<usize>(), 24);
    assert_eq!(queue.drain_finished().count(), 6);
}

#[test]
fn places_of_finished_messages_are_reused() {
    let mut queue = four(1);
    for _ in 0..1_000 {
        queue.queue(about("test", b"another"));
    }
    assert!(queue.entries.len() <= 5, "{} places", queue.entries.len());
}

#[test]
fn messages_that_do_not_fit_are_skipped_and_stay() {
    let long: &'static [u8] = &[b'x'; 500];
    let mut queue = TransmitLimitedQueue::new(4);
    for n in 0..10_000 {
        queue.queue(about(&alloc::format!("long {n}"), long));
        if n % 1_000 == 0 {
            queue.get_broadcasts(0, 500, 1_000_000, |_| {});
            queue.queue(about(&alloc::format!("short {n}"), b"short"));
        }
    }
    let mut seen = Vec::new();
    queue.get_broadcasts(2, 60, 10, |broadcast| seen.push(broadcast.message().len()));
    assert_eq!(seen, [5; 8]);
    assert_eq!(queue.len(), 10_010);
}

#[test]
fn finished_broadcasts_are_kept_only_on_request() {
    let mut queue = TransmitLimitedQueue::new(1);
    queue.queue(about("a", b"1"));
    queue.queue(about("a", b"2"));
    assert_eq!(queue.drain_finished().count(), 0);
    queue.set_keep_finished(true);
    queue.queue(about("a", b"3"));
    queue.set_keep_finished(false);
    assert_eq!(queue.drain_finished().count(), 0);
}

#[test]
fn retransmit_limit_counts_decimal_digits() {
    for (n, limit) in [(0, 0), (1, 4), (9, 4), (10, 8), (99, 8), (100, 12), (999, 12), (1000, 16)] {
        assert_eq!(retransmit_limit(4, n), limit, "n = {n}");
    }
    assert_eq!([0, 1, 99].map(|n| retransmit_limit(3, n)), [0, 3, 6]);
    assert_eq!(retransmit_limit(u32::MAX, 10), u32::MAX);
    assert_eq!(retransmit_limit(0, 10), 0);
}

/// A message about one node, which replaces the queued message about that node.
///
/// Source: `memberlistBroadcast`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct MemberBroadcast {
    subject: Identity,
    message: Bytes,
}

impl MemberBroadcast {
    /// A message about `subject`.
    const fn new(subject: Identity, message: Bytes) -> Self {
        Self { subject, message }
    }

    /// The name of the node that it is about.
    fn subject(&self) -> Name<'_> {
        self.subject.name()
    }
}

impl Broadcast for MemberBroadcast {
    fn invalidates(&self, other: &Self) -> bool {
        self.subject() == other.subject()
    }

    fn message(&self) -> &[u8] {
        &self.message
    }

    fn name(&self) -> Option<&[u8]> {
        Some(self.subject().as_bytes())
    }
}
