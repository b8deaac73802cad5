//! The bounds for reading packets and streams, as they follow from the configuration.

use super::Config;
use crate::wire::frame::FrameLimits;
use crate::wire::packet::PacketLimits;

impl Config {
    /// The bounds for reading a packet, as this configuration sets them.
    pub fn packet_limits(&self) -> PacketLimits {
        PacketLimits {
            max_decompressed: self.differences.packet_decompressed_max,
            max_depth: self.limits.packet_depth,
            ..PacketLimits::default()
        }
    }

    /// The bounds for reading a stream, as this configuration sets them.
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
