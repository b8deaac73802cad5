use super::*;
use crate::members::Members;
use crate::node::{Identity, IdentityParts, State};
use crate::time::Instant;

fn rng() -> Rng {
    Rng::from_seed([1; 32])
}

/// The ids of `number` members.
fn members(number: usize) -> Vec<MemberId> {
    let (mut members, mut rng) = (Members::new([0; 16]), rng());
    let mut add = |name: u8| {
        let identity = Identity::new(IdentityParts { name: &[name], ..IdentityParts::default() });
        let identity = identity.expect("a short name");
        members.insert(identity, 1, State::Alive, Instant::ORIGIN, &mut rng)
    };
    (0..number as u8).map(&mut add).collect()
}

fn queue() -> Disseminations {
    let (mut queue, members) = (Disseminations::default(), members(3));
    queue.push(BroadcastId(1), Bytes::from_static(b"one"), members[..2].to_vec());
    queue.push(BroadcastId(2), Bytes::from_static(b"second"), members[2..].to_vec());
    queue
}

#[test]
fn messages_go_out_one_after_the_other() {
    let mut queue = queue();
    assert_eq!((queue.len(), queue.bytes()), (2, 9));
    let (mut rng, members) = (rng(), members(3));
    let next = || queue.next(&mut rng).map(|(id, _, to)| (id.0, to));
    let mut order: Vec<_> = core::iter::from_fn(next).collect();
    assert_eq!(order.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [1, 1, 2]);
    order.sort_unstable();
    assert_eq!(order, [(1, members[0]), (1, members[1]), (2, members[2])]);
}

#[test]
fn each_member_is_as_likely_to_be_the_first() {
    let (mut rng, members) = (rng(), members(4));
    let mut firsts = [0; 4];
    for _ in 0..400 {
        let mut queue = Disseminations::default();
        queue.push(BroadcastId(1), Bytes::new(), members.clone());
        let (_, _, to) = queue.next(&mut rng).expect("a member");
        firsts[members.iter().position(|id| *id == to).expect("one of them")] += 1;
    }
    assert!(firsts.iter().all(|it| (60..=140).contains(it)), "{firsts:?}");
}

#[test]
fn a_message_is_done_once_nobody_waits_for_it() {
    let (mut queue, mut rng) = (queue(), rng());
    let (first, second) = (BroadcastId(1), BroadcastId(2));
    for stream in [7, 8] {
        queue.next(&mut rng).expect("a member");
        queue.begun(first, StreamId(stream));
    }
    assert_eq!((queue.running(), queue.take_done()), (2, None));
    assert!(queue.ended(first, StreamId(7), true));
    assert!(!queue.ended(first, StreamId(7), false), "a stream ends once");
    assert_eq!(queue.take_done(), None);
    assert!(queue.ended(first, StreamId(8), false));
    assert_eq!(queue.take_done(), Some(Done { id: first, sent: 1, failed: 1 }));
    let (_, _, to) = queue.next(&mut rng).expect("the last one");
    queue.put_back(second, to);
    assert_eq!(queue.take_done(), None);
    assert_eq!(queue.next(&mut rng).map(|(_, _, again)| again), Some(to));
    queue.begun(second, StreamId(9));
    assert!(queue.ended(second, StreamId(9), false));
    assert_eq!(queue.take_done(), Some(Done { id: second, sent: 0, failed: 1 }));
    assert_eq!((queue.len(), queue.bytes(), queue.running()), (0, 0, 0));
}
