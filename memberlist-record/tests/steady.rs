//! Once its buffers are made, recording allocates nothing for an input.

mod common;

use std::net::SocketAddr;

use memberlist_proto::wire::message::{Message, Ping};
use memberlist_proto::{Config, Instant, Memberlist};
use memberlist_record::{RecordOptions, Recorder};

use self::common::Folder;

/// Enough to use each of 64 buffers of 64 KiB.
const WARM: usize = 6_000;
const INPUTS: usize = 2_000;

fn node() -> Memberlist {
    let mut config = Config::lan("me");
    config.limits.replies_per_second = 1_000_000;
    Memberlist::new(Instant::from_nanos(1), config, None, [3; 32]).expect("valid")
}

/// A ping, which is answered, and what follows it in the datagram and is refused.
fn ping() -> Vec<u8> {
    let mut packet = Vec::new();
    let (node, source_node) = (&b"me"[..], &b"you"[..]);
    Message::Ping(Ping { seq_no: 9, node, source_addr: None, source_port: 0, source_node })
        .encode(&mut packet);
    packet.resize(1_000, 0);
    packet
}

/// How often answering so many pings allocates.
fn allocations(node: &mut Memberlist, pings: usize, wait: impl Fn()) -> u64 {
    let (packet, from) = (ping(), SocketAddr::from(([10, 0, 0, 9], 7946)));
    let mut allocated = 0;
    for number in 0..pings {
        let now = Instant::from_nanos(1_000_000 + number as u64);
        let one = || {
            let _ = node.handle_packet(now, from, &packet);
            assert!(node.poll_transmit().is_some());
        };
        allocated += allocation_counter::measure(one).count_total;
        if number % 50 == 0 {
            wait();
        }
    }
    allocated
}

#[test]
fn a_recorded_input_allocates_as_often_as_one_that_is_not() {
    let folder = Folder::new("steady");
    let (mut plain, mut watched) = (node(), node());
    // One segment, since a checkpoint allocates.
    let options = RecordOptions::default().with(|it| it.max_bytes = 1 << 30);
    let start = Instant::from_nanos(1);
    let recorder = Recorder::start(&mut watched, start, [3; 32], folder.path(), &options, |_| {});
    let recorder = recorder.expect("a folder");
    // What the disk has not taken would be dropped.
    let wait = || {
        while recorder.backlog() > 32 {
            std::thread::yield_now();
        }
    };
    for node in [&mut plain, &mut watched] {
        while node.poll_event().is_some() {}
    }
    allocations(&mut plain, WARM, || ());
    allocations(&mut watched, WARM, wait);
    let expected = allocations(&mut plain, INPUTS, || ());
    assert_eq!(allocations(&mut watched, INPUTS, wait), expected);
    let stats = recorder.stats();
    assert_eq!((stats.dropped, stats.segments), (0, 1), "{stats:?}");
}
