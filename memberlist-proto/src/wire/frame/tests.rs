use alloc::{format, string::ToString, vec, vec::Vec};

use super::*;
use crate::security::{Key, Version};
use crate::wire::Scratch;
use crate::wire::compress::Algorithm;
use crate::wire::message::{Ack, Ping};
use crate::wire::push_pull::{
    Header, NodeState, UserHeader, encode_header, encode_state, encode_user,
};

fn rules() -> FrameRules<'static> {
    FrameRules {
        label: b"",
        skip_inbound_label_check: false,
        accept_labels: &[],
        keyring: None,
        verify_incoming: true,
        limits: FrameLimits::default(),
        known: None,
    }
}

fn sealing() -> FrameSealing<'static> {
    FrameSealing { label: b"", key: None, nonce: [9; 12], compress: None, only_if_smaller: false }
}

fn key() -> Key {
    Key::new(&[1; 16]).expect("16 bytes")
}

fn read(data: &[u8], rules: &FrameRules<'_>) -> Result<Option<Frame>, FrameError> {
    FrameReader::new(Role::Acceptor).feed(data, rules)
}

fn fault(data: &[u8], rules: &FrameRules<'_>) -> FrameError {
    read(data, rules).expect_err("a fault")
}

fn push_pull(nodes: usize, user_state: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    encode_header(&mut out, true, nodes, user_state.len());
    for i in 0..nodes {
        let name = format!("node-{i}");
        let state =
            NodeState { name: name.as_bytes(), addr: Some(&[10, 0, 0, 1]), ..Default::default() };
        encode_state(&mut out, &state);
    }
    out.extend_from_slice(user_state);
    out
}

fn compressed(message: &[u8]) -> Vec<u8> {
    let sealing = FrameSealing { compress: Some(Algorithm::Lzw), ..sealing() };
    seal_frame(message, &sealing, &mut Scratch::new()).expect("short").into()
}

fn encrypted(message: &[u8]) -> Vec<u8> {
    let key = key();
    let sealing = FrameSealing { key: Some((&key, Version::Plain)), ..sealing() };
    seal_frame(message, &sealing, &mut Scratch::new()).expect("short").into()
}

#[test]
fn a_message_is_returned_once_and_as_soon_as_it_is_complete() {
    let message = push_pull(3, b"state");
    let mut reader = FrameReader::new(Role::Acceptor);
    assert_eq!(reader.eof(), Eof::Empty);
    for byte in &message[..message.len() - 1] {
        assert_eq!(reader.feed(&[*byte], &rules()), Ok(None));
        assert_eq!(reader.eof(), Eof::Truncated);
    }
    let frame = reader.feed(b"e and more", &rules()).expect("no fault").expect("complete");
    assert_eq!(frame.as_bytes(), message);
    assert_eq!(reader.eof(), Eof::Done);
    assert_eq!(reader.feed(b"more", &rules()), Ok(None));
    let StreamMessage::PushPull(state) = frame.message() else { panic!("{frame:?}") };
    let names: Vec<&[u8]> = state.states().map(|state| state.name).collect();
    assert_eq!(names, [b"node-0", b"node-1", b"node-2"]);
    assert_eq!((state.user_state(), state.states().len()), (&b"state"[..], 3));
}

#[test]
fn a_state_without_nodes_or_bytes_is_complete_with_its_header() {
    let frame = read(&push_pull(0, b""), &rules()).expect("no fault").expect("complete");
    let StreamMessage::PushPull(state) = frame.message() else { panic!("{frame:?}") };
    assert_eq!((state.states().count(), state.user_state()), (0, &b""[..]));
}

#[test]
fn other_types_are_not_read_any_further() {
    for code in [1, 3, 4, 5, 7, 11, 12, 14, 244] {
        let mut reader = FrameReader::new(Role::Initiator);
        let frame = reader.feed(&[code, 1, 2], &rules()).expect("no fault").expect("complete");
        assert_eq!((frame.message(), frame.as_bytes()), (StreamMessage::Other(code), &[code][..]));
    }
    let mut ping = Vec::new();
    Ping::default().encode(&mut ping);
    let nested = compressed(&compressed(&ping));
    let frame = read(&nested, &rules()).expect("no fault").expect("complete");
    assert_eq!(frame.message(), StreamMessage::Other(9));
}

#[test]
fn labels_come_first_and_only_from_the_initiator() {
    let mut ack = Vec::new();
    Ack::default().encode(&mut ack);
    let labelled = [b"\xf4\x03lbl", &ack[..]].concat();
    let us = FrameRules { label: b"lbl", ..rules() };
    assert!(read(&labelled, &us).is_ok_and(|frame| frame.is_some()));
    for (data, rules) in [(&labelled, rules()), (&ack, us)] {
        let error = fault(data, &rules);
        assert_eq!(error, LabelError::Mismatch.into());
        assert!(!error.replies());
    }
    let skip = FrameRules { skip_inbound_label_check: true, ..us };
    assert_eq!(fault(&labelled, &skip), LabelError::Double.into());
    assert!(read(&ack, &skip).is_ok_and(|frame| frame.is_some()));
    assert_eq!(fault(b"\xf4\x00", &us), LabelError::Empty.into());

    let mut reader = FrameReader::new(Role::Initiator);
    assert!(reader.feed(&ack, &us).is_ok_and(|frame| frame.is_some()));

    let mut reader = FrameReader::new(Role::Acceptor);
    assert_eq!(reader.feed(b"\xf4\x03lb", &us), Ok(None));
    assert_eq!(reader.eof(), Eof::Truncated);
    assert_eq!(reader.feed(b"l", &us), Ok(None));
    assert_eq!(reader.eof(), Eof::Empty);
    assert_eq!(reader.layers().label.as_ref().map(label_bytes), Some(&b"lbl"[..]));
}

