//! The CRC-32 of packets (Go: `hasCrcMsg`). Only packets have one, directly inside the encryption.
//!
//! ```text
//! 0c | CRC-32 (IEEE) of the rest, u32 big-endian | the rest
//! ```

use alloc::vec::Vec;

use thiserror::Error;

use super::message::MessageType;

/// Length of the header in bytes.
pub(crate) const OVERHEAD: usize = 5;

/// A packet's checksum does not match its contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the packet states checksum {stated:#010x}, its contents have {computed:#010x}")]
pub struct ChecksumError {
    /// The checksum in the packet's header.
    pub stated: u32,
    /// The checksum of the bytes after the header.
    pub computed: u32,
}

/// Appends the header for `message`, which the caller appends next.
pub(crate) fn write_header(out: &mut Vec<u8>, message: &[u8]) {
    out.push(MessageType::Checksum.code());
    out.extend_from_slice(&crc32fast::hash(message).to_be_bytes());
}

/// Removes and verifies the checksum header; `None` if the packet has none.
///
/// # Errors
/// The checksum does not match.
pub(crate) fn strip(packet: &[u8]) -> Result<Option<&[u8]>, ChecksumError> {
    // A packet shorter than a header is passed on with its first byte, as in Go (`ingestPacket`):
    // it then fails as a message of type 12, which packets do not carry.
    let Some((&[code, a, b, c, d], message)) = packet.split_first_chunk::<OVERHEAD>() else {
        return Ok(None);
    };
    // A checksum is optional even between nodes that understand it: Go adds one only where it
    // looked up the receiver's record, which excludes pings, acks and nacks.
    if code != MessageType::Checksum.code() {
        return Ok(None);
    }
    let stated = u32::from_be_bytes([a, b, c, d]);
    let computed = crc32fast::hash(message);
    if stated == computed { Ok(Some(message)) } else { Err(ChecksumError { stated, computed }) }
}

#[cfg(test)]
mod tests;
