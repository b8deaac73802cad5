//! How nodes and operations end.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use memberlist_driver::bind::Options;
use memberlist_driver::{Error, Handle};
use memberlist_proto::{
    BroadcastKind, Config, Event, JoinPolicy, JoinRefused, Key, Node, Peer, Priority, SendError,
    State, Target, WaitError,
};

use super::{Adapter, Kit as _, PATIENCE, at, loopback, member, payload, quick};

/// The node ends with its last handle, not before, and its port is then free.
pub async fn ends_when_the_last_handle_is_dropped<A: Adapter>() {
    let (node, mut events) = A::node("n").await;
    let address = node.bound_address();
    let clone = node.clone();
    drop(node);
    assert_eq!(clone.num_members(), 1);
    drop(clone);
    A::in_time(async { while events.next().await.is_some() {} }).await;
    A::start(quick("n"), Options::bind(address)).await.expect("the port is free again");
}

/// Dropping the last handle ends the node even while streams are open and operations under way.
pub async fn ends_when_the_last_handle_is_dropped_amid_streams<A: Adapter>() {
    let (node, mut events) = A::node("n").await;
    let address = node.bound_address();
    let (_silent, silent) = silent();
    let join = node.join([silent]);
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.write_all(&[6, 0x83]).expect("it reads");
    A::eventually(|| node.stats().gauges.streams == 2).await;
    drop(node);
    assert_eq!(A::in_time(join).await.err(), Some(Error::Shutdown));
    A::in_time(async { while events.next().await.is_some() {} }).await;
    A::start(quick("n"), Options::bind(address)).await.expect("the port is free again");
}

/// A node that is shut down without leaving is declared dead.
pub async fn a_vanished_node_is_declared_dead<A: Adapter>() {
    let [(one, mut reports), (two, _)] = A::pair().await;
    two.shutdown().await;
    let dead = |event: &Event| match event {
        Event::Departed { node, .. } => Some(node.clone()),
        _ => None,
    };
    let node: Node = A::until(&mut reports, dead).await;
    assert_eq!((node.name().to_string().as_str(), node.state()), ("two", State::Dead));
    assert_eq!(one.num_members(), 1);
}

/// A configuration with which no member is suspected only because the machine is slow.
fn calm(name: &str) -> Config {
    quick(name).with(|it| {
        it.probe_interval = PATIENCE;
        it.probe_timeout = PATIENCE / 2;
    })
}

/// A node that leaves before it is shut down is never suspected, nor declared dead.
pub async fn a_node_that_leaves_and_shuts_down_has_left<A: Adapter>() {
    let (one, mut reports) = A::start(calm("one"), loopback()).await.expect("a free port");
    let (two, mut heard) = A::start(calm("two"), loopback()).await.expect("a free port");
    let _ = A::in_time(two.join([one.bound_address()])).await.expect("both run");
    let address = two.bound_address();
    A::in_time(two.leave(PATIENCE)).await.expect("it reaches one");
    A::in_time(two.shutdown()).await;
    A::in_time(async { while heard.next().await.is_some() {} }).await;
    A::eventually(|| one.num_members() == 1).await;
    one.shutdown().await;
    let mut departures = Vec::new();
    while let Some(event) = reports.next().await {
        assert!(!matches!(event, Event::Suspected { .. }), "{event:?}");
        if let Event::Departed { node, .. } = event {
            departures.push((node.name().to_string(), node.state()));
        }
    }
    assert_eq!(departures, [("two".to_owned(), State::Left)]);
    A::start(quick("two"), Options::bind(address)).await.expect("the port is free again");
}

/// A node that has left answers until it is shut down, whatever it still has to send to a peer that
/// reads nothing.
pub async fn a_peer_that_reads_nothing_holds_up_no_node_that_has_left<A: Adapter>() {
    const PINGS: u64 = 10;
    let (one, _reports) = A::start(calm("one"), loopback()).await.expect("a free port");
    let (two, _heard) = A::start(calm("two"), loopback()).await.expect("a free port");
    let _ = A::in_time(two.join([one.bound_address()])).await.expect("both run");
    let (_silent, silent) = silent();
    let unread = || two.send(Target::Addr { addr: silent, node: None }, b"unread");
    unread().expect("it runs");
    A::in_time(two.leave(PATIENCE)).await.expect("it reaches one");
    let begun = Instant::now();
    for _ in 0..PINGS {
        unread().expect("it runs");
        A::in_time(one.ping(at(&two))).await.expect("it still answers");
    }
    // Had it waited for the silent peer each time, every ping would have taken a second.
    assert!(begun.elapsed() < Duration::from_secs(PINGS / 2), "{:?}", begun.elapsed());
    A::in_time(two.shutdown()).await;
}

