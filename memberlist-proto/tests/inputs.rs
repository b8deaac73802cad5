//! Every input is a value: it can be taken in by the one door or by a method of its own, cloned,
//! written down and replayed, always with the same outputs.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use memberlist_proto::wire::message::{Ack, Alive, Dead, IndirectPing, Message, Ping, Suspect};
use memberlist_proto::{
    Answer, BroadcastKind, Command, Config, Decision, Input, Instant, JoinPolicy, LookupFailure,
    Memberlist, Peer, Priority, StreamFailure, StreamOp, Target,
};
use proptest::collection::vec;
use proptest::prelude::*;

/// The inputs of a life, each with the time since the one before. Ids are drawn small, so that
/// they often name what is there; what the node opens itself is numbered from 1.
fn life() -> impl Strategy<Value = Vec<(Duration, Input<'static>)>> {
    vec(((0_u64..2_000).prop_map(Duration::from_millis), input()), 1..40)
}

fn input() -> impl Strategy<Value = Input<'static>> {
    prop_oneof![
        6 => packet(),
        2 => Just(Input::Timeout),
        1 => any::<[u8; 32]>().prop_map(Input::Entropy),
        3 => stream(),
        4 => command().prop_map(Input::Command),
        1 => answer(),
        1 => decision().prop_map(Input::Decided),
        1 => (0..5_u32).prop_map(|probe| Input::TransmitFailed { probe: Some(probe) }),
    ]
}

fn packet() -> impl Strategy<Value = Input<'static>> {
    (address(), prop_oneof![4 => message(), 1 => vec(any::<u8>(), 0..40)])
        .prop_map(|(from, packet)| Input::Packet { from, packet: Cow::Owned(packet) })
}

fn message() -> impl Strategy<Value = Vec<u8>> {
    (0..6_u8, 0..4_u8, 0..4_u32, any::<bool>()).prop_map(|(kind, node, number, flag)| {
        let name = [b'a' + node];
        let addr = [10, 0, 0, name[0]];
        let mut out = Vec::new();
        let (node, from) = (&name[..], &b"z"[..]);
        match kind {
            0 => Message::Alive(Alive {
                incarnation: number,
                node,
                addr: Some(&addr),
                port: 7946,
                meta: flag.then_some(b"meta"),
                vsn: Some(&[1, 5, 2, 0, 0, 0]),
            }),
            1 => Message::Suspect(Suspect { incarnation: number, node, from }),
            2 => Message::Dead(Dead { incarnation: number, node, from }),
            3 => Message::Ping(Ping {
                seq_no: number,
                node: if flag { b"me" } else { node },
                source_addr: None,
                source_port: 0,
                source_node: from,
            }),
            4 => Message::IndirectPing(IndirectPing {
                seq_no: number,
                target: Some(&addr),
                port: 7946,
                node,
                nack: flag,
                source_addr: None,
                source_port: 0,
                source_node: from,
            }),
            _ => Message::Ack(Ack { seq_no: number, payload: flag.then_some(b"pong") }),
        }
        .encode(&mut out);
        out
    })
}

/// Ids cannot be made up: a node hands them out, and all nodes count alike.
fn stream() -> impl Strategy<Value = Input<'static>> {
    let ids = ids();
    (0..6_u8, 0..ids.len(), vec(any::<u8>(), 0..30), address()).prop_map(
        move |(kind, index, data, from)| {
            let id = ids[index];
            match kind {
                0 => Input::StreamAccepted { from },
                1 => Input::StreamConnected { id },
                2 => Input::StreamData { id, data: Cow::Owned(data) },
                3 => Input::StreamWritten { id, bytes: data.len() },
                4 => Input::StreamEof { id },
                _ => Input::StreamClosed { id, cause: Some(StreamFailure::Reset) },
            }
        },
    )
}

fn ids() -> Vec<memberlist_proto::StreamId> {
    let mut node = node();
    (0..6).filter_map(|_| node.accept_stream(start(), address_of(1))).collect()
}

