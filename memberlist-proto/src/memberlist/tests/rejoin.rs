use alloc::string::ToString;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use super::{Rig, address, config};
use crate::config::Rejoin;
use crate::event::{Event, ExchangeKind};
use crate::peer::Peer;
use crate::time::Instant;
use crate::transmit::{LookupFailure, StreamFailure};

const INTERVAL: Duration = Duration::from_secs(30);
const HOUR: Duration = Duration::from_secs(3600);

fn seeking(seeds: &[&str]) -> Rig {
    let mut config = config();
    config.rejoin = Rejoin { interval: INTERVAL, give_up_after: HOUR };
    config.seeds = seeds.iter().map(|seed| seed.parse().expect("a peer")).collect();
    config.bind_port = 7946;
    Rig::with(config)
}

/// Every connection asked for within `time`: when, which, where; each is refused at once.
fn attempts(rig: &mut Rig, time: Duration) -> Vec<(Instant, SocketAddr)> {
    let (end, mut attempts) = (rig.now + time, Vec::new());
    while let Some(due) = rig.node.poll_timeout().filter(|due| *due <= end) {
        rig.wait(due.saturating_duration_since(rig.now));
        for (id, to) in rig.connects() {
            attempts.push((rig.now, to));
            rig.node.handle_stream_closed(rig.now, id, Some(StreamFailure::Refused));
        }
    }
    rig.wait(end.saturating_duration_since(rig.now));
    attempts
}

fn bury(rig: &mut Rig, name: &str, port: u16) {
    rig.alive(name, port, 1);
    rig.dead(name, 1, "other");
}

#[test]
fn a_lone_node_tries_its_seed_sooner_at_first_and_never_stops() {
    let mut rig = seeking(&["10.0.0.1:2"]);
    let attempts = attempts(&mut rig, HOUR);
    assert!(attempts.iter().all(|(_, to)| *to == address(2)));
    assert!(attempts[0].0 <= Instant::from_nanos(1_000_000_000) + INTERVAL / 4);
    // 120 intervals of 30 s on average, give or take.
    assert!((90..=160).contains(&attempts.len()), "{}", attempts.len());
    let last = attempts[attempts.len() - 1].0;
    assert!(rig.now.saturating_duration_since(last) <= 2 * INTERVAL);
    assert_eq!(rig.node.stats().counters.rejoins, attempts.len() as u64);
    assert_eq!(rig.node.stats().counters.rejoins_failed, attempts.len() as u64);
}

#[test]
fn a_seed_that_is_a_member_or_oneself_is_left_alone() {
    let mut rig = seeking(&["10.0.0.1:1", "10.0.0.1:2", "other/10.0.0.1:3"]);
    rig.alive("a", 2, 1);
    rig.alive("b", 3, 1);
    assert_eq!(attempts(&mut rig, HOUR), []);
    rig.dead("b", 1, "b");
    let tried = attempts(&mut rig, HOUR);
    assert!(!tried.is_empty() && tried.iter().all(|(_, to)| *to == address(3)), "{tried:?}");
}

#[test]
fn the_dead_are_looked_for_until_they_are_back_gone_for_good_or_given_up() {
    let mut rig = seeking(&[]);
    assert_eq!(rig.node.poll_timeout(), None, "there is nobody to look for");
    bury(&mut rig, "a", 2);
    let tried = attempts(&mut rig, 2 * HOUR);
    assert!(!tried.is_empty() && tried.iter().all(|(_, to)| *to == address(2)));
    let last = tried[tried.len() - 1].0;
    assert!(last <= Instant::from_nanos(1_000_000_000) + HOUR);
    assert_eq!(rig.node.poll_timeout(), None, "and nobody is any more");

    bury(&mut rig, "b", 3);
    assert_eq!(rig.node.stats().gauges.lost_members, 1);
    rig.alive("b", 3, 2);
    assert_eq!(rig.node.stats().gauges.lost_members, 0);
    rig.alive("c", 4, 1);
    rig.dead("c", 1, "c");
    assert_eq!(rig.node.stats().gauges.lost_members, 0, "it left on purpose");
    assert_eq!(attempts(&mut rig, HOUR), []);
}

#[test]
fn no_attempts_when_switched_off_or_after_leaving() {
    let off: [fn(&mut crate::config::Config); 3] = [
        |config| config.differences.rejoin = false,
        |config| config.rejoin.interval = Duration::ZERO,
        |config| config.rejoin.give_up_after = Duration::ZERO,
    ];
    for change in off {
        let mut config = config();
        config.rejoin = Rejoin { interval: INTERVAL, give_up_after: HOUR };
        change(&mut config);
        let mut rig = Rig::with(config);
        bury(&mut rig, "a", 2);
        assert_eq!(attempts(&mut rig, HOUR), []);
    }
    let mut rig = seeking(&["10.0.0.1:2"]);
    rig.node.leave(rig.now, Duration::ZERO);
    assert_eq!(attempts(&mut rig, HOUR), []);
}

