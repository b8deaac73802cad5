//! What the tasks of a node do that has left, and that of one that ends too early.

use super::fake::Fake;
use super::tasks::{gossiping, peer, ping, started};
use super::*;

/// A ping arrives, and is answered.
fn pinged(fake: &Fake) {
    let sent = fake.world(|world| {
        world.arrived.push_back((ping(), address(9)));
        world.sent.len()
    });
    fake.until(|| fake.world(|world| world.sent.len()) > sent);
}

/// A receiver that reads nothing, for which the socket keeps packets, does not keep a node from what
/// arrives, once it has left.
#[test]
fn a_node_that_has_left_goes_on_while_its_socket_keeps_packets() {
    let (fake, node, _events) = started(quiet("n"));
    fake.world(|world| world.keeps = true);
    drop(node.leave(PATIENCE));
    let begun = Instant::now();
    for _ in 0..30 {
        pinged(&fake);
    }
    // Had it waited at each turn, it would have taken 30 seconds.
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[test]
fn a_leave_is_reported_when_its_socket_keeps_no_packet_of_it() {
    let (fake, node, _events) = started(gossiping());
    fake.world(|world| world.keeps = true);
    let before = fake.world(|world| world.sent.len());
    let packets = node.config().expect("it runs").retransmit_mult as usize;
    let mut leave = node.leave(PATIENCE);
    fake.until(|| fake.world(|world| world.sent.len()) - before == packets);
    for _ in 0..10 {
        pinged(&fake);
        let abandoned = fake.world(|world| world.abandoned) > 0;
        assert!(abandoned || poll(&mut leave).is_pending(), "the socket still keeps it");
    }
    fake.world(|world| world.keeps = false);
    fake.until(|| poll(&mut leave).is_ready());
}

/// And the end of the node does not wait for it a second time.
#[test]
fn a_socket_that_never_lets_go_of_a_leave_is_waited_for_once() {
    let (fake, node, _events) = started(gossiping());
    fake.world(|world| world.keeps = true);
    let mut leave = node.leave(PATIENCE);
    fake.until(|| poll(&mut leave).is_ready());
    assert_eq!(fake.world(|world| world.abandoned), 1);
    let begun = Instant::now();
    let mut shutdown = Box::pin(node.shutdown());
    fake.until(|| poll(&mut shutdown).is_ready());
    assert!(begun.elapsed() < Duration::from_millis(900), "{:?}", begun.elapsed());
}

/// Room in the send buffer is waited for once, too.
#[test]
fn a_send_buffer_that_stays_full_is_waited_for_once() {
    let (fake, node, _events) = started(quiet("n"));
    drop(node.leave(PATIENCE));
    fake.run_once();
    fake.world(|world| world.room = 0);
    let begun = Instant::now();
    for number in 1..=10 {
        let received = node.stats().counters.packets_received;
        fake.world(|world| world.arrived.push_back((ping(), address(9))));
        fake.until(|| node.stats().counters.packets_unsent == number);
        assert_eq!(node.stats().counters.packets_received, received + 1);
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

/// A stream whose connection was fetched, and not begun when the packet task ended, has ended.
#[test]
fn a_connection_that_is_never_begun_does_not_hold_up_the_end() {
    for panics in [true, false] {
        let (fake, node, _events) = started(quiet("n"));
        drop(node.leave(PATIENCE));
        let mut message = node.send_reliable(peer(), b"x");
        node.send(peer(), b"x").expect("a member");
        // The task fetches all of them, then panics, or waits for room until its runtime ends.
        fake.world(|world| (world.sending_panics, world.room) = (panics, 0));
        fake.run_once();
        assert!(poll(&mut message).is_pending() || panics);
        fake.end();
        assert_eq!(poll(&mut message), Poll::Ready(Err(Error::Shutdown)));
        assert!(poll(&mut Box::pin(node.shutdown())).is_ready(), "no stream is left");
    }
}
