//! The frames of Alertmanager and dskit, as their own code writes and reads them.

pub(crate) mod input;

use std::net::SocketAddr;

use memberlist_driver::transport::{Frame, FrameError, FrameReader, alertmanager, dskit};
use memberlist_driver::transport::{Framing, Origin};
use serde_json::Value;

use self::input::{matches, payload};
use crate::case::{self, Case, unhex};

/// More than any frame of the vectors is announced to have, but for one.
const LIMIT: usize = 32 << 20;

/// Cases in which we deliberately differ, and why.
pub(crate) const EXCEPTIONS: &[(&str, &str)] = &[
    ("text_256", "our own address is never that long"),
    ("wrong_digest", DIGEST),
    ("payload_changed", DIGEST),
    ("digest_missing_payload_16", DIGEST),
    ("digest_missing_payload_100", DIGEST),
    ("digest_cut_by_one", DIGEST),
    ("address_length_too_small_by_one", DIGEST),
    ("trailing_bytes", DIGEST),
    ("trailing_zero_byte", DIGEST),
    ("two_packets_in_one_connection", DIGEST),
    ("two_packets_in_one_connection_two_writes", DIGEST),
    ("two_frames_one_record", RECORDS),
    ("two_frames_one_record_then_third", RECORDS),
    ("three_frames_one_record", RECORDS),
    ("frame_split_second_frame_in_record_of_tail", RECORDS),
    ("frame_and_two_bytes_of_the_next", RECORDS),
    ("small_frame_and_6000_zeros_frame_one_record", RECORDS),
    ("small_frame_and_6000_ones_frame_one_record", RECORDS),
    ("6000_frame_and_small_frame_one_record", RECORDS),
    ("stream_and_data_one_record", RECORDS),
    ("stream_and_data_one_record_then_data", RECORDS),
    ("stream_and_10000_bytes_one_record", RECORDS),
    ("stream_header_split_data_in_second_record", RECORDS),
    ("length_64_MiB_20_bytes_not_closed", "it is longer than we accept"),
    ("from_port_name", "names of services are not looked up"),
    (
        "from_leading_zeros",
        "it is a host name, which is not resolved: the connection's address counts",
    ),
];

const DIGEST: &str = "dskit hands on packets whose digest does not match; we drop them";
const RECORDS: &str = "Alertmanager loses what follows a frame in its TLS record; we read it";

fn exception(case: &Case) -> Option<&'static str> {
    EXCEPTIONS.iter().find(|(name, _)| *name == case.name()).map(|(_, reason)| *reason)
}

fn of_kind(file: &str, kind: &str) -> Vec<Case> {
    let cases: Vec<_> = case::load(file).into_iter().filter(|it| it.get("kind") == kind).collect();
    assert!(!cases.is_empty(), "{file} has no {kind}");
    cases
}

/// Kinds of cases that are about what the programs do around their bytes, and where that is tested here.
const ELSEWHERE: &[(&str, &str)] = &[
    ("advertise", "of `memberlist-driver/src/bind`: an address is checked before a node starts"),
    (
        "packet_write_fail",
        "of the pool: what cannot be sent is counted, and refused after a failure",
    ),
    (
        "tls",
        "of `tests/adapters/tls.rs`; here, a listener asks for certificates if it is configured so",
    ),
    ("records", "a frame is read over any boundaries: `frames_are_read_from_any_pieces`"),
    ("transport", "of `tests/interop/tls.rs`, and the differences in `docs/transports.md`"),
];

#[test]
fn every_kind_is_tested_or_said_to_be_elsewhere() {
    let here = ["packet_write", "stream_write", "read"];
    for file in ["dskit.jsonl", "alertmanager_tls.jsonl"] {
        for case in case::load(file) {
            let kind = case.get("kind").as_str().expect("a kind").to_owned();
            let elsewhere = ELSEWHERE.iter().any(|(name, _)| *name == kind);
            assert!(here.contains(&kind.as_str()) != elsewhere, "{file}: {kind}");
        }
    }
}

/// Each frame is written by itself: none shares a record with the end of another.
#[test]
fn no_record_has_bytes_of_two_frames() {
    for case in of_kind("alertmanager_tls.jsonl", "records") {
        let packets = case.get("args")["packets"].as_array().expect("packets");
        let records = case.get("out")["plaintext_bytes_per_record"].as_array().expect("records");
        let mut records = records.iter().map(|it| it.as_u64().expect("a number") as usize);
        for packet in packets {
            let payload = vec![0; packet.as_u64().expect("a number") as usize];
            // The sender's address in these cases is as long as this one.
            let mut left = alertmanager::packet("127.0.0.10:9094", &payload).len();
            while left > 0 {
                let record = records.next().expect("one more record");
                left = left.checked_sub(record).expect("a record ends with its frame");
            }
        }
        assert_eq!(records.next(), None, "{}", case.name());
    }
}

