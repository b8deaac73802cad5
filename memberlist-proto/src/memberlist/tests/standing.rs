//! Whether a node's name is its own in the cluster: a leave is announced only if it is.

use bytes::Bytes;

use super::*;
use crate::Peer;
use crate::wire::push_pull::{NodeState, encode_header, encode_state};

/// A peer's state that lists a node of this node's name, at this port, or no node at all.
fn state(port: Option<u16>) -> Vec<u8> {
    let mut body = Vec::new();
    encode_header(&mut body, false, port.iter().count(), 0);
    if let Some(port) = port {
        let (addr, vsn) = (Some(&[10, 0, 0, 1][..]), Some(&VSN[..]));
        let (name, meta, incarnation, state) = (&b"me"[..], None, 1, 0);
        encode_state(&mut body, &NodeState { name, addr, port, meta, incarnation, state, vsn });
    }
    body
}

/// Joins the peers at these ports at once; the streams to them.
fn join(rig: &mut Rig, ports: &[u16]) -> Vec<StreamId> {
    let peers: Vec<Peer> = ports.iter().map(|port| Peer::from(address(*port))).collect();
    rig.node.join(rig.now, &peers);
    let ids: Vec<_> = rig.connects().into_iter().map(|(id, _)| id).collect();
    for id in &ids {
        rig.node.handle_stream_connected(rig.now, *id);
    }
    ids
}

fn answers(rig: &mut Rig, id: StreamId, port: Option<u16>) {
    // A join that is refused is an error of the stream.
    let _ = rig.node.handle_stream_data(rig.now, id, &state(port));
}

fn accepts(rig: &mut Rig, frame: &[u8]) {
    let id = rig.node.accept_stream(rig.now, address(9)).expect("room");
    rig.node.handle_stream_data(rig.now, id, frame).expect("a good state");
}

fn is_taken(rig: &Rig) -> bool {
    rig.node.me.name_taken.is_some()
}

/// A node whose name a peer said is another's.
fn refused() -> Rig {
    let mut rig = Rig::with(Config { compression: Compression::None, ..config() });
    let ids = join(&mut rig, &[2]);
    answers(&mut rig, ids[0], Some(7));
    assert!(is_taken(&rig));
    rig
}

#[test]
fn only_a_peer_that_this_node_joins_refuses_its_name() {
    let mut rig = Rig::new();
    accepts(&mut rig, &state(Some(7)));
    assert!(!is_taken(&rig));
    let ids = join(&mut rig, &[2]);
    answers(&mut rig, ids[0], Some(7));
    assert!(is_taken(&rig));
}

#[test]
fn a_later_join_takes_the_name_back_and_what_a_peer_begins_does_not() {
    let mut rig = refused();
    rig.wait(Duration::from_secs(1));
    accepts(&mut rig, &state(None));
    assert!(is_taken(&rig), "a peer that does not list it");
    let ids = join(&mut rig, &[3]);
    answers(&mut rig, ids[0], None);
    assert!(!is_taken(&rig));
    let mut rig = refused();
    accepts(&mut rig, &state(Some(1)));
    assert!(!is_taken(&rig), "a peer that lists it");
}

/// It may only not know the other bearer of the name yet.
#[test]
fn a_peer_that_was_asked_beside_the_one_that_refused_gives_nothing_back() {
    let mut rig = Rig::new();
    let ids = join(&mut rig, &[2, 3]);
    answers(&mut rig, ids[0], Some(7));
    answers(&mut rig, ids[1], None);
    assert!(is_taken(&rig));
}

#[test]
fn a_state_that_is_this_nodes_own_lists_it() {
    let mut rig = refused();
    let frame = rig.node.state_for(StreamId::MIN, false, &Bytes::new());
    let frame = frame.expect("short").expect("nothing is handed out");
    assert!(frame.windows(2).any(|it| it == b"me"), "while it has not left it lists itself");
    assert!(rig.node.known_state().is_some());
    accepts(&mut rig, &frame);
    assert!(!is_taken(&rig));
}
