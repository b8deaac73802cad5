//! How nodes and operations end.

use std::net::TcpListener;
use std::time::Duration;

use memberlist_proto::driver::Error;
use memberlist_proto::driver::bind::Options;
use memberlist_proto::{BroadcastKind, Event, Node, Peer, Priority, SendError, State, Target};

use super::{Adapter, Kit as _, PATIENCE, member, quick};

/// A dropped future takes its operation and its streams with it.
pub async fn a_dropped_future_cancels_what_it_waited_for<A: Adapter>() {
    let (node, _events) = A::node("n").await;
    // A listener that never answers.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let peer: Peer = silent.local_addr().expect("bound").into();
    for _ in 0..10 {
        let join = node.join(std::slice::from_ref(&peer));
        let late = A::within(Duration::from_millis(20), join).await;
        assert!(late.is_none(), "nobody answers");
    }
    drop(node.ping(Target::Addr { addr: ([127, 0, 0, 1], 9).into(), node: None }));
    assert_eq!(node.stats().gauges.operations, 0);
    assert_eq!(node.stats().gauges.streams, 0);
    let limit = Error::Send(SendError::UnknownMember);
    let unknown = Target::Member("nobody".into());
    assert_eq!(node.send(unknown, b""), Err(limit));
}

/// Who is shut down without leaving is declared dead.
pub async fn a_vanished_node_is_declared_dead<A: Adapter>() {
    let [(one, mut told), (two, _)] = A::pair().await;
    two.shutdown().await;
    let dead = |event: &Event| match event {
        Event::Departed { node, .. } => Some(node.clone()),
        _ => None,
    };
    let node: Node = A::until(&mut told, dead).await;
    assert_eq!((node.name().to_string().as_str(), node.state()), ("two", State::Dead));
    assert_eq!(one.num_members(), 1);
}

/// Every call on a node that was shut down fails with `Error::Shutdown`.
pub async fn after_shutdown_every_call_says_so<A: Adapter>() {
    let (node, _events) = A::node("n").await;
    // A listener that never answers: the join cannot have ended by itself.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let waiting = node.join(&[silent.local_addr().expect("bound").into()]);
    node.shutdown().await;
    assert!(waiting.await.is_err());
    assert_eq!(node.ping(member(&node)).await, Err(Error::Shutdown));
    assert_eq!(node.leave(PATIENCE).await, Err(Error::Shutdown));
    assert_eq!(node.send(member(&node), b""), Err(Error::Shutdown));
    let broadcast = node.broadcast(b"", BroadcastKind::Unique, Priority::Normal);
    assert_eq!(broadcast, Err(Error::Shutdown));
    node.shutdown().await;
}

/// The node ends with its last handle, not before, and its port is free then.
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
