//! Streams: the stream cases of `frames.jsonl`, in both directions.

use memberlist_proto::security::{Keyring, Version};
use memberlist_proto::wire::Scratch;
use memberlist_proto::wire::compress::Algorithm;
use memberlist_proto::wire::frame::{
    Eof, Frame, FrameLimits, FrameReader, FrameRules, FrameSealing, Role, StreamMessage, seal_frame,
};
use memberlist_proto::wire::label;
use memberlist_proto::wire::message::{Ack, ErrorReply, Message};
use memberlist_proto::wire::push_pull::{encode_header, encode_user};
use serde_json::{Value, json};

use super::case::{Case, boolean, bytes_json, load, plain, unhex};
use super::crypto::{key, nonce};
use super::messages::{node_state_json, ping_json, write, write_node_state};

#[test]
fn the_file_has_all_kinds_of_streams() {
    let count = |kind| load("frames.jsonl").iter().filter(|case| case.kind() == kind).count();
    assert_eq!(count("pushPull-stream"), 264);
    assert_eq!(count("userMsg-stream"), 100);
    assert_eq!(count("ping-stream"), 20);
    assert_eq!(count("ack-stream-reply"), 20);
    assert_eq!(count("err-stream-reply"), 5);
}

pub(crate) fn check(case: &Case) {
    let fields = case.fields();
    let setup = Setup::of(fields);
    match case.kind() {
        "pushPull-stream" => {
            let nodes: Vec<&Value> = fields["nodes"].as_array().into_iter().flatten().collect();
            let user_state = plain(&fields["user_state"]);
            let mut message = Vec::new();
            let join = boolean(&fields["join"]);
            encode_header(&mut message, join, nodes.len(), user_state.len());
            for node in &nodes {
                write_node_state(node, &mut message);
            }
            message.extend_from_slice(&user_state);
            let frame = setup.round_trip(case, &message, Role::Acceptor);
            let StreamMessage::PushPull(read) = frame.message() else {
                panic!("{}: {frame:?}", case.name());
            };
            assert_eq!(read.join(), join, "{}", case.name());
            assert_eq!(read.user_state(), user_state, "{}", case.name());
            assert_eq!(frame.payload().as_deref(), Some(&user_state[..]), "{}", case.name());
            let states: Vec<Value> = read.states().map(|state| node_state_json(&state)).collect();
            let expected: Vec<Value> = nodes.into_iter().cloned().collect();
            assert_eq!(states, expected, "{}", case.name());
        }
        "userMsg-stream" => {
            let payload = plain(&fields["payload"]);
            let mut message = Vec::new();
            encode_user(&mut message, &payload);
            let frame = setup.round_trip(case, &message, Role::Acceptor);
            assert_eq!(frame.message(), StreamMessage::User(&payload), "{}", case.name());
        }
        "ping-stream" => {
            let mut message = Vec::new();
            write("ping", fields, &mut message);
            let frame = setup.round_trip(case, &message, Role::Acceptor);
            check_ping(case, &frame, fields);
        }
        "ack-stream-reply" => check_ack(case, &setup),
        "err-stream-reply" => check_error_reply(case, &setup),
        other => panic!("unknown type {other}"),
    }
}

fn check_ping(case: &Case, frame: &Frame, fields: &Value) {
    let StreamMessage::Ping(ping) = frame.message() else {
        panic!("{}: {frame:?}", case.name());
    };
    for (field, value) in ping_json(&ping).as_object().expect("an object") {
        assert_eq!(*value, fields[field], "{} {field}", case.name());
    }
}

/// A ping arrives with a label header, its ack is sent without.
fn check_ack(case: &Case, setup: &Setup) {
    let request = plain(&case.fields()["request"]);
    let frame = setup.read(&request, Role::Acceptor).expect("a ping");
    let StreamMessage::Ping(ping) = frame.message() else {
        panic!("{}: {frame:?}", case.name());
    };
    let mut message = Vec::new();
    Message::Ack(Ack { seq_no: ping.seq_no, payload: None }).encode(&mut message);
    let reply = setup.round_trip(case, &message, Role::Initiator);
    let StreamMessage::Ack(ack) = reply.message() else {
        panic!("{}: {reply:?}", case.name());
    };
    assert_eq!(json!([ack.seq_no, bytes_json(ack.payload)]), json!([4242, null]));
}

