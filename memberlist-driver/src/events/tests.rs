use std::vec::Vec;

use super::*;
use memberlist_proto::Channel;
use memberlist_proto::Instant;
use memberlist_proto::{Identity, IdentityParts, State};

fn node(name: &str, incarnation: u32, state: State) -> Node {
    let parts = IdentityParts { name: name.as_bytes(), ..IdentityParts::default() };
    Node::new(Identity::new(parts).unwrap(), incarnation, state, Instant::ORIGIN)
}

fn joined(name: &str, incarnation: u32) -> Event {
    Event::Joined { node: node(name, incarnation, State::Alive) }
}

fn left(name: &str) -> Event {
    Event::Departed { node: node(name, 1, State::Left), reason: Departure::Left, from: None }
}

fn message(len: usize) -> Event {
    let payload = bytes::Bytes::from(std::vec![0; len]);
    Event::Message { from: ([127, 0, 0, 1], 1).into(), channel: Channel::Packet, payload }
}

fn drain(buffer: &mut EventBuffer) -> Vec<Event> {
    std::iter::from_fn(|| buffer.pop()).collect()
}

#[test]
fn a_quick_reader_is_told_everything_in_order() {
    let mut buffer = EventBuffer::new(EventBounds::default());
    for event in [joined("a", 1), left("a"), joined("a", 2), message(3)] {
        buffer.push(event);
    }
    let told = drain(&mut buffer);
    assert!(matches!(
        told[..],
        [Event::Joined { .. }, Event::Departed { .. }, Event::Joined { .. }, Event::Message { .. }]
    ));
}

#[test]
fn a_slow_reader_is_told_the_truth_about_every_node() {
    let mut buffer = EventBuffer::new(EventBounds { count: 2, bytes: 100 });
    buffer.push(joined("a", 1));
    buffer.push(joined("b", 1));
    for _ in 0..100 {
        buffer.push(left("a"));
        buffer.push(joined("a", 2));
        buffer.push(joined("c", 1));
    }
    let told = drain(&mut buffer);
    assert_eq!(told.len(), 3);
    let Event::Coalesced { node, events, departure } = &told[0] else { panic!("{:?}", told[0]) };
    assert_eq!((node.incarnation(), node.state(), *events), (2, State::Alive, 201));
    assert_eq!(*departure, Some(Departure::Left));
    assert!(matches!(&told[2], Event::Coalesced { events: 100, .. }));
    buffer.push(left("a"));
    assert!(matches!(drain(&mut buffer)[..], [Event::Departed { .. }]), "told once it is read");
}

#[test]
fn messages_beyond_the_bounds_are_dropped_and_counted() {
    let mut buffer = EventBuffer::new(EventBounds { count: 3, bytes: 100 });
    buffer.push(message(60));
    buffer.push(message(60));
    buffer.push(message(40));
    buffer.push(message(0));
    buffer.push(message(0));
    let told = drain(&mut buffer);
    assert_eq!(told.len(), 3);
    assert!(
        matches!(told[1], Event::Overflow { dropped: 3 }),
        "one notice, where they are missing"
    );
    buffer.push(message(100));
    assert_eq!(drain(&mut buffer).len(), 1, "what was read makes room");
}
