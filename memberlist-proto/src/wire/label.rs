//! Labels: a clear-text prefix of packets and connections that keeps clusters apart
//! (Go: `label.go`). With encryption the label is also authenticated.
//!
//! ```text
//! f4 | length u8, 1 to 255 | the label
//! ```

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;
use thiserror::Error;

use super::message::MessageType;

/// The most bytes in a label (Go: `LabelMaxSize`).
pub const MAX_LABEL: usize = 255;

/// Bytes before the label: type and length.
const HEADER: usize = 2;

/// The name of a cluster: at most 255 bytes, not necessarily UTF-8. An empty label means none.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Label(Box<[u8]>);

impl Label {
    /// A label of these bytes.
    ///
    /// # Errors
    /// More than 255 bytes.
    pub fn new(label: impl AsRef<[u8]>) -> Result<Self, LabelTooLong> {
        let label = label.as_ref();
        if label.len() > MAX_LABEL {
            return Err(LabelTooLong { len: label.len() });
        }
        Ok(Self(label.into()))
    }

    /// The label's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether this is the empty label, which means none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Label({:?})", String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

/// A label has more than 255 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("label has {len} bytes, the limit is 255")]
pub struct LabelTooLong {
    /// Its length in bytes.
    pub len: usize,
}

/// Why a packet or a connection was refused because of its label. None of these is ever answered:
/// the sender belongs to another cluster, or to none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum LabelError {
    /// The header announces a label of zero bytes.
    #[error("label header is empty")]
    Empty,
    /// The packet or stream ends inside the header.
    #[error("label header is truncated")]
    Truncated,
    /// The label is not ours, or it is missing and we have one.
    #[error("label differs from ours")]
    Mismatch,
    /// There is a header although an outer layer should have removed it.
    #[error("unexpected second label header")]
    Double,
}

/// What the first bytes of a packet or connection say about its label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peek<'a> {
    /// There is no header.
    Absent,
    /// There is a header, but not all of it has arrived.
    Incomplete,
    /// The label of a complete header. The header itself is two bytes longer.
    Present(&'a [u8]),
}

/// Looks for a label header at the start of `data`, which may be incomplete. No data at all counts
/// as no header, as in Go.
///
/// # Errors
/// The header announces an empty label.
pub fn peek(data: &[u8]) -> Result<Peek<'_>, LabelError> {
    match data {
        [code, rest @ ..] if *code == MessageType::Label.code() => match rest {
            [] => Ok(Peek::Incomplete),
            // Two encodings of "no label" would be one too many: only the absent header is it.
            [0, ..] => Err(LabelError::Empty),
            [size, rest @ ..] => {
                Ok(rest.get(..usize::from(*size)).map_or(Peek::Incomplete, Peek::Present))
            }
        },
        _ => Ok(Peek::Absent),
    }
}

/// Removes the label header of a packet. Returns the label, if there is one, and the rest.
///
/// # Errors
/// The header is empty or truncated.
pub fn strip(packet: &[u8]) -> Result<(Option<&[u8]>, &[u8]), LabelError> {
    match peek(packet)? {
        Peek::Absent => Ok((None, packet)),
        Peek::Incomplete => Err(LabelError::Truncated),
        // Exactly one header is removed. A second one is left to fail as a message of an
        // unsupported type, or in decryption.
        Peek::Present(label) => {
            Ok((Some(label), packet.get(overhead(label)..).unwrap_or_default()))
        }
    }
}

/// Decides whether a packet or connection with this label is accepted, and returns the label that
/// encryption authenticates. Without `skip`, our own label and those in `others` are accepted, and
/// no label only if the empty one is among these. With `skip` (Go: `SkipInboundLabelCheck`) an outer
/// layer has already checked and removed our own label, so that only a missing header is accepted.
///
/// # Errors
/// The label is refused.
pub fn admit<'a>(
    own: &'a [u8],
    others: &[Bytes],
    skip: bool,
    received: Option<&'a [u8]>,
) -> Result<&'a [u8], LabelError> {
    let label = received.unwrap_or_default();
    match received {
        Some(_) if skip => Err(LabelError::Double),
        None if skip => Ok(own),
        // The sender has encrypted under the label that it sent.
        _ if is_same(label, own) || others.iter().any(|other| is_same(other, label)) => Ok(label),
        _ => Err(LabelError::Mismatch),
    }
}

/// Most clusters have no label. Two empty slices are not compared by their bytes: they point nowhere,
/// and a vector load from there, though all of it is masked out, costs more than 100 ns on some
/// processors.
fn is_same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && (a.is_empty() || a == b)
}

/// Appends the header for `label`, or nothing if it is empty. Bytes beyond the 255th are left out;
/// a [`Label`] never has more.
pub fn write_header(out: &mut Vec<u8>, label: &[u8]) {
    let label = label.get(..MAX_LABEL).unwrap_or(label);
    if !label.is_empty() {
        out.extend_from_slice(&[MessageType::Label.code(), label.len() as u8]);
        out.extend_from_slice(label);
    }
}

/// Length in bytes of the header for `label`, 0 if it is empty (Go: `labelOverhead`).
pub fn overhead(label: &[u8]) -> usize {
    if label.is_empty() { 0 } else { label.len().min(MAX_LABEL).saturating_add(HEADER) }
}

#[cfg(test)]
mod tests;
