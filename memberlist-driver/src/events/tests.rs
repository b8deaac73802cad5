use memberlist_proto::{
    BroadcastKind, Channel, Config, Identity, IdentityParts, Instant, Memberlist, Priority, State,
};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

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
    let payload = bytes::Bytes::from(vec![0; len]);
    Event::Message { from: ([127, 0, 0, 1], 1).into(), channel: Channel::Packet, payload }
}

fn drain(buffer: &mut EventBuffer) -> Vec<Event> {
    std::iter::from_fn(|| buffer.pop()).collect()
}

#[test]
fn a_quick_reader_gets_everything_in_order() {
    let mut buffer = EventBuffer::new(EventBounds::default());
    for event in [joined("a", 1), left("a"), joined("a", 2), message(3)] {
        buffer.push(event);
    }
    let reports = drain(&mut buffer);
    assert!(matches!(
        reports[..],
        [Event::Joined { .. }, Event::Departed { .. }, Event::Joined { .. }, Event::Message { .. }]
    ));
}

#[test]
fn a_buffer_is_empty_until_something_waits() {
    let mut buffer = EventBuffer::new(EventBounds::default());
    assert!(buffer.is_empty());
    buffer.push(joined("a", 1));
    assert!(!buffer.is_empty());
    drain(&mut buffer);
    assert!(buffer.is_empty());
}

/// A departure that still waits is part of what it is joined into.
#[test]
fn a_departure_that_was_not_read_is_not_lost() {
    let mut buffer = EventBuffer::new(EventBounds::new(1, 100));
    buffer.push(left("a"));
    buffer.push(joined("a", 2));
    let reports = drain(&mut buffer);
    let [Event::Coalesced { events: 2, departure, .. }] = &reports[..] else {
        panic!("{reports:?}")
    };
    assert_eq!(*departure, Some(Departure::Left));
}

#[test]
fn a_slow_reader_learns_how_each_waiting_node_stands() {
    let mut buffer = EventBuffer::new(EventBounds::new(2, 100));
    buffer.push(joined("a", 1));
    buffer.push(joined("b", 1));
    for _ in 0..100 {
        buffer.push(left("a"));
        buffer.push(joined("a", 2));
        buffer.push(joined("c", 1));
    }
    let reports = drain(&mut buffer);
    assert_eq!(reports.len(), 3);
    let Event::Coalesced { node, events, departure } = &reports[0] else {
        panic!("{:?}", reports[0])
    };
    assert_eq!((node.incarnation(), node.state(), *events), (2, State::Alive, 201));
    assert_eq!(*departure, Some(Departure::Left));
    assert!(matches!(&reports[2], Event::MembershipOverflow { events: 100 }), "{:?}", reports[2]);
    buffer.push(left("a"));
    assert!(matches!(drain(&mut buffer)[..], [Event::Departed { .. }]), "as itself, once read");
}

#[test]
fn messages_beyond_the_bounds_are_dropped_and_counted() {
    let mut buffer = EventBuffer::new(EventBounds::new(3, 100));
    buffer.push(message(60));
    buffer.push(message(60));
    buffer.push(message(40));
    buffer.push(message(0));
    buffer.push(message(0));
    let reports = drain(&mut buffer);
    assert_eq!(reports.len(), 4);
    let dropped = matches!(reports[1], Event::Overflow { dropped: 2 });
    assert!(dropped, "one summary, where they are missing: {reports:?}");
    buffer.push(message(100));
    assert_eq!(drain(&mut buffer).len(), 1, "what was read makes room");
}