#[test]
fn many_members_share_the_attempts() {
    let mut rig = seeking(&[]);
    for port in 100..200 {
        rig.alive(&port.to_string(), port, 1);
    }
    bury(&mut rig, "a", 2);
    let tried = attempts(&mut rig, Duration::from_secs(3570)).len();
    // 120 intervals, each with a hundredth of the probability.
    assert!(tried <= 6, "{tried}");
    let mut rig = seeking(&[]);
    for port in 100..200 {
        bury(&mut rig, &port.to_string(), port);
    }
    let tried = attempts(&mut rig, Duration::from_secs(3570)).len();
    assert!(tried >= 90, "{tried}: a minority tries every time");
}

#[test]
fn one_exchange_runs_at_a_time() {
    let mut rig = seeking(&["10.0.0.1:2", "10.0.0.1:3"]);
    rig.node
        .reconfigure(rig.now, {
            let mut timing = rig.node.config().timing();
            timing.tcp_timeout = HOUR;
            timing
        })
        .expect("valid");
    rig.wait(4 * INTERVAL);
    assert_eq!(rig.connects().len(), 1);
}

#[test]
fn names_are_resolved_anew_and_every_address_is_a_seed() {
    let mut rig = seeking(&["db.example:5", "10.0.0.1:2"]);
    rig.alive("a", 2, 1);
    let lookup = |rig: &mut Rig| {
        let due = rig.node.poll_timeout().expect("something to look for");
        rig.wait(due.saturating_duration_since(rig.now));
        let lookup = rig.node.poll_lookup().expect("a look-up");
        assert_eq!(lookup.host, "db.example");
        assert!(rig.node.poll_lookup().is_none());
        lookup.id
    };
    let id = lookup(&mut rig);
    assert_eq!(rig.connects(), [], "nothing begins before it is resolved");
    let found: [IpAddr; 2] = [[10, 0, 0, 1].into(), [10, 0, 0, 2].into()];
    rig.alive("b", 5, 1);
    rig.node.handle_lookup(rig.now, id, Ok(&found));
    let mut tried = rig.connects();
    while tried.is_empty() {
        // One of two members: half of the attempts are left to the other.
        let id = lookup(&mut rig);
        rig.node.handle_lookup(rig.now, id, Ok(&found));
        tried = rig.connects();
    }
    assert_eq!(tried[0].1, SocketAddr::from(([10, 0, 0, 2], 5)), "the one that is no member");
    rig.node.handle_stream_closed(rig.now, tried[0].0, Some(StreamFailure::Refused));
    let failed = core::iter::from_fn(|| rig.node.poll_event()).find_map(|event| match event {
        Event::ExchangeFailed { exchange, peer, .. } => Some((exchange, peer)),
        _ => None,
    });
    assert_eq!(failed, Some((ExchangeKind::Rejoin, tried[0].1)));

    let id = lookup(&mut rig);
    rig.node.handle_lookup(rig.now, id, Ok(&found[..1]));
    assert_eq!(rig.connects(), [], "the other address is not its any more");
    let id = lookup(&mut rig);
    rig.node.handle_lookup(rig.now, id, Err(LookupFailure::NotFound));
    let id = lookup(&mut rig);
    rig.node.handle_lookup(rig.now, id, Ok(&found));
}

#[test]
fn a_resolver_that_never_answers_does_not_stop_the_search() {
    let mut rig = seeking(&["db.example:5", "10.0.0.1:2"]);
    let tried = attempts(&mut rig, HOUR);
    assert!(tried.len() > 30, "{}", tried.len());
    let mut last = None;
    while let Some(lookup) = rig.node.poll_lookup() {
        last = Some(lookup.id);
    }
    let found: [IpAddr; 1] = [[10, 0, 0, 9].into()];
    let id = last.expect("look-ups");
    rig.node.handle_lookup(rig.now, id, Ok(&found));
    rig.node.handle_lookup(rig.now, id, Ok(&found));
}

#[test]
fn the_next_life_finds_whom_the_last_one_knew() {
    let mut rig = seeking(&[]);
    rig.alive("a", 2, 1);
    rig.alive("b", 3, 1);
    rig.dead("b", 1, "a");
    let saved: Vec<Peer> = rig.node.snapshot().collect();
    assert_eq!(saved.iter().map(ToString::to_string).collect::<Vec<_>>(), ["a/10.0.0.1:2"]);

    let mut next = seeking(&[]);
    let text = saved[0].to_string();
    let own: Peer = "me/10.0.0.1:1".parse().expect("a peer");
    next.node.recall(next.now, [text.parse().expect("what was saved"), own]);
    let tried = attempts(&mut next, 2 * HOUR);
    assert!(!tried.is_empty() && tried.iter().all(|(_, to)| *to == address(2)));
    assert_eq!(next.node.poll_timeout(), None, "given up in time");
}
