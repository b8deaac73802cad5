//! The node's own state, kept until a record changes, and recognized when a peer sends the same.

use bytes::Bytes;

use super::*;
use crate::memberlist::own_state::OwnState;
use crate::wire::compress::Compressed;
use crate::wire::message::MessageType;

/// Two nodes that know themselves and each other.
fn twins() -> [Rig; 2] {
    let mut one = Rig::new();
    let other = Config { name: "other".into(), advertise_port: 2, ..config() };
    let mut other = Rig::with(other);
    let (first, second) = (one.node.local(), other.node.local());
    one.node.restore(one.now, [second]);
    other.node.restore(other.now, [first]);
    [one, other]
}

/// The state that a node would send now, without a key.
fn own_state(rig: &mut Rig) -> Bytes {
    let frame = rig.node.state_for(StreamId::MIN, false, &Bytes::new());
    frame.expect("it is short").expect("nothing is handed out")
}

/// A peer opens a stream and sends this; what was answered.
fn exchange(rig: &mut Rig, frame: &[u8]) -> Vec<u8> {
    let id = rig.node.accept_stream(rig.now, address(900)).expect("room");
    rig.node.handle_stream_data(rig.now, id, frame).expect("a state");
    let mut answer = Vec::new();
    while let Some(op) = rig.node.poll_stream() {
        if let crate::StreamOp::Write { data, .. } = op {
            answer.extend_from_slice(&data);
        }
    }
    rig.node.handle_stream_closed(rig.now, id, None);
    rig.node.check_invariants().expect("invariants");
    answer
}

#[test]
fn the_same_knowledge_is_the_same_bytes() {
    let [mut one, mut other] = twins();
    assert_eq!(own_state(&mut one), own_state(&mut other));
}

/// Recognized or merged record by record: no observer sees a difference.
#[test]
fn a_state_that_is_the_same_has_the_same_effects_as_merging_it() {
    let [mut one, mut other] = twins();
    let frame = own_state(&mut other);
    let [mut two, _] = twins();
    // One of them has its own at hand, the other has not encoded it yet.
    own_state(&mut one);
    assert_eq!(one.node.known_state().map(OwnState::message), Some(&frame));
    assert!(two.node.known_state().is_none());
    assert_eq!(exchange(&mut one, &frame), exchange(&mut two, &frame));
    assert_eq!(one.node.stats(), two.node.stats());
    assert_eq!(one.node.state_hash(), two.node.state_hash());
    assert_eq!(one.events(), two.events());
}

/// What an implementation makes of a message that compresses by LZW as well, but not by the same
/// bytes: here the dictionary is cleared twice at the beginning. One that is not compressed stays so.
pub(super) fn compressed_elsewhere(message: &Bytes) -> Bytes {
    if message[0] != MessageType::Compress.code() {
        return message.clone();
    }
    let Compressed { algo, buf } = Compressed::decode(&message[1..]).expect("it is compressed");
    let bits = |byte: &u8| (0..8).map(|bit| byte >> bit & 1).collect::<Vec<u8>>();
    // A code of nine bits, the least significant first.
    let clear = [0, 0, 0, 0, 0, 0, 0, 0, 1];
    let all: Vec<u8> = clear.into_iter().chain(buf.unwrap().iter().flat_map(bits)).collect();
    let byte = |bits: &[u8]| bits.iter().rev().fold(0, |byte, bit| byte << 1 | bit);
    let buf: Vec<u8> = all.chunks(8).map(byte).collect();
    let mut out = Vec::new();
    Compressed { algo, buf: Some(&buf) }.encode(&mut out);
    out.into()
}

/// What a peer has compressed is sent on by a node that knows exactly the same.
#[test]
fn a_state_that_equals_a_peers_is_not_compressed_anew() {
    let [mut one, mut other] = twins();
    own_state(&mut one);
    let third = |rig: &mut Rig| rig.alive_with("third", 3, 1, b"of some length", Some(&VSN));
    third(&mut one);
    third(&mut other);
    let frame = compressed_elsewhere(&own_state(&mut other));
    assert_eq!(exchange(&mut one, &frame), frame, "it knew that already");
    assert_eq!(own_state(&mut one), frame, "and keeps it");
    assert_eq!(exchange(&mut one, &frame), frame);
    assert_eq!(one.node.decisions.alive_nothing_new, 4, "both times");
    one.alive("third", 3, 2);
    assert_ne!(own_state(&mut one), frame);
}

/// The answer to news is what was known before it; what is known then is what the peer has sent.
#[test]
fn what_is_known_after_a_merge_is_not_compressed_anew() {
    let [mut one, mut other] = twins();
    let mut before = own_state(&mut one);
    for incarnation in 1..4 {
        other.alive("third", 3, incarnation);
        let frame = compressed_elsewhere(&own_state(&mut other));
        assert_eq!(exchange(&mut one, &frame), before);
        before = frame;
    }
    assert_eq!(own_state(&mut one), before);
}

#[test]
fn every_change_of_a_record_ends_what_was_kept() {
    let [mut rig, _] = twins();
    let mut before = own_state(&mut rig);
    let mut changed = |rig: &mut Rig, what: &str| {
        let now = own_state(rig);
        assert_ne!(core::mem::replace(&mut before, now), own_state(rig), "{what}");
        rig.node.check_invariants().expect("invariants");
    };
    rig.alive("third", 3, 1);
    changed(&mut rig, "a new member");
    rig.alive("third", 3, 2);
    changed(&mut rig, "a higher incarnation");
    rig.suspect("third", 2, "other");
    changed(&mut rig, "a suspicion");
    assert!(rig.node.known_state().is_none(), "in a peer's frame it is an accusation");
    rig.dead("third", 2, "other");
    changed(&mut rig, "a death");
    rig.suspect("me", 1, "other");
    changed(&mut rig, "a refutation");
}
