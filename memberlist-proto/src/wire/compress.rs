//! Compressed messages: LZW with least-significant-bit-first codes and literals of 8 bits
//! (Go: `compress/lzw`), or Snappy's block format.
//!
//! ```text
//! 09 | msgpack map: Algo, Buf the compressed bytes of a whole message with its type byte
//! ```

mod compressor;
mod snappy;
mod tables;

use alloc::vec::Vec;
use core::fmt;

use thiserror::Error;
use weezl::LzwStatus;

use super::message::MessageType;
use super::msgpack::{DecodeError, Reader, write_bytes, write_map, write_raw, write_uint};

pub use compressor::Compressor;
pub use snappy::Snappy;

/// The most bytes that one compressed message may inflate to, unless the caller sets a lower limit
/// (Go: `maxDecompressedBytes`).
pub(crate) const MAX_DECOMPRESSED: usize = 40 << 20;

/// Bits of a literal code (Go: `lzwLitWidth`).
const LITERAL_WIDTH: u8 = 8;
/// Bounds on how many bytes an output buffer grows by at once. The smallest holds what most packets
/// decompress to; the largest bounds the memory that is allocated before it is used.
const SMALLEST_STEP: usize = 4 << 10;
const LARGEST_STEP: usize = 64 << 10;

/// How a message is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Algorithm {
    /// LZW, the only one that the Go library knows (`lzwAlgo`).
    Lzw,
    /// Snappy's block format, which Grafana's fork of the Go library reads and writes since 2026.
    /// Every other Go node refuses it.
    Snappy,
}

impl Algorithm {
    /// The code on the wire.
    pub const fn code(self) -> u8 {
        match self {
            Self::Lzw => 0,
            Self::Snappy => 1,
        }
    }

    /// The algorithm with this code; `None` if the code is unknown.
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Lzw),
            1 => Some(Self::Snappy),
            _ => None,
        }
    }

    /// Whether this build can compress and decompress with it.
    pub const fn is_built_in(self) -> bool {
        match self {
            Self::Lzw => true,
            Self::Snappy => cfg!(feature = "snappy"),
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lzw => "lzw",
            Self::Snappy => "snappy",
        })
    }
}

/// Why a compressed message cannot be decompressed. On streams the acceptor sends these texts to
/// its peer ([`FrameError::replies`](super::frame::FrameError::replies)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum CompressError {
    /// The message around the compressed bytes is malformed.
    #[error("compressed message: {0}")]
    Message(DecodeError),
    /// The code of the algorithm is none of those of [`Algorithm`].
    #[error("cannot decompress unknown algorithm {0}")]
    UnknownAlgorithm(u8),
    /// The message is compressed by Snappy, and this build lacks the feature `snappy`.
    #[error("cannot decompress algorithm 1 (Snappy), which is not built into this node")]
    NotBuiltIn,
    /// The bytes are not valid Snappy data: the announced length is unreadable or wrong, or they
    /// copy from before the start of the output.
    #[error("Snappy data is corrupt")]
    Corrupt,
    /// The bytes end without LZW's end code.
    #[error("compressed data ends unexpectedly")]
    Unfinished,
    /// The bytes contain a code that is not in the dictionary.
    #[error("compressed data has an invalid code")]
    InvalidCode,
    /// The message would be larger than allowed. No more than about the limit was allocated.
    #[error("decompressed message is larger than limit ({limit})")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The bytes decompress to nothing, not even a type byte.
    #[error("decompressed message is empty")]
    Empty,
}

/// A compressed message (Go: `compress`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compressed<'a> {
    /// The code of the algorithm ([`Algorithm`]).
    pub algo: u8,
    /// The compressed bytes.
    pub buf: Option<&'a [u8]>,
}

