//! The keyring of a running node: encryption can begin, change its key and end.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::Memberlist;
use crate::config::Config;
use crate::security::{Key, Keyring, KeyringError};
use crate::time::Instant;

impl Memberlist {
    /// Adds a key for decryption; the first one of all becomes the primary and begins encryption.
    ///
    /// To encrypt a running cluster that was plain: switch both verify flags off everywhere
    /// ([`set_verify`](Self::set_verify)), add the key everywhere, switch `outgoing` on
    /// everywhere, then `incoming`.
    pub fn add_key(&mut self, now: Instant, key: Key) {
        self.advance(now);
        Arc::make_mut(&mut self.keyring).add(key);
    }

    /// Makes a key of the ring the primary, which encrypts.
    ///
    /// # Errors
    ///
    /// The key is not in the ring.
    pub fn use_key(&mut self, now: Instant, key: &Key) -> Result<(), KeyringError> {
        self.advance(now);
        Arc::make_mut(&mut self.keyring).use_key(key)
    }

    /// Removes a key that is no longer needed; one that is not in the ring needs no removal.
    ///
    /// # Errors
    ///
    /// The key is the primary, or the ring is empty.
    pub fn remove_key(&mut self, now: Instant, key: &Key) -> Result<(), KeyringError> {
        self.advance(now);
        Arc::make_mut(&mut self.keyring).remove(key).map(drop)
    }

    /// The keys, the primary first.
    pub fn keys(&self) -> Vec<Key> {
        self.keyring.keys().to_vec()
    }

    /// Whether, with a key, what comes unencrypted is refused and what goes is encrypted.
    pub fn set_verify(&mut self, now: Instant, incoming: bool, outgoing: bool) {
        self.advance(now);
        self.config.gossip_verify_incoming = incoming;
        self.config.gossip_verify_outgoing = outgoing;
    }

    /// Whether there is a key at all.
    pub(super) fn has_key(&self) -> bool {
        !self.keyring.is_empty()
    }

    /// Whether what this node sends is encrypted.
    pub(super) fn encrypts(&self) -> bool {
        self.has_key() && self.config.gossip_verify_outgoing
    }
}

/// The ring that a configuration describes.
pub(super) fn ring_of(config: &Config) -> Keyring {
    let mut ring = Keyring::default();
    for key in &config.secret_keys {
        ring.add(key.clone());
    }
    ring
}
