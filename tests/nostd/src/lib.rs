//! The core in a static library without `std`.
//!
//! It has a `#[panic_handler]` of its own, so it does not compile if anything in the dependency graph
//! brings in `std`, which also has one. `check` inspects the symbols as well.
#![no_std]

extern crate alloc;

use alloc::sync::Arc;
use core::panic::PanicInfo;
use core::time::Duration;

use memberlist_proto::{BroadcastKind, Config, Hooks, Instant, Key, Memberlist, Priority};

#[global_allocator]
static ALLOCATOR: emballoc::Allocator<{ 1 << 20 }> = emballoc::Allocator::new();

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}

/// Keeps [`drive`], and everything it calls, in the library.
#[used]
static DRIVE: fn(&[u8], &[u8], [u8; 32]) -> Option<(usize, Option<Instant>)> = drive;

struct Silent;

impl Hooks for Silent {}

/// Drives a node for a few steps; returns how many bytes it sent, and its next timeout.
fn drive(packet: &[u8], stream: &[u8], seed: [u8; 32]) -> Option<(usize, Option<Instant>)> {
    let mut now = Instant::from_nanos(1);
    let peer = ([127, 0, 0, 1], 7946).into();
    let mut config = Config::local("nostd");
    config.secret_keys.push(Key::new(&seed[..16]).ok()?);
    let mut node = Memberlist::new(now, config, Some(Arc::new(Silent)), seed).ok()?;
    node.join(now, &["127.0.0.1:7946".parse().ok()?]);
    node.broadcast(now, packet, BroadcastKind::Unique, Priority::default()).ok()?;
    let mut sent = 0;
    for _ in 0..100 {
        // Errors are expected here; the node counts them.
        let _ = node.handle_packet(now, peer, packet);
        if let Some(id) = node.accept_stream(now, peer) {
            let _ = node.handle_stream_data(now, id, stream);
            node.handle_stream_eof(now, id);
            node.handle_stream_closed(now, id, None);
        }
        while node.poll_stream().is_some() || node.poll_event().is_some() {}
        while let Some(packet) = node.poll_transmit() {
            sent += packet.payload.len();
        }
        now = node.poll_timeout()?;
        node.handle_timeout(now);
    }
    node.leave(now, Duration::from_secs(1));
    Some((sent, node.poll_timeout()))
}
