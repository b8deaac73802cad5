//! What one source leaves to the others.

use super::*;
use crate::wire::message::{IndirectPing, Ping};

const SHARE: usize = 2;

fn rig(change: impl FnOnce(&mut Config)) -> Rig {
    let mut config = config();
    config.limits.share_per_source = SHARE;
    change(&mut config);
    Rig::with(config)
}

/// One of several sources.
fn source(host: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, host], 7))
}

fn name(rig: &mut Rig, from: SocketAddr, node: &str) {
    let alive = Alive {
        incarnation: 1,
        node: node.as_bytes(),
        addr: Some(&[10, 0, 0, 1]),
        port: 2,
        meta: None,
        vsn: Some(&VSN),
    };
    rig.receive_from(from, &Message::Alive(alive));
}

fn relay(rig: &mut Rig, from: SocketAddr) {
    let asked = IndirectPing {
        seq_no: 1,
        target: Some(&[10, 0, 0, 1]),
        port: 2,
        node: b"a",
        nack: false,
        source_addr: None,
        source_port: 0,
        source_node: b"",
    };
    rig.receive_from(from, &Message::IndirectPing(asked));
}

#[test]
fn a_flood_of_names_leaves_the_others_some() {
    let mut rig = rig(|config| config.limits.new_members_burst = 10);
    for number in 0..100 {
        name(&mut rig, source(1), &alloc::format!("flood{number}"));
    }
    assert_eq!(rig.node.num_members(), 1 + 10 + SHARE);
    for number in 0..10 {
        name(&mut rig, source(2), &alloc::format!("other{number}"));
    }
    assert_eq!(rig.node.num_members(), 1 + 10 + 2 * SHARE);
}

#[test]
fn a_flood_of_relays_leaves_the_others_some() {
    for (relays, rate, common) in [(100, 10, 10), (40, 1000, 30)] {
        let mut rig = rig(|config| {
            config.limits.relays = relays;
            config.limits.relays_per_second = rate;
        });
        rig.alive("a", 2, 1);
        for _ in 0..100 {
            relay(&mut rig, source(1));
        }
        assert_eq!(rig.node.stats().counters.relayed as usize, common + SHARE);
        for _ in 0..100 {
            relay(&mut rig, source(2));
        }
        assert_eq!(rig.node.stats().counters.relayed as usize, common + 2 * SHARE);
        // However many ask, there is an end.
        for host in 3..=255 {
            relay(&mut rig, source(host));
        }
        assert!(rig.node.stats().gauges.acks_awaited as usize <= relays);
    }
}

fn ping(rig: &mut Rig, from: SocketAddr, name: &str, times: usize) {
    for _ in 0..times {
        let (node, source_node) = (&b"me"[..], name.as_bytes());
        // As Go does: the ping says where its answer goes.
        let (source_addr, source_port) = (Some(&[10, 0, 0, 1][..]), 2);
        let ping = Ping { seq_no: 1, node, source_addr, source_port, source_node };
        rig.receive_from(from, &Message::Ping(ping));
    }
}

/// One ping of a member, recorded and sent again by others.
#[test]
fn a_replayed_ping_is_answered_only_so_often() {
    let mut rig = rig(|config| {
        config.limits.replies_per_second = 10;
        config.secret_keys.push(crate::Key::new(&[1; 16]).expect("a key"));
        config.gossip_verify_incoming = false;
    });
    rig.alive("a", 2, 1);
    let answered = |rig: &mut Rig, from, name, times| {
        ping(rig, from, name, times);
        rig.transmits().len()
    };
    assert_eq!(answered(&mut rig, source(1), "a", 100), 10 + SHARE);
    assert_eq!(answered(&mut rig, source(1), "a", 100), 0);
    assert_eq!(answered(&mut rig, source(2), "a", 100), SHARE, "the others have theirs");
    assert_eq!(rig.node.stats().counters.pings_too_fast, 100 - 10 - SHARE as u64 + 100 + 98);
    // The member itself is always answered, and one that is not known yet as others are.
    assert_eq!(answered(&mut rig, address(2), "a", 100), 100);
    assert_eq!(answered(&mut rig, address(2), "b", 100), SHARE);
    let mapped = SocketAddr::new("::ffff:10.0.0.1".parse().expect("an address"), 2);
    assert_eq!(answered(&mut rig, mapped, "a", 5), 5);
    rig.wait(Duration::from_secs(1));
    assert_eq!(answered(&mut rig, source(1), "a", 100), 10 + SHARE);
}

#[test]
fn a_flood_of_refusals_leaves_the_others_room_to_be_told() {
    let mut rig = rig(|config| config.limits.reports_per_second = 10);
    rig.alive("a", 2, 1);
    rig.events();
    for _ in 0..100 {
        name(&mut rig, source(1), "");
    }
    assert_eq!(rig.events().len(), 10 + SHARE);
    // A conflict, a refusal and a broken stream of others.
    let moved = Alive { incarnation: 5, node: b"a", port: 3, ..Alive::default() };
    let moved = Alive { addr: Some(&[10, 0, 0, 1]), vsn: Some(&VSN), ..moved };
    rig.receive_from(source(2), &Message::Alive(moved));
    name(&mut rig, source(3), "");
    let id = rig.node.accept_stream(rig.now, source(4)).expect("room");
    rig.node.handle_stream_data(rig.now, id, &[9, 0xc1]).expect_err("no message");
    assert_eq!(rig.events().len(), 3);
}

/// A flood in a member's name takes nothing from the member until the common part is used
/// up, and nothing from the others then.
#[test]
fn a_flood_in_the_name_of_a_member_is_not_its_own() {
    let mut rig = rig(|config| config.limits.relays_per_second = 50);
    rig.alive("a", 2, 1);
    for _ in 0..40 {
        relay(&mut rig, source(1));
    }
    for _ in 0..10 {
        relay(&mut rig, source(1));
    }
    assert_eq!(rig.node.stats().counters.relays_refused, 0, "the member itself is still served");
    for _ in 0..100 {
        relay(&mut rig, source(1));
    }
    relay(&mut rig, source(2));
    assert_eq!(rig.node.stats().counters.relayed as usize, 50 + SHARE + 1);
}
