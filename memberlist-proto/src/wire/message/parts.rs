//! The error reply of streams, and what several messages share.

use alloc::vec::Vec;

use super::super::msgpack::{DecodeError, Reader, write_bytes, write_map, write_raw, write_uint};
use super::MessageType;

/// The acceptor's answer to a stream whose first frame it could not read (Go: `errResp`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ErrorReply<'a> {
    /// The reason as free text.
    pub error: &'a [u8],
}

impl<'a> ErrorReply<'a> {
    /// Decodes a body, without the type byte.
    ///
    /// # Errors
    /// The body is malformed.
    pub fn decode(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reply = Self::default();
        Reader::new(body).structure(&["Error"], |reader, _| {
            reply.error = reader.string()?;
            Ok(())
        })?;
        Ok(reply)
    }

    /// Appends the message, type byte first.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(MessageType::Error.code());
        write_map(out, 1);
        write_raw(out, b"Error");
        write_raw(out, self.error);
    }
}

/// The fields of pings that are left out when they are empty (`omitempty` in Go). They came with
/// v0.2.0, and a map that lacks them is what older releases send and expect.
pub(super) struct Source<'a> {
    addr: &'a [u8],
    port: u16,
    node: &'a [u8],
}

impl<'a> Source<'a> {
    pub(super) fn new(addr: Option<&'a [u8]>, port: u16, node: &'a [u8]) -> Self {
        Self { addr: addr.unwrap_or_default(), port, node }
    }

    /// How many fields [`encode`](Self::encode) writes: a map begins with their number.
    pub(super) fn fields(&self) -> u8 {
        u8::from(!self.addr.is_empty())
            .saturating_add(u8::from(self.port != 0))
            .saturating_add(u8::from(!self.node.is_empty()))
    }

    /// Appends the fields in ASCII order, like all fields: `Addr`, `Node`, `Port`.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        if !self.addr.is_empty() {
            write_raw(out, b"SourceAddr");
            write_bytes(out, Some(self.addr));
        }
        if !self.node.is_empty() {
            write_raw(out, b"SourceNode");
            write_raw(out, self.node);
        }
        if self.port != 0 {
            write_raw(out, b"SourcePort");
            write_uint(out, self.port.into());
        }
    }
}

/// Decodes the body that suspect and dead messages share: incarnation, subject, accuser.
pub(super) fn decode_accusation(body: &[u8]) -> Result<(u32, &[u8], &[u8]), DecodeError> {
    let (mut incarnation, mut node, mut from) = (0, &[][..], &[][..]);
    Reader::new(body).structure(&["Incarnation", "Node", "From"], |reader, field| {
        match field {
            0 => incarnation = reader.u32()?,
            1 => node = reader.string()?,
            _ => from = reader.string()?,
        }
        Ok(())
    })?;
    Ok((incarnation, node, from))
}

pub(super) fn encode_accusation(out: &mut Vec<u8>, incarnation: u32, node: &[u8], from: &[u8]) {
    write_map(out, 3);
    write_raw(out, b"From");
    write_raw(out, from);
    write_raw(out, b"Incarnation");
    write_uint(out, incarnation);
    write_raw(out, b"Node");
    write_raw(out, node);
}
