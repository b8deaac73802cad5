use core::net::{Ipv4Addr, Ipv6Addr};

use super::*;

fn at(millis: u64) -> Instant {
    Instant::from_nanos(1_000_000_000 + millis * 1_000_000)
}

fn source(number: u32) -> IpAddr {
    Ipv4Addr::from(0x0a00_0000 + number).into()
}

/// Takes one event from a common part of ten a second, or else from the source's share of three.
fn take(shares: &mut Shares, millis: u64, from: IpAddr) -> bool {
    shares.take(at(millis), from, Rate { common: 10, burst: 10, share: 3 })
}

#[test]
fn a_flood_leaves_every_other_source_its_share() {
    let mut shares = Shares::new([7; 16]);
    let [one, two] = [source(1), source(2)];
    assert_ne!(shares.place(one), shares.place(two), "two places in this test");
    let flood = (0..1000).filter(|_| take(&mut shares, 0, one)).count();
    assert_eq!(flood, 13, "the common part, and its own share");
    let other = (0..1000).filter(|_| take(&mut shares, 0, two)).count();
    assert_eq!(other, 3);
    let flood = (0..1000).filter(|_| take(&mut shares, 1000, one)).count();
    assert_eq!(flood, 13, "the same again a second later");
}

#[test]
fn a_share_is_touched_only_when_nothing_is_left_in_common() {
    let mut shares = Shares::new([7; 16]);
    assert!((0..10).all(|_| take(&mut shares, 0, source(1))));
    assert!(shares.places.is_empty(), "no memory is used until then");
    assert!((0..3).all(|_| take(&mut shares, 0, source(1))), "the share is untouched");
    assert!(!take(&mut shares, 0, source(1)));
}

#[test]
fn any_number_of_sources_gets_and_keeps_a_bounded_amount() {
    let mut shares = Shares::new([7; 16]);
    let got = (0..100_000).filter(|number| take(&mut shares, 0, source(*number))).count();
    assert_eq!(got, 10 + 3 * PLACES);
    assert_eq!(shares.places.len(), PLACES);
}

#[test]
fn which_sources_share_a_place_differs_from_node_to_node() {
    let together = |key: u8| {
        let shares = Shares::new([key; 16]);
        let pairs = (0..10_000).map(|number| (source(2 * number), source(2 * number + 1)));
        let met = pairs.filter(|(a, b)| shares.place(*a) == shares.place(*b));
        met.collect::<Vec<_>>()
    };
    let (one, other) = (together(1), together(2));
    assert!((10..100).contains(&one.len()), "about one in {PLACES}: {}", one.len());
    let both = one.iter().filter(|pair| other.contains(pair)).count();
    assert!(both < 5, "{both} of {}", one.len());
}

#[test]
fn an_address_mapped_into_ipv6_is_the_same_source() {
    let shares = Shares::new([7; 16]);
    let ip = Ipv4Addr::new(10, 1, 2, 3);
    assert_eq!(shares.place(ip.into()), shares.place(ip.to_ipv6_mapped().into()));
}

#[test]
fn the_last_quarter_of_the_relays_is_for_sources_within_their_share() {
    let limits =
        Limits { relays: 8, relays_per_second: 100, share_per_source: 1, ..Limits::default() };
    let mut rates = Rates::new([7; 16]);
    let mut take = |running| rates.take_relay(at(0), source(1), &limits, running);
    assert!((0..50).all(|_| take(5)), "free places are common until only two are left");
    assert!(take(6), "the source's share");
    assert!(!take(6));
    assert!(take(5), "the common rate is not used up");
    assert!(!rates.take_relay(at(0), source(2), &limits, 8), "no place is free");
    assert!(rates.take_relay(at(0), source(2), &limits, 7));
}

#[test]
fn each_kind_has_a_rate_of_its_own() {
    let limits = Limits {
        new_members_per_second: 1,
        new_members_burst: 3,
        reports_per_second: 2,
        replies_per_second: 4,
        relays_per_second: 1,
        share_per_source: 1,
        ..Limits::default()
    };
    let mut rates = Rates::new([7; 16]);
    let from = source(1);
    let got = |take: &mut dyn FnMut() -> bool| (0..100).filter(|_| take()).count();
    assert_eq!(got(&mut || rates.take_name(at(0), from, &limits)), 3 + 1);
    assert_eq!(got(&mut || rates.take_report(at(0), from, &limits)), 2 + 1);
    assert_eq!(got(&mut || rates.take_relay(at(0), from, &limits, 0)), 1 + 1);
    assert_eq!(got(&mut || rates.take_reply(at(0), from, &limits)), 4 + 1);
}

#[test]
fn one_ipv6_network_is_one_source() {
    let shares = Shares::new([7; 16]);
    let host = |network: u16, host: u128| -> IpAddr {
        let prefix = Ipv6Addr::new(0x2001, 0xdb8, 0, network, 0, 0, 0, 0).to_bits();
        Ipv6Addr::from_bits(prefix | host).into()
    };
    let place = shares.place(host(1, 1));
    let all = (0..10_000).map(|number| shares.place(host(1, number << 40)));
    assert!(all.collect::<Vec<_>>().iter().all(|it| *it == place));
    let networks = (0..100).map(|network| shares.place(host(network, 1)));
    assert!(networks.collect::<alloc::collections::BTreeSet<_>>().len() > 50);
    assert_eq!(source_of(host(1, 9)), host(1, 0));
    assert_eq!(source_of(source(9)), source(9));
}

#[test]
fn the_last_quarter_of_the_places_is_for_sources_within_their_share() {
    for (own, taken, may) in
        [(5, 5, true), (6, 6, false), (3, 6, false), (2, 6, true), (2, 7, true), (0, 8, false)]
    {
        assert_eq!(may_take_place(own, taken, 8, 3), may, "{own} of {taken}");
    }
}