impl<'a> Compressed<'a> {
    /// Decodes a body, without the type byte.
    ///
    /// # Errors
    /// The body is malformed.
    pub fn decode(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut message = Self::default();
        Reader::new(body).structure(&["Algo", "Buf"], |reader, field| {
            match field {
                0 => message.algo = reader.uint(u8::MAX.into())? as u8,
                _ => message.buf = reader.bytes()?,
            }
            Ok(())
        })?;
        Ok(message)
    }

    /// Appends the message, type byte first.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(MessageType::Compress.code());
        write_map(out, 2);
        write_raw(out, b"Algo");
        write_uint(out, self.algo.into());
        write_raw(out, b"Buf");
        write_bytes(out, self.buf);
    }
}

/// An LZW encoder and decoder. Their tables are reused from one message to the next, and with the
/// feature `std` by all of the process.
///
/// Its output equals Go's byte for byte until the dictionary is full (after about 3,800 codes, a
/// few KiB). From there on it differs in where it clears the dictionary; the clear code in the
/// output says so, and every decoder follows it.
#[derive(Default)]
pub struct Lzw {
    #[cfg(not(feature = "std"))]
    tables: tables::Tables,
}

impl Lzw {
    #[cfg(feature = "std")]
    #[allow(clippy::unused_self)] // Without `std` the tables are its own.
    fn with_tables<R>(&mut self, work: impl FnOnce(&mut tables::Tables) -> R) -> R {
        tables::lend(work)
    }

    #[cfg(not(feature = "std"))]
    fn with_tables<R>(&mut self, work: impl FnOnce(&mut tables::Tables) -> R) -> R {
        work(&mut self.tables)
    }

    /// Appends the LZW form of `input` to `out` if it takes at most `limit` bytes. Returns `false`
    /// if it takes more, which is noticed after `limit` bytes; `out` is then unchanged.
    pub fn compress(&mut self, input: &[u8], limit: usize, out: &mut Vec<u8>) -> bool {
        self.with_tables(|tables| compress(tables.encoder(), input, limit, out))
    }

    /// Decompresses the LZW bytes `input` and appends the result to `out`. Bytes after the end code
    /// are ignored, as in Go.
    ///
    /// # Errors
    /// The data is malformed, has no end code, or decompresses to more than `max` bytes. `out` is
    /// unchanged then.
    pub fn decompress(
        &mut self,
        input: &[u8],
        max: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), CompressError> {
        self.decompress_counted(input, max, out).0
    }

    /// Whether `input` decompresses to exactly `expected`, with no bytes after the end code. The
    /// result is compared in small parts and never held as a whole.
    pub fn decompresses_to(&mut self, input: &[u8], expected: &[u8]) -> bool {
        self.with_tables(|tables| decompresses_to(tables.decoder(), input, expected))
    }

    fn decompress_counted(
        &mut self,
        input: &[u8],
        max: usize,
        out: &mut Vec<u8>,
    ) -> (Result<(), CompressError>, usize) {
        let start = out.len();
        let mut end = start;
        let result =
            self.with_tables(|tables| decompress(tables.decoder(), input, max, out, &mut end));
        out.truncate(if result.is_ok() { end } else { start });
        (result, end.saturating_sub(start))
    }
}

impl fmt::Debug for Lzw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lzw").finish_non_exhaustive()
    }
}

/// Appends the LZW form of `input` to `out` if it takes at most `limit` bytes.
fn compress(
    encoder: &mut weezl::encode::Encoder,
    input: &[u8],
    limit: usize,
    out: &mut Vec<u8>,
) -> bool {
    // The whole input is at hand: ask for the end code, without which Go's reader fails.
    encoder.finish();
    let start = out.len();
    let mut rest = input;
    let mut end = start;
    loop {
        let room = limit.saturating_sub(end.saturating_sub(start));
        // One byte beyond the limit, or else "fits exactly" and "does not fit" look the same:
        // in both the encoder stops with a full buffer.
        let step = step(end.saturating_sub(start), input.len()).min(room.saturating_add(1));
        out.resize(end.saturating_add(step), 0);
        let result = encoder.encode_bytes(rest, out.get_mut(end..).unwrap_or_default());
        rest = rest.get(result.consumed_in..).unwrap_or_default();
        end = end.saturating_add(result.consumed_out);
        // Given up as soon as the limit is passed: a packet's limit is its own length, so that
        // one which does not compress costs little time and no more memory than it has itself.
        if end.saturating_sub(start) > limit || result.status.is_err() {
            out.truncate(start);
            return false;
        }
        if matches!(result.status, Ok(LzwStatus::Done)) {
            out.truncate(end);
            return true;
        }
    }
}

