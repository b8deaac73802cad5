//! Writing the message of one direction of a connection.

use alloc::vec::Vec;

use bytes::Bytes;
use thiserror::Error;

use super::MAX_ENCRYPTED;
use super::reader::{PREFIX, authenticated};
use crate::security::aead::{self, NONCE};
use crate::security::{Key, Version};
use crate::wire::Scratch;
use crate::wire::compress::Algorithm;
use crate::wire::message::MessageType;

/// How a message is sent on a stream. The initiator writes the label header before the frame
/// ([`label::write_header`](crate::wire::label::write_header)); the acceptor writes none.
#[derive(Clone, Copy, Debug)]
pub struct FrameSealing<'a> {
    /// Our label, which encryption authenticates.
    pub label: &'a [u8],
    /// The primary key and the version to encrypt with; `None` sends plaintext.
    pub key: Option<(&'a Key, Version)>,
    /// A nonce that was never used with this key before.
    pub nonce: [u8; NONCE],
    /// How to compress the message; `None` leaves it as it is.
    pub compress: Option<Algorithm>,
    /// Whether to leave a message uncompressed that compression does not make smaller.
    ///
    /// Differs from Go: it compresses every message on a stream, even if it grows.
    pub only_if_smaller: bool,
}

/// A message is longer than any peer accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[error("encrypted message would take {len} bytes, the limit is {limit}")]
pub struct FrameTooLong {
    /// Length of the encrypted payload in bytes.
    pub len: usize,
    /// The most bytes it may have.
    pub limit: usize,
}

/// Makes a frame of a message: compress, then encrypt. The frame has its exact size.
///
/// # Errors
/// The encrypted payload would be longer than 20 MiB, the most that a peer reads.
pub fn seal_frame(
    message: &[u8],
    sealing: &FrameSealing<'_>,
    scratch: &mut Scratch,
) -> Result<Bytes, FrameTooLong> {
    encrypt_frame(compress_frame(message, sealing, scratch), sealing)
}

/// Compresses a message, if `sealing` says so, without encrypting it: the first half of
/// [`seal_frame`].
pub fn compress_frame(message: &[u8], sealing: &FrameSealing<'_>, scratch: &mut Scratch) -> Bytes {
    let Scratch { compressor, compressed, .. } = scratch;
    compressed.clear();
    // Without `only_if_smaller` the result is used even if it is longer. Receivers read either: the
    // type byte says which it is.
    let limit = if sealing.only_if_smaller { message.len().saturating_sub(1) } else { usize::MAX };
    let smaller = sealing
        .compress
        .is_some_and(|algorithm| compressor.encode(algorithm, message, limit, compressed));
    let body = Bytes::copy_from_slice(if smaller { compressed } else { message });
    scratch.clear();
    body
}

/// Encrypts the result of [`compress_frame`], if there is a key: the second half of [`seal_frame`].
///
/// # Errors
/// The encrypted payload would be longer than 20 MiB, the most that a peer reads.
pub fn encrypt_frame(body: Bytes, sealing: &FrameSealing<'_>) -> Result<Bytes, FrameTooLong> {
    match sealing.key {
        None => Ok(body),
        Some((key, version)) => encrypt(&body, sealing, key, version),
    }
}

fn encrypt(
    body: &[u8],
    sealing: &FrameSealing<'_>,
    key: &Key,
    version: Version,
) -> Result<Bytes, FrameTooLong> {
    let len = version.encrypted_len(body.len());
    let too_long = FrameTooLong { len, limit: MAX_ENCRYPTED };
    // Refused here rather than by the peer, at the cost of a connection for nothing.
    if len > MAX_ENCRYPTED {
        return Err(too_long);
    }
    let length = (len as u32).to_be_bytes();
    let mut out = Vec::with_capacity(len.saturating_add(PREFIX));
    out.push(MessageType::Encrypt.code());
    out.extend_from_slice(&length);
    let aad = authenticated(length, sealing.label);
    aead::encrypt(&mut out, key, version, sealing.nonce, &aad, |out| {
        out.extend_from_slice(body);
    })
    .map_err(|_| too_long)?;
    Ok(out.into())
}