fn check_error_reply(case: &Case, setup: &Setup) {
    let request = plain(&case.fields()["request"]);
    let error = setup.read(&request, Role::Acceptor).expect_err(case.name());
    assert!(error.replies(), "{}: {error}", case.name());
    let text = error.to_string();
    let mut message = Vec::new();
    ErrorReply { error: text.as_bytes() }.encode(&mut message);
    let reply = setup.round_trip(case, &message, Role::Initiator);
    let expected = StreamMessage::Error(ErrorReply { error: text.as_bytes() });
    assert_eq!(reply.message(), expected, "{}", case.name());
}

/// How the node of a case is configured.
struct Setup {
    label: Vec<u8>,
    keyring: Keyring,
    version: Version,
    nonce: [u8; 12],
    compress: bool,
}

impl Setup {
    fn of(fields: &Value) -> Self {
        let key = key(&fields["key"]);
        Self {
            label: fields["label"].as_str().unwrap_or_default().into(),
            nonce: key.as_ref().map_or([0; 12], |_| nonce(&fields["nonce"])),
            keyring: key.into_iter().collect(),
            version: Version::for_protocol(fields["protocol"].as_u64().unwrap_or(2) as u8),
            compress: boolean(&fields["compression"]),
        }
    }

    /// Seals a message, compares it with Go's bytes, and reads them as `role`.
    fn round_trip(&self, case: &Case, message: &[u8], role: Role) -> Frame {
        let sealing = FrameSealing {
            label: &self.label,
            key: self.keyring.primary().map(|key| (key, self.version)),
            nonce: self.nonce,
            compress: self.compress.then_some(Algorithm::Lzw),
            only_if_smaller: false,
        };
        let frame = seal_frame(message, &sealing, &mut Scratch::new()).expect("short enough");
        let mut written = Vec::new();
        if role == Role::Acceptor {
            label::write_header(&mut written, &self.label);
            if let Some(sizes) = case.fields()["write_sizes"].as_array() {
                let writes = [written.len(), frame.len()];
                let writes: Vec<Value> =
                    writes.iter().filter(|&&len| len > 0).map(|len| json!(len)).collect();
                assert_eq!(*sizes, writes, "{}", case.name());
            }
        }
        written.extend_from_slice(&frame);
        assert_eq!(written, case.hex(), "{}", case.name());
        self.read(&written, role).unwrap_or_else(|error| panic!("{}: {error}", case.name()))
    }

    /// Reads a whole stream, at once and byte by byte.
    fn read(
        &self,
        stream: &[u8],
        role: Role,
    ) -> Result<Frame, memberlist_proto::wire::frame::FrameError> {
        let rules = FrameRules {
            label: &self.label,
            skip_inbound_label_check: false,
            accept_labels: &[],
            keyring: Some(&self.keyring),
            verify_incoming: true,
            limits: FrameLimits::default(),
            known: None,
        };
        let whole = FrameReader::new(role).feed(stream, &rules);
        let mut reader = FrameReader::new(role);
        let mut trickled = Ok(None);
        for (at, byte) in stream.iter().enumerate() {
            assert_eq!(reader.eof() == Eof::Empty, !reader_began(at, role, &self.label));
            trickled = reader.feed(&[*byte], &rules);
            if trickled != Ok(None) {
                break;
            }
        }
        assert_eq!(whole, trickled);
        assert_eq!(reader.eof(), Eof::Done);
        whole.map(|frame| frame.expect("a whole stream"))
    }
}

/// Whether the first `at` bytes are more than just the label header.
fn reader_began(at: usize, role: Role, label: &[u8]) -> bool {
    at > 0 && !(role == Role::Acceptor && at == label::overhead(label))
}

/// An example of a whole push/pull.
#[test]
fn a_push_pull_has_the_expected_bytes() {
    let bytes = unhex(
        "0683a44a6f696ec3a54e6f64657301ac5573657253746174654c656e0387a441646472a47f000001\
         ab496e6361726e6174696f6ecd012ca44d657461a16da44e616d65a26e31a4506f7274cd1f0a\
         a5537461746503a356736ea6010502000000616263",
    );
    let setup = Setup::of(&json!({ "label": "", "compression": false }));
    let frame = setup.read(&bytes, Role::Acceptor).expect("a push/pull");
    let StreamMessage::PushPull(read) = frame.message() else { panic!("{frame:?}") };
    let state = read.states().next().expect("one state");
    assert_eq!((read.join(), read.states().len(), read.user_state()), (true, 1, &b"abc"[..]));
    assert_eq!((state.name, state.incarnation, state.state), (&b"n1"[..], 300, 3));
}
