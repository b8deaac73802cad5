use alloc::{format, string::String, vec};

use super::*;
use crate::wire::compress::Compressed;

const NACK: &[u8] = b"\x0b\x81\xa5SeqNo\x2a";

/// Everything that was visited, as text.
#[derive(Default)]
struct Seen(Vec<String>);

impl Visit for Seen {
    fn layer(&mut self, layer: Layer<'_>) {
        self.0.push(format!("{layer:?}"));
    }

    fn message(&mut self, message: Message<'_>, bytes: &[u8]) {
        let mut again = Vec::new();
        message.encode(&mut again);
        assert_eq!(again, bytes);
        self.0.push(format!("{:?}", message.message_type()));
    }
}

fn rules() -> Rules<'static> {
    Rules {
        label: b"",
        skip_inbound_label_check: false,
        accept_labels: &[],
        keyring: None,
        verify_incoming: true,
        limits: PacketLimits::default(),
    }
}

fn plain() -> Sealing<'static> {
    Sealing {
        label: b"",
        key: None,
        nonce: [9; NONCE],
        compress: None,
        compress_min_size: 128,
        checksum: false,
    }
}

fn visit(packet: &[u8], rules: &Rules<'_>) -> (Vec<String>, Result<(), PacketError>) {
    let mut seen = Seen::default();
    let result = open(packet, rules, &mut Scratch::new(), &mut seen);
    (seen.0, result)
}

fn fault(packet: &[u8], rules: &Rules<'_>) -> PacketError {
    visit(packet, rules).1.expect_err("a fault")
}

fn compound(parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    compound::encode(&mut out, parts).expect("not too many");
    out
}

fn compress(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut all = Compressor::default();
    assert!(all.encode(Algorithm::Lzw, message, usize::MAX, &mut out));
    out
}

fn key(byte: u8) -> Key {
    Key::new(&[byte; 32]).expect("32 bytes")
}

#[test]
fn layers_are_visited_from_the_outside_to_the_inside() {
    let ring: Keyring = [key(1), key(2)].into_iter().collect();
    let message = compound(&[NACK, &[8; 200]]);
    let (version, primary) = (Version::Padded, key(2));
    let sealing = Sealing {
        label: b"lbl",
        key: Some((&primary, version)),
        compress: Some(Algorithm::Lzw),
        checksum: true,
        ..plain()
    };
    let sealed = seal(&message, &sealing, &mut Scratch::new());
    assert_eq!(Vec::from(sealed.clone()).capacity(), sealed.len());
    let (seen, result) = visit(&sealed, &Rules { label: b"lbl", keyring: Some(&ring), ..rules() });
    assert_eq!(result, Ok(()));
    assert_eq!(seen[0], "Label([108, 98, 108])");
    assert!(seen[1].starts_with("Encrypted { version: Padded, key_index: 1"), "{}", seen[1]);
    assert_eq!(seen[2], "Checksum");
    assert!(seen[3].ends_with("to: 215 }"), "{}", seen[3]);
    assert_eq!(seen[4..], ["Compound { parts: 2 }", "Nack", "User"]);
}

#[test]
fn compression_that_does_not_help_is_not_used() {
    let sealing = Sealing { compress: Some(Algorithm::Lzw), compress_min_size: 0, ..plain() };
    assert_eq!(seal(NACK, &sealing, &mut Scratch::new()), NACK);
    let repeated = [8; 200];
    assert!(seal(&repeated, &sealing, &mut Scratch::new()).len() < 60);
    let min = Sealing { compress_min_size: 201, ..sealing };
    assert_eq!(seal(&repeated, &min, &mut Scratch::new()), &repeated[..]);
}

#[test]
fn undecryptable_packets_are_dropped_or_treated_as_plaintext() {
    let ring = Keyring::new(key(1));
    let strict = Rules { keyring: Some(&ring), ..rules() };
    let error = fault(NACK, &strict);
    assert_eq!(error.layer, LayerKind::Encryption);
    assert_eq!((error.handled, error.dropped), (0, 1));
    let lenient = Rules { verify_incoming: false, ..strict };
    let (seen, result) = visit(NACK, &lenient);
    assert_eq!(result, Ok(()));
    assert_eq!(seen, ["Plaintext { error: UnsupportedVersion(11) }", "Nack"]);
    let off = Keyring::default();
    assert_eq!(visit(NACK, &Rules { keyring: Some(&off), ..rules() }).1, Ok(()));
}

#[test]
fn labels_are_part_of_what_is_authenticated() {
    let ring = Keyring::new(key(1));
    let primary = key(1);
    let sealing = Sealing { label: b"a", key: Some((&primary, Version::Plain)), ..plain() };
    let mut sealed = Vec::from(seal(NACK, &sealing, &mut Scratch::new()));
    let us = Rules { label: b"a", keyring: Some(&ring), ..rules() };
    assert_eq!(visit(&sealed, &us).1, Ok(()));
    assert_eq!(fault(&sealed, &Rules { label: b"b", ..us }).cause, LabelError::Mismatch.into());
    sealed[2] = b'b';
    let relabelled = fault(&sealed, &Rules { label: b"b", ..us });
    assert_eq!(relabelled.cause, DecryptError::NoKey.into());
    let skip = Rules { skip_inbound_label_check: true, ..us };
    assert_eq!(fault(&sealed, &skip).cause, LabelError::Double.into());
    sealed[2] = b'a';
    assert_eq!(visit(&sealed[3..], &skip).1, Ok(()));
}

