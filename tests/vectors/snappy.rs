//! Snappy: `snappy.jsonl`.

use memberlist_proto::wire::compress::{Algorithm, CompressError, Compressor, Snappy};
use serde_json::Value;

use super::SNAPPY;
use super::case::{Case, load, plain, unhex};
use super::transports::input::matches as bytes_match;

/// The most that Grafana's fork decompresses.
const LIMIT: usize = 22_020_096;

/// Cases in which we deliberately differ, and why.
const EXCEPTIONS: &[(&str, &str)] = &[("algo_1", SNAPPY)];

fn of_kind(kind: &str) -> Vec<Case> {
    load("snappy.jsonl").into_iter().filter(|case| case.get("kind") == kind).collect()
}

fn is_exception(case: &Case) -> bool {
    EXCEPTIONS.iter().any(|(name, _)| *name == case.name())
}

#[test]
fn exceptions_exist() {
    let cases = load("snappy.jsonl");
    for (exception, reason) in EXCEPTIONS {
        assert!(cases.iter().any(|case| case.name() == *exception), "{exception}: {reason}");
    }
}

/// The input of a case: by its bytes, or by the rule that makes them.
fn input(case: &Case) -> Vec<u8> {
    let described = case.get("in");
    let len = described["len"].as_u64().expect("a length") as usize;
    let input = match case.get("in_rule").as_str() {
        None => unhex(described["hex"].as_str().expect("short enough for its bytes")),
        Some("random") => random(len),
        Some("random 3000 bytes, the same again") => random(3000).repeat(2),
        Some("repetitive") => b"memberlist ".iter().copied().cycle().take(len).collect(),
        Some("zeros") => vec![0; len],
        Some("text") => unpacked(&unhex(case.get("out")["hex"].as_str().expect("bytes")), len),
        Some(rule) => panic!("{rule}"),
    };
    assert!(bytes_match(&input, described), "{}", case.name());
    input
}

fn random(len: usize) -> Vec<u8> {
    let mut x = 1_u64;
    let mut next = || {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (x >> 56) as u8
    };
    (0..len).map(|_| next()).collect()
}

fn unpacked(packed: &[u8], len: usize) -> Vec<u8> {
    let mut out = Vec::new();
    assert_eq!(Snappy::default().decompress(packed, len, &mut out), Ok(()));
    out
}

#[test]
fn what_go_writes_is_read_and_ours_is_as_short() {
    let cases = of_kind("encode");
    assert_eq!(cases.len(), 22);
    let (mut snappy, mut all) = (Snappy::default(), Compressor::default());
    for case in &cases {
        let input = input(case);
        if let Some(packed) = case.get("out")["hex"].as_str() {
            assert_eq!(unpacked(&unhex(packed), input.len()), input, "{}", case.name());
        }
        let mut ours = Vec::new();
        assert!(snappy.compress(&input, usize::MAX, &mut ours));
        assert_eq!(bytes_match(&ours, case.get("out")), !is_exception(case), "{}", case.name());
        assert_eq!(unpacked(&ours, input.len()), input, "{}", case.name());

        let mut message = Vec::new();
        assert!(all.encode(Algorithm::Snappy, &input, usize::MAX, &mut message));
        if !is_exception(case) {
            let prefix = plain(case.get("compress_msg_prefix_hex"));
            assert!(message.starts_with(&prefix), "{}", case.name());
            assert_eq!(Some(message.len() as u64), case.get("compress_msg_len").as_u64());
        }
        let mut restored = Vec::new();
        let result = all.decode(&message[1..], input.len(), &mut restored);
        let empty = input.is_empty();
        let expected = if empty { Err(CompressError::Empty) } else { Ok(Algorithm::Snappy) };
        assert_eq!(result, expected, "{}", case.name());
        assert_eq!(restored, input, "{}", case.name());
    }
}

#[test]
fn input_is_accepted_as_in_go() {
    let cases = of_kind("decode");
    assert_eq!(cases.len(), 64);
    let mut snappy = Snappy::default();
    for case in &cases {
        let packed = plain(case.get("in_hex"));
        let out = case.get("out");
        let mut restored = Vec::new();
        let result = snappy.decompress(&packed, LIMIT, &mut restored);
        match &out["capped_error"] {
            Value::Null => {
                assert_eq!(result, Ok(()), "{}", case.name());
                assert!(bytes_match(&restored, &out["out"]), "{}", case.name());
            }
            Value::String(text) if text.contains("would exceed") => {
                let expected = Err(CompressError::TooLarge { limit: LIMIT });
                assert_eq!(result, expected, "{}", case.name());
            }
            _ => assert_eq!(result, Err(CompressError::Corrupt), "{}", case.name()),
        }
        // None of them takes memory for a length that its bytes cannot have.
        assert!(restored.capacity() <= 22 * packed.len(), "{}", case.name());
    }
}

#[test]
fn algorithms_are_known_by_their_code() {
    let cases = of_kind("upstream_without_snappy");
    assert_eq!(cases.len(), 3);
    for case in &cases {
        let message = plain(case.get("in_hex"));
        let mut out = Vec::new();
        let result = Compressor::default().decode(&message[1..], 1000, &mut out);
        if is_exception(case) {
            assert_eq!(result, Ok(Algorithm::Snappy));
            assert_eq!(out, b"hello hello hello hello hello", "{}", case.name());
        } else {
            let error = result.expect_err("an algorithm that no node has").to_string();
            assert_eq!(case.get("out")["error"], error, "{}", case.name());
        }
    }
}
