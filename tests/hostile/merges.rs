//! What a state costs that the application is asked about before it is merged.

use std::net::SocketAddr;

use bytes::Bytes;
use memberlist_proto::wire::Scratch;
use memberlist_proto::wire::compress::Algorithm;
use memberlist_proto::wire::frame::{FrameSealing, seal_frame};
use memberlist_proto::wire::push_pull::encode_header;
use memberlist_proto::{
    Answer, Event, ExchangeError, JoinError, Outcome, RequestKind, StreamId, StreamOp,
};
use memberlist_sim::rig::{Rig, stranger};

use super::rig::{cost, target_with};

const MIB: usize = 1 << 20;
const NODES: usize = 1 << 20;

/// A join by as many nodes as there may be, each an empty map.
fn many_nodes() -> Bytes {
    let mut message = Vec::new();
    encode_header(&mut message, true, NODES, 0);
    message.resize(message.len() + NODES, 0x80);
    let sealing = FrameSealing {
        label: b"",
        key: None,
        nonce: [0; 12],
        compress: Some(Algorithm::Lzw),
        only_if_smaller: true,
    };
    seal_frame(&message, &sealing, &mut Scratch::new()).expect("not encrypted")
}

fn asking() -> Rig {
    target_with(|config| config.ask_admit_merge = true)
}

fn held(target: &Rig) -> usize {
    usize::try_from(target.node().stats().gauges.stream_memory).expect("bytes")
}

/// Sends the state from a stranger, as a peer that joins.
fn join_by(target: &mut Rig, number: u8, data: &[u8]) -> (StreamId, Result<(), ExchangeError>) {
    let id = target.accept(stranger(number)).expect("room");
    (id, target.data(id, data))
}

#[test]
fn nodes_shown_to_the_application_count_as_memory_of_streams() {
    let data = many_nodes();
    assert!(data.len() < 2000, "{} bytes", data.len());
    let mut target = asking();
    let mut first = None;
    let spent = cost("a million nodes", data.len(), || {
        first = Some(join_by(&mut target, 1, &data));
    });
    let (first, result) = first.expect("done");
    result.expect("there is room for one");
    let one = held(&target);
    assert!(spent.kept > 0 && i64::try_from(one).expect("bytes") >= spent.kept, "{one}: {spent:?}");
    // The same source has no room for a second one, and nothing is made of it.
    let mut second = Ok(());
    let refused = cost("a million more", data.len(), || {
        second = join_by(&mut target, 1, &data).1;
    });
    assert_eq!(second, Err(ExchangeError::TooManyBytes));
    assert!(refused.peak <= 8 * MIB, "{refused:?}");
    assert_eq!(held(&target), one);
    // All sources share the total.
    let accepted = (2..=8).filter(|number| join_by(&mut target, *number, &data).1.is_ok());
    assert_eq!(1 + accepted.count(), 512 * MIB / one);
    assert!(held(&target) <= 512 * MIB);
    // Once the question is answered, the memory is free.
    let before = held(&target);
    let request = target.requests().swap_remove(0);
    let RequestKind::AdmitMerge { peers } = &request.kind else { panic!("{request:?}") };
    assert_eq!(peers.len(), NODES);
    target.answer(request.id, Answer::AdmitMerge(Err("no".into())));
    assert_eq!(held(&target), before - one);
    target.closed(first, None);
    target.node().check_invariants().expect("invariants");
}

/// The peer that a node joins is a source like any other.
#[test]
fn nodes_in_the_answer_to_a_join_count_too() {
    let mut target = target_with(|config| {
        config.ask_admit_merge = true;
        config.limits.stream_memory_per_source = 16 * MIB;
    });
    let to = SocketAddr::from(([10, 9, 9, 9], 7946));
    target.begin(|node, now| node.join(now, &[to.into()]));
    let [StreamOp::Connect { id, .. }] = target.stream_ops()[..] else { panic!("no stream") };
    target.connected(id);
    let mut result = Ok(());
    let data = many_nodes();
    let spent = cost("an answer of a million nodes", data.len(), || {
        result = target.data(id, &data);
    });
    assert_eq!(result, Err(ExchangeError::TooManyBytes));
    assert!(spent.peak <= 8 * MIB, "{spent:?}");
    assert!(target.requests().is_empty());
    let report = target.events().into_iter().find_map(|event| match event {
        Event::Finished { outcome: Outcome::Join(Ok(report)), .. } => Some(report),
        _ => None,
    });
    let failed = report.expect("the join has ended").failed;
    assert_eq!(failed[0].error, JoinError::Exchange(ExchangeError::TooManyBytes));
    assert_eq!(held(&target), 0);
    target.node().check_invariants().expect("invariants");
}
