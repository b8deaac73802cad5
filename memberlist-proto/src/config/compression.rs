//! Whether and how messages are compressed.

use crate::wire::compress::Algorithm;

/// How a node compresses what it sends. It reads every algorithm that is built in, whatever it
/// sends; Snappy needs the feature `snappy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Compression {
    /// No compression.
    None,
    /// LZW, as in every Go node.
    Lzw,
    /// Snappy, which takes less time, and which the Go library does not read.
    Snappy,
}

impl Compression {
    /// The algorithm; `None` for [`Compression::None`].
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
