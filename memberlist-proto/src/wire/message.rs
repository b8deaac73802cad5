//! Messages that travel in packets, and the few that also travel on streams.
//!
//! Decoded messages borrow from the packet. Nil and empty bytes are kept distinct, since an alive
//! message is encoded again for further gossip.
//!
//! Fields are written in ASCII order of their names, as go-msgpack does. The `declared` lists below
//! have the order of Go's declarations instead, which is that of structs that arrive as arrays.

use alloc::vec::Vec;

use super::msgpack::{
    DecodeError, Reader, write_bool, write_bytes, write_map, write_raw, write_uint,
};

/// The first byte of a message (Go: `messageType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[repr(u8)]
pub enum MessageType {
    /// Direct probe, or the stream fallback of one.
    Ping = 0,
    /// Request to probe a third node.
    IndirectPing = 1,
    /// Answer to a ping.
    Ack = 2,
    /// A node is suspected.
    Suspect = 3,
    /// A node is alive.
    Alive = 4,
    /// A node is dead or has left.
    Dead = 5,
    /// Full state, on streams.
    PushPull = 6,
    /// Several messages in one packet.
    Compound = 7,
    /// The application's bytes.
    User = 8,
    /// A compressed message.
    Compress = 9,
    /// An encrypted stream frame.
    Encrypt = 10,
    /// A helper got no ack from the node it was asked to probe.
    Nack = 11,
    /// A packet with a checksum.
    Checksum = 12,
    /// A stream could not be read; the reason follows as text.
    Error = 13,
    /// A label header.
    Label = 244,
}

impl MessageType {
    /// The type with this code; `None` if there is none.
    pub fn from_code(code: u8) -> Option<Self> {
        // The label's type is far from the others, and from the encryption versions 0 and 1: it may
        // begin a packet where either of these is expected.
        Some(match code {
            0 => Self::Ping,
            1 => Self::IndirectPing,
            2 => Self::Ack,
            3 => Self::Suspect,
            4 => Self::Alive,
            5 => Self::Dead,
            6 => Self::PushPull,
            7 => Self::Compound,
            8 => Self::User,
            9 => Self::Compress,
            10 => Self::Encrypt,
            11 => Self::Nack,
            12 => Self::Checksum,
            13 => Self::Error,
            244 => Self::Label,
            _ => return None,
        })
    }

    /// The byte on the wire.
    pub fn code(self) -> u8 {
        self as u8
    }
}

