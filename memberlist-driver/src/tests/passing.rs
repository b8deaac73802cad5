//! What a handle asks of its node, and what wakes a task that waits for it.

use memberlist_proto::Key;

use super::*;

fn key(byte: u8) -> Key {
    Key::new(&[byte; 16]).expect("16 bytes are a key")
}

#[test]
fn keys_and_what_they_are_for_are_changed_by_the_handle() {
    let (node, _events, _driver) = node();
    node.add_key(key(1)).expect("room");
    node.add_key(key(2)).expect("room");
    node.use_key(&key(2)).expect("it is in the ring");
    assert_eq!(node.keys().first(), Some(&key(2)));
    node.remove_key(&key(1)).expect("it is not the primary");
    assert_eq!(node.keys(), [key(2)]);
    node.set_verify(false, true).expect("it runs");
    let config = node.config().expect("it runs");
    assert_eq!((config.gossip_verify_incoming, config.gossip_verify_outgoing), (false, true));
}

#[test]
fn nodes_peers_and_timing_go_through_the_handle() {
    let (node, _events, _driver) = node();
    let names: Vec<String> = node.nodes().iter().map(|it| it.name().to_string()).collect();
    assert_eq!(names, ["n"]);
    assert!(node.member("n").is_some() && node.member("other").is_none());
    let peer = Peer::from(address(9));
    let wanted = |node: &Handle| node.stats().gauges.lost_members;
    assert_eq!(wanted(&node), 0);
    node.recall(&[peer]).expect("it runs");
    assert_eq!(wanted(&node), 1);
    let mut timing = node.config().expect("it runs").timing();
    timing.probe_timeout = Duration::from_millis(77);
    node.reconfigure(timing).expect("allowed");
    assert_eq!(node.config().expect("it runs").probe_timeout, Duration::from_millis(77));
}

#[test]
fn the_last_stream_that_ends_wakes_a_node_that_stops() {
    let (_node, _events, driver) = node();
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let cx = Context::from_waker(&waker);
    let [one, two] = [1, 2].map(|port| driver.accept(address(port)).expect("room"));
    assert!(driver.poll_streams_ended(&cx).is_pending());
    driver.closed(one, None);
    assert!(driver.poll_streams_ended(&cx).is_pending());
    let before = woken.times();
    driver.closed(two, None);
    assert!(woken.times() > before);
    assert!(driver.poll_streams_ended(&cx).is_ready());
}

#[test]
fn what_has_only_taken_too_long_is_known() {
    use memberlist_proto::ExchangeStep;
    for error in [
        Error::Wait(WaitError::TimedOut),
        Error::Ping(PingError::NoResponse),
        Error::Exchange(ExchangeError::TimedOut(ExchangeStep::Connecting)),
    ] {
        assert!(error.is_timeout(), "{error}");
    }
    for error in [
        Error::Shutdown,
        Error::Wait(WaitError::Left),
        Error::Ping(PingError::Cancelled),
        Error::Exchange(ExchangeError::Closed),
    ] {
        assert!(!error.is_timeout(), "{error}");
    }
}

#[test]
fn why_a_look_up_failed_is_reported_by_its_kind() {
    let (node, _events, driver) = node();
    let failed = |target: &str, kind: io::ErrorKind| {
        let peer: Peer = target.parse().expect("a peer");
        let mut join = node.join(&[peer]);
        let lookups = work(&driver).lookups;
        driver.resolved(&lookups[0], Err(kind.into()));
        not_joined(poll(&mut join)).failed[0].error.clone()
    };
    for (kind, failure) in [
        (io::ErrorKind::TimedOut, LookupFailure::TimedOut),
        (io::ErrorKind::Unsupported, LookupFailure::Unsupported),
        (io::ErrorKind::NotFound, LookupFailure::NotFound),
        (io::ErrorKind::Other, LookupFailure::NotFound),
    ] {
        assert_eq!(failed("host.example:1", kind), JoinError::Lookup(failure), "{kind}");
    }
}

#[test]
fn what_a_service_has_is_joined_and_why_it_has_nothing_reported() {
    let (node, _events, driver) = node();
    let look_up = || {
        let peer: Peer = "dnssrv+_gossip._tcp.test".parse().expect("a service");
        let join = node.join(&[peer]);
        (join, work(&driver).lookups.remove(0))
    };
    for (kind, failure) in [
        (io::ErrorKind::Other, LookupFailure::Other),
        (io::ErrorKind::TimedOut, LookupFailure::TimedOut),
        (io::ErrorKind::NotFound, LookupFailure::NotFound),
    ] {
        let (mut join, asked) = look_up();
        driver.resolved_service(&asked, Err(kind.into()));
        let report = not_joined(poll(&mut join));
        assert_eq!(report.failed[0].error, JoinError::Lookup(failure), "{kind}");
    }
    let (_join, asked) = look_up();
    driver.resolved_service(&asked, Ok(vec![(address(1).ip(), 7), (address(1).ip(), 8)]));
    let to: Vec<_> = work(&driver).connects.into_iter().map(|(_, to)| to.port()).collect();
    assert_eq!(to, [7, 8]);
}
