//! What one datagram can cost.

use memberlist_proto::wire::compress::Algorithm;
use memberlist_proto::wire::message::{Message, Ping};
use memberlist_proto::wire::packet::{Sealing, seal};
use memberlist_proto::wire::{Scratch, compound};
use memberlist_sim::rig::{addr, alive, encoded, stranger};

use super::rig::{bytes_sent, cost, counters, target};

/// The largest datagram there is.
const DATAGRAM: usize = 65_507;
/// What a packet may decompress to, all its parts together.
const DECOMPRESSED: usize = 1 << 20;

fn compressed(message: &[u8]) -> Vec<u8> {
    let sealing = Sealing {
        label: b"",
        key: None,
        nonce: [0; 12],
        compress: Some(Algorithm::Lzw),
        compress_min_size: 0,
        checksum: false,
    };
    seal(message, &sealing, &mut Scratch::new()).to_vec()
}

fn compounds(parts: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let mut out = Vec::new();
    compound::encode(&mut out, parts).expect("few and short parts");
    out
}

fn user(len: usize) -> Vec<u8> {
    encoded(&Message::User(&vec![b'u'; len]))
}

/// Packets that are as expensive as possible, each in another way.
fn worst() -> Vec<(&'static str, Vec<u8>)> {
    let names: Vec<Vec<u8>> = (0..255)
        .map(|number| {
            let name = format!("{}{number}", "n".repeat(200));
            alive(&name, &addr(&name), 1)
        })
        .collect();
    let tiny = compounds(&[[0xff_u8; 0]; 255]);
    let pings = compounds(&vec![encoded(&Message::Ping(Ping::default())); 255]);
    vec![
        ("one user message", user(DATAGRAM - 1)),
        ("a bomb within the limit", compressed(&user(DECOMPRESSED - 1))),
        ("a bomb beyond it", compressed(&user(30 << 20))),
        ("bombs side by side", compounds(&vec![compressed(&user(500_000)); 20])),
        ("a bomb of new names", compressed(&compounds(&names))),
        ("a bomb of empty parts", compressed(&compounds(&vec![tiny; 200]))),
        ("a bomb of pings", compressed(&compounds(&vec![pings; 100]))),
        ("compounds within compounds", nested(&user(8), 60)),
        ("layers of compression", (0..30).fold(user(300), |inner, _| compressed(&inner))),
        ("an array in an array in …", [&[4, 0x81, 0xa1, b'x'][..], &[0x91; 60_000]].concat()),
        ("a map that promises much", vec![4, 0xdf, 0xff, 0xff, 0xff, 0xff]),
        ("a string that promises much", vec![4, 0x81, 0xdb, 0xff, 0xff, 0xff, 0xff]),
    ]
}

fn nested(message: &[u8], depth: usize) -> Vec<u8> {
    (0..depth).fold(message.to_vec(), |inner, _| compounds(&[inner]))
}

/// The most memory that a datagram may take at once: what it decompresses to, in a buffer that
/// grows by doubling, and a copy of the messages for the application.
const PEAK: usize = 6 * DECOMPRESSED;
/// The most memory that may be retained of it once the application has read its messages: new
/// members, their announcements, and reusable buffers.
const KEPT: i64 = 512 << 10;

#[test]
fn no_datagram_costs_more_than_its_bound() {
    for (what, packet) in worst() {
        assert!(packet.len() <= DATAGRAM, "{what} does not fit a datagram");
        let mut target = target();
        let cost = cost(what, packet.len(), || {
            // Some are refused; what matters is the cost.
            let _ = target.packet(stranger(1), &packet);
            drop(target.events());
            bytes_sent(&mut target);
        });
        assert!(cost.peak <= PEAK && cost.kept <= KEPT, "{what}: {cost:?}");
        assert!(cost.total <= 3 * PEAK, "{what} copies too much: {cost:?}");
    }
}

/// The same packet again and again retains no more memory than once.
#[test]
fn repeated_datagrams_retain_nothing() {
    for (what, packet) in worst() {
        let mut target = target();
        let _ = target.packet(stranger(1), &packet);
        drop(target.events());
        bytes_sent(&mut target);
        let cost = cost(what, 20 * packet.len(), || {
            for _ in 0..20 {
                let _ = target.packet(stranger(1), &packet);
                drop(target.events());
                bytes_sent(&mut target);
            }
        });
        assert!(cost.kept <= 64 << 10, "{what}: {cost:?}");
    }
}

/// Bytes that are announced but not present are not allocated.
#[test]
fn lengths_announced_in_a_packet_take_no_memory() {
    for (what, packet) in worst().into_iter().filter(|(what, _)| what.contains("promises")) {
        let mut target = target();
        let cost = cost(what, packet.len(), || {
            assert!(target.packet(stranger(1), &packet).is_err(), "{what}");
        });
        assert!(cost.total <= 1024, "{what}: {cost:?}");
    }
}

#[test]
fn nested_packets_stop_at_their_depth() {
    for (depth, handled) in [(1, 1), (3, 1), (4, 1), (5, 0), (60, 0)] {
        let mut target = target();
        let result = target.packet(stranger(1), &nested(&user(8), depth));
        assert_eq!(counters(&target).messages_received, handled, "{depth} deep: {result:?}");
        assert_eq!(result.is_err(), handled == 0, "{depth} deep");
    }
}

#[test]
fn messages_per_packet_are_limited() {
    let full = compounds(&vec![user(1); 255]);
    let packet = compressed(&compounds(&vec![full; 100]));
    let mut target = target();
    let error = target.packet(stranger(1), &packet).expect_err("25,500 messages");
    assert!(counters(&target).messages_received <= 4096, "{error:?}");
    assert_eq!(
        error.handled as u64,
        counters(&target).messages_received,
        "the error counts what was handled"
    );
}