/// A message that a packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// Direct probe.
    Ping(Ping<'a>),
    /// Request to probe a third node.
    IndirectPing(IndirectPing<'a>),
    /// Answer to a ping.
    Ack(Ack<'a>),
    /// A helper got no ack from the node it was asked to probe.
    Nack(Nack),
    /// A node is suspected.
    Suspect(Suspect<'a>),
    /// A node is dead or has left.
    Dead(Dead<'a>),
    /// A node is alive.
    Alive(Alive<'a>),
    /// The application's bytes, possibly none.
    User(&'a [u8]),
}

impl<'a> Message<'a> {
    /// Decodes a message that starts with its type byte. Bytes after the message are ignored, as in
    /// Go; a user message extends to the end of the input.
    ///
    /// # Errors
    /// The input is empty, the message is of a type that packets do not carry (compound and
    /// compressed messages are layers, see [`packet`](super::packet)), or its body is malformed.
    pub fn decode(message: &'a [u8]) -> Result<Self, DecodeError> {
        let (&code, body) = message.split_first().ok_or(DecodeError::Empty)?;
        Self::in_order(code, body).map_or_else(|| Self::decode_any(message), Ok)
    }

    /// As [`decode`](Self::decode), but without the shortcut for the order in which fields are
    /// usually sent: for tests that compare the two.
    ///
    /// # Errors
    /// As for `decode`.
    pub fn decode_any(message: &'a [u8]) -> Result<Self, DecodeError> {
        let (&code, body) = message.split_first().ok_or(DecodeError::Empty)?;
        Ok(match MessageType::from_code(code) {
            Some(MessageType::Ping) => Self::Ping(Ping::decode(body)?),
            Some(MessageType::IndirectPing) => Self::IndirectPing(IndirectPing::decode(body)?),
            Some(MessageType::Ack) => Self::Ack(Ack::decode(body)?),
            Some(MessageType::Nack) => Self::Nack(Nack::decode(body)?),
            Some(MessageType::Suspect) => Self::Suspect(Suspect::decode(body)?),
            Some(MessageType::Dead) => Self::Dead(Dead::decode(body)?),
            Some(MessageType::Alive) => Self::Alive(Alive::decode(body)?),
            // Raw bytes without a map: here the end of the packet or part is the end of the message.
            Some(MessageType::User) => Self::User(body),
            _ => return Err(DecodeError::UnexpectedType(code)),
        })
    }

    /// Appends the message, type byte first.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Ping(message) => message.encode(out),
            Self::IndirectPing(message) => message.encode(out),
            Self::Ack(message) => message.encode(out),
            Self::Nack(message) => message.encode(out),
            Self::Suspect(message) => message.encode(out),
            Self::Dead(message) => message.encode(out),
            Self::Alive(message) => message.encode(out),
            Self::User(payload) => {
                out.push(MessageType::User.code());
                out.extend_from_slice(payload);
            }
        }
    }

    /// The type that the message is sent with.
    pub fn message_type(&self) -> MessageType {
        match self {
            Self::Ping(_) => MessageType::Ping,
            Self::IndirectPing(_) => MessageType::IndirectPing,
            Self::Ack(_) => MessageType::Ack,
            Self::Nack(_) => MessageType::Nack,
            Self::Suspect(_) => MessageType::Suspect,
            Self::Dead(_) => MessageType::Dead,
            Self::Alive(_) => MessageType::Alive,
            Self::User(_) => MessageType::User,
        }
    }
}

/// Direct probe (Go: `ping`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ping<'a> {
    /// A number that the ack repeats.
    pub seq_no: u32,
    /// The intended receiver; any other node ignores the ping, since it may be a new one at the
    /// address of a node that is gone. Empty means any node.
    pub node: &'a [u8],
    /// Where to send the ack, 4 or 16 bytes; left out when nil or empty. Releases before v0.2.0 do
    /// not send it: the ack then goes to the packet's source.
    pub source_addr: Option<&'a [u8]>,
    /// The sender's advertised port; left out when 0.
    pub source_port: u16,
    /// The sender's name; left out when empty.
    pub source_node: &'a [u8],
}

impl<'a> Ping<'a> {
    /// Decodes a body, without the type byte.
    ///
    /// # Errors
    /// The body is malformed.
    pub(crate) fn decode(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut ping = Self::default();
        let declared = ["SeqNo", "Node", "SourceAddr", "SourcePort", "SourceNode"];
        Reader::new(body).structure(&declared, |reader, field| {
            match field {
                0 => ping.seq_no = reader.u32()?,
                1 => ping.node = reader.string()?,
                2 => ping.source_addr = reader.bytes()?,
                3 => ping.source_port = reader.u16()?,
                _ => ping.source_node = reader.string()?,
            }
            Ok(())
        })?;
        Ok(ping)
    }

    /// Appends the message, type byte first.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let source = Source::new(self.source_addr, self.source_port, self.source_node);
        out.push(MessageType::Ping.code());
        write_map(out, 2_u8.saturating_add(source.fields()));
        write_raw(out, b"Node");
        write_raw(out, self.node);
        write_raw(out, b"SeqNo");
        write_uint(out, self.seq_no);
        source.encode(out);
    }
}

/// Request to probe a third node (Go: `indirectPingReq`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IndirectPing<'a> {
    /// The requester's number, which the relayed ack or the nack repeats.
    pub seq_no: u32,
    /// The target's address, 4 or 16 bytes.
    pub target: Option<&'a [u8]>,
    /// The target's port; 0 means the receiver's own.
    pub port: u16,
    /// The target's name.
    pub node: &'a [u8],
    /// Whether the requester wants a nack if the target does not answer in time. Only nodes of
    /// protocol version 4 and later send one.
    pub nack: bool,
    /// The requester's address; left out when nil or empty.
    pub source_addr: Option<&'a [u8]>,
    /// The requester's port; left out when 0.
    pub source_port: u16,
    /// The requester's name; left out when empty.
    pub source_node: &'a [u8],
}

impl<'a> IndirectPing<'a> {
    /// Decodes a body, without the type byte.
    ///
    /// # Errors
    /// The body is malformed.
    pub(crate) fn decode(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut ping = Self::default();
        let declared =
            ["SeqNo", "Target", "Port", "Node", "Nack", "SourceAddr", "SourcePort", "SourceNode"];
        Reader::new(body).structure(&declared, |reader, field| {
            match field {
                0 => ping.seq_no = reader.u32()?,
                1 => ping.target = reader.bytes()?,
                2 => ping.port = reader.u16()?,
                3 => ping.node = reader.string()?,
                4 => ping.nack = reader.boolean()?,
                5 => ping.source_addr = reader.bytes()?,
                6 => ping.source_port = reader.u16()?,
                _ => ping.source_node = reader.string()?,
            }
            Ok(())
        })?;
        Ok(ping)
    }

    /// Appends the message, type byte first.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let source = Source::new(self.source_addr, self.source_port, self.source_node);
        out.push(MessageType::IndirectPing.code());
        // The fields of the source come between `SeqNo` and `Target`, by their names.
        write_map(out, 5_u8.saturating_add(source.fields()));
        write_raw(out, b"Nack");
        write_bool(out, self.nack);
        write_raw(out, b"Node");
        write_raw(out, self.node);
        write_raw(out, b"Port");
        write_uint(out, self.port.into());
        write_raw(out, b"SeqNo");
        write_uint(out, self.seq_no);
        source.encode(out);
        write_raw(out, b"Target");
        write_bytes(out, self.target);
    }
}

