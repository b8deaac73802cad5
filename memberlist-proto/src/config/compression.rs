//! Whether and how messages are compressed.

use crate::wire::compress::Algorithm;

/// How a node compresses what it sends. It reads every algorithm, whatever it sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Compression {
    /// Not at all.
    None,
    /// By LZW, as every Go node does.
    Lzw,
    /// By Snappy, which takes less time, and which the Go library does not read.
    Snappy,
}

impl Compression {
    /// The algorithm, if there is one.
    pub const fn algorithm(self) -> Option<Algorithm> {
        match self {
            Self::None => None,
            Self::Lzw => Some(Algorithm::Lzw),
            Self::Snappy => Some(Algorithm::Snappy),
        }
    }
}

words! {
    Compression {
        None = "none",
        Lzw = "lzw",
        Snappy = "snappy",
    }
}
