//! The parts of push/pulls and reliable user messages.
//!
//! A push/pull is a type byte, a [`Header`], as many [`NodeState`]s as the header announces, then
//! the application's state as raw bytes. A reliable user message is a type byte, a [`UserHeader`],
//! then the payload. There is no framing between the parts: only parsing finds where one ends.

use alloc::vec::Vec;

use super::message::MessageType;
use super::msgpack::{
    DecodeError, InOrder, Reader, write_bool, write_bytes, write_int, write_map, write_raw,
    write_uint,
};
use crate::node::State;

/// The start of a push/pull (Go: `pushPullHeader`). The numbers are only claimed by the peer, and
/// may be negative or huge: [`FrameReader`](super::frame::FrameReader) checks them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Header {
    /// How many node states follow.
    pub nodes: i64,
    /// How many bytes of application state follow them.
    pub user_state_len: i64,
    /// Whether the initiator is joining the cluster.
    pub join: bool,
}

impl Header {
    /// Decodes a header, without the type byte. Bytes after it are ignored.
    ///
    /// # Errors
    /// The header is malformed.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        Self::read(&mut Reader::new(body))
    }

    /// Reads a header, and nothing after it.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut header = Self::default();
        reader.structure(&["Nodes", "UserStateLen", "Join"], |reader, field| {
            match field {
                0 => header.nodes = reader.int()?,
                1 => header.user_state_len = reader.int()?,
                _ => header.join = reader.boolean()?,
            }
            Ok(())
        })?;
        Ok(header)
    }

    /// Appends the bare header, without the type byte.
    pub fn write(&self, out: &mut Vec<u8>) {
        write_map(out, 3);
        write_raw(out, b"Join");
        write_bool(out, self.join);
        write_raw(out, b"Nodes");
        write_int(out, self.nodes);
        write_raw(out, b"UserStateLen");
        write_int(out, self.user_state_len);
    }
}

/// One node record (Go: `pushNodeState`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeState<'a> {
    /// The node's name.
    pub name: &'a [u8],
    /// Its address, 4 or 16 bytes.
    pub addr: Option<&'a [u8]>,
    /// Its port; 0 means the receiver's own.
    pub port: u16,
    /// The application's metadata; nil if it supplies none.
    pub meta: Option<&'a [u8]>,
    /// The incarnation that the peer accepted last.
    pub incarnation: u32,
    /// The peer's view of the node as a number, see [`known_state`](Self::known_state).
    pub state: i64,
    /// The versions as received, normally six bytes: see [`Versions`](crate::Versions). Never send
    /// one to five bytes: releases up to v0.6.0 crash (`verifyProtocol`).
    pub vsn: Option<&'a [u8]>,
}

impl<'a> NodeState<'a> {
    /// The peer's view of the node; `None` if the number stands for no state. Go ignores such a
    /// record when it merges (`mergeState`), so that a later release may add states.
    pub fn known_state(&self) -> Option<State> {
        u8::try_from(self.state).ok().and_then(State::from_u8)
    }

    /// Decodes a node state. Bytes after it are ignored.
    ///
    /// # Errors
    /// The state is malformed.
    pub fn decode(body: &'a [u8]) -> Result<Self, DecodeError> {
        Self::read(&mut Reader::new(body))
    }

    /// As [`decode`](Self::decode), but without the shortcut for the order in which fields are
    /// usually sent: for tests that compare the two.
    ///
    /// # Errors
    /// As for `decode`.
    pub fn decode_any(body: &'a [u8]) -> Result<Self, DecodeError> {
        Self::read_any(&mut Reader::new(body))
    }