/// Answer to a ping (Go: `ackResp`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ack<'a> {
    /// The ping's number.
    pub seq_no: u32,
    /// The ping delegate's payload; nil without a delegate, in relayed acks and on streams.
    pub payload: Option<&'a [u8]>,
}

impl<'a> Ack<'a> {
    /// Decodes a body, without the type byte.
    ///
    /// # Errors
    /// The body is malformed.
    pub(crate) fn decode(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut ack = Self::default();
        Reader::new(body).structure(&["SeqNo", "Payload"], |reader, field| {
            match field {
                0 => ack.seq_no = reader.u32()?,
                _ => ack.payload = reader.bytes()?,
            }
            Ok(())
        })?;
        Ok(ack)
    }

    /// Appends the message, type byte first.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.push(MessageType::Ack.code());
        write_map(out, 2);
        write_raw(out, b"Payload");
        write_bytes(out, self.payload);
        write_raw(out, b"SeqNo");
        write_uint(out, self.seq_no);
    }
}

/// A helper got no ack from the node it was asked to probe, but is itself well (Go: `nackResp`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Nack {
    /// The requester's number.
    pub seq_no: u32,
}

impl Nack {
    /// Decodes a body, without the type byte.
    ///
    /// # Errors
    /// The body is malformed.
    pub(crate) fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut nack = Self::default();
        Reader::new(body).structure(&["SeqNo"], |reader, _| {
            nack.seq_no = reader.u32()?;
            Ok(())
        })?;
        Ok(nack)
    }

    /// Appends the message, type byte first.
    pub(crate) fn encode(self, out: &mut Vec<u8>) {
        out.push(MessageType::Nack.code());
        write_map(out, 1);
        write_raw(out, b"SeqNo");
        write_uint(out, self.seq_no);
    }
}

