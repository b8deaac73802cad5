//! The tasks of a node, over a runtime whose sockets do what the test says.

use memberlist_proto::Differences;
use memberlist_proto::wire::message::{Alive, Message, Ping};

use super::fake::Fake;
use super::*;
use crate::bind::Options;

/// Enough for everything.
const ROOM: usize = 1 << 20;

/// A node with the member `peer`, which nothing moves but the test.
pub(super) fn started(config: Config) -> (Fake, Handle, Events) {
    started_with(config, None)
}

/// One whose listener may fail.
fn started_with(config: Config, accepting: Option<io::ErrorKind>) -> (Fake, Handle, Events) {
    let fake = Fake::default();
    fake.world(|world| {
        (world.room, world.stream_room, world.accepting) = (ROOM, ROOM, accepting);
    });
    let mut start = pin!(crate::start(fake.clone(), config, Options::bind(address(0))));
    let started = start.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(Ok((node, events))) = started else { panic!("a free port") };
    fake.world(|world| world.arrived.push_back((alive(), address(9))));
    fake.until(|| node.num_members() == 2);
    (fake, node, events)
}

fn alive() -> Vec<u8> {
    let (node, addr) = (&b"peer"[..], [127, 0, 0, 1]);
    let vsn = Some(&[1, 5, 2, 0, 0, 0][..]);
    let alive = Alive { incarnation: 1, node, addr: Some(&addr), port: 9, meta: None, vsn };
    encoded(&Message::Alive(alive))
}

pub(super) fn ping() -> Vec<u8> {
    encoded(&Message::Ping(Ping { seq_no: 1, ..Ping::default() }))
}

fn encoded(message: &Message<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    message.encode(&mut out);
    out
}

pub(super) fn peer() -> Target {
    Target::Member("peer".into())
}

/// Announces by gossip, and does nothing else.
pub(super) fn gossiping() -> Config {
    let differences = Differences::default().with(|it| it.leave_directly = 0);
    quiet("n").with(|it| {
        it.gossip_interval = Duration::from_millis(1);
        it.differences = differences;
    })
}

#[test]
fn what_was_queued_before_a_stop_is_sent() {
    let (fake, node, _events) = started(quiet("n"));
    let sent = fake.world(|world| world.sent.len());
    for _ in 0..100 {
        node.send(peer(), b"x").expect("a member");
    }
    let mut shutdown = Box::pin(node.shutdown());
    assert!(poll(&mut shutdown).is_pending());
    fake.until(|| poll(&mut shutdown).is_ready());
    assert_eq!(fake.world(|world| (world.sent.len() - sent, world.open)), (100, 0));
}

#[test]
fn the_end_is_reported_after_the_sockets_are_closed() {
    let (fake, node, mut events) = started(quiet("n"));
    let mut shutdown = Box::pin(node.shutdown());
    while poll(&mut shutdown).is_pending() {
        fake.run_once();
    }
    assert_eq!(fake.world(|world| world.open), 0);
    while let Poll::Ready(event) = events.poll_next(&Context::from_waker(Waker::noop())) {
        if event.is_none() {
            return;
        }
    }
    panic!("the events go on");
}

#[test]
fn a_leave_is_reported_when_the_socket_was_given_it() {
    let (fake, node, _events) = started(gossiping());
    let mut leave = node.leave(PATIENCE);
    let before = fake.world(|world| world.sent.len());
    // One packet for each round of gossip: the last of them ends the leave.
    let packets = node.config().expect("it runs").retransmit_mult as usize;
    fake.until(|| {
        let ready = poll(&mut leave).is_ready();
        let sent = fake.world(|world| world.sent.len()) - before;
        assert!(!ready || sent == packets, "reported after {sent} of {packets} packets");
        ready
    });
}

/// A node that has left waits for room in its send buffer; a live one goes on without.
#[test]
fn a_leave_waits_for_room_in_the_send_buffer() {
    let (fake, node, _events) = started(gossiping());
    fake.world(|world| (world.room, world.tries) = (0, 0));
    let before = fake.world(|world| world.sent.len());
    let mut leave = node.leave(PATIENCE);
    fake.until(|| fake.world(|world| world.tries) > 0);
    assert!(poll(&mut leave).is_pending(), "nothing was sent");
    fake.world(|world| world.room = ROOM);
    fake.until(|| poll(&mut leave).is_ready());
    let packets = node.config().expect("it runs").retransmit_mult as usize;
    assert_eq!(fake.world(|world| world.sent.len()) - before, packets);
    assert_eq!(node.stats().counters.packets_unsent, 0);
}

