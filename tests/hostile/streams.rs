//! What streams can cost.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use memberlist_proto::wire::Scratch;
use memberlist_proto::wire::compress::Algorithm;
use memberlist_proto::wire::frame::{FrameSealing, seal_frame};
use memberlist_proto::wire::push_pull::{NodeState, encode_header, encode_state, encode_user};
use memberlist_proto::{
    Answer, Compression, Event, ExchangeError, Key, Outcome, RequestKind, StreamFailure, StreamId,
    StreamOp,
};
use memberlist_sim::rig::{Rig, VSN, Wires, addr, stranger};

use super::rig::{cost, counters, target, target_with};

const MIB: usize = 1 << 20;

fn from(source: u8, number: usize) -> SocketAddr {
    let port = 1 + u16::try_from(number).expect("a port");
    SocketAddr::new(stranger(source).ip(), port)
}

fn accept(target: &mut Rig, source: u8, number: usize) -> StreamId {
    target.accept(from(source, number)).expect("there is room for a stream")
}

fn feed(target: &mut Rig, id: StreamId, data: &[u8]) -> Result<(), ExchangeError> {
    target.data(id, data)
}

/// A push/pull of `members` records and `user` bytes of application state.
fn state(members: usize, user: usize) -> Vec<u8> {
    let mut out = Vec::new();
    encode_header(&mut out, false, members, user);
    for number in 0..members {
        let name = format!("n{number}");
        let addr = addr(&name);
        encode_state(&mut out, &record(&name, &addr));
    }
    out.resize(out.len() + user, b'u');
    out
}

fn record<'a>(name: &'a str, addr: &'a [u8]) -> NodeState<'a> {
    NodeState {
        name: name.as_bytes(),
        addr: Some(addr),
        port: 7946,
        incarnation: 1,
        vsn: Some(&VSN),
        ..NodeState::default()
    }
}

fn compressed(message: &[u8]) -> Bytes {
    let sealing = FrameSealing {
        label: b"",
        key: None,
        nonce: [0; 12],
        compress: Some(Algorithm::Lzw),
        only_if_smaller: true,
    };
    seal_frame(message, &sealing, &mut Scratch::new()).expect("not encrypted")
}

#[test]
fn lengths_announced_in_a_stream_take_no_memory() {
    let header = |nodes, user| {
        let mut out = Vec::new();
        encode_header(&mut out, true, nodes, user);
        out
    };
    let (mut message, mut long) = (Vec::new(), Vec::new());
    encode_user(&mut message, &vec![0; 20 * MIB]);
    message.truncate(18);
    encode_user(&mut long, &vec![0; 20 * MIB + 1]);
    long.truncate(18);
    let encrypted = |len: u32| [&[10], &len.to_be_bytes()[..]].concat();
    let limit = u32::try_from(20 * MIB).expect("fits");
    for (what, data, taken) in [
        ("2^20 members", header(1 << 20, 0), true),
        ("one more", header((1 << 20) + 1, 0), false),
        ("a state of 20 MiB", header(0, 20 * MIB), true),
        ("one byte more", header(0, 20 * MIB + 1), false),
        ("2^63 members", header(usize::MAX >> 1, 0), false),
        ("a message of 20 MiB", message, true),
        ("one byte more", long, false),
        ("a frame of 20 MiB", encrypted(limit), true),
        ("one byte more", encrypted(limit + 1), false),
        ("a string of 4 GiB", vec![6, 0x81, 0xdb, 0xff, 0xff, 0xff, 0xff], true),
    ] {
        let mut target = target_with(|config| {
            config.secret_keys = vec![Key::new(&[1; 16]).expect("16 bytes")];
            config.gossip_verify_incoming = false;
        });
        let id = accept(&mut target, 1, 0);
        let mut result = Ok(());
        let cost = cost(what, data.len(), || result = feed(&mut target, id, &data));
        assert_eq!(result.is_ok(), taken, "{what}: {result:?}");
        assert!(cost.peak <= 8192, "{what}: {cost:?}");
    }
}

