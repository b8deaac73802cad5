use alloc::vec::Vec;
use core::net::{Ipv6Addr, SocketAddr, SocketAddrV6};

use serde::{Deserialize, Serialize};

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
