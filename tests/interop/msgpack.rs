//! Serf's own messages, which it sends in memberlist's user messages and metadata.

use std::net::{IpAddr, SocketAddr};

/// Serf's leave intent: `node` is about to leave.
pub(crate) fn leave_intent(time: u64, node: &str) -> Vec<u8> {
    let mut message = vec![0, 0x82];
    string(&mut message, "LTime");
    integer(&mut message, time);
    string(&mut message, "Node");
    string(&mut message, node);
    message
}

/// A user event of Serf.
pub(crate) fn user_event(time: u64, name: &str, payload: &[u8]) -> Vec<u8> {
    let mut message = vec![3, 0x84];
    string(&mut message, "CC");
    message.push(0xc2);
    string(&mut message, "LTime");
    integer(&mut message, time);
    string(&mut message, "Name");
    string(&mut message, name);
    string(&mut message, "Payload");
    raw(&mut message, payload);
    message
}

/// A query of Serf that asks for acknowledgements to the address `back`.
pub(crate) fn query(time: u64, back: SocketAddr, node: &str, name: &str) -> Vec<u8> {
    const ACKNOWLEDGE: u64 = 1;
    let IpAddr::V4(ip) = back.ip() else { panic!("{back} is not an IPv4 address") };
    let mut message = vec![4, 0x88];
    string(&mut message, "LTime");
    integer(&mut message, time);
    string(&mut message, "ID");
    integer(&mut message, time);
    string(&mut message, "Addr");
    raw(&mut message, &ip.octets());
    string(&mut message, "Port");
    integer(&mut message, back.port().into());
    string(&mut message, "SourceNode");
    string(&mut message, node);
    string(&mut message, "Flags");
    integer(&mut message, ACKNOWLEDGE);
    string(&mut message, "Timeout");
    integer(&mut message, 5_000_000_000);
    string(&mut message, "Name");
    string(&mut message, name);
    message
}

/// Serf's tags, as it encodes them in the metadata.
pub(crate) fn tags(tags: &[(&str, &str)]) -> Vec<u8> {
    assert!(tags.len() < 16, "more would need another header");
    let mut meta = vec![0xff, 0x80 | tags.len() as u8];
    for (name, value) in tags {
        string(&mut meta, name);
        string(&mut meta, value);
    }
    meta
}

fn string(to: &mut Vec<u8>, text: &str) {
    raw(to, text.as_bytes());
}

fn raw(to: &mut Vec<u8>, bytes: &[u8]) {
    match bytes.len() {
        short @ 0..32 => to.push(0xa0 | short as u8),
        long => {
            to.push(0xda);
            to.extend_from_slice(&u16::try_from(long).expect("a short text").to_be_bytes());
        }
    }
    to.extend_from_slice(bytes);
}

fn integer(to: &mut Vec<u8>, value: u64) {
    to.push(0xcf);
    to.extend_from_slice(&value.to_be_bytes());
}
