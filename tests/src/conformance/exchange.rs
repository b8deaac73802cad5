//! What nodes exchange, and what they report to their users.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::time::Duration;

use memberlist_driver::bind::Options;
use memberlist_driver::{Error, Handle};
use memberlist_proto::{
    BroadcastKind, Event, ExchangeError, ForgetError, JoinError, JoinPolicy, JoinReport, Key,
    KeyringError, Node, NotJoined, Peer, Priority, Retry, State, StreamFailure,
};

use super::{Adapter, Kit as _, PATIENCE, loopback, member, payload, quick};

/// Nodes exchange packets, streams, gossip, pings and metadata, and leave.
pub async fn two_nodes_exchange_everything<A: Adapter>() {
    let [(one, mut reports), (two, mut heard)] = A::pair().await;
    assert_eq!((one.num_members(), two.num_members()), (2, 2));

    two.send(member(&one), b"by packet").expect("a member");
    assert_eq!(A::until(&mut reports, payload).await, "by packet");
    let large = vec![7; 1 << 20];
    two.send_reliable(member(&one), &large).await.expect("a member");
    assert_eq!(A::until(&mut reports, payload).await, large);
    one.broadcast(b"to all", BroadcastKind::Unique, Priority::Normal).expect("short enough");
    assert_eq!(A::until(&mut heard, payload).await, "to all");

    // Targets and messages in every form, and times by the machine's clocks.
    two.send(one.local(), String::from("to a node")).expect("a member");
    assert_eq!(A::until(&mut reports, payload).await, "to a node");
    two.send_reliable("one", bytes::Bytes::from("to a name")).await.expect("a member");
    assert_eq!(A::until(&mut reports, payload).await, "to a name");
    two.send(one.bound_address(), [b'x'; 3]).expect("an address");
    assert_eq!(A::until(&mut reports, payload).await, "xxx");
    assert_eq!(two.member(one.local().name()).as_ref().map(Node::incarnation), Some(1));
    let since = two.member("one").expect("it joined").since();
    assert!(two.to_instant(since).elapsed() < PATIENCE);
    assert!(two.age(since) < PATIENCE * 2);

    let pong = two.ping(member(&one)).await.expect("an answer");
    assert!(pong.rtt < PATIENCE);
    one.set_meta("new", PATIENCE).await.expect("sent in time");
    let updated = |event: &Event| match event {
        Event::Updated { node, .. } => Some(node.meta().to_vec()),
        _ => None,
    };
    assert_eq!(A::until(&mut heard, updated).await, b"new");

    // Whatever the transport, nothing had to be given up.
    for stats in [one.transport_stats(), two.transport_stats()] {
        assert_eq!((stats.failed, stats.refused, stats.bad_connections), (0, 0, 0), "{stats:?}");
    }
    one.leave(PATIENCE).await.expect("sent in time");
    let departed = |event: &Event| match event {
        Event::Departed { node, .. } => Some(node.state()),
        _ => None,
    };
    assert_eq!(A::until(&mut heard, departed).await, State::Left);
    assert!(matches!(one.join::<Peer>([]).await, Err(Error::Join(_))), "leaving is final");
    one.shutdown().await;
}

/// A join reports for each peer why it could not be joined.
pub async fn a_join_says_why_each_peer_failed<A: Adapter>() {
    let (node, _events) = A::node("n").await;
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let closed = free.local_addr().expect("bound");
    drop(free);
    let peers = [closed.into(), node.bound_address().into()];
    let Err(Error::NotJoined(NotJoined { report })) = A::in_time(node.join(&peers)).await else {
        panic!("neither can be joined");
    };
    assert!(report.joined.is_empty());
    let text = Error::from(NotJoined { report: report.clone() }).to_string();
    assert!(text.contains("connection refused") && text.contains("own address"), "{text}");
    let refused = JoinError::Exchange(ExchangeError::Stream(StreamFailure::Refused));
    let error =
        |peer: &Peer| report.failed.iter().find(|it| it.peer == *peer).map(|it| it.error.clone());
    assert_eq!(error(&peers[0]), Some(refused));
    assert_eq!(error(&peers[1]), Some(JoinError::Myself));

    let empty = Err(Error::NotJoined(NotJoined { report: JoinReport::default() }));
    assert_eq!(A::in_time(node.join::<Peer>([])).await, empty, "there is no peer in no peers");
}