fn decompresses_to(decoder: &mut weezl::decode::Decoder, input: &[u8], expected: &[u8]) -> bool {
    let mut part = [0; SMALLEST_STEP];
    let (mut rest, mut expected) = (input, expected);
    loop {
        let result = decoder.decode_bytes(rest, &mut part);
        rest = rest.get(result.consumed_in..).unwrap_or_default();
        let part = part.get(..result.consumed_out).unwrap_or_default();
        match expected.strip_prefix(part) {
            Some(left) => expected = left,
            None => return false,
        }
        match result.status {
            Ok(LzwStatus::Ok) => {}
            Ok(LzwStatus::Done) => return rest.is_empty() && expected.is_empty(),
            Ok(LzwStatus::NoProgress) | Err(_) => return false,
        }
    }
}

/// Writes to `out` from `end` on, and moves `end` to where the written bytes end.
fn decompress(
    decoder: &mut weezl::decode::Decoder,
    input: &[u8],
    max: usize,
    out: &mut Vec<u8>,
    end: &mut usize,
) -> Result<(), CompressError> {
    let start = *end;
    let mut rest = input;
    loop {
        let len = end.saturating_sub(start);
        // One byte beyond the limit, to distinguish "exactly full" from "too large" (Go copies
        // `maxDecompressedBytes + 1` for the same reason).
        let room = max.saturating_sub(len).saturating_add(1);
        let step = step(len, input.len()).min(room);
        if out.capacity() < end.saturating_add(step) {
            let read = input.len().saturating_sub(rest.len());
            let likely = likely_rest(len, read, input.len()).min(room).max(step);
            out.reserve_exact(end.saturating_add(likely).saturating_sub(out.len()));
        }
        out.resize(end.saturating_add(step), 0);
        let result = decoder.decode_bytes(rest, out.get_mut(*end..).unwrap_or_default());
        rest = rest.get(result.consumed_in..).unwrap_or_default();
        *end = end.saturating_add(result.consumed_out);
        if end.saturating_sub(start) > max {
            return Err(CompressError::TooLarge { limit: max });
        }
        match result.status {
            Ok(LzwStatus::Done) => return Ok(()),
            Ok(LzwStatus::Ok) => {}
            // The input ran out before the end code. Go reports this as an unexpected end of file.
            Ok(LzwStatus::NoProgress) => return Err(CompressError::Unfinished),
            Err(_) => return Err(CompressError::InvalidCode),
        }
    }
}

/// How many bytes to grow an output of `len` bytes by. It roughly doubles, within the bounds of a
/// step: the memory taken is proportional to what has actually been read and decompressed, never to
/// what might still come.
fn step(len: usize, input: usize) -> usize {
    len.max(input).clamp(SMALLEST_STEP, LARGEST_STEP)
}

/// Estimates how many more bytes will follow `len`, if the rest decompresses like the first `read`
/// of `whole` input bytes. It estimates a little too much, so that the output need not grow again
/// at the very end, but never more than in proportion to what has been decompressed.
fn likely_rest(len: usize, read: usize, whole: usize) -> usize {
    let all = (len as u64).saturating_mul(whole as u64).checked_div(read as u64).unwrap_or(0);
    let all = usize::try_from(all.saturating_add(all / 16)).unwrap_or(usize::MAX);
    all.saturating_sub(len).clamp(len / 4, len.saturating_mul(7))
}

#[cfg(test)]
mod tests;
