//! Compressed messages: LZW with least-significant-bit-first codes and literals of 8 bits
//! (Go: `compress/lzw`).
//!
//! ```text
//! 09 | msgpack map: Algo 0, Buf the LZW bytes of a whole message with its type byte
//! ```

use alloc::vec::Vec;
use core::fmt;

use thiserror::Error;
use weezl::{BitOrder, LzwStatus};

use super::message::MessageType;
use super::msgpack::{DecodeError, Reader, write_map, write_raw, write_uint};

/// What a compressed message may grow to, in bytes, unless the caller says less
/// (Go: `maxDecompressedBytes`).
pub const MAX_DECOMPRESSED: usize = 40 << 20;

const LITERAL_WIDTH: u8 = 8;
const SMALLEST_STEP: usize = 4 << 10;
const LARGEST_STEP: usize = 1 << 20;

/// Why a compressed message cannot be restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CompressError {
    /// The message around the compressed bytes is malformed.
    #[error("compressed message: {0}")]
    Message(DecodeError),
    /// Only algorithm 0 is known.
    #[error("cannot decompress unknown algorithm {0}")]
    UnknownAlgorithm(u8),
    /// The bytes end without LZW's end code.
    #[error("compressed data ends unexpectedly")]
    Unfinished,
    /// A code that the dictionary does not have.
    #[error("compressed data has an invalid code")]
    InvalidCode,
    /// It would be larger than allowed. Less than that was taken from memory.
    #[error("decompressed message is larger than limit ({limit})")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// It is restored to nothing, not even a type byte.
    #[error("decompressed message is empty")]
    Empty,
}

/// A compressed message (Go: `compress`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compressed<'a> {
    /// 0 is LZW.
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
        super::msgpack::write_bytes(out, self.buf);
    }
}

/// An LZW encoder and decoder whose tables are kept from one message to the next.
///
/// Its output equals Go's byte for byte until the dictionary is full (after about 3,800 codes, some
/// KiB); from there on it differs in where the dictionary is cleared, which decoders are told.
#[derive(Default)]
pub struct Lzw {
    encoder: Option<weezl::encode::Encoder>,
    decoder: Option<weezl::decode::Decoder>,
}

impl Lzw {
    /// Appends the LZW form of `input` to `out` if it takes at most `limit` bytes. If it takes
    /// more, that is noticed after `limit` bytes, `out` is as before and the answer is `false`.
    pub fn compress(&mut self, input: &[u8], limit: usize, out: &mut Vec<u8>) -> bool {
        let encoder = self
            .encoder
            .get_or_insert_with(|| weezl::encode::Encoder::new(BitOrder::Lsb, LITERAL_WIDTH));
        encoder.reset();
        encoder.finish();
        let start = out.len();
        let mut rest = input;
        let mut end = start;
        loop {
            let room = limit.saturating_sub(end.saturating_sub(start));
            // At least one byte of room tells "exactly full" from "does not fit".
            let step = step(end.saturating_sub(start), input.len()).min(room.saturating_add(1));
            out.resize(end.saturating_add(step), 0);
            let result = encoder.encode_bytes(rest, out.get_mut(end..).unwrap_or_default());
            rest = rest.get(result.consumed_in..).unwrap_or_default();
            end = end.saturating_add(result.consumed_out);
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

    /// Appends to `out` what the LZW bytes `input` stand for. Bytes after the end code are
    /// ignored, as in Go.
    ///
    /// # Errors
    /// The data is malformed, unfinished, or stands for more than `max` bytes; `out` is as before.
    pub fn decompress(
        &mut self,
        input: &[u8],
        max: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), CompressError> {
        self.decompress_counted(input, max, out).0
    }

    /// Appends the compressed message for `message`, type byte first, if all of it takes at most
    /// `limit` bytes. `buffer` is scratch space.
    pub fn encode(
        &mut self,
        message: &[u8],
        limit: usize,
        buffer: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) -> bool {
        buffer.clear();
        if !self.compress(message, limit, buffer) {
            return false;
        }
        let start = out.len();
        Compressed { algo: 0, buf: Some(buffer) }.encode(out);
        let fits = out.len().saturating_sub(start) <= limit;
        if !fits {
            out.truncate(start);
        }
        fits
    }

    /// Appends to `out` the message that a compressed message's body (without the type byte)
    /// stands for.
    ///
    /// # Errors
    /// The body is malformed or stands for nothing or more than `max` bytes; `out` is as before.
    pub fn decode(
        &mut self,
        body: &[u8],
        max: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), CompressError> {
        self.decode_counted(body, max, out).0
    }

    /// As [`decode`](Self::decode), and how many bytes were made of it, also if that was in vain.
    pub(super) fn decode_counted(
        &mut self,
        body: &[u8],
        max: usize,
        out: &mut Vec<u8>,
    ) -> (Result<(), CompressError>, usize) {
        match Compressed::decode(body) {
            Err(error) => (Err(CompressError::Message(error)), 0),
            Ok(Compressed { algo: 0, buf }) => {
                match self.decompress_counted(buf.unwrap_or_default(), max, out) {
                    (Ok(()), 0) => (Err(CompressError::Empty), 0),
                    counted => counted,
                }
            }
            Ok(Compressed { algo, .. }) => (Err(CompressError::UnknownAlgorithm(algo)), 0),
        }
    }

    fn decompress_counted(
        &mut self,
        input: &[u8],
        max: usize,
        out: &mut Vec<u8>,
    ) -> (Result<(), CompressError>, usize) {
        let decoder = self
            .decoder
            .get_or_insert_with(|| weezl::decode::Decoder::new(BitOrder::Lsb, LITERAL_WIDTH));
        decoder.reset();
        let start = out.len();
        let mut end = start;
        let result = decompress(decoder, input, max, out, &mut end);
        out.truncate(if result.is_ok() { end } else { start });
        (result, end.saturating_sub(start))
    }
}

impl fmt::Debug for Lzw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lzw").finish_non_exhaustive()
    }
}

/// Writes to `out` from `end` on, which moves on with what is written.
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
        // One byte beyond the limit tells "exactly full" from "too large".
        let room = max.saturating_sub(len).saturating_add(1);
        let step = step(len, input.len()).min(room);
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
            Ok(LzwStatus::NoProgress) => return Err(CompressError::Unfinished),
            Err(_) => return Err(CompressError::InvalidCode),
        }
    }
}

/// How much to grow an output of `len` bytes by: about doubling, so that what is taken is never
/// much more than what has been shown to be needed.
fn step(len: usize, input: usize) -> usize {
    len.max(input).clamp(SMALLEST_STEP, LARGEST_STEP)
}

#[cfg(test)]
mod tests;