/// Leaving twice has the effect of leaving once; the second leave has nothing to wait for.
pub async fn leaving_twice_is_leaving_once<A: Adapter>() {
    let [(one, mut reports), (two, _heard)] = A::pair().await;
    let first = two.leave(PATIENCE);
    A::in_time(two.leave(PATIENCE)).await.expect("left");
    let report = A::in_time(first).await.expect("left");
    assert_eq!((report.members, report.sent_directly), (1, 1));
    A::in_time(two.leave(PATIENCE)).await.expect("left");
    A::eventually(|| one.num_members() == 1).await;
    one.shutdown().await;
    let mut departures = 0;
    while let Some(event) = reports.next().await {
        departures += usize::from(matches!(event, Event::Departed { .. }));
    }
    assert_eq!(departures, 1);
}

/// A node that has left still answers and sends; it neither joins nor announces anything of its
/// own.
pub async fn after_leaving_a_node_answers_but_does_not_join<A: Adapter>() {
    let [(one, mut reports), (two, _heard)] = A::pair().await;
    A::in_time(two.leave(PATIENCE)).await.expect("it reaches one");
    let peer: Peer = one.bound_address().into();
    let refused = Error::Join(JoinRefused::Left);
    assert_eq!(
        A::in_time(two.join(std::slice::from_ref(&peer))).await.err(),
        Some(refused.clone())
    );
    let patient = two.join_with([peer], JoinPolicy::until_joined());
    assert_eq!(A::in_time(patient).await.err(), Some(refused));
    let late = A::in_time(two.set_meta("late", PATIENCE)).await;
    assert_eq!(late, Err(Error::Wait(WaitError::Left)));
    assert!(two.has_left());
    A::in_time(two.ping(at(&one))).await.expect("it still asks");
    A::in_time(one.ping(at(&two))).await.expect("it still answers");
    A::in_time(two.send_reliable(at(&one), b"last words")).await.expect("it still sends");
    assert_eq!(A::until(&mut reports, payload).await, "last words");
    A::eventually(|| one.num_members() == 1).await;
}

/// Every call on a node that was shut down fails with `Error::Shutdown`.
pub async fn after_shutdown_every_call_says_so<A: Adapter>() {
    let (node, mut events) = A::node("n").await;
    let (_silent, silent) = silent();
    let waiting = node.join([silent]);
    let quiet = node.settled(PATIENCE, PATIENCE);
    A::in_time(node.shutdown()).await;
    assert_eq!(A::in_time(waiting).await.err(), Some(Error::Shutdown));
    assert_eq!(A::in_time(quiet).await, Err(Error::Shutdown));
    let (peer, over): (Peer, _) = (silent.into(), Some(Error::Shutdown));
    let peers = std::slice::from_ref(&peer);
    assert_eq!(A::in_time(node.join(peers)).await.err(), over);
    assert_eq!(A::in_time(node.join_with(peers, JoinPolicy::until_joined())).await.err(), over);
    assert_eq!(A::in_time(node.leave(PATIENCE)).await.err(), over);
    assert_eq!(A::in_time(node.settled(PATIENCE, PATIENCE)).await.err(), over);
    assert_eq!(A::in_time(node.set_meta("late", PATIENCE)).await.err(), over);
    assert_eq!(A::in_time(node.ping(member(&node))).await.err(), over);
    assert_eq!(A::in_time(node.send_reliable(member(&node), b"")).await.err(), over);
    assert_eq!(node.send(member(&node), b"").err(), over);
    let broadcast = node.broadcast(b"", BroadcastKind::Unique, Priority::Normal);
    assert_eq!(broadcast.err(), over);
    assert_eq!(node.disseminate(b"").err(), over);
    assert_eq!(node.recall(&[]).err(), over);
    assert_eq!(node.forget("two").err(), over);
    let key = Key::new(&[1; 16]).expect("16 bytes");
    assert_eq!(node.add_key(key.clone()).err(), over);
    assert_eq!(node.use_key(&key).err(), over);
    assert_eq!(node.remove_key(&key).err(), over);
    assert_eq!(node.set_verify(false, false).err(), over);
    assert_eq!(node.reconfigure(quick("n").timing()).err(), over);
    A::in_time(node.shutdown()).await;
    A::in_time(async { while events.next().await.is_some() {} }).await;
    // The members that it knew can still be read.
    assert_eq!((node.num_members(), node.local().name() == "n"), (1, true));
}

