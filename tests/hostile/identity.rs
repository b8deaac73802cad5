//! False statements about identities.

use memberlist_proto::wire::message::{Alive, Dead, Message, Suspect};
use memberlist_proto::{Departure, Event, Refusal};
use memberlist_sim::rig::{VSN, alive, encoded, stranger};

use super::rig::watched;

fn poisoned(event: &Event) -> bool {
    matches!(event, Event::NamePoisoned { by: Some(by) } if by.as_bytes() == b"evil")
}

#[test]
fn an_accusation_at_the_highest_incarnation_saturates_and_is_reported() {
    for dead in [false, true] {
        let mut target = watched();
        let (incarnation, node, from) = (u32::MAX, &b"me"[..], &b"evil"[..]);
        let message = if dead {
            Message::Dead(Dead { incarnation, node, from })
        } else {
            Message::Suspect(Suspect { incarnation, node, from })
        };
        for _ in 0..3 {
            target.packet(stranger(1), &encoded(&message)).expect("a good packet");
            assert_eq!(target.node().local().incarnation(), u32::MAX);
            assert!(target.events().iter().any(poisoned), "the application must be informed");
        }
        assert_eq!(target.node().num_members(), 1, "it considers itself alive");
    }
}

#[test]
fn an_accusation_just_below_the_highest_is_refuted() {
    let mut target = watched();
    let suspect = Suspect { incarnation: u32::MAX - 1, node: b"me", from: b"evil" };
    target.packet(stranger(1), &encoded(&Message::Suspect(suspect))).expect("a good packet");
    assert_eq!(target.node().local().incarnation(), u32::MAX);
    assert!(!target.events().iter().any(poisoned));
}

#[test]
fn a_node_with_an_unusable_address_is_refused() {
    for addr in [[0, 0, 0, 0], [224, 0, 0, 1], [239, 255, 255, 250], [255; 4]] {
        let mut target = watched();
        target.packet(stranger(1), &alive("x1", &addr, 1)).expect("a good packet");
        assert_eq!(target.node().num_members(), 1, "{addr:?}");
        let events = target.events();
        let [Event::Refused { reason: Refusal::Address, from, .. }] = &events[..] else {
            panic!("{addr:?}: {events:?}")
        };
        assert_eq!(*from, Some(stranger(1)));
        // Nor may a member move there.
        target.alive("n1", 1);
        target.events();
        let left = Message::Dead(Dead { incarnation: 1, node: b"n1", from: b"n1" });
        target.packet(stranger(1), &encoded(&left)).expect("a good packet");
        target.packet(stranger(1), &alive("n1", &addr, 2)).expect("a good packet");
        assert_eq!(target.node().num_members(), 1, "{addr:?}");
    }
}

/// Any host that can send packets can claim that a member leaves; the event has its address.
#[test]
fn a_forged_leave_is_reported_with_its_source() {
    let mut target = watched();
    target.alive("n1", 1);
    target.events();
    let left = Message::Dead(Dead { incarnation: 1, node: b"n1", from: b"n1" });
    target.packet(stranger(66), &encoded(&left)).expect("a good packet");
    let events = target.events();
    let [Event::Departed { node, reason: Departure::Left, from }] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!((node.name().to_string(), *from), ("n1".into(), Some(stranger(66))));
    // The member is alive, and its next incarnation brings it back.
    target.alive("n1", 2);
    assert_eq!(target.node().num_members(), 2);
}

#[test]
fn long_names_and_metadata_are_refused() {
    let mut target = watched();
    for (name, meta, refused) in [
        (255, 2048, None),
        (256, 0, Some(Refusal::Name(256))),
        (0, 0, Some(Refusal::Name(0))),
        (3, 2049, Some(Refusal::Meta(2049))),
    ] {
        let (name, meta) = (vec![b'n'; name], vec![b'm'; meta]);
        target.receive(&Message::Alive(Alive {
            incarnation: 1,
            node: &name,
            addr: Some(&[10, 1, 1, 1]),
            port: 7946,
            meta: Some(&meta),
            vsn: Some(&VSN),
        }));
        let events = target.events();
        match (&events[..], refused) {
            ([Event::Joined { .. }], None) => {}
            ([Event::Refused { reason, .. }], Some(refused)) => assert_eq!(*reason, refused),
            _ => panic!("{events:?}"),
        }
    }
}