/// A cluster that knows another node of the same name reports which node has it, and admits the
/// next node once the name is free.
pub async fn a_join_says_who_has_the_name<A: Adapter>() {
    let [(one, _reports), (two, _heard)] = A::pair().await;
    let (twin, mut seen) = A::node("two").await;
    let failed = A::in_time(twin.join([one.bound_address()])).await;
    let Err(Error::NotJoined(NotJoined { report })) = failed else { panic!("{failed:?}") };
    assert_eq!(report.name_holder(), Some(two.bound_address()));
    assert_eq!(one.member("two").expect("it joined").address(), Some(two.bound_address()));

    // A join that tries again gets the name once it is free.
    let retry = Some(Retry::default().with(|it| it.first = Duration::from_millis(20)));
    let policy = JoinPolicy::default().with(|it| it.retry = retry);
    let join = twin.join_with([one.bound_address()], policy);
    let retries = |event: &Event| match event {
        Event::JoinRetries { failed, .. } => Some(failed[0].error.clone()),
        _ => None,
    };
    let holder = two.bound_address();
    let taken = JoinError::Exchange(ExchangeError::NameTaken { holder });
    assert_eq!(A::until(&mut seen, retries).await, taken);
    A::in_time(two.leave(PATIENCE)).await.expect("sent in time");
    let report = A::in_time(join).await.expect("the name is free");
    assert_eq!(report.joined, [one.bound_address()]);
}

/// A join that is retried until it succeeds finds a peer that starts later; a peer that was joined
/// settles, and is remembered.
pub async fn a_patient_join_finds_a_peer_that_starts_later<A: Adapter>() {
    let (one, _reports) = A::node("one").await;
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = free.local_addr().expect("bound");
    let retry = Some(Retry::default().with(|it| it.first = Duration::from_millis(20)));
    let join = one.join_with([address], JoinPolicy::default().with(|it| it.retry = retry));
    drop(free);
    let (two, _heard) = A::start(quick("two"), Options::bind(address)).await.expect("it was free");
    let report = A::in_time(join).await.expect("both run");
    assert_eq!(report.joined, [address]);
    let settled = one.settled(Duration::from_millis(50), PATIENCE);
    assert_eq!(A::in_time(settled).await, Ok(2));
    assert_eq!(
        one.snapshot().iter().map(ToString::to_string).collect::<Vec<_>>(),
        [format!("two/{address}")]
    );

    let (three, _heard) = A::node("three").await;
    three.recall(&one.snapshot()).expect("it runs");
    A::eventually(|| two.num_members() == 3).await;
}

/// A member that died is searched for until it is forgotten.
pub async fn a_member_that_died_is_forgotten_by_order<A: Adapter>() {
    let [(one, _reports), (two, _heard)] = A::pair().await;
    let name = "two";
    assert_eq!(one.forget(name), Err(Error::Forget(ForgetError::Member)));
    A::in_time(two.shutdown()).await;
    A::eventually(|| one.status().is_ok_and(|status| !status.lost.is_empty())).await;
    one.forget(name).expect("it is dead");
    assert_eq!(one.member(name), None);
    assert!(one.status().expect("it runs").lost.is_empty());
    assert_eq!(one.forget(name), Err(Error::Forget(ForgetError::Unknown)));
}