/// Whatever comes, and however much of it, no more waits than was promised, and nothing is lost.
#[test]
fn what_waits_is_bounded_whatever_comes() {
    const COUNT: usize = 16;
    let bounds = EventBounds::new(COUNT, 1000);
    let mut buffer = EventBuffer::new(bounds);
    let mut most = 0;
    let [sent, dropped] = [BroadcastEnd::Sent, BroadcastEnd::Dropped].map(finished);
    for number in 0..1_000_000_u32 {
        let end = if number % 4 == 0 { &sent } else { &dropped };
        buffer.push(end.clone());
        if number % 10 == 0 {
            buffer.push(joined(&format!("node {number}"), 1));
            buffer.push(conflict(&format!("node {number}")));
            buffer.push(Event::Health { score: number });
            buffer.push(message(1));
        }
        most = most.max(buffer.entries.len());
    }
    assert_eq!(most, 3 * COUNT + 4);
    let maps = buffer.newest.len() + buffer.conflicts.len();
    assert!(maps <= COUNT, "{maps} names are kept");
    let (mut ends, mut members, mut messages) = ((0, 0), 0, 0);
    for event in drain(&mut buffer) {
        match event {
            Event::BroadcastFinished { end: BroadcastEnd::Sent, .. } => ends.0 += 1,
            Event::BroadcastFinished { .. } => ends.1 += 1,
            Event::BroadcastsFinished { sent, dropped, replaced: 0, streamed: 0 } => {
                ends = (ends.0 + sent, ends.1 + dropped);
            }
            Event::Joined { .. } | Event::Conflict { .. } => members += 1,
            Event::MembershipOverflow { events } => members += events,
            Event::Message { .. } => messages += 1,
            Event::Overflow { dropped } => messages += dropped,
            Event::Health { score } => assert_eq!(score, 999_990, "the newest"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((ends, members, messages), ((250_000, 750_000), 200_000, 100_000));
}

proptest! {
    /// A reader that looks at the members whenever it has missed some knows the truth when it has
    /// read everything.
    #[test]
    fn the_view_of_a_reader_that_looks_is_true(
        count in 1..5_usize,
        steps in vec((0..8_u32, 1..4_u32, any::<bool>(), 0..3_usize), 1..200),
    ) {
        let mut buffer = EventBuffer::new(EventBounds::new(count, 0));
        let (mut truth, mut view) = (BTreeMap::new(), BTreeMap::new());
        for (name, incarnation, alive, reads) in steps {
            let state = if alive { State::Alive } else { State::Dead };
            let node = node(&name.to_string(), incarnation, state);
            truth.insert(name.to_string(), (incarnation, state));
            buffer.push(if alive {
                Event::Joined { node }
            } else {
                let by = "x".into();
                Event::Departed { node, reason: Departure::Declared { by }, from: None }
            });
            for _ in 0..reads {
                read(buffer.pop(), &mut view, &truth);
            }
            prop_assert!(buffer.entries.len() <= count + 1);
        }
        while let event @ Some(_) = buffer.pop() {
            read(event, &mut view, &truth);
        }
        prop_assert_eq!(view, truth);
    }
}

type View = BTreeMap<String, (u32, State)>;

fn read(event: Option<Event>, view: &mut View, truth: &View) {
    match event {
        Some(
            Event::Joined { node } | Event::Departed { node, .. } | Event::Coalesced { node, .. },
        ) => {
            view.insert(node.name().to_string(), (node.incarnation(), node.state()));
        }
        Some(Event::MembershipOverflow { .. }) => view.clone_from(truth),
        _ => {}
    }
}

fn conflict(name: &str) -> Event {
    let [existing, claimant] = [1, 2].map(|incarnation| node(name, incarnation, State::Alive));
    Event::Conflict { existing, claimant }
}

/// The end of a broadcast: only a node can make its number.
fn finished(end: BroadcastEnd) -> Event {
    let mut core = Memberlist::new(Instant::from_nanos(1), Config::local("n"), None, [0; 32]);
    let core = core.as_mut().expect("a valid configuration");
    let now = Instant::from_nanos(2);
    let kind = BroadcastKind::Unique;
    let id = core.broadcast(now, b"x", kind, Priority::Normal).expect("not too long");
    Event::BroadcastFinished { id, end }
}

/// Room and bytes come back with what is read, and nothing stays known of it.
#[test]
fn what_was_read_takes_no_room_any_more() {
    let state = |len: usize| Event::RemoteState {
        from: ([127, 0, 0, 1], 1).into(),
        join: false,
        state: bytes::Bytes::from(vec![0; len]),
    };
    let mut buffer = EventBuffer::new(EventBounds::new(2, 100));
    for _ in 0..5 {
        buffer.push(state(60));
        assert_eq!(buffer.bytes(), 60, "states count as messages do");
        buffer.push(message(40));
        buffer.push(joined("a", 1));
        buffer.push(conflict("b"));
        assert_eq!((buffer.len(), buffer.bytes()), (4, 100));
        let read = drain(&mut buffer);
        assert!(!read.iter().any(|event| matches!(event, Event::Overflow { .. })), "{read:?}");
        assert_eq!((buffer.members, buffer.others, buffer.bytes()), (0, 0, 0));
        assert!(buffer.newest.is_empty() && buffer.conflicts.is_empty(), "{buffer:?}");
    }
    // A state that has no room is counted as a message is.
    buffer.push(state(101));
    assert!(matches!(drain(&mut buffer)[..], [Event::Overflow { dropped: 1 }]));
}

/// Of two events about a node, the older is forgotten without the newer.
#[test]
fn reading_an_older_event_leaves_the_newer_one_known() {
    let mut buffer = EventBuffer::new(EventBounds::new(2, 100));
    buffer.push(joined("a", 1));
    buffer.push(left("a"));
    assert!(matches!(buffer.pop(), Some(Event::Joined { .. })));
    buffer.push(joined("b", 1));
    buffer.push(joined("a", 2));
    // There is no room for one more: it joins the one that waits.
    let read = drain(&mut buffer);
    assert!(
        matches!(read[..], [Event::Coalesced { events: 2, .. }, Event::Joined { .. }]),
        "{read:?}"
    );
}