#[test]
fn exceptions_exist() {
    let names: Vec<String> = ["dskit.jsonl", "alertmanager_tls.jsonl"]
        .into_iter()
        .flat_map(case::load)
        .map(|case| case.name().to_owned())
        .collect();
    for (exception, reason) in EXCEPTIONS {
        assert!(names.iter().any(|name| name == exception), "{exception}: {reason}");
    }
}

#[test]
fn dskit_packets_are_written_the_same() {
    let mut frames = 0;
    for case in of_kind("dskit.jsonl", "packet_write") {
        let args = case.get("args");
        let packet = payload(&args["payload"], &args["payload_len"]);
        let from = args["advertised_text"].as_str().expect("text");
        let written = dskit::packet(from, &packet);
        if exception(&case).is_some() {
            assert_eq!(case.get("out")["frame"]["len"], 0, "{}", case.name());
            continue;
        }
        assert!(matches(&written, &case.get("out")["frame"]), "{}", case.name());
        if let Ok(address) = from.parse::<SocketAddr>() {
            assert_eq!(written, Framing::Dskit.packet(address, &packet), "{}", case.name());
        }
        frames += 1;
    }
    assert!(frames > 40, "{frames}");
}

#[test]
fn alertmanager_packets_are_written_the_same() {
    for case in of_kind("alertmanager_tls.jsonl", "packet_write") {
        let args = case.get("args");
        let packet = payload(&args["payload"], &args["payload_len"]);
        let hex = case::plain(&args["from_addr_hex"]);
        let from = args["from_addr"].as_str().map_or(String::from_utf8(hex), |it| Ok(it.into()));
        let Ok(from) = from else {
            // It cannot be written here, and is not written there.
            assert!(case.get("out")["error"].is_string(), "{}", case.name());
            continue;
        };
        let written = alertmanager::packet(&from, &packet);
        assert!(matches(&written, &case.get("out")["frame"]), "{}", case.name());
    }
}

#[test]
fn streams_begin_the_same() {
    let [case] = &of_kind("alertmanager_tls.jsonl", "stream_write")[..] else { panic!("one case") };
    assert!(matches(Framing::Alertmanager.stream(), &case.get("out")["frame"]));
    let cases = of_kind("dskit.jsonl", "stream_write");
    let case = cases.iter().find(|case| case.name() == "dial_then_data").expect("the case");
    let begun = unhex(case.get("out")["at_dial_hex"].as_str().expect("hex"));
    assert_eq!(Framing::Dskit.stream(), begun);
}

/// What a reader makes of a connection.
#[derive(Default)]
struct Read {
    packets: Vec<(Origin, Vec<u8>)>,
    stream: Option<Vec<u8>>,
    error: Option<FrameError>,
}

fn read(framing: Framing, pieces: &[Vec<u8>], ended: bool) -> Read {
    let mut reader = FrameReader::new(framing, LIMIT);
    let mut read = Read::default();
    let mut rest = Vec::new();
    for at in 0..=pieces.len() {
        match pieces.get(at) {
            Some(piece) if read.stream.is_some() => rest.extend_from_slice(piece),
            Some(piece) => reader.push(piece),
            None if ended => reader.end(),
            None => {}
        }
        loop {
            match reader.next() {
                Ok(Some(Frame::Packet { from, packet })) => {
                    read.packets.push((from, packet.to_vec()));
                }
                Ok(Some(Frame::Stream)) => read.stream = Some(Vec::new()),
                Ok(None) => break,
                Err(error) => {
                    read.error = Some(error);
                    break;
                }
            }
        }
    }
    if let Some(stream) = &mut read.stream {
        stream.extend_from_slice(&reader.into_rest());
        stream.append(&mut rest);
    }
    read
}

/// The sender in a case is its text; one that is not an address is none of ours.
fn same_sender(origin: Origin, text: &str) -> bool {
    let plain = text.replace("%eth0", "").replace("%eth9", "");
    match plain.parse::<SocketAddr>() {
        Ok(address) if address.ip().is_unspecified() => origin.ip.is_none(),
        Ok(address) => origin == Origin { ip: Some(address.ip()), port: address.port() },
        Err(_) => origin.ip.is_none(),
    }
}