fn label_bytes(label: &crate::wire::label::Label) -> &[u8] {
    label.as_bytes()
}

#[test]
fn encryption_is_demanded_refused_or_optional() {
    let ring = Keyring::new(key());
    let strict = FrameRules { keyring: Some(&ring), ..rules() };
    let ping = push_pull(1, b"");
    assert!(read(&encrypted(&ping), &strict).is_ok_and(|frame| frame.is_some()));
    let error = fault(&ping[..1], &strict);
    assert_eq!((error, error.replies()), (FrameError::NotEncrypted, true));
    let error = fault(&[10], &rules());
    assert_eq!((error, error.replies()), (FrameError::NotConfigured, true));
    let lenient = FrameRules { verify_incoming: false, ..strict };
    assert!(read(&ping, &lenient).is_ok_and(|frame| frame.is_some()));
    assert!(read(&encrypted(&ping), &lenient).is_ok_and(|frame| frame.is_some()));

    let mut damaged = encrypted(&ping);
    *damaged.last_mut().expect("bytes") ^= 1;
    assert_eq!(fault(&damaged, &strict), DecryptError::NoKey.into());
    let error = fault(&encrypted(b""), &strict);
    assert_eq!((error, error.replies()), (FrameError::EmptyPlaintext, true));
    assert_eq!(fault(&[10, 0, 0, 0, 0], &strict), DecryptError::Empty.into());
    // The encrypted bytes are the whole message: no more can follow.
    let error = fault(&encrypted(&ping[..ping.len() - 1]), &strict);
    assert_eq!((error, error.replies()), (FrameError::Truncated, false));
}

#[test]
fn layers_show_how_far_a_stream_was_read() {
    let ring = Keyring::new(key());
    let rules = FrameRules { keyring: Some(&ring), ..rules() };
    let message = encrypted(&compressed(b"\x08\xc1"));
    let mut reader = FrameReader::new(Role::Initiator);
    let error = reader.feed(&message, &rules).expect_err("c1 is reserved");
    assert_eq!(error, DecodeError::Reserved { at: 1 }.into());
    assert_eq!(reader.layers().compressed.map(|(_, _, to)| to), Some(2));
    assert_eq!(reader.layers().encrypted.map(|(_, key, _)| key), Some(0));
}

#[test]
fn announced_lengths_have_limits_that_are_allowed_themselves() {
    let ring = Keyring::new(key());
    let strict = FrameRules { keyring: Some(&ring), ..rules() };
    assert_eq!(read(&[10, 1, 0x40, 0, 0], &strict), Ok(None));
    let error = fault(&[10, 1, 0x40, 0, 1], &strict);
    assert_eq!(error.to_string(), "remote node state is larger than limit (20971521)");
    assert!(error.replies());

    let header = |nodes, user_state_len| {
        let mut out = vec![6];
        Header { nodes, user_state_len, join: false }.write(&mut out);
        read(&out, &rules())
    };
    assert_eq!(header(1 << 20, 20 << 20), Ok(None));
    assert_eq!(header((1 << 20) + 1, 0), Err(FrameError::Nodes(1_048_577)));
    assert_eq!(header(-1, 0), Err(FrameError::Nodes(-1)));
    assert_eq!(header(0, (20 << 20) + 1), Err(FrameError::UserState(20_971_521)));
    assert_eq!(header(0, -1), Err(FrameError::UserState(-1)));

    let user = |len| {
        let mut out = vec![8];
        UserHeader { len }.write(&mut out);
        read(&out, &rules())
    };
    assert_eq!(user(20 << 20), Ok(None));
    assert_eq!(user((20 << 20) + 1), Err(FrameError::UserMessage(20_971_521)));
    assert_eq!(user(-1), Err(FrameError::UserMessage(-1)));
    assert!(!FrameError::UserMessage(-1).replies());
}

