//! Nodes on loopback sockets: one suite, which every adapter includes beside its own `shim`.

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use crate::shim::adapter::{
    BroadcastKind, Candidate, Config, Delegate, Error, Event, ExchangeError, JoinError, Node,
    Options, Peer, Priority, SendError, StartError, State, Target,
};
use crate::shim::adapter::{Events, Memberlist, StreamFailure};
use crate::shim::{block_on, spawn_blocking, timeout};
use bytes::Bytes;

/// Long enough for a busy machine; nothing waits this long unless it fails.
const PATIENCE: Duration = Duration::from_secs(20);

fn quick(name: &str) -> Config {
    Config {
        probe_interval: Duration::from_millis(200),
        probe_timeout: Duration::from_millis(100),
        gossip_interval: Duration::from_millis(20),
        tcp_timeout: Duration::from_secs(5),
        ..Config::local(name)
    }
}

fn loopback() -> Options {
    Options::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
}

async fn start(name: &str) -> (Memberlist, Events) {
    Memberlist::start(quick(name), loopback()).await.expect("a free port")
}

async fn pair() -> [(Memberlist, Events); 2] {
    let one = start("one").await;
    let two = start("two").await;
    let report = two.0.join(&[one.0.bound_address().into()]).await.expect("both run");
    assert_eq!(report.joined, [one.0.bound_address()]);
    [one, two]
}

/// The first event that `wanted` takes.
async fn until<T>(events: &mut Events, wanted: impl Fn(&Event) -> Option<T>) -> T {
    let search = async {
        loop {
            let event = events.next().await.expect("the node runs");
            if let Some(found) = wanted(&event) {
                return found;
            }
        }
    };
    timeout(PATIENCE, search).await.expect("the event in time")
}

fn member(node: &Memberlist) -> Target {
    Target::Member(node.local().name().into())
}

fn payload(event: &Event) -> Option<Bytes> {
    match event {
        Event::Message { payload, .. } => Some(payload.clone()),
        _ => None,
    }
}

#[test]
fn two_nodes_exchange_everything() {
    block_on(async {
        let [(one, mut told), (two, mut heard)] = pair().await;
        assert_eq!((one.num_members(), two.num_members()), (2, 2));

        two.send(member(&one), b"by packet").expect("a member");
        assert_eq!(until(&mut told, payload).await, "by packet");
        let large = vec![7; 1 << 20];
        two.send_reliable(member(&one), &large).await.expect("a member");
        assert_eq!(until(&mut told, payload).await, large);
        one.broadcast(b"to all", BroadcastKind::Unique, Priority::Normal).expect("short enough");
        assert_eq!(until(&mut heard, payload).await, "to all");

        let pong = two.ping(member(&one)).await.expect("an answer");
        assert!(pong.rtt < PATIENCE);
        one.set_meta("new", PATIENCE).await.expect("sent in time");
        let updated = |event: &Event| match event {
            Event::Updated { node, .. } => Some(node.meta().to_vec()),
            _ => None,
        };
        assert_eq!(until(&mut heard, updated).await, b"new");

        one.leave(PATIENCE).await.expect("sent in time");
        let departed = |event: &Event| match event {
            Event::Departed { node, .. } => Some(node.state()),
            _ => None,
        };
        assert_eq!(until(&mut heard, departed).await, State::Left);
        assert!(matches!(one.join(&[]).await, Err(Error::Join(_))), "leaving is final");
        one.shutdown().await;
    });
}

#[test]
fn a_vanished_node_is_declared_dead() {
    block_on(async {
        let [(one, mut told), (two, _)] = pair().await;
        two.shutdown().await;
        let dead = |event: &Event| match event {
            Event::Departed { node, .. } => Some(node.clone()),
            _ => None,
        };
        let node: Node = until(&mut told, dead).await;
        assert_eq!((node.name().to_string().as_str(), node.state()), ("two", State::Dead));
        assert_eq!(one.num_members(), 1);
    });
}

#[test]
fn a_port_in_use_is_named() {
    block_on(async {
        let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = taken.local_addr().expect("bound");
        let error =
            Memberlist::start(quick("n"), Options::bind(address)).await.expect_err("in use");
        assert!(matches!(error, StartError::Bind { .. }));
        assert!(error.to_string().contains(&address.to_string()), "{error}");
    });
}