#[test]
fn dskit_connections_are_read_the_same() {
    for case in of_kind("dskit.jsonl", "read") {
        let pieces = input::of_dskit(&case);
        let found = read(Framing::Dskit, &pieces, case.get("end") == "fin");
        let out = case.get("out");
        let packets = out["packets"].as_array().expect("packets");
        if exception(&case) == Some(DIGEST) {
            assert!(!packets.is_empty(), "{}", case.name());
            assert_eq!(found.error, Some(FrameError::Digest), "{}", case.name());
            assert!(found.packets.is_empty(), "{}", case.name());
            continue;
        }
        assert_eq!(found.packets.len(), packets.len(), "{}", case.name());
        for ((from, packet), expected) in found.packets.iter().zip(packets) {
            assert!(matches(packet, &expected["buf"]), "{}", case.name());
            let text = expected["from"].as_str().expect("text");
            assert!(same_sender(*from, text), "{}: {from:?} is not {text}", case.name());
        }
        let streams = out["streams"].as_array().expect("streams");
        let stream = streams.first().map(|it| unhex(it["bytes_hex"].as_str().expect("hex")));
        assert_eq!(found.stream, stream, "{}", case.name());
        // Where nothing comes of a connection that has ended or is of neither kind, that is an error;
        // one that said nothing is none.
        let silent = pieces.iter().all(Vec::is_empty);
        let over = case.get("end") == "fin" || case.name().starts_with("unknown_type");
        let nothing = packets.is_empty() && streams.is_empty();
        assert_eq!(found.error.is_some(), over && nothing && !silent, "{}", case.name());
    }
}

#[test]
fn alertmanager_connections_are_read_the_same() {
    for case in of_kind("alertmanager_tls.jsonl", "read") {
        let records = input::of_alertmanager(&case);
        let found = read(Framing::Alertmanager, &records, case.get("end") != "open");
        let name = case.name();
        let events = case.get("out")["events"].as_array().expect("events");
        let of = |kind: &str| -> Vec<&Value> {
            events.iter().filter(|it| !it[kind].is_null()).map(|it| &it[kind]).collect()
        };
        let (packets, streams, errors) = (of("packet"), of("stream"), of("error"));
        if let Some(reason) = exception(&case) {
            assert_exception(name, reason, &found, packets.len(), streams.first().copied());
            continue;
        }
        assert_eq!(found.packets.len(), packets.len(), "{name}");
        for ((from, packet), expected) in found.packets.iter().zip(packets) {
            assert!(matches(packet, &expected["buf"]), "{name}");
            let text = expected["from"].as_str().expect("text");
            let resolved = name == "from_name_localhost";
            assert!(resolved || same_sender(*from, text), "{name}: {from:?} is not {text}");
        }
        match streams.first() {
            Some(stream) => {
                let said = found.stream.as_ref().expect(name);
                assert!(matches(said, &stream["bytes"]), "{name}");
            }
            None => assert_eq!(found.stream, None, "{name}"),
        }
        // The end of a connection between two frames is an error there and none here.
        let error = errors.iter().any(|it| *it != "error reading message length: EOF");
        assert_eq!(found.error.is_some(), error, "{name}: {errors:?}, {:?}", found.error);
    }
}

fn assert_exception(
    name: &str,
    reason: &str,
    found: &Read,
    packets: usize,
    stream: Option<&Value>,
) {
    match name {
        "from_port_name" => assert_eq!(found.error, Some(FrameError::Sender)),
        "from_leading_zeros" => assert_eq!(found.packets[0].0.ip, None),
        "length_64_MiB_20_bytes_not_closed" => {
            let error = FrameError::TooLong { len: 64 << 20, limit: LIMIT };
            assert_eq!(found.error, Some(error));
        }
        _ if stream.is_some() => {
            assert_eq!(reason, RECORDS);
            let lost = stream.expect("it is there")["bytes"]["len"].as_u64().expect("a length");
            let said = found.stream.as_ref().expect(name).len() as u64;
            assert!(said > lost, "{name}: {said} bytes, {lost} there");
        }
        _ => {
            assert_eq!(reason, RECORDS, "{name}");
            assert!(found.packets.len() > packets, "{name}: nothing is lost there");
            assert_eq!(found.error, None, "{name}");
        }
    }
}
