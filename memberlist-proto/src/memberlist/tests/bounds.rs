use alloc::collections::BTreeSet;

use bytes::Bytes;

use super::*;
use crate::event::Outcome;
use crate::queues::{BroadcastKind, Priority};
use crate::transmit::{StreamId, StreamOp};
use crate::{Key, Target};

/// A node with nothing but push/pulls, and where it has connected since the last call.
fn exchanging(members: u16) -> Rig {
    let mut config = config();
    config.push_pull_interval = Duration::from_secs(30);
    let mut rig = Rig::with(config);
    rig.restore(members);
    rig
}

fn connected(rig: &mut Rig) -> Vec<SocketAddr> {
    let ops = core::iter::from_fn(|| rig.node.poll_stream());
    let to = ops.filter_map(|op| match op {
        StreamOp::Connect { to, .. } => Some(to),
        _ => None,
    });
    to.collect()
}

#[test]
fn push_pulls_go_to_the_alive_alone() {
    let mut rig = exchanging(2);
    let minutes = |rig: &mut Rig| {
        let mut to = BTreeSet::new();
        for _ in 0..40 {
            rig.wait(Duration::from_secs(30));
            to.extend(connected(rig));
        }
        to
    };
    assert_eq!(minutes(&mut rig), [address(2), address(3)].into());
    // Nothing probes here, so that a suspicion lasts as long as the test wants.
    let mut timing = rig.node.config.timing();
    timing.probe_interval = Duration::from_secs(3600);
    rig.node.reconfigure(rig.now, timing).expect("a valid timing");
    rig.suspect("n1", 1, "n0");
    assert_eq!(rig.state("n1").0, State::Suspect);
    rig.answering = true;
    assert_eq!(minutes(&mut rig), [address(2)].into());
    assert_eq!(rig.state("n1").0, State::Suspect);
}

#[test]
fn large_clusters_exchange_their_state_less_often() {
    // 32 nodes exchange at the interval itself, twice as many at twice the interval.
    for (members, interval) in [(31, 30), (63, 60), (127, 90)] {
        let mut rig = exchanging(members);
        rig.wait(Duration::from_secs(300));
        connected(&mut rig);
        rig.wait(Duration::from_secs(1800));
        assert_eq!(connected(&mut rig).len(), 1800 / interval, "{members} others");
    }
}

#[test]
fn push_pulls_are_served_one_after_another_for_ever() {
    let mut config = config();
    config.limits.push_pulls = 3;
    let mut rig = Rig::with(config);
    let serve = |rig: &mut Rig| -> StreamId {
        let id = rig.node.accept_stream(rig.now, address(9)).expect("room");
        let mut state = Vec::new();
        crate::wire::push_pull::encode_header(&mut state, false, 0, 0);
        let _ = rig.node.handle_stream_data(rig.now, id, &state);
        id
    };
    let before = rig.node.stats().counters.push_pulls_refused;
    for _ in 0..10 {
        let id = serve(&mut rig);
        rig.node.handle_stream_closed(rig.now, id, None);
    }
    assert_eq!(rig.node.stats().counters.push_pulls_refused, before);
    assert_eq!(rig.node.stats().gauges.push_pulls, 0);
    // The third at the same time reaches the limit.
    for served in [1, 2, 2] {
        serve(&mut rig);
        assert_eq!(rig.node.stats().gauges.push_pulls, served);
    }
    assert_eq!(rig.node.stats().counters.push_pulls_refused, before + 1);
}

#[test]
fn a_source_keeps_to_its_streams_also_after_one_has_ended() {
    let mut config = config();
    config.limits.streams_per_source = 2;
    let mut rig = Rig::with(config);
    let first = rig.node.accept_stream(rig.now, address(9)).expect("room");
    assert!(rig.node.accept_stream(rig.now, address(9)).is_some());
    rig.node.handle_stream_closed(rig.now, first, None);
    assert!(rig.node.accept_stream(rig.now, address(9)).is_some());
    assert!(rig.node.accept_stream(rig.now, address(9)).is_none(), "two are open");
}

#[test]
fn questions_of_two_exchanges_are_two() {
    let mut config = config();
    config.ask_local_state = true;
    let mut rig = Rig::with(config);
    let mut state = Vec::new();
    crate::wire::push_pull::encode_header(&mut state, false, 0, 0);
    for _ in 0..2 {
        let id = rig.node.accept_stream(rig.now, address(9)).expect("room");
        rig.node.handle_stream_data(rig.now, id, &state).expect("a good message");
    }
    let ids: BTreeSet<_> =
        core::iter::from_fn(|| rig.node.poll_request()).map(|request| request.id).collect();
    assert_eq!(ids.len(), 2);
    assert_eq!(rig.node.stats().gauges.requests, 2);
    assert!(rig.node.stats().gauges.stream_memory >= 2 * state.len() as u64, "while they wait");
}

