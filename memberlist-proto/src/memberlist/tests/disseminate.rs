use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use super::{Rig, config};
use crate::config::Compression;
use crate::event::{BroadcastEnd, BroadcastId, Event, SendError};
use crate::queues::{BroadcastKind, Priority};
use crate::transmit::{StreamFailure, StreamId, StreamOp};

fn rig() -> Rig {
    let mut config = config();
    config.limits.disseminations = 3;
    config.limits.dissemination_bytes = 10_000;
    config.limits.dissemination_streams = 2;
    config.compression = Compression::None;
    let mut rig = Rig::with(config);
    for port in 2..7 {
        rig.alive(&port.to_string(), port, 1);
    }
    rig.events();
    rig
}

/// Streams opened, and whom to.
fn opened(rig: &mut Rig) -> Vec<(StreamId, u16)> {
    rig.connects().into_iter().map(|(id, to)| (id, to.port())).collect()
}

/// Lets a stream take all that is written to it.
fn deliver(rig: &mut Rig, id: StreamId) -> usize {
    rig.node.handle_stream_connected(rig.now, id);
    let mut bytes = 0;
    while let Some(op) = rig.node.poll_stream() {
        match op {
            StreamOp::Write { id: of, data } if of == id => bytes += data.len(),
            op => assert!(matches!(op, StreamOp::Close { id: of } if of == id), "{op:?}"),
        }
    }
    rig.node.handle_stream_written(rig.now, id, bytes);
    rig.node.check_invariants().expect("invariants");
    bytes
}

fn ends(rig: &mut Rig) -> Vec<(BroadcastId, BroadcastEnd)> {
    let events = core::iter::from_fn(|| rig.node.poll_event());
    let end = |event| match event {
        Event::BroadcastFinished { id, end } => Some((id, end)),
        _ => None,
    };
    events.filter_map(end).collect()
}

#[test]
fn a_long_message_goes_to_every_member_some_at_a_time() {
    let mut rig = rig();
    rig.dead("6", 1, "2");
    let id = rig.node.disseminate(rig.now, &[7; 2000]).expect("taken");
    let mut heard = Vec::new();
    let mut open = opened(&mut rig);
    while let Some((stream, port)) = open.pop() {
        assert!(open.len() < 2, "two at a time: {open:?}");
        heard.push(port);
        assert!(deliver(&mut rig, stream) >= 2000);
        open.extend(opened(&mut rig));
        rig.node.handle_stream_closed(rig.now, stream, None);
    }
    heard.sort_unstable();
    assert_eq!(heard, [2, 3, 4, 5], "every live member but itself, once");
    assert_eq!(ends(&mut rig), [(id, BroadcastEnd::Streamed { sent: 4, failed: 0 })]);
    assert_eq!(rig.node.stats().counters.disseminated_sent, 4);
    assert_eq!(rig.node.stats().gauges.dissemination_bytes, 0);
}

#[test]
fn whoever_cannot_be_reached_is_counted_and_not_tried_again() {
    let mut rig = rig();
    let id = rig.node.disseminate(rig.now, &[7; 2000]).expect("taken");
    let mut tried = 0;
    loop {
        let open = opened(&mut rig);
        if open.is_empty() {
            break;
        }
        for (stream, _) in open {
            tried += 1;
            rig.node.handle_stream_closed(rig.now, stream, Some(StreamFailure::Refused));
            rig.node.handle_stream_closed(rig.now, stream, Some(StreamFailure::Refused));
        }
    }
    assert_eq!(tried, 5);
    assert_eq!(ends(&mut rig), [(id, BroadcastEnd::Streamed { sent: 0, failed: 5 })]);
    assert_eq!(rig.node.stats().counters.disseminated_failed, 5);
}

#[test]
fn one_that_is_never_taken_ends_by_its_deadline() {
    let mut rig = rig();
    let id = rig.node.disseminate(rig.now, &[7; 2000]).expect("taken");
    for _ in 0..5 {
        rig.wait(rig.node.config().tcp_timeout);
    }
    assert_eq!(ends(&mut rig), [(id, BroadcastEnd::Streamed { sent: 0, failed: 5 })]);
}