/// A node is suspected (Go: `suspect`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Suspect<'a> {
    /// The incarnation that is suspected. The subject refutes with a higher one.
    pub incarnation: u32,
    /// The name of the suspected node.
    pub node: &'a [u8],
    /// The name of the accuser. It stays in the message as it is passed on, so that receivers can
    /// count independent accusers.
    pub from: &'a [u8],
}

impl<'a> Suspect<'a> {
    /// Decodes a body, without the type byte.
    ///
    /// # Errors
    /// The body is malformed.
    pub(crate) fn decode(body: &'a [u8]) -> Result<Self, DecodeError> {
        let (incarnation, node, from) = decode_accusation(body)?;
        Ok(Self { incarnation, node, from })
    }

    /// Appends the message, type byte first.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.push(MessageType::Suspect.code());
        encode_accusation(out, self.incarnation, self.node, self.from);
    }
}

/// A node is dead, or has left if `from` is `node` (Go: `dead`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dead<'a> {
    /// The incarnation that is declared dead.
    pub incarnation: u32,
    /// The name of the dead node.
    pub node: &'a [u8],
    /// The name of the accuser.
    pub from: &'a [u8],
}

impl<'a> Dead<'a> {
    /// Decodes a body, without the type byte.
    ///
    /// # Errors
    /// The body is malformed.
    pub(crate) fn decode(body: &'a [u8]) -> Result<Self, DecodeError> {
        let (incarnation, node, from) = decode_accusation(body)?;
        Ok(Self { incarnation, node, from })
    }

    /// Appends the message, type byte first.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.push(MessageType::Dead.code());
        encode_accusation(out, self.incarnation, self.node, self.from);
    }
}

/// A node is alive (Go: `alive`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Alive<'a> {
    /// The incarnation, which only the node itself raises.
    pub incarnation: u32,
    /// The node's name.
    pub node: &'a [u8],
    /// Its address, 4 or 16 bytes. The two forms of an IPv4 address are different addresses to Go,
    /// so that each must be passed on as it was received.
    pub addr: Option<&'a [u8]>,
    /// Its port; 0 means the receiver's own.
    pub port: u16,
    /// The application's metadata; nil if it supplies none.
    pub meta: Option<&'a [u8]>,
    /// The versions as received, normally six bytes: see [`Versions`](crate::Versions). Never send
    /// one to five bytes: releases up to v0.6.0 crash on them.
    pub vsn: Option<&'a [u8]>,
}

impl<'a> Alive<'a> {
    /// Decodes a body, without the type byte.
    ///
    /// # Errors
    /// The body is malformed.
    pub(crate) fn decode(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut alive = Self::default();
        let declared = ["Incarnation", "Node", "Addr", "Port", "Meta", "Vsn"];
        Reader::new(body).structure(&declared, |reader, field| {
            match field {
                0 => alive.incarnation = reader.u32()?,
                1 => alive.node = reader.string()?,
                2 => alive.addr = reader.bytes()?,
                3 => alive.port = reader.u16()?,
                4 => alive.meta = reader.bytes()?,
                _ => alive.vsn = reader.bytes()?,
            }
            Ok(())
        })?;
        Ok(alive)
    }

    /// Appends the message, type byte first.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.push(MessageType::Alive.code());
        write_map(out, 6);
        write_raw(out, b"Addr");
        write_bytes(out, self.addr);
        write_raw(out, b"Incarnation");
        write_uint(out, self.incarnation);
        write_raw(out, b"Meta");
        write_bytes(out, self.meta);
        write_raw(out, b"Node");
        write_raw(out, self.node);
        write_raw(out, b"Port");
        write_uint(out, self.port.into());
        write_raw(out, b"Vsn");
        write_bytes(out, self.vsn);
    }
}

mod in_order;
mod parts;

pub use parts::ErrorReply;
use parts::{Source, decode_accusation, encode_accusation};

#[cfg(test)]
mod tests;
