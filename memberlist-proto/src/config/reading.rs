//! The bounds that reading keeps to, as they follow from the configuration.

use super::Config;
use crate::wire::frame::FrameLimits;
use crate::wire::packet::PacketLimits;

impl Config {
    /// What one packet may cause a node of this configuration.
    pub fn packet_limits(&self) -> PacketLimits {
        PacketLimits {
            max_decompressed: self.differences.packet_decompressed_max,
            max_depth: self.limits.packet_depth,
            ..PacketLimits::default()
        }
    }

    /// What one stream may cause a node of this configuration.
    pub fn frame_limits(&self) -> FrameLimits {
        let limits = &self.limits;
        FrameLimits {
            max_encrypted: limits.stream_bytes,
            max_nodes: limits.push_pull_nodes,
            max_user_state: limits.stream_bytes,
            max_user_message: limits.stream_bytes,
            max_decompressed: limits.stream_decompressed_bytes,
            max_compressed: limits.stream_bytes,
            max_plain_push_pull: limits.stream_decompressed_bytes,
            ..FrameLimits::default()
        }
    }
}
