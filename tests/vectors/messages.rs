//! Messages: `messages.jsonl` and `tolerance.jsonl`.

use memberlist_proto::wire::DecodeError;
use memberlist_proto::wire::compress::Compressed;
use memberlist_proto::wire::message::{
    Ack, Alive, Dead, ErrorReply, IndirectPing, Message, MessageType, Nack, Ping, Suspect,
};
use memberlist_proto::wire::push_pull::{Header, NodeState, UserHeader, encode_state};
use serde_json::{Value, json};

use super::case::{Case, boolean, bytes, bytes_json, load, number, string, string_json, unhex};
use super::is_exception;

#[test]
fn messages_match_go() {
    let cases = load("messages.jsonl");
    assert_eq!(cases.len(), 350);
    for case in &cases {
        let mut written = Vec::new();
        write(case.kind(), case.fields(), &mut written);
        assert_eq!(written, case.hex(), "{}", case.name());

        let body = if has_type_byte(case.kind()) { &written[1..] } else { &written[..] };
        let read = read(case.kind(), body).unwrap_or_else(|error| {
            panic!("{}: {error}", case.name());
        });
        let mut expected = case.fields().clone();
        if expected["SourceAddr"]["hex"] == "" {
            // It is left out when empty, so that the receiver finds nil.
            expected["SourceAddr"] = Value::Null;
        }
        assert_eq!(read, expected, "{}", case.name());

        if is_packet_message(case.kind()) {
            let message = Message::decode(&written).expect("it was just read");
            let mut again = Vec::new();
            message.encode(&mut again);
            assert_eq!(again, written, "{}", case.name());
            assert_eq!(message.message_type().code(), written[0], "{}", case.name());
        }
    }
}

#[test]
fn the_decoder_is_as_lenient_as_go() {
    let cases = load("tolerance.jsonl");
    assert_eq!(cases.len(), 823);
    let mut exceptions = 0;
    for case in &cases {
        let read = read(case.kind(), &tolerance_body(case));
        if is_exception(case) {
            assert!(case.accepted(), "{}: Go refuses it too", case.name());
            assert!(read.is_err(), "{}: no longer an exception", case.name());
            exceptions += 1;
        } else if case.accepted() {
            assert_eq!(read.as_ref(), Ok(case.get("decoded")), "{}", case.name());
        } else {
            assert!(read.is_err(), "{}: Go says {}", case.name(), case.get("error"));
        }
    }
    assert_eq!(exceptions, 29);
}

/// The bytes of a case. The deepest nestings are not in the file, but follow from the case's name.
fn tolerance_body(case: &Case) -> Vec<u8> {
    let text = case.get("hex").as_str().expect("a string");
    if !text.starts_with('(') {
        return unhex(text);
    }
    let (kind, depth) = case.name().rsplit_once('/').expect("nesting/KIND/DEPTH");
    let level = match kind {
        "nesting/array" => "91",
        "nesting/map" => "81a16b",
        other => panic!("bytes of {other} are not in the file"),
    };
    let levels = level.repeat(depth.parse().expect("a depth"));
    let body = unhex(&format!("83a44e6f6465a26e31a55365714e6f05a158{levels}01"));
    let omitted = format!("(omitted {} bytes; see name)", body.len());
    assert_eq!(text, omitted, "{}", case.name());
    body
}

fn has_type_byte(kind: &str) -> bool {
    !matches!(kind, "pushPullHeader" | "pushNodeState" | "userMsgHeader")
}

fn is_packet_message(kind: &str) -> bool {
    packet_type(kind).is_some()
}

/// The type of a message that packets carry.
fn packet_type(kind: &str) -> Option<MessageType> {
    Some(match kind {
        "ping" => MessageType::Ping,
        "indirectPing" => MessageType::IndirectPing,
        "ackResp" => MessageType::Ack,
        "nackResp" => MessageType::Nack,
        "suspect" => MessageType::Suspect,
        "alive" => MessageType::Alive,
        "dead" => MessageType::Dead,
        _ => return None,
    })
}

pub(crate) fn write(kind: &str, fields: &Value, out: &mut Vec<u8>) {
    match kind {
        "ping" => write_ping(fields, out),
        "indirectPing" => write_indirect_ping(fields, out),
        "ackResp" => {
            let payload = bytes(&fields["Payload"]);
            let ack = Ack { seq_no: number(&fields["SeqNo"]), payload: payload.as_deref() };
            Message::Ack(ack).encode(out);
        }
        "nackResp" => Message::Nack(Nack { seq_no: number(&fields["SeqNo"]) }).encode(out),
        "errResp" => ErrorReply { error: &string(&fields["Error"]) }.encode(out),
        "suspect" | "dead" => {
            let (node, from) = (string(&fields["Node"]), string(&fields["From"]));
            let (node, from) = (&node[..], &from[..]);
            let incarnation = number(&fields["Incarnation"]);
            if kind == "dead" {
                Message::Dead(Dead { incarnation, node, from }).encode(out);
            } else {
                Message::Suspect(Suspect { incarnation, node, from }).encode(out);
            }
        }
        "alive" => write_alive(fields, out),
        "pushPullHeader" => Header {
            nodes: number(&fields["Nodes"]),
            user_state_len: number(&fields["UserStateLen"]),
            join: boolean(&fields["Join"]),
        }
        .write(out),
        "pushNodeState" => write_node_state(fields, out),
        "userMsgHeader" => UserHeader { len: number(&fields["UserMsgLen"]) }.write(out),
        "compress" => {
            let buf = bytes(&fields["Buf"]);
            Compressed { algo: number(&fields["Algo"]), buf: buf.as_deref() }.encode(out);
        }
        other => panic!("unknown type {other}"),
    }
}

