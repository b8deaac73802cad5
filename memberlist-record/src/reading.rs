//! The rules by which a node reads packets and streams.

use memberlist_proto::security::Keyring;
use memberlist_proto::wire::frame::FrameRules;
use memberlist_proto::wire::packet::Rules;
use memberlist_proto::{Config, Memberlist};

/// The rules by which a node reads packets and streams, with the keys that it has at the moment.
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
            limits: self.config.packet_limits(),
        }
    }

    pub(crate) fn streams(&self) -> FrameRules<'_> {
        FrameRules {
            label: &self.config.label,
            skip_inbound_label_check: self.config.skip_inbound_label_check,
            accept_labels: &self.config.accept_labels,
            keyring: Some(&self.keyring),
            verify_incoming: self.config.gossip_verify_incoming,
            limits: self.config.frame_limits(),
            known: None,
        }
    }
}
