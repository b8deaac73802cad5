//! AES-GCM in the two versions of the protocol (Go: `security.go`).
//!
//! ```text
//! version u8 | nonce 12 | ciphertext | tag 16
//! ```

use alloc::vec::Vec;
use core::fmt;

use aes_gcm::aead::KeyInit;
use aes_gcm::aes::cipher::consts::U12;
use aes_gcm::aes::{Aes128, Aes192, Aes256};
use aes_gcm::{AeadInOut, AesGcm};
use thiserror::Error;

use super::keyring::Key;

/// Bytes of the random number that every payload carries.
pub const NONCE: usize = 12;
/// Bytes of the authentication tag.
pub const TAG: usize = 16;

const BLOCK: usize = 16;
const PREFIX: usize = 1 + NONCE;
const SMALLEST: usize = PREFIX + TAG;

/// How a payload is laid out before encryption.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Version {
    /// Padded to whole blocks (PKCS#7); spoken by protocol version 1.
    Padded = 0,
    /// Not padded; spoken by protocol version 2 and later.
    Plain = 1,
}

impl Version {
    /// What a node of this protocol version sends. Both are understood by all.
    pub fn for_protocol(version: u8) -> Self {
        if version <= 1 { Self::Padded } else { Self::Plain }
    }

    /// The byte on the wire.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// Bytes that encryption adds at most, for size budgets (Go: `encryptOverhead`).
    pub fn overhead(self) -> usize {
        match self {
            Self::Padded => SMALLEST + BLOCK,
            Self::Plain => SMALLEST,
        }
    }

    /// Bytes that `len` bytes take when encrypted (Go: `encryptedLength`).
    pub fn encrypted_len(self, len: usize) -> usize {
        len.saturating_add(self.padding(len)).saturating_add(SMALLEST)
    }

    fn padding(self, len: usize) -> usize {
        match self {
            Self::Padded => BLOCK.saturating_sub(len % BLOCK),
            Self::Plain => 0,
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Padded),
            1 => Some(Self::Plain),
            _ => None,
        }
    }
}

/// Why a payload cannot be decrypted. The texts of the first four are Go's, peers see them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DecryptError {
    /// There is no payload.
    #[error("cannot decrypt empty payload")]
    Empty,
    /// A version that does not exist.
    #[error("unsupported encryption version {0}")]
    UnsupportedVersion(u8),
    /// Too few bytes for its version.
    #[error("payload is too small to decrypt: {0}")]
    TooShort(usize),
    /// It was made with another key or another label, or was changed on its way.
    #[error("no installed keys could decrypt the message")]
    NoKey,
    /// It is authentic, but its padding is impossible.
    ///
    /// Differs from Go: it crashes, or cuts a wrong number of bytes off.
    #[error("padding is invalid")]
    Padding,
}

/// How a payload was encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decrypted {
    /// Its version.
    pub version: Version,
    /// Which key of the ring it was, 0 the primary.
    pub key_index: usize,
}

/// The payload is beyond what one AES-GCM nonce can encrypt: 64 GiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("message is too long to encrypt")]
pub struct TooLongToEncrypt;

/// Appends an encrypted payload to `out`. What `plaintext` appends to the vector is encrypted
/// in place; `aad` is authenticated with it. A nonce must never be used twice with one key.
///
/// # Errors
/// More than 64 GiB of plaintext; `out` is as before.
pub fn encrypt(
    out: &mut Vec<u8>,
    key: &Key,
    version: Version,
    nonce: [u8; NONCE],
    aad: &[u8],
    plaintext: impl FnOnce(&mut Vec<u8>),
) -> Result<(), TooLongToEncrypt> {
    let start = out.len();
    out.push(version.code());
    out.extend_from_slice(&nonce);
    let text = out.len();
    plaintext(out);
    let padding = version.padding(out.len().saturating_sub(text));
    out.resize(out.len().saturating_add(padding), padding as u8);
    let buffer = out.get_mut(text..).unwrap_or_default();
    if let Some(tag) = key.cipher().encrypt(nonce, aad, buffer) {
        out.extend_from_slice(&tag);
        Ok(())
    } else {
        out.truncate(start);
        Err(TooLongToEncrypt)
    }
}

