//! The form of a segment on disk.
//!
//! ```text
//! magic 8 | version u16 | block, block, …
//! block: kind u8 | length u32 | XXH3-64 of kind, length and payload u64 | payload
//! ```
//!
//! Numbers are little-endian. The blocks are a header, a checkpoint, any number of blocks of
//! records, and an end, if the segment was finished.

use memberlist_proto::{CORE_HASH, Config, Instant, KeyId, Memberlist};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The first bytes of every segment. The line end in them reveals a transfer that has changed line
/// ends.
pub(crate) const MAGIC: [u8; 8] = *b"MLREC\r\n\0";
/// The version of the form of segments and blocks, and of the header's fields.
pub(crate) const VERSION: u16 = 1;
/// Bytes of magic and version.
pub(crate) const START: usize = 10;
/// Bytes of a block before its payload.
pub(crate) const BLOCK: usize = 13;
/// The extension of the files of segments.
pub(crate) const EXTENSION: &str = "mlrec";

/// What a block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A [`Header`] as JSON.
    Header = 1,
    /// A checkpoint of the core.
    Checkpoint = 2,
    /// Records: see `entry.rs`.
    Records = 3,
    /// Nothing: the segment is complete.
    End = 4,
}

impl Kind {
    pub(crate) fn from_u8(code: u8) -> Option<Self> {
        Some(match code {
            1 => Self::Header,
            2 => Self::Checkpoint,
            3 => Self::Records,
            4 => Self::End,
            _ => return None,
        })
    }
}

/// The bytes of a block before its payload.
pub(crate) fn block(kind: Kind, payload: &[u8]) -> [u8; BLOCK] {
    let mut out = [0; BLOCK];
    out[0] = kind as u8;
    out[1..5].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    out[5..].copy_from_slice(&checksum(kind as u8, payload).to_le_bytes());
    out
}

pub(crate) fn checksum(kind: u8, payload: &[u8]) -> u64 {
    xxh3_64_with_seed(payload, u64::from(kind) << 32 | payload.len() as u64)
}

/// The header of a segment. It is JSON, so that any later version and any other tool can read it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Header {
    /// The version of the core that made the segment.
    pub core_version: String,
    /// The hash of that core's sources, as 16 hexadecimal digits.
    pub core_hash: String,
    /// The node's name; bytes that are not UTF-8 are replaced.
    pub node: String,
    /// Identifies the run of the node: the same in all segments of a run, and different in each
    /// run.
    pub session: String,
    /// The segment's number within the run, from 0 on.
    pub number: u64,
    /// How many inputs were not recorded between the end of the previous segment and this one.
    pub dropped: u64,
    /// When the run began.
    pub born: Born,
    /// The core's time at the checkpoint, in nanoseconds.
    pub at: u64,
    /// The ids of the node's keys at the checkpoint, the primary first.
    pub keys: Vec<String>,
    /// The configuration at the checkpoint, without keys. It is for readers only: a replay uses the
    /// checkpoint, which contains the configuration, too.
    pub config: Config,
}

/// The beginning of a node's run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Born {
    /// The core's time at that moment, in nanoseconds.
    pub at: u64,
    /// The wall-clock time at that moment, in milliseconds since 1970, if the recorder was given
    /// it.
    pub wall_clock_ms: Option<u64>,
    /// The seed, in hexadecimal digits.
    pub seed: String,
}

impl Header {
    pub(crate) fn new(
        node: &Memberlist,
        born: &Born,
        session: u64,
        number: u64,
        at: Instant,
    ) -> Self {
        let config = node.config().clone();
        let keys = config.secret_keys.iter().map(|key| key.id().to_string()).collect();
        Self {
            core_version: env!("CARGO_PKG_VERSION").to_owned(),
            core_hash: format!("{CORE_HASH:016x}"),
            node: config.name.to_string(),
            session: format!("{session:016x}"),
            number,
            dropped: 0,
            born: born.clone(),
            at: at.as_nanos(),
            keys,
            config,
        }
    }

    /// Whether the core that made the segment is this one.
    pub fn is_of_this_core(&self) -> bool {
        self.core_hash == format!("{CORE_HASH:016x}")
    }

    /// The wall-clock time at a time of the core, in milliseconds since 1970; `None` if the
    /// recorder was not given the wall-clock time of the beginning.
    pub fn wall_clock_ms(&self, at: Instant) -> Option<u64> {
        let since = at.as_nanos().saturating_sub(self.born.at) / 1_000_000;
        Some(self.born.wall_clock_ms?.saturating_add(since))
    }

    /// The ids of the node's keys at the checkpoint, the primary first.
    pub fn key_ids(&self) -> impl Iterator<Item = KeyId> {
        let id = |text: &String| u64::from_str_radix(text, 16).ok();
        self.keys.iter().filter_map(id).map(|id| KeyId(id.to_be_bytes()))
    }
}