#[test]
fn plaintext_has_limits_too() {
    let limits = FrameLimits {
        max_plain_push_pull: 200,
        max_compressed: 50,
        max_small: 60,
        max_user_message: 100,
        ..FrameLimits::default()
    };
    let limited = FrameRules { limits, ..rules() };
    let exact = push_pull(1, &[0; 96]);
    assert_eq!(push_pull(1, &[0; 97]).len(), exact.len() + 1);
    let len = exact.len();
    let at = |max_plain_push_pull, data: &[u8]| {
        let limits = FrameLimits { max_plain_push_pull, ..limits };
        read(data, &FrameRules { limits, ..rules() }).map(|frame| frame.is_some())
    };
    assert_eq!(at(len, &exact), Ok(true));
    assert_eq!(at(len - 1, &exact), Err(FrameError::TooLong { limit: len - 1 }));
    assert_eq!(at(len - 1, &exact[..len - 1]), Ok(false));

    let mut long = Vec::new();
    Ping { node: &[b'n'; 60], ..Ping::default() }.encode(&mut long);
    assert_eq!(fault(&long, &limited), FrameError::TooLong { limit: 60 });
    let noise: Vec<u8> = (0..90_u8).map(|i| i.wrapping_mul(97)).collect();
    let mut user = Vec::new();
    encode_user(&mut user, &noise);
    assert!(read(&user, &limited).is_ok_and(|frame| frame.is_some()));
    assert_eq!(fault(&compressed(&user), &limited), FrameError::TooLong { limit: 50 });

    let limits = FrameLimits { max_decompressed: user.len() - 1, ..FrameLimits::default() };
    let error = fault(&compressed(&user), &FrameRules { limits, ..rules() });
    assert_eq!(error, CompressError::TooLarge { limit: user.len() - 1 }.into());
    assert!(error.replies());
}

#[test]
fn only_faults_of_the_outer_layers_are_answered() {
    // Cut inside the compressed message's own map: the rest may still come.
    let cut = compressed(b"\x08\x80");
    assert_eq!(read(&cut[..cut.len() - 1], &rules()), Ok(None));
    // Cut inside the LZW bytes, with a map that says so.
    let error = fault(b"\x09\x82\xa4Algo\x00\xa3Buf\xa2\x00\xd1", &rules());
    assert_eq!((error, error.replies()), (CompressError::Unfinished.into(), true));
    let error = fault(b"\x09\x82\xa4Algo\x02\xa3Buf\xa2\x00\xd1", &rules());
    assert_eq!((error, error.replies()), (CompressError::UnknownAlgorithm(2).into(), true));
    let error = fault(b"\x09\x82\xa4Algo\xa1x\xc0\xc0", &rules());
    assert!(matches!(error, FrameError::Compress(CompressError::Message(_))), "{error}");
    assert!(error.replies());
    let ring = Keyring::new(key());
    let strict = FrameRules { keyring: Some(&ring), ..rules() };
    let error = fault(&encrypted(&cut[..cut.len() - 1]), &strict);
    assert_eq!((error, error.replies()), (FrameError::Truncated, false));
}

#[test]
fn a_malformed_state_is_refused_as_soon_as_it_arrives() {
    let mut message = vec![6];
    Header { nodes: 1000, ..Header::default() }.write(&mut message);
    message.push(0x07);
    let error = fault(&message, &rules());
    assert!(matches!(error, FrameError::Decode(DecodeError::Kind { found: 7, .. })), "{error}");
    assert!(!error.replies());
}

#[test]
fn streams_may_be_sent_plain_when_compression_does_not_help() {
    let mut ping = Vec::new();
    Ping::default().encode(&mut ping);
    let always = FrameSealing { compress: Some(Algorithm::Lzw), ..sealing() };
    let smaller = FrameSealing { only_if_smaller: true, ..always };
    let seal = |message: &[u8], sealing: &_| {
        seal_frame(message, sealing, &mut Scratch::new()).expect("short")
    };
    assert!(seal(&ping, &always).len() > ping.len());
    assert_eq!(seal(&ping, &smaller), ping);
    let state = push_pull(50, b"");
    assert!(seal(&state, &smaller).len() < state.len());
    assert_eq!(seal(&state, &smaller), seal(&state, &always));
}

#[test]
fn frames_that_no_peer_accepts_are_refused() {
    let key = key();
    let sealing = FrameSealing { key: Some((&key, Version::Plain)), ..sealing() };
    let message = vec![0; MAX_ENCRYPTED - 28];
    let result = seal_frame(&message, &sealing, &mut Scratch::new());
    assert_eq!(result, Err(FrameTooLong { len: MAX_ENCRYPTED + 1, limit: MAX_ENCRYPTED }));
}

#[test]
fn readers_and_buffers_may_move_between_threads() {
    fn is_send<T: Send>() {}
    is_send::<FrameReader>();
    is_send::<Frame>();
    is_send::<Scratch>();
}

#[test]
fn memory_grows_with_what_arrives_not_with_what_is_announced() {
    let mut header = vec![6];
    Header { nodes: 1 << 20, user_state_len: 20 << 20, join: false }.write(&mut header);
    let mut reader = FrameReader::new(Role::Initiator);
    assert_eq!(reader.feed(&header, &rules()), Ok(None));
    assert!(reader.capacity() < 1000, "{}", reader.capacity());
    let ring = Keyring::new(key());
    let strict = FrameRules { keyring: Some(&ring), ..rules() };
    let mut reader = FrameReader::new(Role::Initiator);
    assert_eq!(reader.feed(&[10, 1, 0x40, 0, 0, 1], &strict), Ok(None));
    assert!((5..1000).contains(&reader.capacity()), "{}", reader.capacity());
}