/// Appends the plaintext of `payload` to `out`, trying `keys` in order.
///
/// # Errors
/// No key fits or the payload is malformed; `out` is as before.
pub fn decrypt(
    out: &mut Vec<u8>,
    keys: &[Key],
    payload: &[u8],
    aad: &[u8],
) -> Result<Decrypted, DecryptError> {
    let &code = payload.first().ok_or(DecryptError::Empty)?;
    let version = Version::from_code(code).ok_or(DecryptError::UnsupportedVersion(code))?;
    let too_short = DecryptError::TooShort(payload.len());
    if payload.len() < version.overhead() {
        return Err(too_short);
    }
    let (&nonce, rest) =
        payload.get(1..).and_then(|rest| rest.split_first_chunk::<NONCE>()).ok_or(too_short)?;
    let (text, &tag) = rest.split_last_chunk::<TAG>().ok_or(too_short)?;
    let start = out.len();
    out.extend_from_slice(text);
    let buffer = out.get_mut(start..).unwrap_or_default();
    // The tag is verified before the buffer is touched, so the next key finds it unchanged.
    let found = keys.iter().position(|key| key.cipher().decrypt(nonce, aad, buffer, tag));
    let kept = match found {
        None => Err(DecryptError::NoKey),
        Some(_) if version == Version::Plain => Ok(text.len()),
        Some(_) => unpadded_len(buffer).ok_or(DecryptError::Padding),
    };
    out.truncate(start.saturating_add(*kept.as_ref().unwrap_or(&0)));
    kept?;
    Ok(Decrypted { version, key_index: found.unwrap_or_default() })
}

/// The length without padding. As in Go only the last byte is looked at: it counts the padding.
fn unpadded_len(text: &[u8]) -> Option<usize> {
    let padding = usize::from(*text.last()?);
    if (1..=BLOCK).contains(&padding) { text.len().checked_sub(padding) } else { None }
}

/// A key made ready for use.
pub(super) enum Cipher {
    Aes128(AesGcm<Aes128, U12>),
    Aes192(AesGcm<Aes192, U12>),
    Aes256(AesGcm<Aes256, U12>),
}

impl Cipher {
    pub(super) fn new(key: &[u8]) -> Option<Self> {
        match key.len() {
            16 => AesGcm::new_from_slice(key).map(Self::Aes128).ok(),
            24 => AesGcm::new_from_slice(key).map(Self::Aes192).ok(),
            32 => AesGcm::new_from_slice(key).map(Self::Aes256).ok(),
            _ => None,
        }
    }

    fn encrypt(&self, nonce: [u8; NONCE], aad: &[u8], text: &mut [u8]) -> Option<[u8; TAG]> {
        let nonce = nonce.into();
        let tag = match self {
            Self::Aes128(cipher) => cipher.encrypt_inout_detached(&nonce, aad, text.into()),
            Self::Aes192(cipher) => cipher.encrypt_inout_detached(&nonce, aad, text.into()),
            Self::Aes256(cipher) => cipher.encrypt_inout_detached(&nonce, aad, text.into()),
        };
        tag.ok().map(Into::into)
    }

    fn decrypt(&self, nonce: [u8; NONCE], aad: &[u8], text: &mut [u8], tag: [u8; TAG]) -> bool {
        let (nonce, tag) = (nonce.into(), tag.into());
        match self {
            Self::Aes128(cipher) => cipher.decrypt_inout_detached(&nonce, aad, text.into(), &tag),
            Self::Aes192(cipher) => cipher.decrypt_inout_detached(&nonce, aad, text.into(), &tag),
            Self::Aes256(cipher) => cipher.decrypt_inout_detached(&nonce, aad, text.into(), &tag),
        }
        .is_ok()
    }
}

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cipher")
    }
}

#[cfg(test)]
mod tests;
