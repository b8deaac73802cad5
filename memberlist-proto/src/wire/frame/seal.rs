//! Writing one side of a connection.

use alloc::vec::Vec;

use bytes::Bytes;
use thiserror::Error;

use super::MAX_ENCRYPTED;
use super::reader::authenticated;
use crate::security::aead::{self, NONCE};
use crate::security::{Key, Version};
use crate::wire::Scratch;
use crate::wire::message::MessageType;

/// How a message is sent on a stream. The initiator writes a label header before it
/// ([`label::write_header`](crate::wire::label::write_header)).
#[derive(Clone, Copy, Debug)]
pub struct FrameSealing<'a> {
    /// Our label, which encryption authenticates.
    pub label: &'a [u8],
    /// The primary key and the version to encrypt in; none sends plaintext.
    pub key: Option<(&'a Key, Version)>,
    /// Random, and never used before with this key.
    pub nonce: [u8; NONCE],
    /// Whether to compress.
    pub compress: bool,
    /// Whether to compress only what gets smaller by it.
    ///
    /// Differs from Go: it compresses every stream, also those that grow.
    pub only_if_smaller: bool,
}

/// A message is longer than any peer accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("encrypted message would take {len} bytes, the limit is {limit}")]
pub struct FrameTooLong {
    /// Bytes it would take.
    pub len: usize,
    /// Bytes it may take.
    pub limit: usize,
}

/// Makes a frame of a message: compress, then encrypt. The frame has its exact size.
///
/// # Errors
/// The encrypted payload would be longer than [`MAX_ENCRYPTED`].
pub fn seal_frame(
    message: &[u8],
    sealing: &FrameSealing<'_>,
    scratch: &mut Scratch,
) -> Result<Bytes, FrameTooLong> {
    let Scratch { lzw, lzw_output, compressed, .. } = scratch;
    compressed.clear();
    let limit = if sealing.only_if_smaller { message.len().saturating_sub(1) } else { usize::MAX };
    let smaller = sealing.compress && lzw.encode(message, limit, lzw_output, compressed);
    let body = if smaller { &compressed[..] } else { message };
    let frame = match sealing.key {
        None => Ok(Bytes::copy_from_slice(body)),
        Some((key, version)) => encrypt(body, sealing, key, version),
    };
    scratch.clear();
    frame
}

fn encrypt(
    body: &[u8],
    sealing: &FrameSealing<'_>,
    key: &Key,
    version: Version,
) -> Result<Bytes, FrameTooLong> {
    let len = version.encrypted_len(body.len());
    let too_long = FrameTooLong { len, limit: MAX_ENCRYPTED };
    if len > MAX_ENCRYPTED {
        return Err(too_long);
    }
    let length = (len as u32).to_be_bytes();
    let mut out = Vec::with_capacity(len.saturating_add(5));
    out.push(MessageType::Encrypt.code());
    out.extend_from_slice(&length);
    let aad = authenticated(length, sealing.label);
    aead::encrypt(&mut out, key, version, sealing.nonce, &aad, |out| {
        out.extend_from_slice(body);
    })
    .map_err(|_| too_long)?;
    Ok(out.into())
}
