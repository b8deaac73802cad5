//! The CRC-32 of packets (Go: `hasCrcMsg`). Only packets carry one, outermost under encryption.

use alloc::vec::Vec;

use thiserror::Error;

use super::message::MessageType;

/// Bytes it adds.
pub const OVERHEAD: usize = 5;

/// The checksum does not match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("checksum is {computed:#010x}, the packet says {stated:#010x}")]
pub struct ChecksumError {
    /// What the packet says.
    pub stated: u32,
    /// What its bytes give.
    pub computed: u32,
}

/// Appends the header for `message`, which has to follow it.
pub fn write_header(out: &mut Vec<u8>, message: &[u8]) {
    out.push(MessageType::Checksum.code());
    out.extend_from_slice(&crc32fast::hash(message).to_be_bytes());
}

/// Takes a checksum header off and verifies it; `None` if the packet has none. As in Go, fewer
/// than five bytes are no header.
///
/// # Errors
/// The checksum does not match.
pub fn strip(packet: &[u8]) -> Result<Option<&[u8]>, ChecksumError> {
    let Some((&[code, a, b, c, d], message)) = packet.split_first_chunk::<OVERHEAD>() else {
        return Ok(None);
    };
    if code != MessageType::Checksum.code() {
        return Ok(None);
    }
    let stated = u32::from_be_bytes([a, b, c, d]);
    let computed = crc32fast::hash(message);
    if stated == computed { Ok(Some(message)) } else { Err(ChecksumError { stated, computed }) }
}

#[cfg(test)]
mod tests;
