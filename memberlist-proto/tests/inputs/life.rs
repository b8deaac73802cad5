//! Random lives of one node.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use memberlist_proto::wire::message::{Ack, Alive, Dead, IndirectPing, Message, Ping, Suspect};
use memberlist_proto::{
    Answer, BroadcastKind, Command, Config, Decision, Input, Instant, JoinPolicy, Memberlist, Peer,
    Priority, StreamFailure, StreamOp, Target,
};
use proptest::collection::vec;
use proptest::prelude::*;

/// The inputs of a life, each with the time since the one before. Ids are drawn small, so that
/// they often name what is there; what the node opens itself is numbered from 1.
pub(super) fn life() -> impl Strategy<Value = Vec<(Duration, Input<'static>)>> {
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

pub(super) fn address_of(last: u8) -> SocketAddr {
    ([10, 0, 0, b'a' + last], 7946).into()
}

pub(super) fn start() -> Instant {
    Instant::from_nanos(1)
}

pub(super) fn node() -> Memberlist {
    let mut config = Config::lan("me");
    config.advertise_addr = [10, 0, 0, 200].into();
    config.ask_local_state = true;
    config.ask_admit_merge = true;
    Memberlist::new(start(), config, None, [3; 32]).expect("a valid configuration")
}

/// Everything that comes out of a node, as text.
pub(super) fn outputs(node: &mut Memberlist) -> Vec<String> {
    let mut out = Vec::new();
    out.extend(std::iter::from_fn(|| node.poll_transmit()).map(|it| format!("{it:?}")));
    out.extend(std::iter::from_fn(|| node.poll_stream()).map(|it| format!("{it:?}")));
    out.extend(std::iter::from_fn(|| node.poll_lookup()).map(|it| format!("{it:?}")));
    out.extend(std::iter::from_fn(|| node.poll_request()).map(|it| format!("{it:?}")));
    out.extend(std::iter::from_fn(|| node.poll_event()).map(|it| format!("{it:?}")));
    out.push(format!("{:?} {:x}", node.poll_timeout(), node.state_hash()));
    out
}
