//! Compressed states of peers, which may equal this node's own.
//!
//! After an exchange both sides often know the same, and so do all members soon after any news. A
//! node then sends the compressed bytes that it received: comparing takes an eighth of the time of
//! compressing the same state anew.

use bytes::Bytes;

/// The last two states that peers sent, each until this node's own has been found to equal it.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct PeerStates {
    /// The last one; until it is merged, this node's own may still equal the one before.
    last: Option<Bytes>,
    before: Option<Bytes>,
    /// The length of the last state that this node compressed itself, before and after.
    compressed: Option<(usize, usize)>,
}

impl PeerStates {
    /// Notes the length of a state that this node has compressed itself, before and after.
    pub(crate) fn note_compressed(&mut self, from: usize, to: usize) {
        self.compressed = Some((from, to));
    }

    /// Notes a compressed state that a peer sent, which has length `len` when decompressed. It is
    /// not kept if it is compressed clearly worse than this node does it: every peer that sent it
    /// on would pay for that.
    pub(crate) fn note(&mut self, state: &[u8], len: usize) {
        let Some((from, to)) = self.compressed else { return };
        let product = |one: usize, other: usize| one as u128 * other as u128;
        let (theirs, ours) = (product(state.len(), from), product(to, len));
        if theirs <= ours + ours / 8 {
            self.before = self.last.replace(Bytes::copy_from_slice(state));
        }
    }

    /// The states to compare this node's own with.
    pub(crate) fn all(&self) -> [Option<Bytes>; 2] {
        [self.last.clone(), self.before.clone()]
    }

    /// Notes that this state is this node's own now: neither it nor an older one is needed any
    /// more.
    pub(crate) fn adopted(&mut self, state: &Bytes) {
        if self.last.as_ref() == Some(state) {
            self.last = None;
        }
        self.before = None;
    }

    /// Forgets everything, since the way this node compresses has changed.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests;
