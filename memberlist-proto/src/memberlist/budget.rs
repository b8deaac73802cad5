//! How much fits into a packet, and whether it is encrypted.

use super::Memberlist;
use super::send::PART_OVERHEAD;
use crate::security::aead::Version;
use crate::wire::{checksum, compound, label};

impl Memberlist {
    /// The longest message that [`broadcast`](Self::broadcast) takes now, in bytes.
    pub fn broadcast_limit(&self) -> usize {
        self.gossip_limit().saturating_sub(1)
    }

    /// The longest message that [`send`](Self::send) takes now, in bytes.
    pub fn message_limit(&self) -> usize {
        let taken = 1 + self.sealing_overhead() + checksum::OVERHEAD;
        self.config.udp_buffer_size.saturating_sub(taken)
    }

    /// The longest message that gossip can carry now, with its type byte.
    pub(super) fn gossip_limit(&self) -> usize {
        self.gossip_budget().saturating_sub(PART_OVERHEAD)
    }

    /// How many bytes of gossip fit into a packet of nothing else.
    pub(super) fn gossip_budget(&self) -> usize {
        self.config.udp_buffer_size.saturating_sub(self.config.gossip_overhead(self.has_key()))
    }

    /// How many bytes of gossip fit beside a message of this length.
    pub(super) fn piggyback_budget(&self, message: usize) -> usize {
        let mut taken = message + compound::HEADER + self.sealing_overhead();
        if self.config.differences.exact_packet_budget {
            taken += PART_OVERHEAD;
        }
        self.config.udp_buffer_size.saturating_sub(taken)
    }

    /// Whether there is a key at all.
    pub(super) fn has_key(&self) -> bool {
        !self.keyring.is_empty()
    }

    /// Whether what this node sends is encrypted.
    pub(super) fn encrypts(&self) -> bool {
        self.has_key() && self.config.gossip_verify_outgoing
    }

    /// The encryption version that this node writes.
    pub(super) fn encryption_version(&self) -> Version {
        Version::for_protocol(self.config.protocol_version)
    }

    /// Bytes that the label and the encryption in force add to a packet.
    fn sealing_overhead(&self) -> usize {
        let encryption = if self.encrypts() { self.encryption_version().overhead() } else { 0 };
        self.label_overhead() + encryption
    }

    fn label_overhead(&self) -> usize {
        label::overhead(&self.config.label)
    }
}
