//! Several messages in one packet (Go: `makeCompoundMessage`, `decodeCompoundMessage`).
//!
//! ```text
//! 07 | count u8 | length of each part, u16 big-endian | the parts
//! ```

use alloc::vec::Vec;

use thiserror::Error;

use super::message::MessageType;

/// Parts in one compound, at most.
pub const MAX_PARTS: usize = 255;
/// Bytes in one part, at most.
pub const MAX_PART_LEN: usize = 65_535;
/// Bytes before the lengths.
pub const HEADER: usize = 2;
/// Bytes that every part costs beside its own.
pub const PER_PART: usize = 2;

/// Why messages cannot be put into a compound, or taken out of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CompoundError {
    /// More than [`MAX_PARTS`].
    #[error("{0} messages are too many for one compound (255)")]
    TooManyParts(usize),
    /// A part is longer than [`MAX_PART_LEN`].
    ///
    /// Differs from Go: it writes the length modulo 65,536 and so destroys the packet.
    #[error("a message of {0} bytes is too long for a compound (65535)")]
    PartTooLong(usize),
    /// The count or the lengths are cut short: no part can be found.
    #[error("compound message is cut short before its first part")]
    NoParts,
    /// The parts themselves are cut short; those before were complete.
    #[error("compound message is cut short: {0} parts missing")]
    PartsMissing(usize),
}

/// Appends a compound of `parts`, type byte first.
///
/// # Errors
/// Too many parts or one too long; nothing is appended then.
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

/// Takes a compound's body (without the type byte) apart.
///
/// # Errors
/// The count or the lengths are cut short.
pub fn split(body: &[u8]) -> Result<Parts<'_>, CompoundError> {
    let (&count, rest) = body.split_first().ok_or(CompoundError::NoParts)?;
    let size = usize::from(count).saturating_mul(PER_PART);
    let (lengths, data) = rest.split_at_checked(size).ok_or(CompoundError::NoParts)?;
    Ok(Parts { lengths, data })
}

/// The parts of a compound in order. Stops at the first part that is cut short: later ones are
/// not salvaged, and bytes after the last part are ignored, as in Go.
#[derive(Clone, Debug)]
pub struct Parts<'a> {
    lengths: &'a [u8],
    data: &'a [u8],
}

impl Parts<'_> {
    /// How many parts have been announced and not been returned. After the iterator's end this
    /// is how many are missing.
    pub fn remaining(&self) -> usize {
        self.lengths.len().checked_div(PER_PART).unwrap_or_default()
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (length, lengths) = self.lengths.split_first_chunk::<PER_PART>()?;
        let (part, data) = self.data.split_at_checked(u16::from_be_bytes(*length).into())?;
        self.lengths = lengths;
        self.data = data;
        Some(part)
    }
}

#[cfg(test)]
mod tests;
