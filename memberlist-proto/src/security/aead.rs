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

/// Bytes of the nonce that every payload carries.
pub(crate) const NONCE: usize = 12;
/// Bytes of the authentication tag.
pub(crate) const TAG: usize = 16;

/// Version 0 pads to a multiple of this many bytes.
const BLOCK: usize = 16;
const PREFIX: usize = 1 + NONCE;
/// Bytes of a payload that encrypts nothing and has no padding.
const SMALLEST: usize = PREFIX + TAG;

/// The version of a payload: how its plaintext is padded before encryption.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[repr(u8)]
pub enum Version {
    /// Padded to whole blocks (PKCS#7): protocol version 1.
    Padded = 0,
    /// Not padded: protocol version 2 and later.
    Plain = 1,
}

impl Version {
    /// The version that a node of this protocol version sends. Every node reads both, whatever it
    /// speaks.
    pub fn for_protocol(version: u8) -> Self {
        if version <= 1 { Self::Padded } else { Self::Plain }
    }

    /// The byte on the wire.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The most bytes that encryption adds, for size budgets (Go: `encryptOverhead`).
    pub fn overhead(self) -> usize {
        match self {
            Self::Padded => SMALLEST + BLOCK,
            Self::Plain => SMALLEST,
        }
    }

    /// Length in bytes of the payload for `len` bytes of plaintext (Go: `encryptedLength`).
    pub fn encrypted_len(self, len: usize) -> usize {
        len.saturating_add(self.padding(len)).saturating_add(SMALLEST)
    }

    fn padding(self, len: usize) -> usize {
        match self {
            // Never 0, or the receiver could not distinguish padding from text.
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

/// Why a payload cannot be decrypted. The texts of the first four are Go's: an acceptor sends them
/// to its peer, which logs them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum DecryptError {
    /// The payload is empty.
    #[error("cannot decrypt empty payload")]
    Empty,
    /// The version does not exist.
    #[error("unsupported encryption version {0}")]
    UnsupportedVersion(u8),
    /// The payload has fewer bytes than its version needs.
    #[error("payload is too small to decrypt: {0}")]
    TooShort(usize),
    /// The payload was made with a key that we do not have or with another label, or it was altered
    /// on its way. Authentication does not distinguish these.
    #[error("no installed keys could decrypt the message")]
    NoKey,
    /// The payload is authentic, but its padding is impossible.
    ///
    /// Differs from Go: it crashes, or removes a wrong number of bytes.
    #[error("padding is invalid")]
    Padding,
}

/// How a payload was encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decrypted {
    /// The version of the payload.
    pub version: Version,
    /// The index of the key in the ring; 0 is the primary.
    pub key_index: usize,
}

/// The plaintext is longer than the 64 GiB that AES-GCM can encrypt with one nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("message is too long to encrypt")]
pub struct TooLongToEncrypt;

/// Appends an encrypted payload to `out`. The bytes that `plaintext` appends to the vector are
/// encrypted in place; `aad` is authenticated with them. A nonce must never be used twice with one
/// key: two messages under one nonce reveal each other and let anyone forge more.
///
/// # Errors
/// There are more than 64 GiB of plaintext. `out` is unchanged then.
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
    // PKCS#7: between 1 and 16 bytes, each with their number as its value.
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

/// Decrypts `payload` and appends the plaintext to `out`. The `keys` are tried in order: during a
/// key rotation peers use different ones, and the payload does not say which.
///
/// # Errors
/// No key fits, or the payload is malformed. `out` is unchanged then.
pub fn decrypt(
    out: &mut Vec<u8>,
    keys: &[Key],
    payload: &[u8],
    aad: &[u8],
) -> Result<Decrypted, DecryptError> {
    let &code = payload.first().ok_or(DecryptError::Empty)?;
    let version = Version::from_code(code).ok_or(DecryptError::UnsupportedVersion(code))?;
    // Version 0 always has padding, so that its shortest payload is a whole block longer. Go checks
    // the same (`encryptedLength` of 0 bytes); its text is part of what peers see.
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
    // The tag is verified before the buffer is touched, so that the next key finds it unchanged.
    let found = keys.iter().position(|key| key.cipher().decrypt(nonce, aad, buffer, tag));
    let kept = match found {
        None => Err(DecryptError::NoKey),
        Some(_) if version == Version::Plain => Ok(text.len()),
        // The version byte is not authenticated (the format is Go's): if it was altered on its way,
        // this removes authentic bytes, or fails. It never removes more than a block.
        Some(_) => unpadded_len(buffer).ok_or(DecryptError::Padding),
    };
    // After an error this removes everything: neither ciphertext nor unpadded plaintext may be taken
    // for a message.
    out.truncate(start.saturating_add(*kept.as_ref().unwrap_or(&0)));
    kept?;
    Ok(Decrypted { version, key_index: found.unwrap_or_default() })
}

/// The length without padding; `None` if the padding is impossible. As in Go only the last byte is
/// examined, which counts the bytes of padding. The text has been authenticated before, so that
/// this check is no padding oracle.
fn unpadded_len(text: &[u8]) -> Option<usize> {
    let padding = usize::from(*text.last()?);
    if (1..=BLOCK).contains(&padding) { text.len().checked_sub(padding) } else { None }
}

/// A key expanded for its cipher. Its size selects AES-128, AES-192 or AES-256 (Go: `aes.NewCipher`).
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

    /// Eight bytes that identify a key without revealing it: the beginning of the tag of an empty
    /// message, under a nonce that is used for nothing else.
    pub(super) fn check_value(&self) -> [u8; 8] {
        let tag = self.encrypt([0xff; NONCE], b"memberlist key id", &mut []).unwrap_or_default();
        tag.first_chunk().copied().unwrap_or_default()
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
