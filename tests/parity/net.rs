//! Go: `net_test.go`.

use std::time::Duration;

use memberlist_proto::wire::message::{Ack, IndirectPing, Message, Ping, Suspect};
use memberlist_proto::wire::push_pull;
use memberlist_proto::{
    BroadcastKind, Event, ExchangeError, Key, Priority, State, StreamOp, Target,
};
use memberlist_sim::rig::{Rig, VSN, addr, address};

use crate::one::{config, probing, start};

const SECOND: Duration = Duration::from_secs(1);

fn ping_for<'a>(node: &'a str, from: &'a str, at: &'a [u8]) -> Message<'a> {
    Message::Ping(Ping {
        seq_no: 42,
        node: node.as_bytes(),
        source_addr: Some(at),
        source_port: 7946,
        source_node: from.as_bytes(),
    })
}

/// What a node writes to a stream that brings `bytes`, and the error, if any.
fn respond(one: &mut Rig, bytes: &[u8]) -> (Vec<u8>, Option<ExchangeError>) {
    let stream = one.accept(address("peer")).expect("room");
    let error = one.data(stream, bytes).err();
    let mut said = Vec::new();
    for op in one.stream_ops() {
        if let StreamOp::Write { data, .. } = op {
            said.extend_from_slice(&data);
        }
    }
    (said, error)
}

#[test]
fn handle_compound_ping() {
    let mut one = start(config());
    let mut parts = Vec::new();
    for _ in 0..3 {
        let mut part = Vec::new();
        ping_for("me", "peer", &addr("peer")).encode(&mut part);
        parts.push(part);
    }
    let mut packet = Vec::new();
    memberlist_proto::wire::compound::encode(&mut packet, &parts).expect("three parts");
    one.packet(address("peer"), &packet).expect("a good packet");
    let sent = one.sent();
    assert_eq!(sent.len(), 3);
    assert!(sent.iter().all(|it| it.to == address("peer") && it.words == ["ack 42"]), "{sent:?}");
}

#[test]
fn handle_ping() {
    let mut one = start(config());
    one.receive(&ping_for("me", "peer", &addr("peer")));
    // A ping without a name is for any node.
    one.receive(&ping_for("", "peer", &addr("peer")));
    let sent = one.sent();
    assert!(sent.iter().all(|it| it.words == ["ack 42"]), "{sent:?}");
    assert_eq!(sent.len(), 2);
}

#[test]
fn handle_ping_wrong_node() {
    let mut one = start(config());
    one.receive(&ping_for("me-bad", "peer", &addr("peer")));
    assert!(one.sent().is_empty());
}

#[test]
fn handle_indirect_ping() {
    let mut one = start(config());
    one.alive("target", 1);
    one.sent();
    one.receive(&Message::IndirectPing(IndirectPing {
        seq_no: 100,
        target: Some(&addr("target")),
        port: 7946,
        node: b"target",
        nack: false,
        source_addr: Some(&addr("peer")),
        source_port: 7946,
        source_node: b"peer",
    }));
    // The target's answer comes below.
    one.wait(Duration::from_millis(100));
    let sent = one.sent();
    assert!(sent.iter().any(|it| it.to == address("target") && it.words[0] == "ping target"));
    one.answer_last();
    assert!(one.sent().iter().any(|it| it.to == address("peer") && it.words[0] == "ack 100"));
}

#[test]
fn tcp_ping() {
    // Until its deadline, a probe without an ack by packet waits for an ack by stream.
    type Answer = fn(u32) -> Vec<u8>;
    let ack = |number: u32| {
        let mut out = Vec::new();
        Message::Ack(Ack { seq_no: number, payload: None }).encode(&mut out);
        out
    };
    let wrong = |number: u32| {
        let mut out = Vec::new();
        Message::Ack(Ack { seq_no: number + 1, payload: None }).encode(&mut out);
        out
    };
    let bogus = |_: u32| {
        let mut out = Vec::new();
        Message::Suspect(Suspect { incarnation: 1, node: b"x", from: b"y" }).encode(&mut out);
        out
    };
    let cases: [(Option<Answer>, bool); 4] =
        [(Some(ack), true), (Some(wrong), false), (Some(bogus), false), (None, false)];
    for (answer, reached) in cases {
        let mut one = start(probing());
        one.silence("mongo");
        one.alive("mongo", 1);
        let end = one.now() + SECOND * 3;
        let asks = |one: &mut Rig| one.node().stats().gauges.streams == 1;
        assert!(one.wait_until(end, asks));
        let id = one.stream_ops()[0].id();
        if let Some(answer) = answer {
            one.connected(id);
            let number = one.last_number();
            let heard = one.data(id, &answer(number));
            assert_eq!(heard.is_ok(), reached);
        }
        one.wait(SECOND);
        let stats = one.node().stats().counters;
        assert_eq!((stats.probes_by_stream == 1, stats.probes_failed == 0), (reached, reached));
    }
}

#[test]
fn tcp_push_pull() {
    let mut one = start(config());
    one.alive("known", 1);
    let mut state = Vec::new();
    push_pull::encode_header(&mut state, false, 1, 0);
    push_pull::encode_state(
        &mut state,
        &push_pull::NodeState {
            name: b"new",
            addr: Some(&addr("new")),
            port: 7946,
            meta: None,
            incarnation: 1,
            state: 0,
            vsn: Some(&VSN),
        },
    );
    let (said, error) = respond(&mut one, &state);
    assert_eq!(error, None);
    assert!(one.state("new").is_some());
    assert_eq!(said[0], 6, "the state in return");
    for name in [&b"me"[..], b"known"] {
        assert!(said.windows(name.len()).any(|part| part == name));
    }
}

