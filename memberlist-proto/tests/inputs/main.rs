//! Every input is a value: it can be taken in by the one door or by a method of its own, cloned,
//! written down and replayed, always with the same outputs.

#[cfg(feature = "checkpoint")]
mod checkpoints;
mod life;

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use memberlist_proto::wire::message::{Alive, Message, Ping};
use memberlist_proto::{Command, Config, Decision, Input, Instant, LookupFailure, Memberlist};
use proptest::prelude::*;

use self::life::{address_of, life, node, outputs, start};

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
