//! The bounds of every queue and table that input can fill.

use super::Preset;
use super::fields::{Bounds, Field, FieldType};

table! {
    /// The limits of everything that others can make a node store or do; `docs/limits.md` says what
    /// happens beyond each. The defaults serve clusters of 100,000 members.
    #[derive(Clone, Debug, PartialEq, Eq)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    #[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
    pub struct Limits in [limits] {
        "Limits (docs/limits.md): members" {
            /// Member records kept, of any state, this node's own included. New names beyond it are
            /// refused.
            members: usize = (1_048_576), within (2 to 16_777_216);

            /// New names that may become members within one second once the burst is used up; more
            /// are refused. Known names are not counted, nor are those of members that died or left
            /// and come back.
            new_members_per_second: usize = (1000), within (1 to 1_000_000);

            /// New names that may become members at once: at least as many as the largest cluster
            /// that one full state exchange may bring.
            new_members_burst: usize = (131_072), within (1 to 16_777_216);

            /// Dead members that are still looked for (`rejoin`). Beyond it, members that have
            /// never answered are given up first, then those of the host with the most of them.
            lost_members: usize = (1024), within (1 to 65_536);

            /// Members informed of an accusation against them within one probe interval
            /// (`differences.tell_the_dead`). The same limit applies, separately, to answers to
            /// accusers and to repeated leaves.
            told_dead: usize = (32), within (1 to 65_536);
        }

        "Limits: streams" {
            /// Streams accepted at the same time; more are closed. The last quarter is for sources
            /// with fewer than `share_per_source`.
            streams: usize = (1024), within (1 to 1_048_576);

            /// Streams that this node has opened, at the same time. Any operation that needs one
            /// more fails.
            streams_opened: usize = (1024), within (1 to 1_048_576);

            /// Accepted streams from one source at the same time: an IPv4 address, or the /64 of an
            /// IPv6 address.
            streams_per_source: usize = (256), within (1 to 1_048_576);

            /// Bytes of memory for what accepted streams have sent so far, and for the nodes that
            /// the application is shown before a merge (`ask_admit_merge`). A stream that goes
            /// beyond it is closed.
            stream_memory: usize = (512 MiB), within (4 KiB to 4 GiB);

            /// Bytes of memory for the same, for one source.
            stream_memory_per_source: usize = (128 MiB), within (4 KiB to 4 GiB);

            /// Full state exchanges (push/pull) served at the same time. The one that reaches the
            /// limit is closed unanswered, so that one fewer are served.
            push_pulls: usize = (128), within (2 to 65_536);

            /// Member records in one full state exchange.
            push_pull_nodes: usize = (1_048_576), within (2 to 16_777_216);

            /// Bytes of one encrypted stream frame, of the application's state in a full state
            /// exchange, and of a reliable message.
            stream_bytes: usize = (20 MiB), within (4 KiB to 1 GiB);

            /// Bytes that a compressed stream may decompress to.
            stream_decompressed_bytes: usize = (40 MiB), within (4 KiB to 1 GiB);

            /// Bytes of a stream's message that are encrypted, decrypted or compressed at once, and
            /// a quarter of what is decompressed at once; more is a job (`hand_out_jobs`).
            bytes_at_once: usize = (32_768), within (1 to 1_073_741_824);

            /// Member records of a full state that are encoded or merged at once; the others have
            /// to wait until packets and timers have been handled (`hand_out_jobs`).
            records_at_once: usize = (256), within (1 to 16_777_216);

            /// Jobs that are handed out at the same time; more wait (`hand_out_jobs`).
            jobs: usize = (2), within (1 to 1024);
        }

        "Limits: the application's messages" {
            /// Operations in progress at the same time, such as joins and pings. One more is
            /// refused.
            operations: usize = (4096), within (1 to 1_048_576);

            /// Messages in each of the three queues of `broadcast`. Beyond it the oldest is
            /// dropped.
            user_broadcasts: usize = (4096), within (1 to 1_048_576);

            /// Messages being disseminated over streams. One more is refused.
            disseminations: usize = (64), within (1 to 65_536);

            /// Bytes of all messages being disseminated over streams.
            dissemination_bytes: usize = (64 MiB), within (4 KiB to 4 GiB);

            /// Streams that carry messages being disseminated, at the same time.
            dissemination_streams: usize = (8), within (1 to 65_536);
        }

        "Limits: what strangers can cause" {
            /// Compound and compressed layers nested in one another in a packet. Nodes send up to
            /// two.
            packet_depth: usize = (4), within (2 to 32);

            /// Indirect pings relayed at the same time.
            relays: usize = (1024), within (1 to 1_048_576);

            /// Indirect pings relayed within one second, and in one burst.
            relays_per_second: usize = (1000), within (1 to 1_000_000);

            /// Pings answered within one second, and in one burst, that do not come from the
            /// address of the member in whose name they are sent. Further ones are only counted.
            replies_per_second: usize = (1000), within (1 to 1_000_000);

            /// Refusals, name conflicts and failures of accepted streams reported to the
            /// application within one second, and in one burst. Further ones are only counted.
            reports_per_second: usize = (1000), within (1 to 1_000_000);

            /// What a source (an IPv4 address, or the /64 of an IPv6 address) still has when the
            /// common rate is used up: this many new names, relayed pings, replies and reports
            /// each, within one second and in one burst. And the accepted streams that it still has
            /// when only a quarter of them is free.
            share_per_source: usize = (8), within (1 to 1_000_000);
        }
    }
}
