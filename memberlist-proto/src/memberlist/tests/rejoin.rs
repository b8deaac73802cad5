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

pub(super) const INTERVAL: Duration = Duration::from_secs(30);
const HOUR: Duration = Duration::from_secs(3600);

pub(super) fn seeking(seeds: &[&str]) -> Rig {
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

pub(super) fn bury(rig: &mut Rig, name: &str, port: u16) {
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
    assert_eq!(rig.node.poll_timeout(), None, "there is no one to search for");
    bury(&mut rig, "a", 2);
    let tried = attempts(&mut rig, 2 * HOUR);
    assert!(!tried.is_empty() && tried.iter().all(|(_, to)| *to == address(2)));
    assert_eq!(rig.node.stats().counters.rejoins, tried.len() as u64);
    let last = tried[tried.len() - 1].0;
    assert!(last <= Instant::from_nanos(1_000_000_000) + HOUR);
    assert_eq!(rig.node.poll_timeout(), None, "and no one is any more");

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

/// Waits for the next connection that is asked for.
pub(super) fn next_connect(rig: &mut Rig) -> (crate::transmit::StreamId, SocketAddr) {
    for _ in 0..200 {
        if let Some(found) = rig.connects().pop() {
            return found;
        }
        let due = rig.node.poll_timeout().expect("the search goes on");
        rig.wait(due.saturating_duration_since(rig.now));
    }
    panic!("nothing was tried")
}

/// What is written to a stream, of which the connection stands now.
pub(super) fn connected(rig: &mut Rig, id: crate::transmit::StreamId) -> Vec<u8> {
    rig.node.handle_stream_connected(rig.now, id);
    let mut written = Vec::new();
    while let Some(op) = rig.node.poll_stream() {
        if let crate::transmit::StreamOp::Write { data, .. } = op {
            written.extend_from_slice(&data);
        }
    }
    rig.node.handle_stream_written(rig.now, id, written.len());
    written
}

pub(super) const PUSH_PULL: u8 = 6;

/// Another cluster's node at the address does not answer to the name, and gets no state.
#[test]
fn a_lost_member_is_asked_for_its_name_before_states_are_exchanged() {
    let mut rig = seeking(&[]);
    bury(&mut rig, "a", 2);
    asks_for_the_name_first(&mut rig, "a");
}

/// The member at `address(2)` that is searched for is asked for its name; a state is exchanged only with
/// one that answers.
pub(super) fn asks_for_the_name_first(rig: &mut Rig, name: &str) {
    use crate::wire::message::{Ack, Message};
    for answers in [false, true] {
        let (id, to) = next_connect(rig);
        assert_eq!(to, address(2));
        let asked = connected(rig, id);
        let Message::Ping(ping) = Message::decode(&asked).expect("a ping") else {
            panic!("{asked:?}")
        };
        assert_eq!(ping.node, name.as_bytes());
        if answers {
            let mut ack = Vec::new();
            Message::Ack(Ack { seq_no: ping.seq_no, payload: None }).encode(&mut ack);
            rig.node.handle_stream_data(rig.now, id, &ack).expect("an ack");
        } else {
            rig.node.handle_stream_eof(rig.now, id);
            rig.node.handle_stream_closed(rig.now, id, None);
            assert_eq!(rig.connects(), [], "no state was exchanged");
            assert_eq!(rig.node.stats().counters.push_pulls, 0);
        }
    }
    let (exchange, to) = rig.connects().pop().expect("now the exchange");
    assert_eq!(to, address(2));
    assert_eq!(connected(rig, exchange)[0], PUSH_PULL);
}

/// A seed is what the operator says: whatever listens there is asked for its state.
#[test]
fn a_seed_is_not_asked_for_its_name() {
    let mut rig = seeking(&["a/10.0.0.1:2"]);
    let (id, _) = next_connect(&mut rig);
    assert_eq!(connected(&mut rig, id)[0], PUSH_PULL);
}

/// A node that meets itself at a seed's address exchanges its state with itself once.
#[test]
fn a_node_that_finds_itself_leaves_that_address_alone() {
    use crate::wire::message::{Ack, Message};
    let mut rig = seeking(&["10.0.0.9:9"]);
    let (mut exchanges, mut pings) = (0, 0);
    let end = rig.now + 10 * INTERVAL;
    while rig.now < end {
        let (id, to) = next_connect(&mut rig);
        assert_eq!(to, address_of("10.0.0.9:9"));
        let said = connected(&mut rig, id);
        if said[0] == PUSH_PULL {
            exchanges += 1;
            let own = rig.node.accept_stream(rig.now, address(999)).expect("room");
            rig.node.handle_stream_data(rig.now, own, &said).expect("its own state");
            rig.node.handle_stream_data(rig.now, id, &said).expect("and back");
            rig.node.handle_stream_closed(rig.now, own, None);
        } else {
            pings += 1;
            let Message::Ping(ping) = Message::decode(&said).expect("a ping") else {
                panic!("{said:?}")
            };
            assert_eq!(ping.node, b"me");
            let mut ack = Vec::new();
            Message::Ack(Ack { seq_no: ping.seq_no, payload: None }).encode(&mut ack);
            rig.node.handle_stream_data(rig.now, id, &ack).expect("an ack");
        }
        rig.node.handle_stream_closed(rig.now, id, None);
        if pings == 1 {
            break;
        }
    }
    assert_eq!((exchanges, pings), (1, 1));
    assert_eq!(attempts(&mut rig, 15 * INTERVAL), [], "left alone");
    assert!(!attempts(&mut rig, 30 * INTERVAL).is_empty(), "but not forever");
}

fn address_of(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

#[test]
fn an_address_that_another_member_took_is_not_searched() {
    let mut rig = seeking(&[]);
    bury(&mut rig, "a", 2);
    rig.alive("b", 2, 1);
    rig.dead("b", 1, "b");
    assert_eq!(rig.node.stats().gauges.lost_members, 0);
    assert_eq!(attempts(&mut rig, HOUR), []);
}

/// Invented names push out neither those that have answered nor one another's hosts.
#[test]
fn invented_names_push_no_real_ones_out() {
    let mut config = config();
    config.rejoin = Rejoin { interval: INTERVAL, give_up_after: HOUR };
    config.limits.lost_members = 8;
    config.probe_interval = Duration::from_secs(1);
    let mut rig = Rig::with(config);
    rig.answering = true;
    rig.alive("real", 2, 1);
    rig.wait(Duration::from_secs(5));
    rig.answering = false;
    rig.dead("real", 1, "x");
    for number in 0..100_u16 {
        rig.alive(&alloc::format!("invented{number}"), 100 + number, 1);
        rig.dead(&alloc::format!("invented{number}"), 1, "x");
    }
    let status = rig.node.status(rig.now);
    assert_eq!(status.lost.len(), 8);
    assert!(status.lost.iter().any(|it| it.name.as_ref().is_some_and(|name| *name == *"real")));
}

#[test]
fn a_node_is_forgotten_by_order() {
    use crate::event::ForgetError;
    use crate::node::NodeName;
    let mut rig = seeking(&[]);
    let forget = |rig: &mut Rig, name: &str| rig.node.forget(rig.now, &NodeName::from(name));
    assert_eq!(forget(&mut rig, "a"), Err(ForgetError::Unknown));
    rig.alive("a", 2, 1);
    assert_eq!(forget(&mut rig, "a"), Err(ForgetError::Member));
    assert_eq!(forget(&mut rig, "me"), Err(ForgetError::Member));
    rig.dead("a", 1, "other");
    assert_eq!(rig.node.stats().gauges.lost_members, 1);
    forget(&mut rig, "a").expect("it is dead");
    assert!(!rig.knows("a"));
    assert_eq!(rig.node.stats().gauges.lost_members, 0);
    assert_eq!(attempts(&mut rig, HOUR), []);
    assert_eq!(forget(&mut rig, "a"), Err(ForgetError::Unknown));
}

#[test]
fn a_node_that_has_left_opens_no_exchange_for_a_late_look_up() {
    let mut rig = seeking(&["seeds.example"]);
    let lookup = loop {
        if let Some(lookup) = rig.node.poll_lookup() {
            break lookup;
        }
        let due = rig.node.poll_timeout().expect("the search goes on");
        rig.wait(due.saturating_duration_since(rig.now));
    };
    rig.node.leave(rig.now, Duration::ZERO);
    rig.node.handle_lookup(rig.now, lookup.id, Ok(&[IpAddr::from([10, 0, 0, 9])]));
    assert_eq!(rig.connects(), []);
}

/// Also where its death and the other's announcement come in one packet, of which the search hears
/// only at the end.
#[test]
fn an_address_taken_within_one_packet_is_not_searched_once_it_is_free() {
    use crate::wire::compound;
    use crate::wire::message::{Alive, Dead, Message};
    let mut rig = seeking(&[]);
    rig.alive("a", 2, 1);
    let (mut dead, mut alive) = (Vec::new(), Vec::new());
    Message::Dead(Dead { incarnation: 1, node: b"a", from: b"other" }).encode(&mut dead);
    Message::Alive(Alive {
        incarnation: 1,
        node: b"b",
        addr: Some(&[10, 0, 0, 1]),
        port: 2,
        meta: None,
        vsn: Some(&super::VSN),
    })
    .encode(&mut alive);
    let mut packet = Vec::new();
    compound::encode(&mut packet, &[&dead, &alive]).expect("two short parts");
    rig.node.handle_packet(rig.now, address(9), &packet).expect("a good packet");
    rig.dead("b", 1, "b");
    assert_eq!(rig.node.stats().gauges.lost_members, 0);
    assert_eq!(attempts(&mut rig, HOUR), []);
}

/// What has never answered may be invented: it gets half of a quarter of the attempts beside one that
/// has.
#[test]
fn those_that_have_answered_get_most_of_the_attempts() {
    let mut rig = seeking(&[]);
    let mut peer = Rig::new();
    peer.alive("real", 2, 1);
    rig.node.restore(rig.now, [peer.member("real")]);
    rig.dead("real", 1, "other");
    bury(&mut rig, "invented", 3);
    let mut tried = attempts(&mut rig, HOUR);
    for _ in 0..9 {
        rig.alive("real", 2, rig.state("real").1 + 1);
        rig.dead("real", rig.state("real").1, "other");
        rig.alive("invented", 3, rig.state("invented").1 + 1);
        rig.dead("invented", rig.state("invented").1, "other");
        tried.extend(attempts(&mut rig, HOUR));
    }
    let invented = tried.iter().filter(|(_, to)| *to == address(3)).count();
    let percent = 100 * invented / tried.len();
    assert!(tried.len() > 1000 && (8..18).contains(&percent), "{percent} % of {}", tried.len());
}

/// Where a search was turned off meanwhile, its last answer leads to nothing.
#[test]
fn an_answer_to_a_search_that_is_off_begins_no_exchange() {
    use crate::wire::message::{Ack, Message};
    for off in [false, true] {
        let mut rig = seeking(&[]);
        bury(&mut rig, "a", 2);
        let id = loop {
            let due = rig.node.poll_timeout().expect("the search goes on");
            rig.wait(due.saturating_duration_since(rig.now));
            if let [(id, _)] = rig.connects()[..] {
                break id;
            }
        };
        rig.node.handle_stream_connected(rig.now, id);
        let seq_no = rig.node.next_sequence().wrapping_sub(1);
        if off {
            let mut timing = rig.node.config().timing();
            timing.rejoin.interval = Duration::ZERO;
            rig.node.reconfigure(rig.now, timing).expect("valid");
        }
        rig.connects();
        let mut ack = Vec::new();
        Message::Ack(Ack { seq_no, payload: None }).encode(&mut ack);
        rig.node.handle_stream_data(rig.now, id, &ack).expect("an ack");
        assert_eq!(rig.connects().len(), usize::from(!off));
    }
}
