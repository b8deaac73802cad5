//! Keys, and the ring of those in use.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;
use zeroize::Zeroizing;

use super::aead::Cipher;

/// An AES key of 16, 24 or 32 bytes. Clones share one copy of it, which is wiped from memory when
/// the last clone is dropped; `Debug` never shows it. The key is expanded once, not for every
/// packet.
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
    /// The length is not 16, 24 or 32 bytes.
    pub fn new(bytes: &[u8]) -> Result<Self, InvalidKey> {
        let cipher = Cipher::new(bytes).ok_or(InvalidKey { len: bytes.len() })?;
        Ok(Self(Arc::new(Inner { bytes: Zeroizing::new(bytes.to_vec()), cipher })))
    }

    /// The key in base64, as [`FromStr`] reads it.
    pub fn to_base64(&self) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(self.as_bytes()))
    }

    /// The secret bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0.bytes
    }

    /// The id that names the key where the key itself must not be written, as in recordings.
    pub fn id(&self) -> KeyId {
        KeyId(self.cipher().check_value())
    }

    pub(super) fn cipher(&self) -> &Cipher {
        &self.0.cipher
    }

    /// How many clones share the key. It is not wiped while there is one.
    #[cfg(test)]
    pub(crate) fn clones(&self) -> usize {
        Arc::strong_count(&self.0)
    }
}

/// Reads a key in base64 with padding, as Serf, Consul and `memberlist keygen` write it. White
/// space around it is ignored. Errors never repeat the text.
impl FromStr for Key {
    type Err = ParseKeyError;

    fn from_str(text: &str) -> Result<Self, ParseKeyError> {
        let bytes = STANDARD.decode(text.trim()).map(Zeroizing::new);
        Ok(Self::new(&bytes.map_err(|_| ParseKeyError::Encoding)?)?)
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

/// The name of a key in recordings and checkpoints: a check value, from which the key cannot be
/// computed. `Display` writes it as 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct KeyId(pub [u8; 8]);

impl KeyId {
    /// A placeholder for a key that is missing, where only the length of what is sent matters: a
    /// key that no peer has, and a different one for each id. It is never `None`.
    pub fn stand_in(self) -> Option<Key> {
        Key::new(&[self.0, [0; 8]].concat()).ok()
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

/// Bytes cannot be a key because of their length (Go: `ValidateKey`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("key has {len} bytes, it must have 16, 24 or 32")]
pub struct InvalidKey {
    /// Their length.
    pub len: usize,
}

/// Why a text is not a key. The text is secret, and not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ParseKeyError {
    /// It is not base64 with padding.
    #[error("it is not base64")]
    Encoding,
    /// It is base64, but not of 16, 24 or 32 bytes.
    #[error(transparent)]
    Length(#[from] InvalidKey),
}

/// Why a change to the keyring is refused. The ring is unchanged then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeyringError {
    /// The key is not in the ring.
    #[error("requested key is not in the keyring")]
    NotFound,
    /// The primary key cannot be removed; another key must become the primary first.
    #[error("removing the primary key is not allowed")]
    IsPrimary,
    /// The ring has no key to remove.
    ///
    /// Differs from Go: it crashes.
    #[error("the keyring is empty")]
    Empty,
}

/// The keys in use, each once. The first one is the primary: it encrypts everything that is sent,
/// while received messages may be encrypted with any. An empty ring means no encryption.
///
/// To rotate a key in a running cluster, add the new one at every node, then make it the primary at
/// every node, then remove the old one. That way each node can always read what any other sends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keyring(Vec<Key>);

impl Keyring {
    /// A ring with a primary key.
    pub fn new(primary: Key) -> Self {
        Self(Vec::from([primary]))
    }

    /// Appends a key, which becomes the primary if the ring was empty. Returns `false`, and changes
    /// nothing, if the key is in the ring already.
    pub fn add(&mut self, key: Key) -> bool {
        // A repeated key would be tried twice on every message that fits no key.
        let new = !self.0.contains(&key);
        if new {
            self.0.push(key);
        }
        new
    }

    /// Makes a key of the ring the primary. The order of the others is kept.
    ///
    /// # Errors
    /// The key is not in the ring.
    pub fn use_key(&mut self, key: &Key) -> Result<(), KeyringError> {
        let at = self.0.iter().position(|k| k == key).ok_or(KeyringError::NotFound)?;
        // The former primary becomes the second key, and is still tried first among the others: most
        // peers keep using it until the change has reached them.
        if let Some(keys) = self.0.get_mut(..=at) {
            keys.rotate_right(1);
        }
        Ok(())
    }

    /// Removes a key and returns whether it was in the ring. The key is wiped from memory as soon as
    /// no clone of it is left. A node keeps no clone of a key that it removes, but a copy of its
    /// [`Config`](crate::Config) that the application made earlier does.
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

    /// The key that encrypts; `None` if the ring is empty.
    pub fn primary(&self) -> Option<&Key> {
        self.0.first()
    }

    /// All keys, the primary first.
    pub fn keys(&self) -> &[Key] {
        &self.0
    }

    /// Whether the ring has no key, which means no encryption.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The first key becomes the primary. Repeated keys are left out.
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