#[test]
fn a_short_message_is_gossiped() {
    let mut rig = rig();
    let limit = rig.node.broadcast_limit() / 2;
    rig.node.disseminate(rig.now, &vec![1; limit]).expect("taken");
    assert_eq!((rig.node.stats().gauges.user_queue, opened(&mut rig).len()), (1, 0));
    rig.node.disseminate(rig.now, &vec![1; limit + 1]).expect("taken");
    assert_eq!((rig.node.stats().gauges.user_queue, opened(&mut rig).len()), (1, 2));
}

#[test]
fn disseminations_are_bounded() {
    let mut rig = rig();
    for _ in 0..3 {
        rig.node.disseminate(rig.now, &[7; 2000]).expect("taken");
    }
    assert_eq!(opened(&mut rig).len(), 2, "however many messages there are");
    assert_eq!(rig.node.disseminate(rig.now, &[7; 2000]), Err(SendError::TooMany));
    let mut rig = self::rig();
    rig.node.disseminate(rig.now, &[7; 6000]).expect("taken");
    assert_eq!(rig.node.disseminate(rig.now, &[7; 6000]), Err(SendError::TooMany));
    assert_eq!(rig.node.stats().counters.disseminations_dropped, 1);
    let long = vec![0; rig.node.config().limits.stream_bytes + 1];
    let refused = rig.node.disseminate(rig.now, &long);
    assert!(matches!(refused, Err(SendError::TooLong { .. })), "{refused:?}");
    rig.node.check_invariants().expect("invariants");
}

#[test]
fn without_room_for_a_stream_it_waits_for_one() {
    let mut config = config();
    config.limits.streams_opened = 1;
    let mut rig = Rig::with(config);
    rig.alive("2", 2, 1);
    rig.node.join(rig.now, &[super::address(9).into()]);
    let [(other, 9)] = opened(&mut rig)[..] else { panic!("a join opens one") };
    let id = rig.node.disseminate(rig.now, &[7; 2000]).expect("taken");
    assert_eq!((opened(&mut rig), ends(&mut rig)), (vec![], vec![]));
    rig.node.handle_stream_closed(rig.now, other, Some(StreamFailure::Refused));
    let open = opened(&mut rig);
    assert_eq!(open.len(), 1);
    deliver(&mut rig, open[0].0);
    assert_eq!(ends(&mut rig), [(id, BroadcastEnd::Streamed { sent: 1, failed: 0 })]);
}

#[test]
fn alone_there_is_nobody_to_send_it_to() {
    let mut rig = Rig::new();
    let id = rig.node.disseminate(rig.now, &[7; 2000]).expect("taken");
    assert_eq!(ends(&mut rig), [(id, BroadcastEnd::Streamed { sent: 0, failed: 0 })]);
}

#[test]
fn a_full_user_queue_drops_its_oldest_message() {
    let mut config = config();
    config.limits.user_broadcasts = 3;
    let mut rig = Rig::with(config);
    rig.alive("a", 2, 1);
    let texts = ["the first and longest of all", "2", "3", "4", "five"];
    let ids: Vec<_> = texts
        .iter()
        .map(|text| {
            rig.node
                .broadcast(rig.now, text.as_bytes(), BroadcastKind::Unique, Priority::Normal)
                .expect("queued")
        })
        .collect();
    let dropped: Vec<_> = ends(&mut rig);
    assert_eq!(dropped, [(ids[0], BroadcastEnd::Dropped), (ids[1], BroadcastEnd::Dropped)]);
    // The other queues have room of their own.
    rig.node.broadcast(rig.now, b"urgent", BroadcastKind::Unique, Priority::High).expect("queued");
    assert_eq!(ends(&mut rig), []);
    assert_eq!(rig.node.stats().counters.broadcasts_dropped, 2);
}
