use alloc::vec::Vec;

use serde_json::json;

use super::super::{Identity, IdentityParts, Node, State, Versions};
use crate::time::Instant;

fn node(parts: IdentityParts<'_>) -> Node {
    let identity = Identity::new(parts).expect("short enough");
    Node::new(identity, 3, State::Suspect, Instant::from_nanos(12))
}

const USUAL: IdentityParts<'_> = IdentityParts {
    name: b"db-1",
    addr: Some(&[10, 0, 0, 1]),
    port: 7946,
    meta: Some(b"role=db"),
    versions: Some(Versions::from_bytes([1, 5, 2, 0, 0, 0])),
};

#[test]
fn people_read_a_node_as_text() {
    let versions = json!({"pmin": 1, "pmax": 5, "pcur": 2, "dmin": 0, "dmax": 0, "dcur": 0});
    assert_eq!(
        serde_json::to_value(node(USUAL)).expect("written"),
        json!({
            "name": "db-1", "address": "10.0.0.1:7946", "meta": "role=db", "versions": versions,
            "incarnation": 3, "state": "suspect", "since": 12,
        })
    );
    let odd = IdentityParts {
        name: b"\xff",
        addr: Some(&[10, 0, 0]),
        meta: Some(b"\x82\xff"),
        versions: None,
        ..USUAL
    };
    assert_eq!(
        serde_json::to_value(node(odd)).expect("written"),
        json!({
            "name": [255], "address": null, "announced": {"addr": [10, 0, 0], "port": 7946},
            "meta": [130, 255], "versions": null, "incarnation": 3, "state": "suspect", "since": 12,
        })
    );
}

/// Whatever a node announced.
#[test]
fn what_was_written_is_read_back() {
    let mapped = core::net::Ipv4Addr::new(10, 0, 0, 1).to_ipv6_mapped().octets();
    let six = core::net::Ipv6Addr::LOCALHOST.octets();
    let addrs = [None, Some(&[][..]), Some(&[10, 0, 0, 1]), Some(&mapped), Some(&six), Some(&[7])];
    let metas = [None, Some(&b""[..]), Some(b"text"), Some(&[0x80])];
    let mut forms = Vec::new();
    for (addr, meta) in addrs.iter().flat_map(|addr| metas.iter().map(move |meta| (*addr, *meta))) {
        for name in [&b"db-1"[..], b"\xfe", b""] {
            let node = node(IdentityParts { name, addr, meta, ..USUAL });
            let text = serde_json::to_string(&node).expect("written");
            assert_eq!(serde_json::from_str::<Node>(&text).expect("read"), node, "{text}");
            let identity = serde_json::to_string(node.identity()).expect("written");
            let read: Identity = serde_json::from_str(&identity).expect("read");
            assert_eq!(read, *node.identity(), "{identity}");
            #[cfg(feature = "checkpoint")]
            {
                let bytes = postcard::to_allocvec(&node).expect("written");
                assert_eq!(postcard::from_bytes::<Node>(&bytes).expect("read"), node);
            }
            forms.push(text);
        }
    }
    forms.sort();
    forms.dedup();
    assert_eq!(forms.len(), 6 * 4 * 3, "different nodes look different");
    assert!(serde_json::from_str::<Node>(r#"{"name":"x","address":null}"#).is_err());
}
