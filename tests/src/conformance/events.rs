//! The events that readers get, however slow they are.

use std::net::UdpSocket;
use std::time::Duration;

use memberlist_driver::EventBounds;
use memberlist_proto::wire::message::{Alive, Message};
use memberlist_proto::{BroadcastEnd, BroadcastKind, Event, Limits, Priority, State};

use super::{Adapter, Kit as _, PATIENCE, at, encoded, loopback, quick};

/// A slow reader learns how many messages it missed, and its last event about a node is true.
pub async fn a_slow_reader_learns_what_it_missed<A: Adapter>() {
    let options = loopback().with(|it| it.events = EventBounds::new(8, 1000));
    let (one, mut reports) = A::start(quick("one"), options).await.expect("a free port");
    let (two, _heard) = A::node("two").await;
    let _ = A::in_time(two.join([one.bound_address()])).await.expect("both run");
    for number in 1..=100 {
        two.send(at(&one), b"hello").expect("sent");
        // One after the other: they must not be dropped because a socket is full.
        A::eventually(|| one.stats().counters.messages_received >= number).await;
    }
    for number in 0..10 {
        A::in_time(two.set_meta(number.to_string(), PATIENCE)).await.expect("it reaches one");
    }
    A::in_time(two.leave(PATIENCE)).await.expect("it reaches one");
    A::eventually(|| one.num_members() == 1).await;
    one.shutdown().await;
    let (mut messages, mut missing, mut about, mut last) = (0, 0, 0, None);
    while let Some(event) = reports.next().await {
        match event {
            Event::Message { .. } => messages += 1,
            Event::Overflow { dropped } => missing += dropped,
            Event::Joined { node }
            | Event::Updated { node, .. }
            | Event::Departed { node, .. }
            | Event::Coalesced { node, .. }
                if node.name() == "two" =>
            {
                about += 1;
                last = Some((node.state(), node.meta().to_vec()));
            }
            _ => {}
        }
    }
    assert!(messages <= 8, "{messages} messages were kept");
    assert!(messages + missing >= 100, "{messages} messages, {missing} missing");
    assert_eq!(last, Some((State::Left, b"9".to_vec())), "the last word about a node is true");
    assert!(about <= 8, "{about} entries were kept about one node");
}

/// The bytes of the waiting events are bounded as well.
pub async fn a_slow_reader_holds_no_more_bytes_than_it_may<A: Adapter>() {
    let options = loopback().with(|it| it.events = EventBounds::new(1000, 10_000));
    let (one, mut reports) = A::start(quick("one"), options).await.expect("a free port");
    let (two, _heard) = A::node("two").await;
    for number in 1..=30 {
        A::in_time(two.send_reliable(at(&one), [7; 1000])).await.expect("one listens");
        A::eventually(|| one.stats().counters.messages_received >= number).await;
    }
    one.shutdown().await;
    let (mut messages, mut missing) = (0, 0);
    while let Some(event) = reports.next().await {
        match event {
            Event::Message { .. } => messages += 1,
            Event::Overflow { dropped } => missing += dropped,
            _ => {}
        }
    }
    assert_eq!((messages, missing), (10, 20));
}

