//! Packets that cost far more than their length says.

use memberlist_proto::wire::Scratch;
use memberlist_proto::wire::compress::Algorithm;
use memberlist_proto::wire::message::Message;
use memberlist_proto::wire::packet::{Sealing, seal};

use super::fake::Fake;
use super::tasks::started;
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