fn write_ping(fields: &Value, out: &mut Vec<u8>) {
    Message::Ping(Ping {
        seq_no: number(&fields["SeqNo"]),
        node: &string(&fields["Node"]),
        source_addr: bytes(&fields["SourceAddr"]).as_deref(),
        source_port: number(&fields["SourcePort"]),
        source_node: &string(&fields["SourceNode"]),
    })
    .encode(out);
}

fn write_indirect_ping(fields: &Value, out: &mut Vec<u8>) {
    Message::IndirectPing(IndirectPing {
        seq_no: number(&fields["SeqNo"]),
        target: bytes(&fields["Target"]).as_deref(),
        port: number(&fields["Port"]),
        node: &string(&fields["Node"]),
        nack: boolean(&fields["Nack"]),
        source_addr: bytes(&fields["SourceAddr"]).as_deref(),
        source_port: number(&fields["SourcePort"]),
        source_node: &string(&fields["SourceNode"]),
    })
    .encode(out);
}

fn write_alive(fields: &Value, out: &mut Vec<u8>) {
    Message::Alive(Alive {
        incarnation: number(&fields["Incarnation"]),
        node: &string(&fields["Node"]),
        addr: bytes(&fields["Addr"]).as_deref(),
        port: number(&fields["Port"]),
        meta: bytes(&fields["Meta"]).as_deref(),
        vsn: bytes(&fields["Vsn"]).as_deref(),
    })
    .encode(out);
}

pub(crate) fn write_node_state(fields: &Value, out: &mut Vec<u8>) {
    encode_state(
        out,
        &NodeState {
            name: &string(&fields["Name"]),
            addr: bytes(&fields["Addr"]).as_deref(),
            port: number(&fields["Port"]),
            meta: bytes(&fields["Meta"]).as_deref(),
            incarnation: number(&fields["Incarnation"]),
            state: number(&fields["State"]),
            vsn: bytes(&fields["Vsn"]).as_deref(),
        },
    );
}

fn read(kind: &str, body: &[u8]) -> Result<Value, DecodeError> {
    if let Some(code) = packet_type(kind) {
        let message = [&[code.code()], body].concat();
        return Message::decode(&message).map(|message| message_json(&message));
    }
    Ok(match kind {
        "errResp" => json!({ "Error": string_json(ErrorReply::decode(body)?.error) }),
        "pushPullHeader" => {
            let Header { nodes, user_state_len, join } = Header::decode(body)?;
            json!({ "Nodes": nodes, "UserStateLen": user_state_len, "Join": join })
        }
        "pushNodeState" => node_state_json(&NodeState::decode(body)?),
        "userMsgHeader" => json!({ "UserMsgLen": UserHeader::decode(body)?.len }),
        "compress" => {
            let Compressed { algo, buf } = Compressed::decode(body)?;
            json!({ "Algo": algo, "Buf": bytes_json(buf) })
        }
        other => panic!("unknown type {other}"),
    })
}

fn message_json(message: &Message<'_>) -> Value {
    match message {
        Message::Ping(ping) => ping_json(ping),
        Message::IndirectPing(ping) => indirect_ping_json(ping),
        Message::Ack(ack) => json!({ "SeqNo": ack.seq_no, "Payload": bytes_json(ack.payload) }),
        Message::Nack(nack) => json!({ "SeqNo": nack.seq_no }),
        Message::Suspect(Suspect { incarnation, node, from })
        | Message::Dead(Dead { incarnation, node, from }) => {
            accusation_json(*incarnation, node, from)
        }
        Message::Alive(alive) => alive_json(alive),
        Message::User(_) => panic!("user messages have no fields"),
    }
}

pub(crate) fn ping_json(ping: &Ping<'_>) -> Value {
    json!({
        "SeqNo": ping.seq_no,
        "Node": string_json(ping.node),
        "SourceAddr": bytes_json(ping.source_addr),
        "SourcePort": ping.source_port,
        "SourceNode": string_json(ping.source_node),
    })
}

fn indirect_ping_json(ping: &IndirectPing<'_>) -> Value {
    json!({
        "SeqNo": ping.seq_no,
        "Target": bytes_json(ping.target),
        "Port": ping.port,
        "Node": string_json(ping.node),
        "Nack": ping.nack,
        "SourceAddr": bytes_json(ping.source_addr),
        "SourcePort": ping.source_port,
        "SourceNode": string_json(ping.source_node),
    })
}

fn accusation_json(incarnation: u32, node: &[u8], from: &[u8]) -> Value {
    json!({ "Incarnation": incarnation, "Node": string_json(node), "From": string_json(from) })
}

fn alive_json(alive: &Alive<'_>) -> Value {
    json!({
        "Incarnation": alive.incarnation,
        "Node": string_json(alive.node),
        "Addr": bytes_json(alive.addr),
        "Port": alive.port,
        "Meta": bytes_json(alive.meta),
        "Vsn": bytes_json(alive.vsn),
    })
}

pub(crate) fn node_state_json(state: &NodeState<'_>) -> Value {
    json!({
        "Name": string_json(state.name),
        "Addr": bytes_json(state.addr),
        "Port": state.port,
        "Meta": bytes_json(state.meta),
        "Incarnation": state.incarnation,
        "State": state.state,
        "Vsn": bytes_json(state.vsn),
    })
}

#[test]
fn type_codes_are_those_of_the_protocol() {
    let known: Vec<u8> =
        (0..=u8::MAX).filter(|&code| MessageType::from_code(code).is_some()).collect();
    assert_eq!(known, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 244]);
    for code in known {
        assert_eq!(MessageType::from_code(code).map(MessageType::code), Some(code));
    }
}
