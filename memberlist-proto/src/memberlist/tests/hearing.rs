//! A node that hears nothing, or that peers do not know, says so.

use super::*;
use crate::wire::push_pull::{self, NodeState};

fn probing() -> Rig {
    let mut config = config();
    config.probe_interval = Duration::from_secs(1);
    config.disable_tcp_pings = true;
    let mut rig = Rig::with(config);
    for port in 2..7 {
        rig.alive(&alloc::format!("n{port}"), port, 1);
    }
    rig.events();
    rig
}

/// The reports of silence since the last call.
fn silences(rig: &mut Rig) -> Vec<String> {
    let events = core::iter::from_fn(|| rig.node.poll_event());
    let silent = events.filter(|event| matches!(event, Event::NothingReceived { .. }));
    silent.map(|event| event.to_string()).collect()
}

#[test]
fn a_node_that_receives_nothing_says_so_within_a_minute_and_not_too_often() {
    let mut rig = probing();
    rig.wait(Duration::from_secs(9));
    assert!(silences(&mut rig).is_empty());
    rig.wait(Duration::from_secs(20));
    let said = silences(&mut rig);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].starts_with("no packet has arrived for 1")
            && said[0].ends_with(
                " s: is UDP blocked, or 10.0.0.1:1, which this node announces, not its address?"
            ),
        "{said:?}"
    );
    let status = rig.node.status(rig.now);
    assert_eq!((status.last_packet_ms, status.last_ping_ms), (Some(29_000), None));
}

#[test]
fn any_packet_ends_the_silence() {
    let mut rig = probing();
    for _ in 0..8 {
        rig.wait(Duration::from_secs(8));
        rig.alive("n2", 2, 1);
    }
    assert!(silences(&mut rig).is_empty());
    let ping = crate::wire::message::Ping {
        seq_no: 1,
        node: b"me",
        source_addr: None,
        source_port: 0,
        source_node: b"",
    };
    rig.receive(&Message::Ping(ping));
    rig.wait(Duration::from_secs(2));
    assert_eq!(rig.node.status(rig.now).last_ping_ms, Some(2000));
}

/// A peer opens a stream and sends a state that lists these names as alive.
fn state(rig: &mut Rig, names: &[&str]) {
    send_state(rig, names, false);
}

/// As [`state`], from a peer that joins.
fn joining(rig: &mut Rig, names: &[&str]) {
    send_state(rig, names, true);
}

fn send_state(rig: &mut Rig, names: &[&str], join: bool) {
    let mut body = Vec::new();
    push_pull::encode_header(&mut body, join, names.len(), 0);
    for (port, name) in (1..).zip(names) {
        push_pull::encode_state(
            &mut body,
            &NodeState {
                name: name.as_bytes(),
                addr: Some(&[10, 0, 0, 1]),
                port,
                meta: None,
                incarnation: 1,
                state: State::Alive as i64,
                vsn: Some(&VSN),
            },
        );
    }
    let id = rig.node.accept_stream(rig.now, address(50_000)).expect("room");
    rig.node.handle_stream_data(rig.now, id, &body).expect("a good state");
    rig.node.handle_stream_closed(rig.now, id, None);
}

#[test]
fn a_node_that_peers_do_not_list_says_so_once() {
    let mut rig = Rig::new();
    let said = |rig: &mut Rig| {
        let events = core::iter::from_fn(|| rig.node.poll_event());
        events.filter(|event| matches!(event, Event::NotListed { .. })).count()
    };
    // Answers to a join are from before it, however many there are.
    (0..5).for_each(|_| state(&mut rig, &["other"]));
    assert_eq!(said(&mut rig), 0);
    rig.wait(Duration::from_secs(30));
    state(&mut rig, &["other"]);
    assert_eq!(said(&mut rig), 1);
    rig.wait(Duration::from_secs(30));
    state(&mut rig, &["other"]);
    assert_eq!(said(&mut rig), 0, "once");
    state(&mut rig, &["me", "other"]);
    // A peer that joins need not know this node yet.
    (0..5).for_each(|_| {
        rig.wait(Duration::from_secs(30));
        joining(&mut rig, &["other"]);
    });
    assert_eq!(said(&mut rig), 0, "peers that join");
    state(&mut rig, &["other"]);
    rig.wait(Duration::from_secs(30));
    state(&mut rig, &["other"]);
    assert_eq!(said(&mut rig), 0, "a peer lists it again");
    state(&mut rig, &["other"]);
    assert_eq!(said(&mut rig), 1);
}