#[test]
fn ends_when_the_last_handle_is_dropped() {
    block_on(async {
        let (node, mut events) = start("n").await;
        let address = node.bound_address();
        let clone = node.clone();
        drop(node);
        assert_eq!(clone.num_members(), 1);
        drop(clone);
        let end = async { while events.next().await.is_some() {} };
        timeout(PATIENCE, end).await.expect("the events end");
        Memberlist::start(quick("n"), Options::bind(address))
            .await
            .expect("the port is free again");
    });
}

#[test]
fn after_shutdown_every_call_says_so() {
    block_on(async {
        let (node, _events) = start("n").await;
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
    });
}

#[test]
fn a_dropped_future_cancels_what_it_waited_for() {
    block_on(async {
        let (node, _events) = start("n").await;
        // A listener that never answers.
        let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let peer: Peer = silent.local_addr().expect("bound").into();
        for _ in 0..10 {
            let join = node.join(std::slice::from_ref(&peer));
            let late = timeout(Duration::from_millis(20), join).await;
            assert!(late.is_err(), "nobody answers");
        }
        drop(node.ping(Target::Addr { addr: ([127, 0, 0, 1], 9).into(), node: None }));
        assert_eq!(node.stats().gauges.operations, 0);
        assert_eq!(node.stats().gauges.streams, 0);
        let limit = Error::Send(SendError::UnknownMember);
        let unknown = Target::Member("nobody".into());
        assert_eq!(node.send(unknown, b""), Err(limit));
    });
}

#[test]
fn a_delegate_that_calls_its_node_is_told_instead_of_hanging() {
    block_on(async {
        #[derive(Default)]
        struct Caller(OnceLock<Memberlist>, Mutex<Vec<Error>>);
        impl Delegate for Caller {
            fn admit(&self, _: &Candidate<'_>) -> Result<(), String> {
                if let Some(node) = self.0.get() {
                    let sent = node.send(Target::Member("x".into()), b"");
                    self.1.lock().expect("unpoisoned").extend(sent.err());
                }
                Ok(())
            }

            // This one may call: nobody waits for it but its own exchange.
            fn local_state(&self, _: bool) -> Bytes {
                self.0.get().map(|node| node.num_members().to_string().into()).unwrap_or_default()
            }
        }
        let delegate = Arc::new(Caller::default());
        let options = Options { delegate: Some(delegate.clone()), ..loopback() };
        let (one, mut told) = Memberlist::start(quick("one"), options).await.expect("a free port");
        assert!(delegate.0.set(one.clone()).is_ok());
        let (two, mut heard) = start("two").await;
        two.join(&[one.bound_address().into()]).await.expect("both run");
        let state = |event: &Event| match event {
            Event::RemoteState { state, .. } => Some(state.clone()),
            _ => None,
        };
        assert_eq!(until(&mut heard, state).await, "1");
        let joined = |event: &Event| match event {
            Event::Joined { node } if node.name() == "two" => Some(()),
            _ => None,
        };
        until(&mut told, joined).await;
        let errors = delegate.1.lock().expect("unpoisoned").clone();
        assert!(!errors.is_empty() && errors.iter().all(|error| *error == Error::Reentrant));
    });
}

#[test]
fn a_slow_answer_delays_only_its_own_exchange() {
    block_on(async {
        struct Slow(std::sync::Barrier);
        impl Delegate for Slow {
            fn local_state(&self, join: bool) -> Bytes {
                if join {
                    self.0.wait();
                }
                Bytes::from(vec![1; 4 << 20])
            }
        }
        let slow = Arc::new(Slow(std::sync::Barrier::new(2)));
        let options = Options { delegate: Some(slow.clone()), ..loopback() };
        let (one, mut told) = Memberlist::start(quick("one"), options).await.expect("a free port");
        let (two, mut heard) = start("two").await;
        let join = two.join(&[one.bound_address().into()]);
        // While the answer is awaited, the node goes on as ever.
        let target = Target::Addr { addr: one.bound_address(), node: None };
        two.ping(target.clone()).await.expect("an answer");
        two.send(target, b"meanwhile").expect("sent");
        assert_eq!(until(&mut told, payload).await, "meanwhile");
        spawn_blocking(move || slow.0.wait()).await;
        assert_eq!(join.await.expect("both run").joined.len(), 1);
        let state = |event: &Event| match event {
            Event::RemoteState { state, .. } => Some(state.len()),
            _ => None,
        };
        assert_eq!(until(&mut heard, state).await, 4 << 20);
    });
}

