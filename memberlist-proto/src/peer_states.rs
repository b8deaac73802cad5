//! Compressed states of peers that this node's own may equal.
//!
//! After an exchange both sides often know the same, and so do all members soon after any news. A
//! node then sends the bytes that it was sent: to compare takes an eighth of the time of compressing
//! the same anew.

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
    /// Notes what this node has compressed itself.
    pub(crate) fn note_compressed(&mut self, from: usize, to: usize) {
        self.compressed = Some((from, to));
    }

    /// Notes a state that a peer sent, of this length before it was compressed. One that is compressed
    /// clearly worse than by this node is not: each peer that sent it on would pay for that.
    pub(crate) fn note(&mut self, state: &[u8], len: usize) {
        let Some((from, to)) = self.compressed else { return };
        let product = |one: usize, other: usize| one as u128 * other as u128;
        let (theirs, ours) = (product(state.len(), from), product(to, len));
        if theirs <= ours + ours / 8 {
            self.before = self.last.replace(Bytes::copy_from_slice(state));
        }
    }

    /// Those to compare this node's own with.
    pub(crate) fn all(&self) -> [Option<Bytes>; 2] {
        [self.last.clone(), self.before.clone()]
    }

    /// This one is this node's own now: neither it nor an older one is needed any more.
    pub(crate) fn adopted(&mut self, state: &Bytes) {
        if self.last.as_ref() == Some(state) {
            self.last = None;
        }
        self.before = None;
    }

    /// How this node compresses has changed.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests;