#[test]
fn a_join_tries_only_so_many_at_once() {
    let mut config = config();
    config.join_parallelism = 4;
    let mut rig = Rig::with(config);
    let peers: Vec<crate::Peer> = (2..20).map(|port| address(port).into()).collect();
    rig.node.join(rig.now, &peers);
    assert_eq!(connected(&mut rig).len(), 4);
    assert_eq!(rig.node.stats().gauges.streams, 4);
}

#[test]
fn a_name_without_addresses_is_not_found() {
    let mut rig = Rig::new();
    rig.node.join(rig.now, &["db.example".parse().expect("a peer")]);
    let lookup = rig.node.poll_lookup().expect("a question");
    rig.node.handle_lookup(rig.now, lookup.id, Ok(&[]));
    let Some(Event::Finished { outcome: Outcome::Join(Ok(report)), .. }) = rig.node.poll_event()
    else {
        panic!("not finished");
    };
    let not_found = crate::JoinError::Lookup(crate::LookupFailure::NotFound);
    assert_eq!(report.failed.first().map(|it| &it.error), Some(&not_found));
}

#[test]
fn names_beyond_the_limit_are_refused() {
    let mut config = config();
    config.limits.members = 3;
    let mut rig = Rig::with(config);
    for (index, name) in ["a", "b", "c"].into_iter().enumerate() {
        rig.alive(name, 2 + index as u16, 1);
    }
    assert_eq!(rig.events(), ["joined a", "joined b", "refused c: too many members"]);
}

#[test]
fn any_allowed_network_will_do() {
    let mut config = config();
    let networks = ["10.0.0.0/8".parse().expect("a network"), "fd00::/8".parse().expect("one")];
    config.cidrs_allowed = Some(networks.into());
    let mut rig = Rig::with(config);
    rig.alive("a", 2, 1);
    assert_eq!(rig.events(), ["joined a"]);
}

#[test]
fn by_packet_no_news_of_a_member_outside_the_networks_is_taken() {
    let mut config = config();
    config.cidrs_allowed = Some(["10.0.0.0/8".parse().expect("a network")].into());
    let mut rig = Rig::with(config);
    let outside = Config { name: "a".into(), advertise_port: 2, ..super::config() };
    let outside = Config { advertise_addr: [192, 168, 0, 1].into(), ..outside };
    let outside = Memberlist::new(rig.now, outside, None, [1; 32]).expect("a node").local();
    rig.node.restore(rig.now, [outside]);
    rig.receive(&Message::Alive(Alive {
        incarnation: 2,
        node: b"a",
        addr: Some(&[192, 168, 0, 1]),
        port: 2,
        meta: None,
        vsn: Some(&VSN),
    }));
    assert_eq!(rig.state("a"), (State::Alive, 1));
    assert_eq!(rig.events(), ["refused a: the address is outside the allowed networks"]);
}

#[test]
fn the_first_version_of_the_protocol_knows_no_ports() {
    let mut config = config();
    config.protocol_version = 1;
    let mut rig = Rig::with(config);
    rig.alive("a", 2, 1);
    assert_eq!(rig.member("a").port(), 7946, "every port is this node's own");
}

#[test]
fn a_reliable_message_is_sent_when_all_of_it_is_written() {
    let mut rig = Rig::new();
    let target = Target::Addr { addr: address(2), node: None };
    rig.node.send_reliable(rig.now, target, b"hello").expect("short enough");
    let id = rig.node.poll_stream().expect("a connection").id();
    rig.node.handle_stream_connected(rig.now, id);
    let Some(StreamOp::Write { data, .. }) = rig.node.poll_stream() else { panic!("no write") };
    rig.node.handle_stream_written(rig.now, id, data.len() - 1);
    assert_eq!(rig.events(), Vec::<String>::new());
    rig.node.handle_stream_written(rig.now, id, 1);
    assert_eq!(rig.events().len(), 1);
}