fn command() -> impl Strategy<Value = Command> {
    let text = || vec(any::<u8>(), 0..20).prop_map(Bytes::from);
    let wait = || (0_u64..3).prop_map(Duration::from_secs);
    prop_oneof![
        (0..3_u8).prop_map(|count| Command::Join {
            peers: (0..count).map(|it| Peer::from(address_of(it))).collect(),
            policy: JoinPolicy::until_joined(),
        }),
        (text(), wait()).prop_map(|(meta, timeout)| Command::SetMeta { meta, timeout }),
        (wait(), wait()).prop_map(|(quiet, timeout)| Command::Settle { quiet, timeout }),
        target().prop_map(|target| Command::Ping { target }),
        (target(), text()).prop_map(|(to, message)| Command::Send { to, message }),
        (target(), text()).prop_map(|(to, message)| Command::SendReliable { to, message }),
        text().prop_map(|message| Command::Broadcast {
            message,
            kind: BroadcastKind::Plain,
            priority: Priority::High,
        }),
        Just(Command::Disseminate { message: vec![1; 2_000].into() }),
        any::<(bool, bool)>()
            .prop_map(|(incoming, outgoing)| Command::SetVerify { incoming, outgoing }),
        Just(Command::Reconfigure(Config::wan("me").timing())),
        Just(Command::Recall(vec![Peer::from(address_of(3))])),
        wait().prop_map(|timeout| Command::Leave { timeout }),
    ]
}

fn answer() -> impl Strategy<Value = Input<'static>> {
    // The questions of a node that is asked for its state by a join.
    let asked = questions();
    (0..asked.len(), any::<bool>()).prop_map(move |(index, admits)| {
        let answer = if admits {
            Answer::AdmitMerge(Ok(()))
        } else {
            Answer::LocalState(Bytes::from_static(b"state"))
        };
        Input::Answered { id: asked[index], answer }
    })
}

fn questions() -> Vec<memberlist_proto::RequestId> {
    let mut node = node();
    node.join(start(), &[Peer::from(address_of(1)), Peer::from(address_of(2))]);
    while let Some(op) = node.poll_stream() {
        if let StreamOp::Connect { id, .. } = op {
            node.handle_stream_connected(start(), id);
        }
    }
    let asked: Vec<_> = std::iter::from_fn(|| node.poll_request()).map(|it| it.id).collect();
    assert_eq!(asked.len(), 2);
    asked
}

fn decision() -> impl Strategy<Value = Decision> {
    prop_oneof![
        Just(Decision::Admit(Err("no".into()))),
        Just(Decision::AckPayload(Some(Bytes::from_static(b"load")))),
        Just(Decision::Broadcasts(vec![Bytes::from_static(b"news")])),
        any::<bool>().prop_map(Decision::StreamPing),
    ]
}

fn target() -> impl Strategy<Value = Target> {
    prop_oneof![
        (0..4_u8).prop_map(|node| Target::Member((&[b'a' + node][..]).into())),
        address().prop_map(|addr| Target::Addr { addr, node: None }),
    ]
}

fn address() -> impl Strategy<Value = SocketAddr> {
    (0..4_u8).prop_map(address_of)
}

fn address_of(last: u8) -> SocketAddr {
    ([10, 0, 0, b'a' + last], 7946).into()
}

fn start() -> Instant {
    Instant::from_nanos(1)
}

fn node() -> Memberlist {
    let mut config = Config::lan("me");
    config.advertise_addr = [10, 0, 0, 200].into();
    config.ask_local_state = true;
    config.ask_admit_merge = true;
    Memberlist::new(start(), config, None, [3; 32]).expect("a valid configuration")
}

/// Everything that comes out of a node, as text.
fn outputs(node: &mut Memberlist) -> Vec<String> {
    let mut out = Vec::new();
    out.extend(std::iter::from_fn(|| node.poll_transmit()).map(|it| format!("{it:?}")));
    out.extend(std::iter::from_fn(|| node.poll_stream()).map(|it| format!("{it:?}")));
    out.extend(std::iter::from_fn(|| node.poll_lookup()).map(|it| format!("{it:?}")));
    out.extend(std::iter::from_fn(|| node.poll_request()).map(|it| format!("{it:?}")));
    out.extend(std::iter::from_fn(|| node.poll_event()).map(|it| format!("{it:?}")));
    out.push(format!("{:?} {:x}", node.poll_timeout(), node.state_hash()));
    out
}