#[test]
fn a_full_send_buffer_does_not_hold_up_a_live_node() {
    let (fake, node, _events) = started(quiet("n"));
    let received = node.stats().counters.packets_received;
    fake.world(|world| {
        world.room = 0;
        world.arrived.extend((0..1000).map(|_| (ping(), address(9))));
    });
    let begun = std::time::Instant::now();
    fake.until(|| node.stats().counters.packets_unsent == 1000);
    assert_eq!(node.stats().counters.packets_received - received, 1000);
    // Had it waited for room it would have taken a tenth of a second for each batch.
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

/// What a packet costs beside the core's own work: nothing that must be allocated.
#[test]
fn a_packet_allocates_its_answer_and_nothing_else() {
    const PACKETS: usize = 10_000;
    let mut config = quiet("n");
    // The pings come from a stranger.
    config.limits.replies_per_second = 10 * PACKETS;
    let (fake, node, _events) = started(config);
    let pings = |count: usize| (0..count).map(|_| (ping(), address(9)));
    // Everything that is kept has its room after that.
    for (round, count) in [(0, 100), (1, PACKETS)] {
        fake.world(|world| {
            world.counts = true;
            world.tries = 0;
            world.arrived.extend(pings(count));
        });
        let allocated = allocation_counter::measure(|| {
            fake.until(|| fake.world(|world| world.tries) == count);
        });
        let others = allocated.count_total.saturating_sub(count as u64);
        assert!(round == 0 || others < 100, "{others} for {count} packets: {allocated:?}");
    }
    assert_eq!(node.stats().counters.packets_unsent, 0);
}

#[test]
fn a_stopped_node_does_not_wait_forever() {
    let (fake, node, _events) = started(quiet("n"));
    let mut message = node.send_reliable(peer(), vec![7; 100_000]);
    fake.world(|world| world.stream_room = 10);
    fake.until(|| fake.world(|world| world.written.len()) == 10);
    fake.world(|world| world.room = 0);
    node.send(peer(), b"x").expect("a member");
    let mut shutdown = Box::pin(node.shutdown());
    let begun = std::time::Instant::now();
    fake.until(|| poll(&mut shutdown).is_ready());
    let took = begun.elapsed();
    assert!((1..4).contains(&took.as_secs()), "a second for packets, one for streams: {took:?}");
    assert_eq!(poll(&mut message), Poll::Ready(Err(Error::Shutdown)));
    assert_eq!(fake.world(|world| world.open), 0);
}

#[test]
fn a_stream_that_is_being_written_is_written_to_its_end() {
    let (fake, node, _events) = started(quiet("n"));
    fake.world(|world| world.stream_room = 10);
    let message = node.send_reliable(peer(), vec![7; 100_000]);
    fake.until(|| fake.world(|world| world.written.len()) == 10);
    let mut shutdown = Box::pin(node.shutdown());
    for _ in 0..100 {
        fake.run_once();
    }
    assert!(poll(&mut shutdown).is_pending(), "most of it is still to be written");
    fake.world(|world| {
        world.stream_room = ROOM;
        // The peer ends its side.
        world.stream_says = Some(Vec::new());
    });
    let begun = std::time::Instant::now();
    fake.until(|| {
        fake.world(|world| world.stream_says = Some(Vec::new()));
        poll(&mut shutdown).is_ready()
    });
    assert!(begun.elapsed() < Duration::from_millis(900), "{:?}", begun.elapsed());
    let (bytes, ends) = fake.world(|world| (world.written.len(), world.shut_down));
    assert!(bytes > 100 && ends == 1, "{bytes} bytes");
    drop(message);
}

#[test]
fn a_listener_that_fails_is_left_alone_for_longer_and_longer() {
    let begun = std::time::Instant::now();
    let (fake, node, _events) = started_with(quiet("n"), Some(io::ErrorKind::QuotaExceeded));
    fake.until(|| fake.world(|world| world.failed_accepts) >= 6);
    let least = Duration::from_millis(5 + 10 + 20 + 40 + 80);
    assert!(begun.elapsed() >= least, "{:?}", begun.elapsed());
    let mut shutdown = Box::pin(node.shutdown());
    fake.until(|| poll(&mut shutdown).is_ready());
}

#[test]
fn a_task_that_panics_ends_the_node() {
    let (fake, node, mut events) = started(quiet("n"));
    let mut join = node.join([address(1)]);
    fake.world(|world| world.panics = true);
    let mut shutdown = None;
    fake.until(|| {
        if poll(&mut join).is_ready() {
            shutdown.get_or_insert_with(|| Box::pin(node.shutdown()));
        }
        shutdown.as_mut().is_some_and(|shutdown| poll(shutdown).is_ready())
    });
    assert_eq!(fake.world(|world| world.open), 0);
    let cx = Context::from_waker(Waker::noop());
    while let Poll::Ready(Some(_)) = events.poll_next(&cx) {}
    assert!(matches!(events.poll_next(&cx), Poll::Ready(None)));
}

#[test]
fn a_node_ends_with_its_runtime() {
    let (fake, node, _events) = started(quiet("n"));
    let mut message = node.send_reliable(peer(), vec![7; 100_000]);
    fake.world(|world| world.stream_room = 10);
    fake.until(|| fake.world(|world| world.written.len()) == 10);
    fake.end();
    assert_eq!(poll(&mut message), Poll::Ready(Err(Error::Shutdown)));
    assert!(poll(&mut Box::pin(node.shutdown())).is_ready());
    assert_eq!(fake.world(|world| world.open), 0);
}
