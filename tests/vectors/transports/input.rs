//! How the cases write down long bytes: their length, digest, beginning and end.

use memberlist_driver::transport::{alertmanager, dskit};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::case::{Case, hex, unhex};

/// The payload of `len` bytes.
fn counted(len: usize) -> Vec<u8> {
    (0..len).map(|at| ((31 * at + 7) % 251) as u8).collect()
}

/// The payload that a case names by its bytes or its length.
pub(super) fn payload(bytes: &Value, len: &Value) -> Vec<u8> {
    let len = len.as_u64().or(bytes["len"].as_u64()).unwrap_or_default() as usize;
    if let Some(text) = bytes["hex"].as_str() {
        return unhex(text);
    }
    let payload = counted(len);
    assert!(bytes.is_null() || matches(&payload, bytes), "a payload of {len} bytes");
    payload
}

/// Whether these are the bytes of a case.
pub(crate) fn matches(bytes: &[u8], described: &Value) -> bool {
    if described["len"].as_u64() != Some(bytes.len() as u64) {
        return false;
    }
    match (&described["hex"], &described["sha256"]) {
        (Value::String(text), _) => hex(bytes) == *text,
        (_, Value::String(digest)) => hex(&Sha256::digest(bytes)) == *digest,
        _ => panic!("neither bytes nor a digest: {described}"),
    }
}

/// The pieces in which a connection to dskit brings its bytes.
pub(super) fn of_dskit(case: &Case) -> Vec<Vec<u8>> {
    let all = if let Some(text) = case.get("in_hex").as_str() {
        unhex(text)
    } else {
        assert_eq!(case.name(), "good_70000");
        let bytes = dskit::packet("[2001:db8::1]:7946", &counted(70_000));
        assert!(matches(&bytes, case.get("in")), "{}", case.name());
        bytes
    };
    let pieces: Option<Vec<_>> = case
        .get("in_writes_hex")
        .as_array()
        .map(|pieces| pieces.iter().map(|piece| unhex(piece.as_str().expect("hex"))).collect());
    if let Some(pieces) = pieces {
        assert_eq!(pieces.concat(), all, "{}", case.name());
        return pieces;
    }
    vec![all]
}

/// The TLS records of a connection to Alertmanager.
pub(super) fn of_alertmanager(case: &Case) -> Vec<Vec<u8>> {
    let records = case.get("records").as_array().expect("records");
    let mut long = long_records(case.name());
    records
        .iter()
        .enumerate()
        .map(|(at, record)| {
            if let Some(text) = record.as_str() {
                return unhex(text);
            }
            let len = record["len"].as_u64().expect("a length") as usize;
            let rest = long.split_off(len);
            let bytes = std::mem::replace(&mut long, rest);
            assert!(matches(&bytes, record), "{}, record {at}", case.name());
            bytes
        })
        .collect()
}

/// The bytes of the long records of a case, one after the other.
fn long_records(name: &str) -> Vec<u8> {
    let packet = |payload: &[u8]| alertmanager::packet("127.0.0.10:9094", payload);
    match name {
        "good_20000_in_records" => packet(&counted(20_000)),
        "good_70000" => packet(&counted(70_000)),
        "small_frame_and_6000_zeros_frame_one_record" => {
            [packet(b"hello"), packet(&[0; 6000])].concat()
        }
        "small_frame_and_6000_ones_frame_one_record" => {
            [packet(b"hello"), packet(&[1; 6000])].concat()
        }
        "6000_frame_and_small_frame_one_record" => [packet(&[1; 6000]), packet(b"second")].concat(),
        "stream_and_10000_bytes_one_record" => {
            [&alertmanager::STREAM[..], &counted(10_000)].concat()
        }
        _ => Vec::new(),
    }
}