/// Takes an input in by the method of its name.
fn by_method(node: &mut Memberlist, now: Instant, input: Input<'_>) {
    match input {
        Input::Packet { from, packet } => drop(node.handle_packet(now, from, &packet)),
        Input::StreamAccepted { from } => drop(node.accept_stream(now, from)),
        Input::StreamConnected { id } => node.handle_stream_connected(now, id),
        Input::StreamData { id, data } => drop(node.handle_stream_data(now, id, &data)),
        Input::StreamWritten { id, bytes } => node.handle_stream_written(now, id, bytes),
        Input::StreamEof { id } => node.handle_stream_eof(now, id),
        Input::StreamClosed { id, cause } => node.handle_stream_closed(now, id, cause),
        Input::Answered { id, answer } => node.answer(now, id, answer),
        Input::Timeout => node.handle_timeout(now),
        Input::Entropy(fresh) => node.mix_entropy(now, fresh),
        Input::Command(Command::Join { peers, policy }) => {
            node.join_with(now, &peers, policy);
        }
        Input::Command(Command::Leave { timeout }) => drop(node.leave(now, timeout)),
        Input::Command(Command::SetMeta { meta, timeout }) => {
            let _ = node.set_meta(now, meta, timeout);
        }
        Input::Command(Command::Settle { quiet, timeout }) => {
            node.settle(now, quiet, timeout);
        }
        Input::Command(Command::Ping { target }) => drop(node.ping(now, target)),
        Input::Command(Command::Send { to, message }) => drop(node.send(now, to, &message)),
        Input::Command(Command::SendReliable { to, message }) => {
            let _ = node.send_reliable(now, to, &message);
        }
        Input::Command(Command::Broadcast { message, kind, priority }) => {
            let _ = node.broadcast(now, &message, kind, priority);
        }
        Input::Command(Command::Disseminate { message }) => {
            let _ = node.disseminate(now, &message);
        }
        Input::Command(Command::SetVerify { incoming, outgoing }) => {
            node.set_verify(now, incoming, outgoing);
        }
        Input::Command(Command::Reconfigure(timing)) => drop(node.reconfigure(now, timing)),
        Input::Command(Command::Recall(peers)) => node.recall(now, peers),
        // These have no method of their own.
        other => drop(node.handle(now, other)),
    }
}

