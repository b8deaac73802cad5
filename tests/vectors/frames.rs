//! Packets: the compound, label and packet cases of `frames.jsonl`.

use memberlist_proto::security::{Keyring, Version};
use memberlist_proto::wire::Scratch;
use memberlist_proto::wire::compound::{self, CompoundError};
use memberlist_proto::wire::compress::Algorithm;
use memberlist_proto::wire::label::{self, Label};
use memberlist_proto::wire::message::Message;
use memberlist_proto::wire::packet::{self, PacketLimits, Rules, Sealing, Visit};

use super::case::{Case, boolean, load, plain, unhex};
use super::crypto::{key, nonce};
use super::{is_exception, streams};

#[test]
fn frames_match_go() {
    let cases = load("frames.jsonl");
    assert_eq!(cases.len(), 727);
    let mut packets = 0;
    for case in &cases {
        match case.kind() {
            "compound" => check_compound(case),
            "makeCompoundMessages" => check_split_list(case),
            "label" => check_label(case),
            "packet" => {
                check_packet(case);
                packets += 1;
            }
            _ => streams::check(case),
        }
    }
    assert_eq!(packets, 300);
}

fn check_compound(case: &Case) {
    let mut written = Vec::new();
    if is_exception(case) {
        let part = vec![8; 65_536];
        let result = compound::encode(&mut written, &[part]);
        assert_eq!(result, Err(CompoundError::PartTooLong(65_536)));
        assert!(written.is_empty());
        return;
    }
    let parts: Vec<Vec<u8>> =
        case.fields()["parts"].as_array().into_iter().flatten().map(plain).collect();
    compound::encode(&mut written, &parts).expect("not too many");
    assert_eq!(written, case.hex(), "{}", case.name());
    let split: Vec<&[u8]> = compound::split(&written[1..]).expect("a compound").collect();
    assert_eq!(split, parts, "{}", case.name());
}

/// A list of any length, in as few compounds as possible.
fn check_split_list(case: &Case) {
    let input = case.fields()["input"].as_str().expect("a description");
    let count: usize =
        input.rsplit_once("..").and_then(|(_, count)| count.parse().ok()).expect("0..COUNT");
    let messages: Vec<Vec<u8>> = (0..count).map(|i| format!("\x08{i}").into_bytes()).collect();
    let expected = case.get("hex_list").as_array().expect("a list");
    let made: Vec<Vec<u8>> = messages
        .chunks(compound::MAX_PARTS)
        .map(|parts| {
            let mut out = Vec::new();
            compound::encode(&mut out, parts).expect("not too many");
            out
        })
        .collect();
    let expected: Vec<Vec<u8>> = expected.iter().map(plain).collect();
    assert_eq!(made, expected, "{}", case.name());
}

fn check_label(case: &Case) {
    let text = case.fields()["label"].as_str().expect("a label");
    let label = Label::new(text);
    assert_eq!(label.is_err(), boolean(&case.fields()["stream_error"]), "{}", case.name());
    let Ok(label) = label else {
        return assert_ne!(case.fields()["error"], "", "{}", case.name());
    };
    let payload = plain(&case.fields()["packet_payload"]);
    let mut written = Vec::new();
    label::write_header(&mut written, label.as_bytes());
    assert_eq!(written, plain(case.get("stream_header_hex")), "{}", case.name());
    assert_eq!(written.len(), label::overhead(label.as_bytes()), "{}", case.name());
    written.extend_from_slice(&payload);
    assert_eq!(written, case.hex(), "{}", case.name());
    let stripped = label::strip(&written).expect("a whole header");
    let received = (!label.is_empty()).then_some(label.as_bytes());
    assert_eq!(stripped, (received, &payload[..]), "{}", case.name());
}

fn check_packet(case: &Case) {
    let fields = case.fields();
    let label = fields["label"].as_str().expect("a label").as_bytes();
    let key = key(&fields["key"]);
    let protocol = fields["protocol"].as_u64().expect("a number") as u8;
    let message = unhex(fields["message"].as_str().expect("a message"));
    let sealing = Sealing {
        label,
        key: key.as_ref().map(|key| (key, Version::for_protocol(protocol))),
        nonce: key.as_ref().map_or([0; 12], |_| nonce(&fields["nonce"])),
        compress: boolean(&fields["compression"]).then_some(Algorithm::Lzw),
        compress_min_size: 0,
        checksum: fields["dest_pmax"].as_u64().expect("a number") >= 5,
    };
    let mut scratch = Scratch::new();
    let sealed = packet::seal(&message, &sealing, &mut scratch);
    assert_eq!(sealed, case.hex(), "{}", case.name());
    assert!(sealed.len() <= message.len() + sealing.overhead(), "{}", case.name());

    let keyring = key.map(Keyring::new);
    let rules = Rules {
        label,
        skip_inbound_label_check: false,
        accept_labels: &[],
        keyring: keyring.as_ref(),
        verify_incoming: true,
        limits: PacketLimits::default(),
    };
    let opened = open(&sealed, &rules, &mut scratch);
    let bare = Rules { label: b"", keyring: None, ..rules };
    assert_eq!(opened, open(&message, &bare, &mut scratch), "{}", case.name());
    assert!(!opened.is_empty(), "{}", case.name());
}

fn open(packet: &[u8], rules: &Rules<'_>, scratch: &mut Scratch) -> Vec<Vec<u8>> {
    let mut messages = Messages(Vec::new());
    packet::open(packet, rules, scratch, &mut messages).expect("a packet made by Go");
    messages.0
}

struct Messages(Vec<Vec<u8>>);

impl Visit for Messages {
    fn message(&mut self, message: Message<'_>, bytes: &[u8]) {
        let mut again = Vec::new();
        message.encode(&mut again);
        assert_eq!(again, bytes, "a message made by Go");
        self.0.push(again);
    }
}
