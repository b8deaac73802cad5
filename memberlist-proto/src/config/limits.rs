//! The bounds of every queue and table that input can fill.

/// Named limits. The defaults serve clusters of 100,000 members; each is at least 1.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Limits {
    /// Member records kept, of any state. New names beyond it are refused.
    pub members: usize,
    /// Streams open at the same time, both directions. Accepted ones beyond it are refused.
    pub streams: usize,
    /// Accepted streams from one IP address at the same time.
    pub streams_per_source: usize,
    /// Push/pull exchanges served at the same time; the one that reaches the limit is closed
    /// unanswered (Go: 128).
    pub push_pulls: usize,
    /// Indirect pings relayed at the same time.
    pub relays: usize,
    /// Operations under way at the same time.
    pub operations: usize,
    /// Messages in each of the queues for `broadcast`; the least urgent is dropped beyond it.
    pub user_broadcasts: usize,
    /// Bytes of one encrypted stream frame, of the user state of a push/pull, and of a reliable
    /// message (Go: 20 MiB).
    pub stream_bytes: usize,
    /// Bytes that a compressed stream may decompress to (Go: 40 MiB).
    pub stream_decompressed_bytes: usize,
    /// Member records in one push/pull (Go: 1,048,576).
    pub push_pull_nodes: usize,
    /// Compound and compressed layers within one another in a packet.
    pub packet_depth: usize,
    /// Members told about an accusation of theirs within one probe interval
    /// (`differences.tell_the_dead`).
    pub told_dead: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            members: 1 << 20,
            streams: 1024,
            streams_per_source: 256,
            push_pulls: 128,
            relays: 1024,
            operations: 4096,
            user_broadcasts: 4096,
            stream_bytes: 20 << 20,
            stream_decompressed_bytes: 40 << 20,
            push_pull_nodes: 1 << 20,
            packet_depth: 4,
            told_dead: 32,
        }
    }
}