    /// Reads a node state, and nothing after it.
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        reader.in_order(Self::in_order).map_or_else(|| Self::read_any(reader), Ok)
    }

    /// Reads a node state in its usual form: every field, in ASCII order of the names.
    pub(super) fn in_order(fields: &mut InOrder<'a>) -> Option<Self> {
        fields.key(b"\x87\xa4Addr")?;
        let addr = fields.bytes()?;
        fields.key(b"\xabIncarnation")?;
        let incarnation = fields.u32()?;
        fields.key(b"\xa4Meta")?;
        let meta = fields.bytes()?;
        fields.key(b"\xa4Name")?;
        let name = fields.string()?;
        fields.key(b"\xa4Port")?;
        let port = fields.u16()?;
        fields.key(b"\xa5State")?;
        let state = fields.small_int()?;
        fields.key(b"\xa3Vsn")?;
        let vsn = fields.bytes()?;
        Some(Self { name, addr, port, meta, incarnation, state, vsn })
    }

    fn read_any(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let mut state = Self::default();
        let declared = ["Name", "Addr", "Port", "Meta", "Incarnation", "State", "Vsn"];
        reader.structure(&declared, |reader, field| {
            match field {
                0 => state.name = reader.string()?,
                1 => state.addr = reader.bytes()?,
                2 => state.port = reader.u16()?,
                3 => state.meta = reader.bytes()?,
                4 => state.incarnation = reader.u32()?,
                5 => state.state = reader.int()?,
                _ => state.vsn = reader.bytes()?,
            }
            Ok(())
        })?;
        Ok(state)
    }

    /// Appends the state. It has no type byte: only the push/pull's header says how many follow.
    fn write(&self, out: &mut Vec<u8>) {
        write_map(out, 7);
        write_raw(out, b"Addr");
        write_bytes(out, self.addr);
        write_raw(out, b"Incarnation");
        write_uint(out, self.incarnation);
        write_raw(out, b"Meta");
        write_bytes(out, self.meta);
        write_raw(out, b"Name");
        write_raw(out, self.name);
        write_raw(out, b"Port");
        write_uint(out, self.port.into());
        write_raw(out, b"State");
        write_int(out, self.state);
        write_raw(out, b"Vsn");
        write_bytes(out, self.vsn);
    }
}

/// The start of a reliable user message (Go: `userMsgHeader`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserHeader {
    /// How many bytes of payload follow, as claimed by the peer: may be negative or huge.
    pub len: i64,
}

impl UserHeader {
    /// Decodes a header, without the type byte. Bytes after it are ignored.
    ///
    /// # Errors
    /// The header is malformed.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        Self::read(&mut Reader::new(body))
    }

    /// Reads a header, and nothing after it.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut header = Self::default();
        reader.structure(&["UserMsgLen"], |reader, _| {
            header.len = reader.int()?;
            Ok(())
        })?;
        Ok(header)
    }

    /// Appends the bare header, without the type byte.
    pub fn write(&self, out: &mut Vec<u8>) {
        write_map(out, 1);
        write_raw(out, b"UserMsgLen");
        write_int(out, self.len);
    }
}

/// Begins a push/pull: the type byte and the header. The caller appends `nodes` node states with
/// [`encode_state`], then `user_state_len` raw bytes of application state.
pub fn encode_header(out: &mut Vec<u8>, join: bool, nodes: usize, user_state_len: usize) {
    out.push(MessageType::PushPull.code());
    // An acceptor repeats the initiator's `join`, although the initiator does not look at it: each
    // side decides by what the initiator wanted whether it asks its merge delegate.
    let header = Header { nodes: signed(nodes), user_state_len: signed(user_state_len), join };
    header.write(out);
}

/// Appends one node state to a push/pull.
pub fn encode_state(out: &mut Vec<u8>, state: &NodeState<'_>) {
    state.write(out);
}

/// Appends a whole reliable user message: type byte, header, payload.
pub fn encode_user(out: &mut Vec<u8>, payload: &[u8]) {
    encode_user_header(out, payload.len());
    out.extend_from_slice(payload);
}

/// Begins a reliable user message: the type byte and the header. The caller appends `len` raw bytes.
pub fn encode_user_header(out: &mut Vec<u8>, len: usize) {
    out.push(MessageType::User.code());
    // An empty payload is valid, but Go peers read its header and deliver nothing (`readUserMsg`).
    UserHeader { len: signed(len) }.write(out);
}

/// Lengths are a Go `int`, which the codec writes in signed forms.
fn signed(len: usize) -> i64 {
    i64::try_from(len).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
