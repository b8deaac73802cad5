//! dskit's frames: the first byte of a connection says what it is for.
//!
//! If it is [`STREAM`], the rest is a stream. If it is [`PACKET`], one packet follows: the length
//! of the sender's address in one byte, the address, the packet, and the packet's MD5 digest. The
//! sender then closes the connection, and only that marks the end of the packet.

use bytes::{Buf as _, BytesMut};
use md5::{Digest as _, Md5};

use super::{Frame, FrameError, Origin};

/// The first byte of a connection for a packet.
pub const PACKET: u8 = 1;
/// The first byte of a connection for a stream.
pub const STREAM: u8 = 2;

/// The length of the digest, in bytes.
const DIGEST: usize = 16;

/// Encodes a packet as a frame; `from` is the address that the sender announces, as text of at most
/// 255 bytes. It is empty while no address is known; a longer one is left out.
pub fn packet(from: &str, packet: &[u8]) -> Vec<u8> {
    let from = from.as_bytes();
    let len = u8::try_from(from.len()).unwrap_or_default();
    let mut frame = Vec::with_capacity(2 + from.len() + packet.len() + DIGEST);
    frame.extend_from_slice(&[PACKET, len]);
    frame.extend_from_slice(&from[..usize::from(len)]);
    frame.extend_from_slice(packet);
    frame.extend_from_slice(&Md5::digest(packet));
    frame
}

/// Takes the next frame out of the buffer: a packet only once the connection has ended.
pub(super) fn next(
    buffer: &mut BytesMut,
    limit: usize,
    ended: bool,
) -> Result<Option<Frame>, FrameError> {
    match buffer.first() {
        None => return Ok(None),
        Some(&STREAM) => {
            buffer.advance(1);
            return Ok(Some(Frame::Stream));
        }
        Some(&PACKET) => {}
        Some(&other) => return Err(FrameError::Kind(other.into())),
    }
    if buffer.len() > limit {
        return Err(FrameError::TooLong { len: buffer.len(), limit });
    }
    if !ended {
        return Ok(None);
    }
    let mut frame = buffer.split().freeze();
    frame.advance(1);
    let from_len = usize::from(frame.try_get_u8().map_err(|_| FrameError::Cut)?);
    if frame.len() < from_len + DIGEST {
        return Err(FrameError::Cut);
    }
    let from = frame.split_to(from_len);
    let packet = frame.split_to(frame.len() - DIGEST);
    if Md5::digest(&packet).as_slice() != frame {
        return Err(FrameError::Digest);
    }
    // dskit's programs do not use this text, so it may be anything.
    let from = std::str::from_utf8(&from).ok().and_then(Origin::parse).unwrap_or_default();
    Ok(Some(Frame::Packet { from, packet }))
}
