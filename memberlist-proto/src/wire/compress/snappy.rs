//! Snappy's block format, read and written by the crate `snap` if the feature `snappy` is on.
//!
//! ```text
//! length of the result as a varint of 32 bits, then literals and copies
//! ```

#[cfg(feature = "snappy")]
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use super::CompressError;

/// The most bytes that one byte of Snappy data can stand for: a copy of 64 bytes takes three. A
/// length beyond this cannot be true, so that the memory taken is proportional to what has arrived.
#[cfg(feature = "snappy")]
const LARGEST_RATIO: usize = 22;

/// A Snappy encoder and decoder whose tables are reused from one message to the next.
///
/// Its output is not Go's byte for byte, as compressors of this format differ in the matches that
/// they find; every decoder reads it.
#[derive(Default)]
pub struct Snappy {
    /// Its tables take 2 KiB, and 32 KiB more for a large message: only a node that sends Snappy
    /// has them.
    #[cfg(feature = "snappy")]
    encoder: Option<Box<snap::raw::Encoder>>,
}

impl Snappy {
    /// Appends the Snappy form of `input` to `out` if it takes at most `limit` bytes. Returns
    /// `false` if it takes more, if `input` has 4 GiB or more, and if the feature is off; `out` is
    /// then unchanged.
    #[cfg(feature = "snappy")]
    pub fn compress(&mut self, input: &[u8], limit: usize, out: &mut Vec<u8>) -> bool {
        let encoder = self.encoder.get_or_insert_with(|| Box::new(snap::raw::Encoder::new()));
        let start = out.len();
        // Zero means that the input is too long for the format.
        let most = snap::raw::max_compress_len(input.len());
        out.resize(start.saturating_add(most), 0);
        let room = out.get_mut(start..).unwrap_or_default();
        let len = if most == 0 { None } else { encoder.compress(input, room).ok() };
        let len = len.filter(|len| *len <= limit);
        out.truncate(start.saturating_add(len.unwrap_or_default()));
        len.is_some()
    }

    /// Returns `false`, as the feature `snappy` is off.
    #[cfg(not(feature = "snappy"))]
    #[allow(clippy::unused_self)] // The same signature as with the feature.
    pub fn compress(&mut self, _: &[u8], _: usize, _: &mut Vec<u8>) -> bool {
        false
    }

    /// Decompresses the Snappy data `input` and appends the result to `out`.
    ///
    /// # Errors
    /// The feature is off, the data is malformed, or its result has more than `max` bytes. `out` is
    /// unchanged then, and no memory was taken for a length that is too large or cannot be true.
    pub fn decompress(
        &mut self,
        input: &[u8],
        max: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), CompressError> {
        self.decompress_counted(input, max, out).0
    }

    #[cfg(feature = "snappy")]
    #[allow(clippy::unused_self)] // As LZW, which has tables to reuse.
    pub(super) fn decompress_counted(
        &mut self,
        input: &[u8],
        max: usize,
        out: &mut Vec<u8>,
    ) -> (Result<(), CompressError>, usize) {
        let Some(len) = announced(input) else {
            return (Err(CompressError::Corrupt), 0);
        };
        if len > max {
            return (Err(CompressError::TooLarge { limit: max }), 0);
        }
        if len > input.len().saturating_mul(LARGEST_RATIO) {
            return (Err(CompressError::Corrupt), 0);
        }
        let start = out.len();
        out.resize(start.saturating_add(len), 0);
        let room = out.get_mut(start..).unwrap_or_default();
        match snap::raw::Decoder::new().decompress(input, room) {
            Ok(made) if made == len => (Ok(()), len),
            _ => {
                out.truncate(start);
                (Err(CompressError::Corrupt), len)
            }
        }
    }

    #[cfg(not(feature = "snappy"))]
    #[allow(clippy::unused_self)] // The same signature as with the feature.
    pub(super) fn decompress_counted(
        &mut self,
        _: &[u8],
        _: usize,
        _: &mut Vec<u8>,
    ) -> (Result<(), CompressError>, usize) {
        (Err(CompressError::NotBuiltIn), 0)
    }
}

/// The length that Snappy data announces, which need not be true.
#[cfg(feature = "snappy")]
fn announced(input: &[u8]) -> Option<usize> {
    // Even an empty result has a length, which is missing here.
    if input.is_empty() { None } else { snap::raw::decompress_len(input).ok() }
}

impl fmt::Debug for Snappy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snappy").finish_non_exhaustive()
    }
}

#[cfg(all(test, feature = "snappy"))]
mod tests;
