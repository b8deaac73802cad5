//! Several messages in one packet (Go: `makeCompoundMessage`, `decodeCompoundMessage`).
//!
//! ```text
//! 07 | count u8 | length of each part, u16 big-endian | the parts
//! ```

use alloc::vec::Vec;

use thiserror::Error;

use super::message::MessageType;

/// The most parts in one compound: the count is a single byte.
pub const MAX_PARTS: usize = 255;
/// The most bytes in one part: the length is a `u16`.
pub(crate) const MAX_PART_LEN: usize = 65_535;
/// Bytes before the lengths: type and count (Go: `compoundHeaderOverhead`).
pub(crate) const HEADER: usize = 2;
/// Bytes of a part's entry in the list of lengths (Go: `compoundOverhead`).
pub(crate) const PER_PART: usize = 2;

/// Why a compound cannot be built or split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CompoundError {
    /// More than [`MAX_PARTS`] messages.
    #[error("a compound holds at most 255 messages, not {0}")]
    TooManyParts(usize),
    /// A message is longer than 65,535 bytes.
    ///
    /// Differs from Go: it writes the length modulo 65,536, which corrupts the packet.
    #[error("a compound holds messages of at most 65535 bytes, not {0}")]
    PartTooLong(usize),
    /// The count or the lengths are truncated, so that no part can be located.
    #[error("compound message is truncated before its first part")]
    NoParts,
    /// The last parts are truncated or missing; those before them are complete.
    #[error("compound message is truncated: {0} parts are missing")]
    PartsMissing(usize),
}

/// Appends a compound of `parts`, type byte first.
///
/// # Errors
/// Too many parts, or one that is too long. Nothing is appended then.
pub fn encode(out: &mut Vec<u8>, parts: &[impl AsRef<[u8]>]) -> Result<(), CompoundError> {
    let count = u8::try_from(parts.len()).map_err(|_| CompoundError::TooManyParts(parts.len()))?;
    let lengths = || parts.iter().map(|part| part.as_ref().len());
    if let Some(len) = lengths().find(|&len| len > MAX_PART_LEN) {
        return Err(CompoundError::PartTooLong(len));
    }
    out.extend_from_slice(&[MessageType::Compound.code(), count]);
    for len in lengths() {
        out.extend_from_slice(&(len as u16).to_be_bytes());
    }
    for part in parts {
        out.extend_from_slice(part.as_ref());
    }
    Ok(())
}

/// Splits the body of a compound (without the type byte) into its parts.
///
/// # Errors
/// The count or the lengths are truncated.
pub fn split(body: &[u8]) -> Result<Parts<'_>, CompoundError> {
    let (&count, rest) = body.split_first().ok_or(CompoundError::NoParts)?;
    let size = usize::from(count).saturating_mul(PER_PART);
    let (lengths, data) = rest.split_at_checked(size).ok_or(CompoundError::NoParts)?;
    Ok(Parts { lengths, data })
}

/// The parts of a compound in order, up to the first truncated one. Bytes after the last part are
/// ignored, as in Go.
#[derive(Clone, Debug)]
pub struct Parts<'a> {
    lengths: &'a [u8],
    data: &'a [u8],
}

impl Parts<'_> {
    /// How many announced parts have not been returned yet. When the iterator has ended, this many
    /// are missing.
    pub fn remaining(&self) -> usize {
        self.lengths.len().checked_div(PER_PART).unwrap_or_default()
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (length, lengths) = self.lengths.split_first_chunk::<PER_PART>()?;
        // The first part that does not fit ends the iteration for good, since neither field moves
        // on. A later, shorter part would fit into the bytes that are left, but these are the
        // beginning of the truncated one (Go: `decodeCompoundMessage` stops here as well).
        let (part, data) = self.data.split_at_checked(u16::from_be_bytes(*length).into())?;
        self.lengths = lengths;
        self.data = data;
        Some(part)
    }
}

#[cfg(test)]
mod tests;