proptest! {
    #[test]
    fn one_door_and_the_methods_are_the_same(life in life()) {
        let (mut one, mut other) = (node(), node());
        let mut now = start();
        for (wait, input) in life {
            now += wait;
            let _ = one.handle(now, input.clone());
            by_method(&mut other, now, input);
            prop_assert_eq!(outputs(&mut one), outputs(&mut other));
            one.check_invariants().map_err(TestCaseError::fail)?;
        }
    }

    #[test]
    fn a_time_that_never_comes_is_the_present(life in life(), never in u64::MAX / 2 + 1..) {
        let (mut one, mut other) = (node(), node());
        let never = Instant::from_nanos(never);
        let mut now = start();
        for (index, (wait, input)) in life.into_iter().enumerate() {
            now += wait;
            let _ = one.handle(now, input.clone());
            if index % 2 == 0 {
                one.handle_timeout(never);
                other.handle(now, input).ok();
                other.handle_timeout(now);
            } else {
                other.handle(now, input).ok();
            }
            prop_assert_eq!(outputs(&mut one), outputs(&mut other));
            one.check_invariants().map_err(TestCaseError::fail)?;
        }
    }

    #[test]
    fn inputs_written_down_replay_byte_for_byte(life in life()) {
        let mut live = node();
        let mut now = start();
        let mut reported = Vec::new();
        for (wait, input) in &life {
            now += *wait;
            let _ = live.handle(now, input.clone());
            reported.push(outputs(&mut live));
        }
        let text = serde_json::to_string(&life).expect("inputs without keys can be written");
        let read: Vec<(Duration, Input<'static>)> = serde_json::from_str(&text).expect("the same");
        prop_assert_eq!(&life, &read);
        let mut replay = node();
        let mut now = start();
        for ((wait, input), reported) in read.into_iter().zip(reported) {
            now += wait;
            let _ = replay.handle(now, input);
            prop_assert_eq!(outputs(&mut replay), reported);
        }
    }
}

#[test]
fn a_key_is_never_written_down() {
    let key = memberlist_proto::Key::new(&[7; 16]).expect("a key of 16 bytes");
    for command in [
        Command::AddKey(key.clone()),
        Command::UseKey(key.clone()),
        Command::RemoveKey(key.clone()),
    ] {
        assert!(serde_json::to_string(&Input::Command(command)).is_err());
    }
    // Nor is it shown.
    assert!(!format!("{:?}", Command::AddKey(key)).contains('7'));
}

/// A recorded run needs no delegate: its answers are inputs.
#[test]
fn decisions_of_a_delegate_replay_without_it() {
    struct Picky;
    impl memberlist_proto::Hooks for Picky {
        fn admit(&self, candidate: &memberlist_proto::Candidate<'_>) -> Result<(), String> {
            if candidate.name.as_bytes() == b"b" { Err("not b".into()) } else { Ok(()) }
        }
        fn ack_payload(&self) -> Option<Bytes> {
            Some(Bytes::from_static(b"load"))
        }
    }
    let config = || {
        let mut config = Config::lan("me");
        config.advertise_addr = [10, 0, 0, 200].into();
        config
    };
    let packets: Vec<Vec<u8>> =
        [0_u8, 1, 2].iter().flat_map(|node| alive_and_ping(*node)).collect();
    let start = start();
    let mut live =
        Memberlist::new(start, config(), Some(std::sync::Arc::new(Picky)), [3; 32]).expect("valid");
    live.note_decisions();
    let mut recorded = Vec::new();
    let mut reported = Vec::new();
    for packet in &packets {
        let input = || Input::Packet { from: address_of(1), packet: Cow::Borrowed(packet) };
        let _ = live.handle(start, input());
        let decided = std::iter::from_fn(|| live.poll_decision()).map(Input::Decided);
        recorded.push(decided.chain([input().into_owned()]).collect::<Vec<_>>());
        reported.push(outputs(&mut live));
    }
    assert!(recorded.iter().map(Vec::len).sum::<usize>() > packets.len() + 5);

    let absent = First(std::sync::atomic::AtomicBool::new(false));
    let mut replay = Memberlist::new(start, config(), Some(std::sync::Arc::new(absent)), [3; 32])
        .expect("valid");
    for (inputs, reported) in recorded.into_iter().zip(reported) {
        for input in inputs {
            let _ = replay.handle(start, input);
        }
        assert_eq!(outputs(&mut replay), reported);
    }
}

/// A delegate that must only be asked once, about the node's own announcement when it is made: in a
/// replay every other answer is an input.
struct First(std::sync::atomic::AtomicBool);

impl memberlist_proto::Hooks for First {
    fn admit(&self, candidate: &memberlist_proto::Candidate<'_>) -> Result<(), String> {
        assert!(!self.0.swap(true, std::sync::atomic::Ordering::Relaxed));
        assert_eq!(candidate.name.as_bytes(), b"me");
        Ok(())
    }

    fn ack_payload(&self) -> Option<Bytes> {
        panic!("the answer is an input")
    }
}

/// What is not asked for within the next input answers nothing later, nor blocks what is.
#[test]
fn a_decision_that_is_not_asked_for_is_dropped() {
    let mut one = node();
    let alive = |name: u8| alive_and_ping(name - b'a')[0].clone();
    let packet = |bytes: Vec<u8>| Input::Packet { from: address_of(1), packet: Cow::Owned(bytes) };
    let decided = |decision| Input::Decided(decision);
    let _ = one.handle(start(), decided(Decision::StreamPing(true)));
    let _ = one.handle(start(), decided(Decision::Admit(Err("no".into()))));
    let _ = one.handle(start(), packet(alive(b'a')));
    assert_eq!(one.num_members(), 1, "the decision of its kind counts");
    let _ = one.handle(start(), decided(Decision::Admit(Err("no".into()))));
    let _ = one.handle(start(), Input::Timeout);
    let _ = one.handle(start(), packet(alive(b'b')));
    assert_eq!(one.num_members(), 2, "it was dropped with the input that did not ask");
}

fn alive_and_ping(node: u8) -> [Vec<u8>; 2] {
    let name = [b'a' + node];
    let (mut alive, mut ping) = (Vec::new(), Vec::new());
    Message::Alive(Alive {
        incarnation: 1,
        node: &name,
        addr: Some(&[10, 0, 0, name[0]]),
        port: 7946,
        meta: None,
        vsn: Some(&[1, 5, 2, 0, 0, 0]),
    })
    .encode(&mut alive);
    let (node, source_node) = (&b"me"[..], &name[..]);
    Message::Ping(Ping { seq_no: 9, node, source_addr: None, source_port: 0, source_node })
        .encode(&mut ping);
    [alive, ping]
}

#[test]
fn lookups_are_answered_by_value() {
    let mut one = node();
    let now = start();
    one.join(now, &["peer.example".parse().expect("a peer")]);
    let lookup = one.poll_lookup().expect("a name to resolve");
    let input = Input::LookupAnswered { id: lookup.id, found: Err(LookupFailure::NotFound) };
    let text = serde_json::to_string(&input).expect("written");
    assert_eq!(serde_json::from_str::<Input<'static>>(&text).expect("read"), input);
    one.handle(now, input).expect("taken");
    let failed = std::iter::from_fn(|| one.poll_event())
        .any(|event| format!("{event:?}").contains("NotFound"));
    assert!(failed);
}
