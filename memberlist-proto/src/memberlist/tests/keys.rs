use alloc::vec;

use super::*;
use crate::Key;

fn key(byte: u8) -> Key {
    Key::new(&[byte; 16]).expect("16 bytes are a key")
}

#[test]
fn encryption_begins_rotates_and_is_required() {
    let mut rig = Rig::new();
    rig.alive("a", 2, 1);
    let target = || crate::Target::Addr { addr: address(2), node: None };
    rig.node.send(rig.now, target(), b"plain").expect("sent");
    rig.node.add_key(rig.now, key(1)).expect("room for encryption");
    rig.node.send(rig.now, target(), b"sealed").expect("sent");
    let transmits = rig.transmits();
    assert_eq!(transmits[0].payload[0], 8);
    assert_eq!(transmits[1].payload[0], 1, "the encryption's version");
    let plain = transmits[0].payload.clone();
    assert!(rig.node.handle_packet(rig.now, address(2), &plain).is_err());
    rig.node.set_verify(rig.now, false, true);
    assert!(rig.node.handle_packet(rig.now, address(2), &plain).is_ok());
    rig.node.add_key(rig.now, key(2)).expect("room for encryption");
    assert_eq!(rig.node.keys(), [key(1), key(2)]);
    rig.node.use_key(rig.now, &key(2)).expect("it is in the ring");
    assert!(rig.node.remove_key(rig.now, &key(2)).is_err(), "the primary stays");
    let sealed = transmits[1].payload.clone();
    assert!(rig.node.handle_packet(rig.now, address(2), &sealed).is_ok(), "by the older key");
    rig.node.set_verify(rig.now, true, true);
    rig.node.remove_key(rig.now, &key(1)).expect("it is not the primary");
    assert!(rig.node.handle_packet(rig.now, address(2), &sealed).is_err());
}

#[test]
fn the_configuration_has_the_keys_in_force_and_none_that_was_removed() {
    let mut config = config();
    let (first, second) = (key(1), key(2));
    // Given twice, it is in force once.
    config.secret_keys = vec![first.clone(), first.clone()];
    let mut rig = Rig::with(config);
    assert_eq!(rig.node.config().secret_keys, [key(1)]);
    rig.node.add_key(rig.now, second.clone()).expect("room");
    assert_eq!(rig.node.config().secret_keys, [key(1), key(2)]);
    rig.node.use_key(rig.now, &second).expect("it is in the ring");
    assert_eq!(rig.node.config().secret_keys, [key(2), key(1)]);
    assert!(rig.node.remove_key(rig.now, &second).is_err(), "the primary stays");
    rig.node.remove_key(rig.now, &first).expect("it is not the primary");
    assert_eq!(rig.node.config().secret_keys, [key(2)]);
    assert_eq!(first.clones(), 1, "only the test's own copy is left");
}

/// Two nodes that are copies of each other: only fresh randomness parts their nonces.
#[test]
fn fresh_randomness_parts_the_nonces_of_copies() {
    let copy = || {
        let mut config = config();
        config.secret_keys.push(key(1));
        Rig::with(config)
    };
    let next = |rig: &mut Rig| {
        let target = crate::Target::Addr { addr: address(2), node: None };
        rig.node.send(rig.now, target, b"sealed").expect("sent");
        rig.transmits().remove(0).payload
    };
    let (mut one, mut other) = (copy(), copy());
    assert_eq!(next(&mut one), next(&mut other), "they repeat each other's nonces");
    one.node.mix_entropy(one.now, [1; 32]);
    other.node.mix_entropy(other.now, [2; 32]);
    let (first, second) = (next(&mut one), next(&mut other));
    assert_ne!(first[1..13], second[1..13]);
    // The same bytes give the same nonces, so that a recorded run can be replayed.
    let mut replay = copy();
    next(&mut replay);
    replay.node.mix_entropy(replay.now, [1; 32]);
    assert_eq!(next(&mut replay), first);
}
