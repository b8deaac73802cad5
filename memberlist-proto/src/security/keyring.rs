//! Keys, and the ring of those in use.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use thiserror::Error;
use zeroize::Zeroizing;

use super::aead::Cipher;

/// An AES key of 16, 24 or 32 bytes. The bytes are wiped when the last clone is dropped, never
/// shown by `Debug`, and expanded once, not once per packet.
#[derive(Clone)]
pub struct Key(Arc<Inner>);

struct Inner {
    bytes: Zeroizing<Vec<u8>>,
    cipher: Cipher,
}

impl Key {
    /// A key of these bytes.
    ///
    /// # Errors
    /// Not 16, 24 or 32 bytes.
    pub fn new(bytes: &[u8]) -> Result<Self, InvalidKey> {
        let cipher = Cipher::new(bytes).ok_or(InvalidKey { len: bytes.len() })?;
        Ok(Self(Arc::new(Inner { bytes: Zeroizing::new(bytes.to_vec()), cipher })))
    }

    /// The secret bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0.bytes
    }

    pub(super) fn cipher(&self) -> &Cipher {
        &self.0.cipher
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Key {}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key(AES-{})", self.as_bytes().len().saturating_mul(8))
    }
}

/// Bytes are no key (Go: `ValidateKey`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("key has {len} bytes, it must have 16, 24 or 32")]
pub struct InvalidKey {
    /// How many there are.
    pub len: usize,
}

/// Why a change to the keyring is refused. The ring is as before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeyringError {
    /// The key is not in the ring.
    #[error("requested key is not in the keyring")]
    NotFound,
    /// The primary key cannot be removed: use another one first.
    #[error("removing the primary key is not allowed")]
    IsPrimary,
    /// There is nothing to remove.
    ///
    /// Differs from Go: it crashes.
    #[error("the keyring is empty")]
    Empty,
}

/// The keys in use, each once. The first is the primary: everything sent is encrypted with it;
/// what comes in may be encrypted with any. An empty ring means no encryption.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keyring(Vec<Key>);

impl Keyring {
    /// A ring with a primary key.
    pub fn new(primary: Key) -> Self {
        Self(Vec::from([primary]))
    }

    /// Appends a key; the first one becomes the primary. Returns whether it was not yet there.
    pub fn add(&mut self, key: Key) -> bool {
        let new = !self.0.contains(&key);
        if new {
            self.0.push(key);
        }
        new
    }

    /// Makes a key of the ring the primary.
    ///
    /// # Errors
    /// The key is not in the ring.
    pub fn use_key(&mut self, key: &Key) -> Result<(), KeyringError> {
        let at = self.0.iter().position(|k| k == key).ok_or(KeyringError::NotFound)?;
        if let Some(keys) = self.0.get_mut(..=at) {
            keys.rotate_right(1);
        }
        Ok(())
    }

    /// Removes a key; returns whether it was there.
    ///
    /// # Errors
    /// The key is the primary, or the ring is empty.
    pub fn remove(&mut self, key: &Key) -> Result<bool, KeyringError> {
        match self.0.iter().position(|k| k == key) {
            Some(0) => Err(KeyringError::IsPrimary),
            Some(at) => {
                self.0.remove(at);
                Ok(true)
            }
            None if self.0.is_empty() => Err(KeyringError::Empty),
            None => Ok(false),
        }
    }

    /// The key that is used for sending.
    pub fn primary(&self) -> Option<&Key> {
        self.0.first()
    }

    /// All keys, the primary first.
    pub fn keys(&self) -> &[Key] {
        &self.0
    }

    /// Whether there is no key, and so no encryption.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The first key is the primary; repeated ones are left out.
impl FromIterator<Key> for Keyring {
    fn from_iter<I: IntoIterator<Item = Key>>(keys: I) -> Self {
        let mut ring = Self::default();
        for key in keys {
            ring.add(key);
        }
        ring
    }
}

#[cfg(test)]
mod tests;
