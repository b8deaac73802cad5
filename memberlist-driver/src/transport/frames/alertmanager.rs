//! Alertmanager's frames: a length as little-endian `u32`, then a protobuf message.
//!
//! | field | | |
//! |---:|---|---|
//! | 1 | string | the version, `v0.1.0` |
//! | 2 | varint | the kind: 0, encoded by leaving the field out, is a stream; 1 is a packet |
//! | 3 | string | a packet's sender: the address that it listens on |
//! | 4 | bytes | the packet |
//!
//! **A TLS record must never contain bytes of two frames**, nor of a stream and the frame before
//! it: Alertmanager reads each frame through a new buffer and discards what the buffer holds beyond
//! it. Each frame is therefore written and flushed separately.

mod protobuf;

use bytes::{Buf as _, BytesMut};

use self::protobuf::{Field, Fields};
use super::{Frame, FrameError, Origin, taken};

/// The only version that exists.
const VERSION: &str = "v0.1.0";
const PACKET: i32 = 1;
/// The bytes of the length field.
const LENGTH: usize = 4;

/// The bytes that a stream begins with.
pub const STREAM: [u8; 12] = *b"\x08\0\0\0\x0a\x06v0.1.0";

/// Encodes a packet as a frame; `from` is the address that the sender listens on, as text.
pub fn packet(from: &str, packet: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(LENGTH + 8 + 2 + 6 + from.len() + 6 + packet.len());
    frame.extend_from_slice(&[0; LENGTH]);
    protobuf::put_bytes(&mut frame, 1, VERSION.as_bytes());
    protobuf::put_varint(&mut frame, 2, PACKET as u64);
    protobuf::put_bytes(&mut frame, 3, from.as_bytes());
    protobuf::put_bytes(&mut frame, 4, packet);
    let len = (frame.len() - LENGTH) as u32;
    frame[..LENGTH].copy_from_slice(&len.to_le_bytes());
    frame
}

/// Takes the next frame out of the buffer, if all of it has arrived.
pub(super) fn next(
    buffer: &mut BytesMut,
    limit: usize,
    ended: bool,
) -> Result<Option<Frame>, FrameError> {
    let missing = |buffer: &BytesMut| match (ended, buffer.is_empty()) {
        (true, false) => Err(FrameError::Cut),
        _ => Ok(None),
    };
    let Some(len) = buffer.first_chunk::<LENGTH>() else { return missing(buffer) };
    let len = u32::from_le_bytes(*len) as usize;
    if len > limit {
        return Err(FrameError::TooLong { len, limit });
    }
    if buffer.len() < LENGTH + len {
        return missing(buffer);
    }
    buffer.advance(LENGTH);
    let message = buffer.split_to(len).freeze();
    let mut read = Message::default();
    for field in Fields::new(&message) {
        read.take(field?)?;
    }
    if read.version != VERSION {
        return Err(FrameError::Version);
    }
    match read.kind {
        0 => Ok(Some(Frame::Stream)),
        PACKET => {
            let from = Origin::parse(read.from).ok_or(FrameError::Sender)?;
            Ok(Some(Frame::Packet { from, packet: taken(&message, read.payload) }))
        }
        kind => Err(FrameError::Kind(kind)),
    }
}

/// The fields of a frame; if one is repeated, the last counts.
#[derive(Default)]
struct Message<'a> {
    version: &'a str,
    kind: i32,
    from: &'a str,
    payload: &'a [u8],
}

impl<'a> Message<'a> {
    fn take(&mut self, field: Field<'a>) -> Result<(), FrameError> {
        let text = |bytes| {
            std::str::from_utf8(bytes).map_err(|_| FrameError::Malformed("text is not UTF-8"))
        };
        match field {
            Field::Bytes(1, bytes) => self.version = text(bytes)?,
            Field::Varint(2, kind) => self.kind = kind as i32,
            Field::Bytes(3, bytes) => self.from = text(bytes)?,
            Field::Bytes(4, bytes) => self.payload = bytes,
            // An unknown field, or one of the wrong type: current decoders skip both.
            Field::Bytes(..) | Field::Varint(..) | Field::Other => {}
        }
        Ok(())
    }
}