/// At most three bytes of memory per byte received: a buffer that doubles, while it is copied.
#[test]
fn a_trickled_state_costs_a_small_multiple_of_its_bytes() {
    let data = state(100_000, 13 * MIB);
    assert!(data.len() > 19 * MIB, "{} bytes", data.len());
    let mut target = target();
    let id = accept(&mut target, 1, 0);
    let (last, most) = data.split_last().expect("not empty");
    let cost = cost("20 MiB in pieces of 61 bytes", data.len(), || {
        for piece in most.chunks(61) {
            feed(&mut target, id, piece).expect("a good piece");
        }
    });
    assert!(cost.peak <= 3 * data.len() + 4096, "{cost:?}");
    assert!(cost.total <= 5 * data.len(), "received bytes are copied too often: {cost:?}");
    let held = target.node().stats().gauges.stream_memory;
    assert!(held >= data.len() as u64 && held <= 2 * data.len() as u64, "{held}");
    feed(&mut target, id, &[*last]).expect("a good state");
    assert_eq!(target.node().num_members(), 100_001);
    let Some(Event::RemoteState { state, .. }) = target.events().pop() else { panic!("no state") };
    assert_eq!(state.len(), 13 * MIB);
}

#[test]
fn a_compressed_stream_stops_at_its_limit() {
    for (len, fits) in [(19 * MIB, true), (60 * MIB, false)] {
        let mut message = Vec::new();
        encode_user(&mut message, &vec![b'u'; len]);
        if !fits {
            // The announced length is allowed, but more follows.
            message = state(0, 20 * MIB);
            message.resize(len, b'u');
        }
        let bomb = compressed(&message);
        assert!(bomb.len() < len / 100, "not a bomb: {} bytes", bomb.len());
        let mut target = target();
        let id = accept(&mut target, 1, 0);
        let mut result = Ok(());
        let cost = cost("a compressed stream", bomb.len(), || {
            result = feed(&mut target, id, &bomb);
        });
        assert_eq!(result.is_ok(), fits, "{result:?}");
        assert!(cost.peak <= 3 * 40 * MIB, "{cost:?}");
        drop(target.events());
        assert_eq!(target.node().stats().gauges.stream_memory, 0);
    }
}

/// Deep nesting within an unknown field.
#[test]
fn unknown_fields_nest_to_a_limit_and_take_no_memory() {
    let mut target = target();
    for (open, deep) in [(&[0x91_u8][..], 2000), (&[0x81, 0xa0], 2000), (&[0x91], 60_000)] {
        let mut data = vec![6, 0x81, 0xa1, b'x'];
        data.extend(core::iter::repeat_n(open, deep).flatten());
        let id = accept(&mut target, 1, 0);
        let mut result = Ok(());
        let received = data.len();
        let cost = cost("nesting", received, || result = feed(&mut target, id, &data));
        assert!(matches!(result, Err(ExchangeError::Frame(_))), "{result:?}");
        assert!(cost.peak <= 3 * received + (16 << 10), "{cost:?}");
        assert!(cost.kept <= 4096, "{cost:?}");
        target.closed(id, None);
    }
}

#[test]
fn half_sent_states_share_bounded_memory() {
    let data = state(0, 20 * MIB);
    let half = &data[..3 * MIB];
    let mut target = target();
    let mut refused = 0;
    let cost = cost("half-sent states", 300 * half.len(), || {
        for number in 0..300 {
            let id = accept(&mut target, u8::try_from(number / 60).expect("few"), number);
            match feed(&mut target, id, half) {
                Ok(()) => {}
                Err(ExchangeError::TooManyBytes) => refused += 1,
                Err(error) => panic!("{error}"),
            }
        }
    });
    let stats = target.node().stats();
    assert!(refused > 0 && stats.counters.streams_over_memory == refused, "{stats:?}");
    assert!(cost.peak <= 516 * MIB, "{cost:?}");
    // A single source gets a quarter.
    let mut target = target_with(|_| {});
    for number in 0..60 {
        let id = accept(&mut target, 1, number);
        let _ = feed(&mut target, id, half);
    }
    assert!(target.node().stats().gauges.stream_memory <= 128 << 20);
    assert!(counters(&target).streams_over_memory > 0);
    let id = accept(&mut target, 2, 0);
    feed(&mut target, id, half).expect("another source has room");
    target.wait(Duration::from_secs(11));
    assert_eq!(target.node().stats().gauges.stream_memory, 0, "stalled streams must time out");
}

#[test]
fn streams_are_limited_per_source_and_in_total() {
    let mut target = target();
    let accepted = |target: &mut Rig, source| {
        (0..2000).filter(|number| target.accept(from(source, *number)).is_some()).count()
    };
    assert_eq!(accepted(&mut target, 1), 256);
    let others: usize = (2..200).map(|source| accepted(&mut target, source)).sum();
    assert_eq!(256 + others, 1024);
    target.wait(Duration::from_secs(10));
    assert_eq!(target.node().stats().gauges.streams, 0);
    assert_eq!(accepted(&mut target, 1), 256, "the streams must be free again");
}

