use alloc::vec::Vec;
use core::net::{Ipv6Addr, SocketAddr, SocketAddrV6};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::event::{
    Channel, Departure, Event, ExchangeError, JoinError, JoinFailure, JoinReport, OpId, Outcome,
};
use crate::node::{Identity, IdentityParts, Node, State};
use crate::time::Instant;
use crate::transmit::LookupFailure;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Held {
    #[serde(with = "super::exact")]
    address: SocketAddr,
    #[serde(with = "super::grown")]
    buffer: Vec<u8>,
}

fn held(capacity: usize) -> Held {
    let address = SocketAddrV6::new(Ipv6Addr::LOCALHOST, 7946, 5, 9).into();
    let mut buffer = Vec::with_capacity(capacity);
    buffer.extend_from_slice(b"12345");
    Held { address, buffer }
}

#[cfg(feature = "checkpoint")]
#[test]
fn scopes_and_capacities_are_kept() {
    let bytes = postcard::to_allocvec(&held(9)).expect("written");
    let read: Held = postcard::from_bytes(&bytes).expect("read");
    assert_eq!(read, held(9));
    assert_eq!(read.buffer.capacity(), 9);
}

#[cfg(feature = "checkpoint")]
#[test]
fn a_buffer_never_had_room_for_more_than_twice_its_bytes() {
    let bytes = postcard::to_allocvec(&held(11)).expect("written");
    assert!(postcard::from_bytes::<Held>(&bytes).is_err());
}

#[test]
fn people_read_addresses_as_text() {
    let text = serde_json::to_string(&held(5)).expect("written");
    assert!(text.contains("[::1%9]:7946"), "{text}");
}

#[test]
fn people_read_an_event_as_one_word_and_its_fields() {
    let from: SocketAddr = ([10, 0, 0, 2], 7946).into();
    let parts = IdentityParts { name: b"x", addr: Some(&[10, 0, 0, 1]), port: 1, ..<_>::default() };
    let identity = Identity::new(parts).expect("short enough");
    let node = Node::new(identity, 1, State::Left, Instant::from_nanos(5));
    let shown = serde_json::to_value(&node).expect("written");
    assert_eq!((&shown["state"], &shown["meta"]), (&json!("left"), &json!(null)));
    let failed = Departure::Failed { by: [crate::NodeName::from("y")].into(), confirmations: 2 };
    let failures = [
        JoinFailure {
            peer: "db.example:1".parse().expect("a peer"),
            address: None,
            error: JoinError::Lookup(LookupFailure::NotFound),
        },
        JoinFailure {
            peer: from.into(),
            address: Some(from),
            error: JoinError::Exchange(ExchangeError::NameTaken { holder: from }),
        },
    ];
    let report = JoinReport { joined: [from].into(), failed: failures.into() };
    let message = |payload| Event::Message { from, channel: Channel::Packet, payload };
    for (event, expected) in [
        (
            Event::Departed { node: node.clone(), reason: Departure::Left, from: Some(from) },
            json!({"departed": {"node": shown, "reason": "left", "from": "10.0.0.2:7946"}}),
        ),
        (
            Event::Departed { node: node.clone(), reason: failed, from: None },
            json!({"departed": {
                "node": shown, "reason": {"failed": {"by": ["y"], "confirmations": 2}}, "from": null,
            }}),
        ),
        (
            message(Bytes::from_static(b"text")),
            json!({"message": {"from": "10.0.0.2:7946", "channel": "packet", "payload": "text"}}),
        ),
        (
            message(Bytes::from_static(b"\x80")),
            json!({"message": {"from": "10.0.0.2:7946", "channel": "packet", "payload": [128]}}),
        ),
        (
            Event::Pinged {
                node,
                rtt: core::time::Duration::from_micros(1500),
                payload: Bytes::new(),
            },
            json!({"pinged": {"node": shown, "rtt": 0.0015, "payload": ""}}),
        ),
        (
            Event::Finished { op: OpId(7), outcome: Outcome::Join(Ok(report)) },
            json!({"finished": {"op": 7, "outcome": {"join": {"Ok": {
                "joined": ["10.0.0.2:7946"],
                "failed": [
                    {"peer": "db.example:1", "address": null, "error": {"lookup": "not_found"}},
                    {
                        "peer": "10.0.0.2:7946", "address": "10.0.0.2:7946",
                        "error": {"exchange": {"name_taken": {"holder": "10.0.0.2:7946"}}},
                    },
                ],
            }}}}}),
        ),
    ] {
        assert_eq!(serde_json::to_value(&event).expect("written"), expected);
    }
}
