//! Labels: a clear-text prefix of packets and connections that keeps clusters apart
//! (Go: `label.go`). With encryption the label is also authenticated.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use thiserror::Error;

use super::message::MessageType;

/// Bytes in a label, at most (Go: `LabelMaxSize`).
pub const MAX_LABEL: usize = 255;

/// The name of a cluster, at most 255 bytes; empty means none.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
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

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether there is none.
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
    /// How many it has.
    pub len: usize,
}

/// Why a packet or a connection was refused for its label. None of these is ever answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LabelError {
    /// The header says zero bytes.
    #[error("label header is empty")]
    Empty,
    /// The packet or stream ends inside the header.
    #[error("label header is cut short")]
    Truncated,
    /// The label is not ours, or there is none and we have one.
    #[error("label differs from ours")]
    Mismatch,
    /// There is a header although an outer layer should have taken it off.
    #[error("unexpected second label header")]
    Double,
}

/// What the first bytes of a packet or connection say about a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peek<'a> {
    /// There is no header.
    Absent,
    /// There is a header, and it is not complete yet.
    Incomplete,
    /// The label; its header takes two bytes more.
    Present(&'a [u8]),
}

/// Looks for a label header at the start of `data`, which may be incomplete. No data at all
/// counts as no header, as in Go.
///
/// # Errors
/// The header announces an empty label.
pub fn peek(data: &[u8]) -> Result<Peek<'_>, LabelError> {
    match data {
        [code, rest @ ..] if *code == MessageType::Label.code() => match rest {
            [] => Ok(Peek::Incomplete),
            [0, ..] => Err(LabelError::Empty),
            [size, rest @ ..] => {
                Ok(rest.get(..usize::from(*size)).map_or(Peek::Incomplete, Peek::Present))
            }
        },
        _ => Ok(Peek::Absent),
    }
}

/// Takes the label header off a packet: the label, if there is one, and the rest.
///
/// # Errors
/// The header is empty or cut short.
pub fn strip(packet: &[u8]) -> Result<(Option<&[u8]>, &[u8]), LabelError> {
    match peek(packet)? {
        Peek::Absent => Ok((None, packet)),
        Peek::Incomplete => Err(LabelError::Truncated),
        Peek::Present(label) => {
            Ok((Some(label), packet.get(overhead(label)..).unwrap_or_default()))
        }
    }
}

/// The rule for what comes in: without `skip`, only our own label passes, and no label only if
/// we have none; with `skip` (Go: `SkipInboundLabelCheck`) only what has no header passes.
/// Afterwards our own label is what encryption authenticates.
///
/// # Errors
/// It does not pass.
pub fn admit(own: &[u8], skip: bool, received: Option<&[u8]>) -> Result<(), LabelError> {
    match received {
        Some(_) if skip => Err(LabelError::Double),
        None if skip => Ok(()),
        received if received.unwrap_or_default() == own => Ok(()),
        _ => Err(LabelError::Mismatch),
    }
}

/// Appends the header for `label`, or nothing if it is empty. What is beyond 255 bytes is cut
/// off; a [`Label`] never has more.
pub fn write_header(out: &mut Vec<u8>, label: &[u8]) {
    let label = label.get(..MAX_LABEL).unwrap_or(label);
    if !label.is_empty() {
        out.extend_from_slice(&[MessageType::Label.code(), label.len() as u8]);
        out.extend_from_slice(label);
    }
}

/// Bytes the header of `label` takes (Go: `labelOverhead`).
pub fn overhead(label: &[u8]) -> usize {
    if label.is_empty() { 0 } else { label.len().min(MAX_LABEL).saturating_add(2) }
}

#[cfg(test)]
mod tests;