#[test]
fn outer_faults_drop_the_packet() {
    assert_eq!(fault(b"", &rules()).cause, PacketCause::Empty);
    assert_eq!(fault(b"\xf4\x05lbl", &rules()).cause, LabelError::Truncated.into());
    let error = fault(b"\x0c\0\0\0\0x", &rules());
    assert_eq!((error.layer, error.dropped), (LayerKind::Checksum, 1));
    // Inside a compound a checksum is not a supported message.
    let error = fault(&compound(&[b"\x0c\0\0\0\0"]), &rules());
    assert_eq!(error.cause, DecodeError::UnexpectedType(12).into());
    assert_eq!(fault(b"\x0c\0", &rules()).cause, DecodeError::UnexpectedType(12).into());
}

#[test]
fn good_parts_are_used_and_the_first_fault_is_reported() {
    let mut packet = compound(&[NACK, b"", b"\x63", NACK, NACK]);
    packet.pop();
    let (seen, result) = visit(&packet, &rules());
    assert_eq!(seen, ["Compound { parts: 5 }", "Nack", "Nack"]);
    let error = result.expect_err("three parts are bad");
    assert_eq!((error.layer, error.cause), (LayerKind::Message, DecodeError::Empty.into()));
    assert_eq!((error.handled, error.dropped), (2, 3));
    assert_eq!(
        format!("{error}"),
        "message: missing message type byte (2 messages handled, 3 dropped)"
    );
}

#[test]
fn layers_nest_to_a_limit() {
    let nest = |layers: usize| (0..layers).fold(NACK.to_vec(), |inner, _| compound(&[&inner]));
    assert_eq!(visit(&nest(4), &rules()).1, Ok(()));
    let error = fault(&nest(5), &rules());
    assert_eq!(error.cause, PacketCause::TooDeep { limit: 4 });
    let mixed = compress(&compound(&[NACK, &compress(&compress(NACK))]));
    assert_eq!(visit(&mixed, &rules()).1, Ok(()));
    let error = fault(&compress(&mixed), &rules());
    assert_eq!((error.layer, error.handled), (LayerKind::Compression, 1));
    let flat = PacketLimits { max_depth: 0, ..PacketLimits::default() };
    assert_eq!(visit(NACK, &Rules { limits: flat, ..rules() }).1, Ok(()));
    assert_eq!(fault(&nest(1), &Rules { limits: flat, ..rules() }).dropped, 1);
}

#[test]
fn all_parts_share_one_budget_of_decompressed_bytes() {
    let part = compress(&[8; 1000]);
    let packet = compound(&[&part, &part, NACK]);
    let limits = |max_decompressed| PacketLimits { max_decompressed, ..PacketLimits::default() };
    assert_eq!(visit(&packet, &Rules { limits: limits(2000), ..rules() }).1, Ok(()));
    let error = fault(&packet, &Rules { limits: limits(1999), ..rules() });
    assert_eq!(error.cause, CompressError::TooLarge { limit: 999 }.into());
    assert_eq!((error.handled, error.dropped), (2, 1));

    // Bytes that were decompressed in vain count as well.
    let bomb = compress(&[8; 5000]);
    let error = fault(&compound(&[&bomb, &part]), &Rules { limits: limits(2000), ..rules() });
    assert_eq!((error.handled, error.dropped), (0, 2));
    let (mut codes, mut damaged) = (Vec::new(), Vec::new());
    assert!(crate::wire::compress::Lzw::default().compress(&[8; 5000], usize::MAX, &mut codes));
    codes.pop();
    Compressed { algo: 0, buf: Some(&codes) }.encode(&mut damaged);
    let both = compound(&[&damaged, &part]);
    assert_eq!(fault(&both, &Rules { limits: limits(6000), ..rules() }).handled, 1);
    assert_eq!(fault(&both, &Rules { limits: limits(5000), ..rules() }).handled, 0);
}

#[test]
fn messages_are_counted() {
    let limits = PacketLimits { max_messages: 3, ..PacketLimits::default() };
    let limited = Rules { limits, ..rules() };
    assert_eq!(visit(&compound(&[NACK; 3]), &limited).1, Ok(()));
    let error = fault(&compound(&[NACK; 5]), &limited);
    assert_eq!(error.cause, PacketCause::TooManyMessages { limit: 3 });
    assert_eq!((error.handled, error.dropped), (3, 2));
    let error = fault(&compound(&[&compound(&[&b""[..]; 3]), NACK]), &limited);
    assert_eq!((error.handled, error.dropped), (0, 4));
}

#[test]
fn buffers_are_kept_unless_they_grew_large() {
    let mut scratch = Scratch::new();
    let mut seen = Seen::default();
    assert_eq!(open(&compress(&[8; 2000]), &rules(), &mut scratch, &mut seen), Ok(()));
    let kept = scratch.capacity();
    assert!((2000..100_000).contains(&kept), "{kept}");
    let large = compress(&vec![8; 1 << 20]);
    assert_eq!(open(&large, &rules(), &mut scratch, &mut seen), Ok(()));
    assert!(scratch.capacity() <= kept, "{}", scratch.capacity());
    assert_eq!(scratch.clone().capacity(), 0);
}