#[test]
fn a_trickle_does_not_keep_a_stream_beyond_its_time() {
    let mut target = target();
    let id = accept(&mut target, 1, 0);
    let data = state(0, MIB);
    for byte in data.chunks(1).take(100) {
        feed(&mut target, id, byte).expect("a good piece");
        target.wait(Duration::from_millis(200));
    }
    assert_eq!(target.node().stats().gauges.streams, 0);
    assert!(matches!(target.stream_ops()[..], [StreamOp::Abort { .. }]));
}

#[test]
fn served_push_pulls_are_limited() {
    let mut target = target_with(|config| config.ask_local_state = true);
    let data = state(0, 0);
    let mut refused = 0;
    for number in 0..200 {
        let id = accept(&mut target, 1, number);
        refused += usize::from(feed(&mut target, id, &data) == Err(ExchangeError::TooMany));
    }
    assert_eq!(
        (refused, counters(&target).push_pulls_refused),
        (73, 73),
        "127 are served, as in Go"
    );
}

/// How many addresses a name has is up to a resolver outside.
#[test]
fn addresses_of_a_host_name_are_limited() {
    let mut target = target();
    target.begin(|node, now| node.join(now, &["some.host".parse().expect("a peer")]));
    let lookups = target.lookups();
    let [lookup] = &lookups[..] else { panic!("{lookups:?}") };
    let address = |host: u16| IpAddr::from([10, 9, host.to_be_bytes()[0], host.to_be_bytes()[1]]);
    let addresses: Vec<IpAddr> = (1..=1000).map(address).collect();
    target.resolved(lookup.id, Ok(&addresses));
    let mut tried = 0;
    loop {
        let ops = target.stream_ops();
        if ops.is_empty() {
            break;
        }
        for op in ops {
            let StreamOp::Connect { id, .. } = op else { panic!("{op:?}") };
            tried += 1;
            target.closed(id, Some(StreamFailure::Refused));
        }
    }
    let finished = target.events().into_iter().find_map(|event| match event {
        Event::Finished { outcome: Outcome::Join(Ok(report)), .. } => Some(report),
        _ => None,
    });
    let failed = finished.expect("the join ends when all have been tried").failed.len();
    assert_eq!((tried, failed), (256, 256));
}

/// Carries bytes between two nodes until both are idle.
fn exchange(nodes: &mut [Rig; 2], states: &[Bytes; 2]) {
    let mut wires = Wires::default();
    let mut busy = true;
    while core::mem::take(&mut busy) {
        for side in 0..2 {
            for request in nodes[side].requests() {
                assert!(matches!(request.kind, RequestKind::LocalState { .. }));
                nodes[side].answer(request.id, Answer::LocalState(states[side].clone()));
                busy = true;
            }
            for op in nodes[side].stream_ops() {
                busy = true;
                wires.carry_out(nodes, side, from(9, side), op, |_| Some(1 - side));
            }
        }
    }
}

/// The limits allow the largest state that a Go node sends or accepts.
#[test]
fn the_largest_honest_state_is_exchanged() {
    for compress in [false, true] {
        let node = |name: &str, last: u8| {
            target_with(|config| {
                config.name = name.into();
                config.advertise_addr = [10, 0, 0, last].into();
                config.ask_local_state = true;
                config.compression = if compress { Compression::Lzw } else { Compression::None };
            })
        };
        let mut nodes = [node("a", 1), node("b", 2)];
        // Hardly compressible.
        let noise = |seed: u32| -> Bytes {
            let mut state = seed;
            let step = |_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 27) as u8
            };
            (0..20 * MIB).map(step).collect()
        };
        let states = [noise(1), noise(2)];
        let peer = SocketAddr::from(([10, 0, 0, 2], 7946));
        nodes[0].begin(|node, now| node.join(now, &[peer.into()]));
        exchange(&mut nodes, &states);
        for (side, node) in nodes.iter_mut().enumerate() {
            assert_eq!(node.node().num_members(), 2);
            let events = node.events();
            let came = events.iter().find_map(|event| match event {
                Event::RemoteState { state, .. } => Some(state),
                _ => None,
            });
            assert!(came == Some(&states[1 - side]), "the state did not arrive complete");
            let joined = events.iter().any(|event| {
                matches!(event, Event::Finished { outcome: Outcome::Join(Ok(it)), .. } if it.failed.is_empty())
            });
            assert_eq!(joined, side == 0, "{events:?}");
        }
    }
}
