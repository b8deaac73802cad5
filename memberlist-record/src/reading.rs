//! Packets and streams, read by the rules of the node that they came to.

use memberlist_proto::security::Keyring;
use memberlist_proto::wire::frame::{FrameLimits, FrameRules};
use memberlist_proto::wire::packet::{PacketLimits, Rules};
use memberlist_proto::{Config, Memberlist};

/// How a node reads what arrives, with the keys that it has at the moment.
pub(crate) struct Reading<'a> {
    config: &'a Config,
    keyring: Keyring,
}

impl<'a> Reading<'a> {
    pub(crate) fn of(node: &'a Memberlist) -> Self {
        Self { config: node.config(), keyring: node.keys().into_iter().collect() }
    }

    pub(crate) fn packets(&self) -> Rules<'_> {
        Rules {
            label: &self.config.label,
            skip_inbound_label_check: self.config.skip_inbound_label_check,
            accept_labels: &self.config.accept_labels,
            keyring: Some(&self.keyring),
            verify_incoming: self.config.gossip_verify_incoming,
            limits: PacketLimits {
                max_decompressed: self.config.differences.packet_decompressed_max,
                max_depth: self.config.limits.packet_depth,
                ..PacketLimits::default()
            },
        }
    }

    pub(crate) fn streams(&self) -> FrameRules<'_> {
        let limits = &self.config.limits;
        FrameRules {
            label: &self.config.label,
            skip_inbound_label_check: self.config.skip_inbound_label_check,
            accept_labels: &self.config.accept_labels,
            keyring: Some(&self.keyring),
            verify_incoming: self.config.gossip_verify_incoming,
            limits: FrameLimits {
                max_encrypted: limits.stream_bytes,
                max_nodes: limits.push_pull_nodes,
                max_user_state: limits.stream_bytes,
                max_user_message: limits.stream_bytes,
                max_decompressed: limits.stream_decompressed_bytes,
                max_compressed: limits.stream_bytes,
                max_plain_push_pull: limits.stream_decompressed_bytes,
                ..FrameLimits::default()
            },
            known: None,
        }
    }
}
