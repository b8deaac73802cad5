//! The bounds of every queue and table that input can fill.

/// Named limits. The defaults serve clusters of 100,000 members; each is at least 1.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Limits {
    /// Member records kept, of any state. New names beyond it are refused.
    pub members: usize,
    /// New names that may become members within one second, once the burst is used up; more are
    /// refused. Names that are known, also of the dead and of those that left, are not counted.
    pub new_members_per_second: usize,
    /// New names that may become members at once: at least the size of a cluster that one full
    /// state exchange tells of.
    pub new_members_burst: usize,
    /// Streams open at the same time, both directions. Accepted ones beyond it are refused.
    pub streams: usize,
    /// Accepted streams from one IP address at the same time.
    pub streams_per_source: usize,
    /// Bytes of memory held for what accepted streams have sent so far; a stream that goes
    /// beyond it is closed.
    pub stream_memory: usize,
    /// Bytes of memory held for accepted streams from one IP address.
    pub stream_memory_per_source: usize,
    /// Push/pull exchanges served at the same time; the one that reaches the limit is closed
    /// unanswered (Go: 128).
    pub push_pulls: usize,
    /// Indirect pings relayed at the same time.
    pub relays: usize,
    /// Indirect pings relayed within one second, and at once.
    pub relays_per_second: usize,
    /// Operations under way at the same time.
    pub operations: usize,
    /// Messages in each of the three queues for `broadcast`; the oldest is dropped beyond it.
    pub user_broadcasts: usize,
    /// Messages that are being disseminated by stream; one more is refused.
    pub disseminations: usize,
    /// Bytes of all of them.
    pub dissemination_bytes: usize,
    /// Streams that carry them at the same time.
    pub dissemination_streams: usize,
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
    /// Dead members that are still looked for (`rejoin`); beyond it those that died first are not.
    pub lost_members: usize,
    /// Refusals, name conflicts and failures of accepted streams told to the application within
    /// one second, and at once. The others are only counted.
    pub reports_per_second: usize,
    /// New names, relayed pings and reports, of each so many within one second and at once, that
    /// an IP address still has when the rate for everybody is used up.
    pub share_per_source: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            members: 1 << 20,
            new_members_per_second: 1000,
            new_members_burst: 1 << 17,
            streams: 1024,
            streams_per_source: 256,
            stream_memory: 512 << 20,
            stream_memory_per_source: 128 << 20,
            push_pulls: 128,
            relays: 1024,
            relays_per_second: 1000,
            operations: 4096,
            user_broadcasts: 4096,
            disseminations: 64,
            dissemination_bytes: 64 << 20,
            dissemination_streams: 8,
            stream_bytes: 20 << 20,
            stream_decompressed_bytes: 40 << 20,
            push_pull_nodes: 1 << 20,
            packet_depth: 4,
            told_dead: 32,
            lost_members: 1024,
            reports_per_second: 1000,
            share_per_source: 8,
        }
    }
}
