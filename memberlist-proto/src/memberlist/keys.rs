//! The keyring of a running node: encryption can begin, change its key and end.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::Memberlist;
use crate::config::{Config, Oversized};
use crate::security::{Key, Keyring, KeyringError};

impl Memberlist {
    pub(super) fn key_added(&mut self, key: Key) -> Result<(), Oversized> {
        let announced = self.config.announced(&self.config.meta);
        self.config.check_announcement(&announced, true)?;
        Arc::make_mut(&mut self.keyring).add(key);
        self.keys_changed();
        // The first key takes room in every packet.
        let limit = self.gossip_limit();
        self.counters.broadcasts_dropped += self.queues.set_longest(limit);
        Ok(())
    }

    pub(super) fn key_used(&mut self, key: &Key) -> Result<(), KeyringError> {
        Arc::make_mut(&mut self.keyring).use_key(key)?;
        self.keys_changed();
        Ok(())
    }

    pub(super) fn key_removed(&mut self, key: &Key) -> Result<(), KeyringError> {
        Arc::make_mut(&mut self.keyring).remove(key)?;
        self.keys_changed();
        Ok(())
    }

    /// Keeps the keys in the configuration up to date. A key that remained there would not be wiped
    /// from memory either.
    fn keys_changed(&mut self) {
        self.jobs.rules_changed();
        self.config.secret_keys = self.keyring.keys().to_vec();
    }

    pub(super) fn verification_set(&mut self, incoming: bool, outgoing: bool) {
        self.config.gossip_verify_incoming = incoming;
        self.config.gossip_verify_outgoing = outgoing;
        self.jobs.rules_changed();
    }

    /// The keys of this node, the primary first; empty if nothing is encrypted.
    pub fn keys(&self) -> Vec<Key> {
        self.keyring.keys().to_vec()
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
