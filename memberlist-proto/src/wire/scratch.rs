//! Buffers that are reused from one packet to the next.

use alloc::vec::Vec;

use super::compress::{Algorithm, Compressor};

/// A buffer that has grown beyond this many bytes is freed rather than reused. A full UDP datagram
/// fits, so that only packets that inflate to something unusual allocate anew; and the memory that
/// a decompression bomb took does not stay with the node for good.
const KEEP: usize = 64 << 10;

/// Working memory for opening and sealing packets, so that a packet costs no allocation but its
/// own. No result depends on what it holds from earlier calls; a clone is simply empty.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(super) decrypted: Vec<u8>,
    /// One buffer for each depth of compressed messages.
    pub(super) layers: Vec<Vec<u8>>,
    pub(super) compressed: Vec<u8>,
    pub(crate) compressor: Compressor,
    pub(super) last: Compression,
}

/// The packet compressed last, with the result: a gossip tick sends the same one to several
/// members.
#[derive(Debug, Default)]
pub(super) struct Compression {
    pub(super) of: Vec<u8>,
    pub(super) by: Option<Algorithm>,
    /// Empty if compressing does not make it smaller.
    pub(super) to: Vec<u8>,
}

impl Scratch {
    /// Empty working memory.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes currently allocated, without the tables of the compressor.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.layers
            .iter()
            .chain([&self.decrypted, &self.compressed])
            .chain([&self.last.of, &self.last.to])
            .fold(self.compressor.capacity(), |sum, buffer| sum.saturating_add(buffer.capacity()))
    }

    /// Empties the buffers, and frees those that an unusual packet made large.
    pub(super) fn clear(&mut self) {
        let output = self.compressor.output();
        let single = [&mut self.decrypted, &mut self.compressed, output];
        if self.last.of.capacity() > KEEP {
            self.last = Compression::default();
        }
        for buffer in self.layers.iter_mut().chain(single) {
            buffer.clear();
            if buffer.capacity() > KEEP {
                *buffer = Vec::new();
            }
        }
    }
}

impl Clone for Scratch {
    fn clone(&self) -> Self {
        Self::default()
    }
}