#[test]
fn send_msg_piggyback() {
    let mut one = start(config());
    one.alive("peer", 1);
    let kind = BroadcastKind::Unique;
    one.queue(|node, now| node.broadcast(now, b"rand", kind, Priority::Normal)).expect("short");
    one.receive(&ping_for("me", "peer", &addr("peer")));
    let sent = one.sent();
    assert_eq!(sent.len(), 1, "one packet for all messages");
    assert_eq!(sent[0].words[0], "ack 42");
    assert!(sent[0].words.iter().any(|it| it == "user rand"), "{sent:?}");
    assert!(sent[0].words.iter().any(|it| it == "alive peer 1"), "{sent:?}");
}

#[test]
fn raw_send_udp_crc() {
    let mut one = start(config());
    one.alive_with("new", 1, &[1, 5, 2, 0, 0, 0], b"");
    one.alive_with("old", 1, &[1, 4, 2, 0, 0, 0], b"");
    for name in ["new", "old"] {
        one.call(|node, now| node.send(now, Target::Member(name.into()), b"hi")).expect("sent");
    }
    let packets: Vec<_> = one.packets();
    assert_eq!(packets[0].payload[0], 12, "a checksum for a peer that understands it");
    assert_eq!(packets[1].payload[0], 8, "none for a peer that does not");
}

#[test]
fn ingest_packet_crc() {
    let mut one = start(config());
    one.alive("new", 1);
    one.call(|node, now| node.send(now, Target::Member("new".into()), b"hi")).expect("sent");
    let good = one.packets().pop().expect("a packet").payload.to_vec();
    assert!(one.packet(address("peer"), &good).is_ok());
    let mut bad = good;
    *bad.last_mut().expect("bytes") ^= 1;
    let error = one.packet(address("peer"), &bad).expect_err("damaged");
    assert!(error.to_string().contains("checksum"), "{error}");
}

#[test]
fn ingest_packet_empty_message() {
    let mut one = start(config());
    assert!(one.packet(address("peer"), &[]).is_err());
}

#[test]
fn gossip_mismatched_keys() {
    let keyed = |byte| config().with(|it| it.secret_keys = vec![Key::new(&[byte; 16]).unwrap()]);
    let (mut one, mut two) = (start(keyed(1)), start(keyed(2)));
    let target = Target::Addr { addr: address("x"), node: None };
    one.call(|node, now| node.send(now, target, b"hi")).expect("sent");
    let packet = one.packets().pop().expect("a packet").payload;
    let error = two.packet(address("one"), &packet).expect_err("sealed");
    assert!(error.to_string().contains("decrypt"), "{error}");
}

#[test]
fn handle_command() {
    let mut one = start(config());
    // An empty part and an unknown type are errors; the other parts are handled.
    let mut good = Vec::new();
    Message::User(b"hello").encode(&mut good);
    let mut packet = Vec::new();
    let parts = [&b""[..], b"\xff", &good];
    memberlist_proto::wire::compound::encode(&mut packet, &parts).expect("three parts");
    assert!(one.packet(address("peer"), &packet).is_err());
    let events = one.events();
    assert!(events.iter().any(|event| matches!(event, Event::Message { .. })), "{events:?}");
}

#[test]
fn messages_of_a_packet_are_handled_in_the_order_of_arrival() {
    // Go would handle the alive message first, and end with a dead member in both cases.
    use memberlist_proto::wire::message::{Alive, Dead};
    let (mut alive, mut dead) = (Vec::new(), Vec::new());
    let addr = addr("test");
    let (node, vsn) = (&b"test"[..], Some(&VSN[..]));
    let message = Alive { incarnation: 1, node, addr: Some(&addr), port: 7946, meta: None, vsn };
    Message::Alive(message).encode(&mut alive);
    Message::Dead(Dead { incarnation: 1, node, from: b"x" }).encode(&mut dead);
    for (parts, expected) in [([&dead, &alive], State::Alive), ([&alive, &dead], State::Dead)] {
        let mut one = start(config());
        let mut packet = Vec::new();
        memberlist_proto::wire::compound::encode(&mut packet, &parts).expect("two parts");
        one.packet(address("peer"), &packet).expect("a good packet");
        assert_eq!(one.state("test"), Some((expected, 1)));
    }
}

#[test]
fn read_remote_state_limits() {
    let mut one = start(config());
    let mut nodes = Vec::new();
    push_pull::encode_header(&mut nodes, false, 10_000_000, 100);
    let (said, error) = respond(&mut one, &nodes);
    let error = error.expect("too many").to_string();
    assert!(said.is_empty() && error.contains("10000000"), "{error}");
    let mut state = Vec::new();
    push_pull::encode_header(&mut state, false, 0, 30_000_000);
    let (said, error) = respond(&mut one, &state);
    let error = error.expect("too long").to_string();
    assert!(said.is_empty() && error.contains("30000000"), "{error}");
}

#[test]
fn read_user_msg_limit() {
    let mut one = start(config());
    let mut header = Vec::new();
    header.push(8);
    push_pull::UserHeader { len: 30_000_000 }.write(&mut header);
    let (_, error) = respond(&mut one, &header);
    let error = error.expect("too long").to_string();
    assert!(error.contains("30000000"), "{error}");
}

#[test]
fn handle_conn_nil_conn_after_remove_label_header_from_stream() {
    // A truncated label header, then the end of the stream.
    let mut one = start(config().with(|it| it.label = "blue".into()));
    let stream = one.accept(address("peer")).expect("room");
    let _ = one.data(stream, &[244, 4, b'b']);
    one.eof(stream);
    one.closed(stream, None);
    assert_eq!(one.node().stats().gauges.streams, 0);
}
