//! The fields of each message, as JSON.

use std::net::IpAddr;

use memberlist_proto::wire::frame::{PushPull, StreamMessage};
use memberlist_proto::wire::message::{Ack, Alive, IndirectPing, Message, MessageType, Ping};
use memberlist_proto::wire::push_pull::NodeState;
use serde_json::{Map, Value, json};

use crate::hex;

/// The fields of a message in a packet; `len` is its length in bytes.
pub(super) fn message(message: &Message<'_>, len: usize) -> Value {
    match message {
        Message::Ping(message) => ping(message, len),
        Message::IndirectPing(message) => indirect_ping(message, len),
        Message::Ack(message) => ack(message, len),
        Message::Nack(message) => object("nack", len).with("seq_no", message.seq_no).done(),
        Message::Suspect(message) => object("suspect", len)
            .with("incarnation", message.incarnation)
            .name("node", message.node)
            .name("from", message.from)
            .done(),
        Message::Dead(message) => object("dead", len)
            .with("incarnation", message.incarnation)
            .name("node", message.node)
            .name("from", message.from)
            .done(),
        Message::Alive(message) => alive(message, len),
        Message::User(payload) => user(payload, len),
    }
}

/// The fields of the message of a stream; `len` is its length in bytes.
pub(super) fn stream_message(message: &StreamMessage<'_>, len: usize) -> Value {
    match message {
        StreamMessage::PushPull(message) => push_pull(message, len),
        StreamMessage::User(payload) => user(payload, len),
        StreamMessage::Ping(message) => ping(message, len),
        StreamMessage::Ack(message) => ack(message, len),
        StreamMessage::Error(message) => object("error", len)
            .with("error", String::from_utf8_lossy(message.error).into_owned())
            .done(),
        StreamMessage::Known => object("known", len).done(),
        StreamMessage::Other(code) => {
            let known = MessageType::from_code(*code).map(|kind| format!("{kind:?}"));
            object("other", len).with("code", *code).with("type", known).done()
        }
    }
}

/// Bytes as text, or `null` if they are not UTF-8.
pub(super) fn text(bytes: &[u8]) -> Value {
    std::str::from_utf8(bytes).ok().into()
}

fn ping(message: &Ping<'_>, len: usize) -> Value {
    object("ping", len)
        .with("seq_no", message.seq_no)
        .name("node", message.node)
        .address("source_addr", message.source_addr)
        .with("source_port", message.source_port)
        .name("source_node", message.source_node)
        .done()
}

fn indirect_ping(message: &IndirectPing<'_>, len: usize) -> Value {
    object("indirect_ping", len)
        .with("seq_no", message.seq_no)
        .address("target", message.target)
        .with("port", message.port)
        .name("node", message.node)
        .with("nack", message.nack)
        .address("source_addr", message.source_addr)
        .with("source_port", message.source_port)
        .name("source_node", message.source_node)
        .done()
}

fn ack(message: &Ack<'_>, len: usize) -> Value {
    object("ack", len)
        .with("seq_no", message.seq_no)
        .with("payload_hex", message.payload.map(hex::encode))
        .done()
}

fn alive(message: &Alive<'_>, len: usize) -> Value {
    object("alive", len)
        .with("incarnation", message.incarnation)
        .name("node", message.node)
        .address("addr", message.addr)
        .with("port", message.port)
        .meta(message.meta)
        .with("versions", message.vsn.map(<[u8]>::to_vec))
        .done()
}

fn user(payload: &[u8], len: usize) -> Value {
    object("user", len).with("text", text(payload)).with("hex", hex::encode(payload)).done()
}

fn push_pull(message: &PushPull<'_>, len: usize) -> Value {
    let state = message.user_state();
    object("push_pull", len)
        .with("join", message.join())
        .with("nodes", message.states().map(|state| node_state(&state)).collect::<Vec<_>>())
        .with("user_state_text", text(state))
        .with("user_state_hex", hex::encode(state))
        .done()
}

fn node_state(state: &NodeState<'_>) -> Value {
    // A number that is not a state is shown as it is.
    let state_name =
        state.known_state().map_or(json!(state.state), |known| json!(known.to_string()));
    Fields::default()
        .name("name", state.name)
        .address("addr", state.addr)
        .with("port", state.port)
        .meta(state.meta)
        .with("incarnation", state.incarnation)
        .with("state", state_name)
        .with("versions", state.vsn.map(<[u8]>::to_vec))
        .done()
}

fn object(message: &str, len: usize) -> Fields {
    Fields::default().with("message", message).with("bytes", len)
}

#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0.insert(key.to_owned(), value.into());
        self
    }

    /// Adds a name, and also its bytes if it is not UTF-8.
    fn name(self, key: &str, name: &[u8]) -> Self {
        let fields = self.with(key, String::from_utf8_lossy(name).into_owned());
        if std::str::from_utf8(name).is_ok() {
            return fields;
        }
        fields.with(&format!("{key}_hex"), hex::encode(name))
    }

    /// Adds an IP address, or the bytes in its place if there are neither 4 nor 16 of them. The two
    /// forms of an IPv4 address are shown differently, because for the protocol they differ.
    fn address(self, key: &str, bytes: Option<&[u8]>) -> Self {
        let Some(bytes) = bytes else { return self.with(key, Value::Null) };
        let ip = match (<[u8; 4]>::try_from(bytes), <[u8; 16]>::try_from(bytes)) {
            (Ok(four), _) => Some(IpAddr::from(four)),
            (_, Ok(sixteen)) => Some(IpAddr::from(sixteen)),
            _ => None,
        };
        match ip {
            Some(ip) => self.with(key, ip.to_string()),
            None => self.with(key, Value::Null).with(&format!("{key}_hex"), hex::encode(bytes)),
        }
    }

    fn meta(self, meta: Option<&[u8]>) -> Self {
        self.with("meta", meta.map_or(Value::Null, text)).with("meta_hex", meta.map(hex::encode))
    }

    fn done(self) -> Value {
        Value::Object(self.0)
    }
}