#[test]
fn everything_sent_fits_whatever_is_around_it() {
    for (label, key, compress) in
        [("", false, false), ("label", false, false), ("label", true, false), ("label", true, true)]
    {
        let mut config = config();
        config.label = label.as_bytes().to_vec().into();
        config.compression = if compress { Compression::Lzw } else { Compression::None };
        config.secret_keys = key.then(|| Key::new(&[1; 16]).expect("a key")).into_iter().collect();
        let rules = config.clone();
        let mut rig = Rig::with(config);
        let peer = Config { name: "p".into(), advertise_port: 2, ..rules.clone() };
        let mut peer = Memberlist::new(rig.now, peer, None, [1; 32]).expect("a node");
        rig.node.restore(rig.now, [peer.local()]);
        // A message of the greatest length.
        let message: Bytes = noise(rig.node.message_limit());
        rig.node.send(rig.now, Target::Member("p".into()), &message).expect("it fits");
        // An answer with as much gossip as fits.
        for _ in 0..60 {
            let (kind, priority) = (BroadcastKind::Unique, Priority::Normal);
            rig.node.broadcast(rig.now, &noise(40), kind, priority).expect("it fits");
        }
        let target = Target::Addr { addr: address(1), node: Some("me".into()) };
        peer.ping(rig.now, target);
        let ping = peer.poll_transmit().expect("a ping").payload;
        rig.node.handle_packet(rig.now, address(2), &ping).expect("a good packet");
        let sizes: Vec<usize> = rig.transmits().iter().map(|it| it.payload.len()).collect();
        assert_eq!(sizes.len(), 2, "{label} {key} {compress}");
        assert!(sizes.iter().all(|size| *size <= 1400), "{label} {key} {compress}: {sizes:?}");
        let full = compress || sizes.iter().all(|size| *size > 1330);
        assert!(full, "{label} {key}: {sizes:?}");
    }
}

#[test]
fn more_than_255_messages_go_into_two_packets() {
    let mut config = config();
    config.gossip_interval = Duration::from_millis(200);
    let mut rig = Rig::with(config);
    rig.alive("a", 2, 1);
    rig.wait(Duration::from_secs(5));
    rig.transmits();
    for index in 0..300_u16 {
        let message = index.to_be_bytes();
        let (kind, priority) = (BroadcastKind::Unique, Priority::Normal);
        rig.node.broadcast(rig.now, &message[1..], kind, priority).expect("it fits");
    }
    rig.wait(Duration::from_millis(200));
    let transmits = rig.transmits();
    assert_eq!(transmits.len(), 2);
    let parts = transmits.iter().map(|it| opened(it.to, &it.payload).len());
    assert_eq!(parts.collect::<Vec<_>>(), [255, 45]);
}

#[test]
fn no_nonce_is_used_twice() {
    let mut config = config();
    config.secret_keys = [Key::new(&[1; 16]).expect("a key")].into();
    let mut rig = Rig::with(config);
    for _ in 0..100 {
        let target = Target::Addr { addr: address(2), node: None };
        rig.node.send(rig.now, target, b"the same").expect("it fits");
    }
    let sent = rig.transmits();
    let nonces: BTreeSet<&[u8]> = sent.iter().map(|it| &it.payload[1..13]).collect();
    assert_eq!(nonces.len(), 100);
}

/// What does not compress.
fn noise(len: usize) -> Bytes {
    let mut state = 1_u32;
    let mut byte = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..len).map(|_| byte()).collect()
}

/// The same timing, given again and again, changes nothing.
#[test]
fn the_same_timing_again_puts_nothing_off() {
    let counted = |each_second: fn(&mut Rig)| {
        let mut config = Config { bind_port: 1, ..Config::lan("me") };
        config.advertise_addr = [10, 0, 0, 1].into();
        config.advertise_port = 1;
        let mut rig = Rig::with(config);
        rig.alive("a", 2, 1);
        rig.answering = true;
        for _ in 0..540 {
            each_second(&mut rig);
            rig.wait(Duration::from_secs(1));
            connected(&mut rig);
        }
        let counters = rig.node.stats().counters;
        (counters.probes, counters.push_pulls)
    };
    let left_alone = counted(|_| {});
    assert!(left_alone.0 >= 539 && left_alone.1 >= 17, "{left_alone:?}");
    let same = |rig: &mut Rig| {
        rig.node.reconfigure(rig.now, rig.node.config().timing()).expect("a valid timing");
    };
    assert_eq!(counted(same), left_alone);
    // Nor does one that changes every second, as long as its intervals are about the same.
    let other = |rig: &mut Rig| {
        let mut timing = rig.node.config().timing();
        let odd = timing.probe_interval == Duration::from_secs(1);
        timing.probe_interval = Duration::from_millis(if odd { 1_010 } else { 1_000 });
        rig.node.reconfigure(rig.now, timing).expect("a valid timing");
    };
    let (probes, _) = counted(other);
    assert!((530..=541).contains(&probes), "{probes}");
}
