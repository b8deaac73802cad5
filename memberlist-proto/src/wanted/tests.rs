use super::*;

fn at(port: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], port))
}

fn lost(name: &str, port: u16, since: u64) -> Lost {
    Lost {
        name: Some(name.into()),
        address: at(port),
        since: Instant::from_nanos(since),
        answered: true,
    }
}

fn ports(wanted: &Wanted) -> Vec<u16> {
    wanted.all().iter().map(|it| it.address.port()).collect()
}

#[test]
fn what_died_first_makes_room_for_what_died_last() {
    let mut wanted = Wanted::default();
    for (index, name) in ["a", "b", "c", "d"].into_iter().enumerate() {
        wanted.lose(lost(name, 1 + index as u16, index as u64), 3);
    }
    assert_eq!(ports(&wanted), [2, 3, 4]);
    wanted.lose(lost("b", 9, 9), 3);
    assert_eq!(ports(&wanted), [3, 4, 9], "a name is remembered once, where it was last");
}

#[test]
fn whoever_is_found_or_gone_too_long_is_wanted_no_more() {
    let mut wanted = Wanted::default();
    for (index, name) in ["a", "b", "c"].into_iter().enumerate() {
        wanted.lose(lost(name, 1 + index as u16, 10 * index as u64), 3);
    }
    wanted.found(b"b");
    wanted.found(b"unknown");
    assert_eq!(ports(&wanted), [1, 3]);
    wanted.give_up(Instant::from_nanos(29), Duration::from_nanos(10));
    assert_eq!(ports(&wanted), [3]);
    wanted.give_up(Instant::from_nanos(30), Duration::from_nanos(10));
    assert!(wanted.is_empty());
}

#[test]
fn every_address_is_wanted_once() {
    let seeds = ["10.0.0.1:1", "n2/10.0.0.1", "name:3"].map(|text| text.parse().unwrap());
    let mut wanted = Wanted::new(&seeds, 2);
    wanted.seeds[2].addresses.extend([at(1), at(3), at(4)]);
    wanted.lose(lost("x", 4, 1), 3);
    assert_eq!(ports(&wanted), [1, 2, 3, 4], "each address once");
    assert_eq!(wanted.all()[1].name, Some("n2".into()));
    let now = Instant::from_nanos(5);
    wanted.tried(now, at(1), &Err(JoinError::TimedOut));
    let reported: Vec<_> = wanted.seeds.iter().map(|it| it.last.is_some()).collect();
    assert_eq!(reported, [true, false, true]);
}
