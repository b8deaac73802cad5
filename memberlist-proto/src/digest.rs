//! A digest of everything that a node puts out, so that a replay can be compared with the live run
//! without keeping the outputs.

use alloc::vec::Vec;

use postcard::ser_flavors::Flavor;
use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A digest of the outputs since the last call of [`take`](Self::take): the 64-bit `XXH3` of each,
/// seeded with that of those before it. It detects accidents but not forgeries, and is cheap.
#[derive(Clone, Debug, Default)]
pub(crate) struct Digest {
    hash: u64,
    buffer: Vec<u8>,
}

/// A buffer with a capacity above this many bytes is not kept.
const KEEP: usize = 64 << 10;

impl Digest {
    /// Adds an output, which is in the queue of this number.
    pub(crate) fn add(&mut self, queue: u8, output: &impl Serialize) {
        self.buffer.clear();
        self.buffer.push(queue);
        write_plain(&mut self.buffer, output);
        self.hash = xxh3_64_with_seed(&self.buffer, self.hash);
        if self.buffer.capacity() > KEEP {
            self.buffer = Vec::new();
        }
    }

    /// Returns the digest of the outputs so far, and begins the next one.
    pub(crate) fn take(&mut self) -> u64 {
        core::mem::take(&mut self.hash)
    }
}

/// Appends a value in the form of the crate `postcard`. This cannot fail for the types that are
/// written here, in which every length is known beforehand.
///
/// Public for recordings, whose records have the same form.
pub fn write_plain(out: &mut Vec<u8>, value: &impl Serialize) {
    let written = postcard::serialize_with_flavor(value, Append(out));
    debug_assert!(written.is_ok(), "{written:?}");
}

/// Appends whole slices, which the crate's own flavor appends byte by byte.
struct Append<'a>(&'a mut Vec<u8>);

impl Flavor for Append<'_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}