/// Dropping a future cancels its operation and its streams.
pub async fn a_dropped_future_cancels_what_it_waited_for<A: Adapter>() {
    let config = quick("n").with(|it| it.compression = memberlist_proto::Compression::None);
    let (node, _events) = A::start(config, loopback()).await.expect("a free port");
    let (_silent, silent) = silent();
    let peer: Peer = silent.into();
    let nothing = |node: &Handle| {
        let gauges = node.stats().gauges;
        (gauges.operations, gauges.streams) == (0, 0)
    };
    for _ in 0..10 {
        let join = node.join(std::slice::from_ref(&peer));
        A::eventually(|| node.stats().gauges.streams == 1).await;
        assert!(A::within(Duration::from_millis(20), join).await.is_none(), "no answer comes");
        assert!(nothing(&node), "{:?}", node.stats().gauges);
    }
    let patient = node.join_with([peer], JoinPolicy::until_joined());
    assert!(A::within(Duration::from_millis(20), patient).await.is_none(), "no answer comes");
    let to_no_one = || Target::Addr { addr: ([127, 0, 0, 1], 9).into(), node: None };
    drop(node.ping(to_no_one()));
    drop(node.settled(PATIENCE, PATIENCE));
    assert!(nothing(&node), "{:?}", node.stats().gauges);
    // More than the sockets can hold, so that the future is dropped in the middle of it.
    let message = vec![0; 16 << 20];
    let send = node.send_reliable(Target::Addr { addr: silent, node: None }, &message);
    assert!(A::within(Duration::from_millis(200), send).await.is_none(), "no one reads");
    assert!(nothing(&node), "{:?}", node.stats().gauges);
    assert_eq!(node.send(Target::Member("unknown".into()), b""), {
        Err(Error::Send(SendError::UnknownMember))
    });
}

/// Dropping the future of a leave or of a change of metadata ends only the wait for it.
pub async fn a_dropped_announcement_is_made_all_the_same<A: Adapter>() {
    let [(one, mut reports), (two, _heard)] = A::pair().await;
    drop(two.set_meta("new", PATIENCE));
    let updated = |event: &Event| match event {
        Event::Updated { node, .. } => Some(node.meta().to_vec()),
        _ => None,
    };
    assert_eq!(A::until(&mut reports, updated).await, b"new");
    drop(two.leave(PATIENCE));
    let departed = |event: &Event| match event {
        Event::Departed { node, .. } => Some(node.state()),
        _ => None,
    };
    assert_eq!(A::until(&mut reports, departed).await, State::Left);
    assert_eq!((one.num_members(), two.stats().gauges.operations), (1, 0));
}

/// `shutdown` is ready when every socket is closed, however many streams were open.
pub async fn shutdown_waits_until_every_socket_is_closed<A: Adapter>() {
    let (node, _events) = A::node("n").await;
    let mut streams = Vec::new();
    for _ in 0..20 {
        let mut stream = TcpStream::connect(node.bound_address()).expect("it listens");
        // Half a message, so that the node has to wait for the rest.
        stream.write_all(&[6, 0x83]).expect("it reads");
        streams.push(stream);
    }
    let (_silent, silent) = silent();
    let join = node.join([silent]);
    A::eventually(|| node.stats().gauges.streams == 21).await;
    A::in_time(node.shutdown()).await;
    assert_eq!(node.stats().gauges.streams, 0);
    assert_eq!(A::in_time(join).await.err(), Some(Error::Shutdown));
    for stream in &mut streams {
        A::end_of(stream).await;
    }
    A::start(quick("n"), Options::bind(node.bound_address())).await.expect("free again");
}

/// The task that reads the events may call and await every method.
pub async fn an_event_loop_may_call_everything<A: Adapter>() {
    let (one, mut reports) = A::node("one").await;
    let config = quick("two").with(|it| it.push_pull_interval = Duration::ZERO);
    let (two, _heard) = A::start(config, loopback()).await.expect("a free port");
    let join = two.join([one.bound_address()]);
    let mut order = Vec::new();
    A::in_time(async {
        while let Some(event) = reports.next().await {
            match event {
                Event::Joined { node } if node.name() == "two" => {
                    order.push("joined");
                    assert_eq!((one.num_members(), one.members().len()), (2, 2));
                    one.ping(at(&two)).await.expect("an answer");
                    one.set_meta("met", PATIENCE).await.expect("it reaches two");
                    one.send_reliable(member(&one), b"to myself").await.expect("it listens");
                }
                Event::Message { .. } => {
                    order.push("message");
                    one.leave(PATIENCE).await.expect("it reaches two");
                    one.shutdown().await;
                }
                _ => {}
            }
        }
    })
    .await;
    assert_eq!(order, ["joined", "message"]);
    assert_eq!(A::in_time(join).await.expect("both ran").joined.len(), 1);
}

/// A listener that never answers.
fn silent() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    (listener, address)
}
