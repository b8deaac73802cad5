//! Under whose name an accusation goes on that a peer's state contains.

use super::*;
use crate::Peer;
use crate::wire::push_pull::{NodeState, encode_header, encode_state};

/// A member as a peer's state lists it: its name, the last byte of its address, its port, its state.
type Listed = (&'static str, u8, u16, State);

/// The member that every state accuses.
const ACCUSED: Listed = ("x", 3, 4, State::Suspect);
const P: Listed = ("p", 1, 2, State::Alive);
/// At the address of `P`, with another port.
const R: Listed = ("r", 1, 3, State::Alive);
/// With the port of `P`, at another address.
const Z: Listed = ("z", 2, 2, State::Alive);

fn socket(host: u8, port: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, host], port))
}

fn encoded(listed: &[Listed]) -> Vec<u8> {
    encoded_at(listed, 1)
}

fn encoded_at(listed: &[Listed], incarnation: u32) -> Vec<u8> {
    let mut body = Vec::new();
    encode_header(&mut body, false, listed.len(), 0);
    for &(name, host, port, state) in listed {
        let (name, addr, vsn) = (name.as_bytes(), [10, 0, 0, host], Some(&VSN[..]));
        let (addr, state) = (Some(&addr[..]), state as i64);
        encode_state(
            &mut body,
            &NodeState { name, addr, port, meta: None, incarnation, state, vsn },
        );
    }
    body
}

/// What is reported of suspicions once a peer has sent a state, over a stream that it opened or that
/// this node opened to `P`.
fn suspicions(config: Config, opened: bool, listed: &[Listed]) -> Vec<String> {
    let mut rig = Rig::with(config);
    for (name, host, port, _) in [P, R, Z, ACCUSED] {
        let (node, addr, vsn) = (name.as_bytes(), [10, 0, 0, host], Some(&VSN[..]));
        let (incarnation, addr, meta) = (1, Some(&addr[..]), None);
        rig.receive(&Message::Alive(Alive { incarnation, node, addr, port, meta, vsn }));
    }
    let id = if opened {
        rig.node.join(rig.now, &[Peer::from(socket(P.1, P.2))]);
        let (id, _) = rig.connects()[0];
        rig.node.handle_stream_connected(rig.now, id);
        id
    } else {
        rig.node.accept_stream(rig.now, socket(P.1, 40_000)).expect("room")
    };
    rig.node.handle_stream_data(rig.now, id, &encoded(listed)).expect("a good state");
    rig.events().into_iter().filter(|it| it.starts_with("suspected")).collect()
}

#[test]
fn it_is_the_peers_if_only_one_live_member_is_where_it_speaks_from() {
    let stranger = ("s", 1, 9, State::Alive);
    let gone = (P.0, P.1, P.2, State::Left);
    let elsewhere = (P.0, P.1, 7, State::Alive);
    for (opened, listed, by) in [
        (false, &[P, Z, ACCUSED][..], "p"),
        (false, &[P, R, ACCUSED], "me"),
        (false, &[Z, ACCUSED], "me"),
        (false, &[gone, ACCUSED], "me"),
        (false, &[stranger, ACCUSED], "me"),
        (false, &[elsewhere, ACCUSED], "me"),
        // What this node opened goes to the peer's own port.
        (true, &[P, R, ACCUSED], "p"),
        (true, &[R, ACCUSED], "r"),
        (true, &[Z, ACCUSED], "me"),
    ] {
        let expected = alloc::format!("suspected x by {by}");
        assert_eq!(suspicions(config(), opened, listed), [expected], "{opened} {listed:?}");
    }
    assert_eq!(suspicions(config(), false, &[P, Z]), [""; 0]);
}

#[test]
fn no_node_accuses_itself() {
    let suspected = (P.0, P.1, P.2, State::Suspect);
    let reported = suspicions(config(), false, &[suspected, ACCUSED]);
    assert_eq!(reported, ["suspected p by me", "suspected x by p"]);
}

/// The peer may suspect `x` only because this node does.
#[test]
fn what_this_node_has_said_itself_is_no_confirmation() {
    let mut rig = Rig::with(config());
    for (name, host, port, _) in [P, R, Z, ACCUSED] {
        let (node, addr, vsn) = (name.as_bytes(), [10, 0, 0, host], Some(&VSN[..]));
        let (incarnation, addr, meta) = (1, Some(&addr[..]), None);
        rig.receive(&Message::Alive(Alive { incarnation, node, addr, port, meta, vsn }));
    }
    let confirmed = |rig: &mut Rig, listed: &[Listed], incarnation| {
        let id = rig.node.accept_stream(rig.now, socket(P.1, 40_000)).expect("room");
        let state = encoded_at(listed, incarnation);
        rig.node.handle_stream_data(rig.now, id, &state).expect("a good state");
        rig.node.stats().decisions.suspect_confirmed
    };
    // Two members are where the peer speaks from: this node takes the accusation for its own.
    assert_eq!(confirmed(&mut rig, &[P, R, ACCUSED], 1), 0);
    assert_eq!(confirmed(&mut rig, &[P, ACCUSED], 1), 0, "it may have it from this node");
    // By gossip it is the peer's own accusation.
    rig.suspect("x", 1, "p");
    assert_eq!(rig.node.stats().decisions.suspect_confirmed, 1);
    // This node has not accused `x` since it refuted.
    rig.alive("x", ACCUSED.2, 2);
    rig.suspect("x", 2, "z");
    assert_eq!(confirmed(&mut rig, &[P, ACCUSED], 2), 2);
}

#[test]
fn as_in_go_it_is_the_node_that_merges() {
    let mut config = config();
    config.differences.name_merged_accuser = false;
    assert_eq!(suspicions(config, false, &[P, ACCUSED]), ["suspected x by me"]);
}
