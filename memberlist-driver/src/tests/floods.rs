//! Many packets, and some that cost far more than their length says.

use memberlist_proto::wire::Scratch;
use memberlist_proto::wire::compress::Algorithm;
use memberlist_proto::wire::message::Message;
use memberlist_proto::wire::packet::{Sealing, seal};

use super::fake::Fake;
use super::tasks::{peer, ping, started};
use super::*;

/// A packet of 1.9 kB that inflates to almost 1 MiB.
fn inflating() -> Vec<u8> {
    let mut message = Vec::new();
    Message::User(&vec![b'u'; (1 << 20) - 1]).encode(&mut message);
    let sealing = Sealing {
        label: b"",
        key: None,
        nonce: [0; 12],
        compress: Some(Algorithm::Lzw),
        compress_min_size: 0,
        checksum: false,
    };
    seal(&message, &sealing, &mut Scratch::new()).to_vec()
}

/// Keeps the socket full, whatever is read from it.
fn fill(fake: &Fake, packet: &[u8]) {
    fake.world(|world| {
        while world.arrived.len() < 256 {
            world.arrived.push_back((packet.to_vec(), address(99)));
        }
    });
}

/// While more expensive packets arrive than a node can ever read, its timers have their turn long
/// before it has read the number of packets that bounds cheap ones.
#[test]
fn probes_go_on_under_packets_that_inflate() {
    let config = quiet("n").with(|it| {
        it.probe_interval = Duration::from_millis(100);
        it.probe_timeout = Duration::from_millis(50);
        it.awareness_max_multiplier = 1;
        it.disable_tcp_pings = true;
    });
    let (fake, node, _events) = started(config);
    let packet = inflating();
    assert!(packet.len() < 2000);
    fake.until(|| {
        fill(&fake, &packet);
        node.stats().counters.probes >= 3
    });
    let counters = node.stats().counters;
    // Time alone gave the timers their turns.
    assert!(counters.packets_received < 8192, "{} packets", counters.packets_received);
    assert!(counters.packets_received > 30, "{} packets", counters.packets_received);
    assert_eq!(counters.packets_refused, 0, "each was read in full");
}

/// How many pings a node answers before it waits or other tasks have their turn, if so many of them
/// have arrived and so many more follow, one upon each answer.
fn answered_at_once(arrived: usize, following: usize) -> usize {
    let mut config = quiet("n");
    // The pings come from a stranger.
    config.limits.replies_per_second = 1000;
    let (fake, node, _events) = started(config);
    fake.run_once();
    // Not the socket wakes the node, but something to send.
    node.send(peer(), "a message").expect("a member");
    fake.world(|world| {
        world.deaf = true;
        world.sent.clear();
        world.arrived = vec![(ping(), address(9)); arrived].into();
        // The message is the first that is sent.
        world.arriving = vec![(ping(), address(9)); following].into();
    });
    fake.run_once();
    fake.world(|world| world.sent.len()) - 1
}

/// Waiting would be a call of the operating system, or several, for each few packets.
#[test]
fn what_arrives_while_a_burst_is_answered_is_not_waited_for() {
    assert_eq!(answered_at_once(2, 20), 22);
    // One alone is rarely followed.
    assert_eq!(answered_at_once(1, 0), 1);
}

#[test]
fn a_burst_without_an_end_leaves_other_tasks_their_turn() {
    assert_eq!(answered_at_once(2, 500), 64);
    assert_eq!(answered_at_once(500, 500), 64);
}

/// A receiver that refuses what was sent to it, which Windows reports as a reset, does not keep the node
/// from what others send: one error for each packet would otherwise be a rest of 10 ms for each.
#[test]
fn a_receiver_that_refuses_packets_does_not_make_the_socket_rest() {
    for error in [
        io::ErrorKind::ConnectionReset,
        io::ErrorKind::ConnectionRefused,
        io::ErrorKind::Interrupted,
    ] {
        let (fake, node, _events) = started(quiet("n"));
        fake.run_once();
        let received = node.stats().counters.packets_received;
        node.send(peer(), "a message").expect("a member");
        fake.world(|world| {
            world.read_fails = vec![error; 3].into();
            world.arrived.push_back((ping(), address(9)));
        });
        fake.run_once();
        assert_eq!(node.stats().counters.packets_received, received + 1, "{error}");
    }
}