#[test]
fn a_peer_that_speaks_nonsense_harms_nobody() {
    block_on(async {
        use std::io::{Read as _, Write as _};
        let [(one, _told), (two, _heard)] = pair().await;
        let mut silent = Vec::new();
        for bytes in [&b""[..], b"GET / HTTP/1.1\r\n\r\n", &[6, 0x83], &[0xf4], &[255; 5000]] {
            let mut stream = std::net::TcpStream::connect(one.bound_address()).expect("it listens");
            stream.write_all(bytes).expect("it reads");
            silent.push(stream);
        }
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port");
        for bytes in [&b""[..], b"junk", &[7, 255, 0], &[9; 1400], &[12, 0, 0, 0, 0, 1]] {
            socket.send_to(bytes, one.bound_address()).expect("sent");
        }
        let mut first = silent.swap_remove(1);
        first.set_read_timeout(Some(PATIENCE)).expect("not zero");
        let end = spawn_blocking(move || first.read_to_end(&mut Vec::new())).await;
        assert!(end.is_ok(), "what cannot become a message is closed");
        two.ping(member(&one)).await.expect("it still answers");
        assert_eq!(one.num_members(), 2);
    });
}

#[test]
fn a_join_says_why_each_peer_failed() {
    block_on(async {
        let (node, _events) = start("n").await;
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let closed = free.local_addr().expect("bound");
        drop(free);
        let peers = [closed.into(), node.bound_address().into()];
        let report = node.join(&peers).await.expect("it runs");
        assert!(report.joined.is_empty());
        let refused = JoinError::Exchange(ExchangeError::Stream(StreamFailure::Refused));
        let error = |peer: &Peer| {
            report.failed.iter().find(|it| it.peer == *peer).map(|it| it.error.clone())
        };
        assert_eq!(error(&peers[0]), Some(refused));
        assert_eq!(error(&peers[1]), Some(JoinError::Myself));
    });
}

#[test]
fn ipv6_and_host_names_work() {
    block_on(async {
        let options = Options::bind("[::1]:0".parse().expect("an address"));
        let Ok((one, _told)) = Memberlist::start(quick("one"), options.clone()).await else {
            // A machine without IPv6 has nothing to test here.
            assert!(std::net::UdpSocket::bind("[::1]:0").is_err());
            return;
        };
        let (two, _heard) = Memberlist::start(quick("two"), options).await.expect("a free port");
        let report = two.join(&[one.bound_address().into()]).await.expect("both run");
        assert_eq!(report.joined, [one.bound_address()]);
        let (three, _heard) = start("three").await;
        let (four, _heard) = start("four").await;
        let name = format!("localhost:{}", three.bound_address().port());
        let report = four.join(&[name.parse().expect("a peer")]).await.expect("both run");
        assert!(report.joined.contains(&three.bound_address()), "{report:?}");
    });
}

#[test]
fn bound_to_everything_it_announces_what_it_is_told() {
    block_on(async {
        let options = Options {
            advertise: Some("127.0.0.1:0".parse().expect("an address")),
            ..Options::bind("0.0.0.0:0".parse().expect("an address"))
        };
        let (one, _told) = Memberlist::start(quick("one"), options).await.expect("a free port");
        let expected = SocketAddr::from(([127, 0, 0, 1], one.bound_address().port()));
        assert_eq!(one.local().address(), Some(expected));
        let only_port = Options { advertise: Some(([0, 0, 0, 0], 4000).into()), ..loopback() };
        let (node, _told) = Memberlist::start(quick("n"), only_port).await.expect("a free port");
        assert_eq!(node.local().address(), Some(([127, 0, 0, 1], 4000).into()));
        let (two, _heard) = start("two").await;
        two.join(&[expected.into()]).await.expect("both run");
        assert_eq!(one.num_members(), 2);
    });
}
