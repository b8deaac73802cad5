use super::*;

fn queue() -> Disseminations {
    let mut queue = Disseminations::default();
    queue.push(BroadcastId(1), Bytes::from_static(b"one"), Vec::from(["a".into(), "b".into()]));
    queue.push(BroadcastId(2), Bytes::from_static(b"second"), Vec::from(["c".into()]));
    queue
}

#[test]
fn messages_go_out_one_after_the_other() {
    let mut queue = queue();
    assert_eq!((queue.len(), queue.bytes()), (2, 9));
    let order: Vec<_> =
        core::iter::from_fn(|| queue.next()).map(|(id, _, to)| (id.0, to)).collect();
    assert_eq!(order, [(1, "b".into()), (1, "a".into()), (2, "c".into())]);
}

#[test]
fn a_message_is_done_once_nobody_waits_for_it() {
    let mut queue = queue();
    let (first, second) = (BroadcastId(1), BroadcastId(2));
    for stream in [7, 8] {
        queue.next().expect("a member");
        queue.begun(first, StreamId(stream));
    }
    assert_eq!((queue.running(), queue.take_done()), (2, None));
    assert!(queue.ended(first, StreamId(7), true));
    assert!(!queue.ended(first, StreamId(7), false), "a stream ends once");
    assert_eq!(queue.take_done(), None);
    assert!(queue.ended(first, StreamId(8), false));
    assert_eq!(queue.take_done(), Some(Done { id: first, sent: 1, failed: 1 }));
    let (_, _, to) = queue.next().expect("the last one");
    queue.put_back(second, to.clone());
    assert_eq!(queue.take_done(), None);
    assert_eq!(queue.next().map(|(_, _, again)| again), Some(to));
    queue.begun(second, StreamId(9));
    assert!(queue.ended(second, StreamId(9), false));
    assert_eq!(queue.take_done(), Some(Done { id: second, sent: 0, failed: 1 }));
    assert_eq!((queue.len(), queue.bytes(), queue.running()), (0, 0, 0));
}