/// The status that a node reports about itself and the others.
pub async fn a_node_reports_its_status<A: Adapter>() {
    let [(one, _reports), (two, _heard)] = A::pair().await;
    let names = |nodes: Vec<Node>| {
        nodes.iter().map(|node| node.name().to_string()).collect::<BTreeSet<_>>()
    };
    let both = BTreeSet::from(["one".to_owned(), "two".to_owned()]);
    assert_eq!((names(one.members()), names(one.nodes())), (both.clone(), both.clone()));
    let known = one.member("two").expect("it joined");
    assert_eq!((known.address(), known.state()), (Some(two.bound_address()), State::Alive));
    assert_eq!(one.member("three"), None);
    assert_eq!((one.health_score(), one.has_left()), (0, false));
    assert!(one.recording().is_none(), "nothing records it");
    let status = one.status().expect("it runs");
    assert_eq!((status.addr, status.nodes.len()), (one.bound_address(), 2));

    let config = one.config().expect("it runs");
    assert_eq!((config.name.to_string().as_str(), config.gossip_nodes), ("one", 3));
    let timing = |gossip_nodes| config.timing().with(|it| it.gossip_nodes = gossip_nodes);
    one.reconfigure(timing(7)).expect("it runs");
    assert_eq!(one.config().expect("it runs").gossip_nodes, 7);
    let wrong = config.timing().with(|it| it.probe_timeout = PATIENCE);
    assert!(matches!(one.reconfigure(wrong), Err(Error::Config(_))));

    two.leave(PATIENCE).await.expect("it reaches one");
    assert!(two.has_left());
    A::eventually(|| one.num_members() == 1).await;
    assert_eq!((names(one.nodes()), one.members().len()), (both, 1));
}

/// A key is taken into use, and the one before it out of use, while all nodes understand each
/// other.
pub async fn keys_change_while_nodes_talk<A: Adapter>() {
    let [old, new] = [[1; 16], [2; 16]].map(|bytes| Key::new(&bytes).expect("16 bytes"));
    let secret = |name| quick(name).with(|it| it.secret_keys = vec![old.clone()]);
    let (one, mut reports) = A::start(secret("one"), loopback()).await.expect("a free port");
    let (two, _heard) = A::start(secret("two"), loopback()).await.expect("a free port");
    let _ = A::in_time(two.join([one.bound_address()])).await.expect("both run");
    let nodes = [&one, &two];
    for change in [
        &(|node: &Handle| node.add_key(new.clone())) as &dyn Fn(&Handle) -> Result<(), Error>,
        &|node| node.use_key(&new),
        &|node| node.remove_key(&old),
    ] {
        for node in nodes {
            change(node).expect("it runs");
            A::in_time(two.send_reliable(member(&one), b"secret")).await.expect("it is heard");
            assert_eq!(A::until(&mut reports, payload).await, "secret");
        }
    }
    assert_eq!(one.keys(), std::slice::from_ref(&new));
    assert_eq!(one.use_key(&old), Err(Error::Keyring(KeyringError::NotFound)));
    assert_eq!(one.remove_key(&new), Err(Error::Keyring(KeyringError::IsPrimary)));

    // A node without a key is understood only by one that does not require encryption.
    let (plain, _) = A::node("plain").await;
    let refused = A::in_time(plain.join([one.bound_address()])).await;
    assert!(matches!(refused, Err(Error::NotJoined(_))), "{refused:?}");
    one.set_verify(false, false).expect("it runs");
    let admitted = A::in_time(plain.join([one.bound_address()])).await.expect("it runs");
    assert_eq!(admitted.joined, [one.bound_address()]);
}

/// A long message reaches every member, a short one the members to which it is gossiped; the sender
/// learns when each broadcast has finished.
pub async fn a_message_of_any_size_is_spread<A: Adapter>() {
    let [(one, mut reports), (two, mut heard)] = A::pair().await;
    let ended = |id| {
        move |event: &Event| {
            matches!(event, Event::BroadcastFinished { id: it, .. } if *it == id).then_some(())
        }
    };
    // There is no other member to gossip to.
    let id = one.disseminate(b"short").expect("not too long");
    assert_eq!(A::until(&mut heard, payload).await, "short");
    A::until(&mut reports, ended(id)).await;

    let (three, mut third) = A::node("three").await;
    let _ = A::in_time(three.join([one.bound_address()])).await.expect("both run");
    A::eventually(|| two.num_members() == 3).await;
    let long = vec![2; 1 << 20];
    let id = one.disseminate(&long).expect("not too long");
    // The short one may arrive more than once.
    let is_long = |event: &Event| payload(event).filter(|it| it.len() > 5);
    for events in [&mut heard, &mut third] {
        assert!(A::until(events, is_long).await == long);
    }
    A::until(&mut reports, ended(id)).await;
}
