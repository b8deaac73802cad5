use super::*;

fn limits() -> Limits {
    Limits { handshakes: 40, handshakes_per_peer: 4, partial_bytes: 6400, ..Limits::default() }
}

fn v4(last: u8) -> IpAddr {
    IpAddr::from([127, 0, 0, last])
}

/// However much one source takes, others find some.
#[test]
fn the_last_quarter_of_handshakes_is_for_sources_that_take_few() {
    let (mut sources, limits) = (Sources::default(), limits());
    let greedy = (0..100).filter(|_| sources.admit(v4(1), &limits).is_ok()).count();
    assert_eq!(greedy, 30, "three quarters");
    for source in 2..=3 {
        assert_eq!((0..100).filter(|_| sources.admit(v4(source), &limits).is_ok()).count(), 4);
    }
    assert_eq!((4..100).filter(|source| sources.admit(v4(*source), &limits).is_ok()).count(), 2);
    assert!(sources.admit(v4(200), &limits).is_err(), "all are taken");
    sources.settled(v4(1));
    assert!(sources.admit(v4(200), &limits).is_ok());
}

#[test]
fn a_host_with_many_ipv6_addresses_is_one_source() {
    let (mut sources, limits) = (Sources::default(), limits());
    let of_host = |number: u128| IpAddr::from((0x2001_0db8_u128 << 96 | number).to_be_bytes());
    assert_eq!(
        (0..100).filter(|number| sources.admit(of_host(*number), &limits).is_ok()).count(),
        30
    );
    let limits = Limits { connections_per_peer: 31, ..limits };
    sources.settled(of_host(0));
    assert!(sources.admit(of_host(1000), &limits).is_ok());
    sources.settled(of_host(1));
    assert!(sources.admit(of_host(1001), &limits).is_err(), "it has all of its connections");
    assert!(sources.admit(v4(1), &limits).is_ok());
}

#[test]
fn the_last_quarter_of_bytes_is_for_sources_that_hold_few() {
    let (mut sources, limits) = (Sources::default(), limits());
    for source in 1..=3 {
        assert!(sources.admit(v4(source), &limits).is_ok());
    }
    assert!(sources.holds(v4(1), 0, 4800, &limits));
    assert!(!sources.holds(v4(1), 4800, 4801, &limits));
    assert!(sources.holds(v4(2), 0, 200, &limits));
    assert!(!sources.holds(v4(2), 200, 201, &limits), "more than its share");
    assert!(sources.holds(v4(3), 0, 200, &limits));
    // What has been read no longer counts.
    assert!(sources.holds(v4(1), 4801, 0, &limits));
    assert!(sources.holds(v4(2), 201, 1000, &limits));
}

#[test]
fn what_ends_leaves_nothing_behind() {
    let (mut sources, limits) = (Sources::default(), limits());
    for source in 1..=2 {
        assert!(sources.admit(v4(source), &limits).is_ok());
    }
    sources.settled(v4(1));
    assert!(sources.holds(v4(1), 0, 7, &limits));
    sources.ends(v4(1), false, 7);
    sources.ends(v4(2), true, 0);
    assert_eq!(sources.all, Taken::default());
    assert!(sources.each.is_empty());
}

/// Packets of one source wait in three quarters of the room at most, however many connections or
/// addresses of one host they come from.
#[test]
fn the_last_quarter_of_arrived_bytes_is_for_sources_that_have_few() {
    let limits = Limits { arrived_bytes: 100 * (1000 + ENTRY), ..limits() };
    let of_host = |number: u128| IpAddr::from((0x2001_0db8_u128 << 96 | number).to_be_bytes());
    let mut sources = Sources::default();
    let greedy = (0..200).filter(|number| sources.waits(of_host(*number), 1000, &limits)).count();
    assert_eq!(greedy, 75);
    // Its empty packets count too.
    assert!(!sources.waits(of_host(0), 0, &limits));
    for source in 1..=8 {
        let room = (0..200).filter(|_| sources.waits(v4(source), 1000, &limits)).count();
        assert_eq!(room, 3, "a thirty-second each");
    }
    assert_eq!((9..200).filter(|source| sources.waits(v4(*source), 1000, &limits)).count(), 1);
    assert!(!sources.waits(v4(200), 1000, &limits), "all is taken");
    sources.handled(of_host(0), 1000);
    assert!(sources.waits(v4(200), 1000, &limits));
    // One packet may wait, however long it is.
    let mut sources = Sources::default();
    assert!(sources.waits(v4(1), 1 << 20, &limits));
    assert!(!sources.waits(v4(1), 0, &limits) && !sources.waits(v4(2), 0, &limits));
    sources.handled(v4(1), 1 << 20);
    assert_eq!((sources.all, sources.each.len()), (Taken::default(), 0));
}

#[test]
fn what_there_is_too_much_of_is_said() {
    let limits = Limits { connections: 6, connections_per_peer: 3, ..limits() };
    let mut sources = Sources::default();
    let mut admit = |source| sources.admit(v4(source), &limits);
    assert_eq!([1, 1, 1, 1].map(&mut admit), [Ok(()), Ok(()), Ok(()), Err(TooMany::OfSource)]);
    assert_eq!([2, 3, 4, 5].map(&mut admit), [Ok(()), Ok(()), Ok(()), Err(TooMany::InAll)]);
    let limits = Limits { handshakes: 4, ..limits };
    let mut sources = Sources::default();
    let mut admit = |source| sources.admit(v4(source), &limits);
    assert_eq!([1, 2, 3, 4].map(&mut admit), [Ok(()); 4]);
    assert_eq!(admit(5), Err(TooMany::Unsettled));
}