/// However much happens, no more events wait than the bounds allow, and missing ones are counted.
pub async fn a_slow_reader_makes_no_node_grow<A: Adapter>() {
    const COUNT: usize = 4;
    const NAMES: usize = 300;
    const BROADCASTS: u64 = 10_000;
    let options = loopback().with(|it| it.events = EventBounds::new(COUNT, 1000));
    let still = quick("one").with(|it| {
        it.probe_interval = Duration::ZERO;
        it.gossip_interval = Duration::ZERO;
        it.limits = Limits::default().with(|it| it.user_broadcasts = 1);
    });
    let (one, mut reports) = A::start(still, options).await.expect("a free port");
    for _ in 0..BROADCASTS {
        one.broadcast(b"x", BroadcastKind::Unique, Priority::Normal).expect("short enough");
    }
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    for number in 0..NAMES {
        let (name, addr, vsn) = (format!("node {number}"), [127, 0, 0, 1], [1, 5, 2, 0, 0, 0]);
        let alive = Message::Alive(Alive {
            incarnation: 1,
            node: name.as_bytes(),
            addr: Some(&addr),
            port: 9,
            meta: None,
            vsn: Some(&vsn),
        });
        socket.send_to(&encoded(&alive), one.bound_address()).expect("sent");
        A::eventually(|| one.num_members() == number + 2).await;
    }
    one.shutdown().await;
    let (mut events, mut members, mut ends) = (0, 0, 0);
    while let Some(event) = reports.next().await {
        events += 1;
        match event {
            Event::Joined { .. } => members += 1,
            Event::MembershipOverflow { events } => members += events,
            Event::BroadcastFinished { end: BroadcastEnd::Dropped, .. } => ends += 1,
            Event::BroadcastsFinished { dropped, sent: 0, replaced: 0, streamed: 0 } => {
                ends += dropped;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(events <= 3 * COUNT + 4, "{events} events waited");
    // One event is still in the queue; the node itself is a member, too.
    assert_eq!((members, ends), (NAMES as u64 + 1, BROADCASTS - 1));
    assert_eq!(one.num_members(), NAMES + 1);
}

/// Each of several readers gets every event since it subscribed, within bounds of its own.
pub async fn readers_are_independent<A: Adapter>() {
    let [(one, mut first), (two, _heard)] = A::pair().await;
    let bounds = EventBounds::new(2, 1000);
    let mut slow = one.subscribe(bounds).expect("not in a delegate");
    let dropped = one.subscribe(bounds).expect("not in a delegate");
    let mut second = one.subscribe(EventBounds::default()).expect("not in a delegate");
    A::in_time(two.send_reliable(at(&one), [1])).await.expect("one listens");
    drop(dropped);
    for number in 2..=10 {
        A::in_time(two.send_reliable(at(&one), [number])).await.expect("one listens");
    }
    A::eventually(|| one.stats().counters.messages_received == 10).await;
    // A reader that subscribes late gets only later events.
    let mut late = one.subscribe(bounds).expect("not in a delegate");
    A::in_time(two.send_reliable(at(&one), b"last")).await.expect("one listens");
    A::eventually(|| one.stats().counters.messages_received == 11).await;
    one.shutdown().await;
    let (mut heard, mut missing) = (Vec::new(), Vec::new());
    for reader in [&mut first, &mut second, &mut slow, &mut late] {
        let (mut messages, mut overflow) = (0, 0);
        while let Some(event) = reader.next().await {
            match event {
                Event::Message { .. } => messages += 1,
                Event::Overflow { dropped } => overflow += dropped,
                _ => {}
            }
        }
        heard.push(messages);
        missing.push(overflow);
    }
    // Round trips count among the events that a slow reader keeps and misses, too.
    assert_eq!((heard[0], heard[1], heard[3] <= 1), (11, 11, true), "{heard:?}");
    assert!(heard[2] <= 2 && heard[2] + missing[2] >= 11, "{heard:?}, {missing:?}");
    assert!(heard[3] + missing[3] >= 1, "{heard:?}, {missing:?}");
}

/// Without a reader nothing is kept, and the node goes on.
pub async fn a_node_without_a_reader_goes_on<A: Adapter>() {
    let [(one, reports), (two, _heard)] = A::pair().await;
    drop(reports);
    for number in 1..=20 {
        A::in_time(two.send_reliable(at(&one), [7; 1000])).await.expect("one listens");
        A::eventually(|| one.stats().counters.messages_received >= number).await;
    }
    A::in_time(one.leave(PATIENCE)).await.expect("it reaches two");
    A::eventually(|| two.num_members() == 1).await;
    A::in_time(one.shutdown()).await;
}
