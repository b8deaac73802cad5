//! Reproducible randomness: one seed, named generators, one stream for each purpose.

use core::fmt;
use core::ops::Range;
use core::time::Duration;

use chacha20::rand_core::{Rng as _, SeedableRng};
use chacha20::{ChaCha8Rng, ChaCha20Rng};

use crate::time::Instant;

/// All streams of randomness that a node draws from. They are forked from one seed, so that a draw
/// from one does not change the others. A recorded seed reproduces the draws on every machine and in
/// every later release, since the generators are fixed by name.
///
/// The seed also determines the encryption nonces, until fresh randomness is
/// [mixed in](Self::mix). The same seed with the same key would repeat them, which breaks AES-GCM:
/// outside of simulations it must come from the operating system and be used once.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Randomness {
    /// The order in which members are probed.
    pub(crate) probe_order: Rng,
    /// The choice of members to gossip with, to exchange state with and to ask for indirect probes.
    pub(crate) gossip: Rng,
    /// Phases of periodic timers, and the spread of retries.
    pub(crate) jitter: Rng,
    /// When and where to look for seeds and for lost members.
    pub(crate) rejoin: Rng,
    /// Nonces of encrypted messages.
    pub(crate) nonces: Nonces,
    /// Everything else.
    pub(crate) misc: Rng,
}

impl Randomness {
    /// Forks the seed into its streams.
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self {
            // The labels are part of every recording: a changed one changes all draws of its stream.
            probe_order: Rng::from_seed(fork(seed, *b"probe   ")),
            gossip: Rng::from_seed(fork(seed, *b"gossip  ")),
            jitter: Rng::from_seed(fork(seed, *b"jitter  ")),
            rejoin: Rng::from_seed(fork(seed, *b"rejoin  ")),
            nonces: Nonces(ChaCha20Rng::from_seed(fork(seed, *b"nonces  "))),
            misc: Rng::from_seed(fork(seed, *b"misc    ")),
        }
    }

    /// Mixes 32 bytes of fresh randomness into the nonces.
    ///
    /// A virtual machine that is copied, or resumed twice from one snapshot, has the seed of its
    /// twin: both would go on with the same nonces under the same key. Fresh bytes separate them.
    /// The bytes are an input like any other: the same seed and inputs give the same nonces.
    ///
    /// Nothing else changes. The other streams decide nothing secret, and the
    /// [hash key](Self::hash_key) cannot change while tables depend on it.
    pub(crate) fn mix(&mut self, fresh: [u8; 32]) {
        self.nonces.mix(fresh);
    }

    /// A key for hash tables. It is the same at each call with one seed, and draws from no stream.
    pub(crate) fn hash_key(seed: [u8; 32]) -> [u8; 16] {
        let mut key = [0; 16];
        key.copy_from_slice(&fork(seed, *b"hash    ")[..16]);
        key
    }
}

/// A reproducible stream of random numbers (`ChaCha8`). `Debug` does not show its state, which
/// would reveal the draws to come.
pub(crate) struct Rng(ChaCha8Rng);

impl Rng {
    /// The stream of this seed.
    pub(crate) fn from_seed(seed: [u8; 32]) -> Self {
        Self(ChaCha8Rng::from_seed(seed))
    }

    /// A uniform number.
    pub(crate) fn u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// A uniform number.
    pub(crate) fn u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A uniform number below `n`, without bias; 0 if `n` is 0.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        // Lemire, "Fast Random Integer Generation in an Interval", 2019: the upper half of the
        // product is the number. Products whose lower half is below the threshold are drawn again,
        // or some numbers would occur more often than others.
        let mut product = u128::from(self.u64()) * u128::from(n);
        if (product as u64) < n {
            let threshold = n.wrapping_neg() % n;
            while (product as u64) < threshold {
                product = u128::from(self.u64()) * u128::from(n);
            }
        }
        (product >> 64) as u64
    }

    /// A uniform index into a list of `len` elements; 0 if it is empty.
    pub(crate) fn index(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }

    /// A uniform duration in the range, in whole nanoseconds; the start of the range if it is empty.
    /// A length above 584 years counts as 584 years.
    pub(crate) fn duration(&mut self, range: Range<Duration>) -> Duration {
        let length = range.end.saturating_sub(range.start);
        let nanos = (Instant::ORIGIN + length).as_nanos();
        range.start + Duration::from_nanos(self.below(nanos))
    }
}

impl fmt::Debug for Rng {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rng(ChaCha8)")
    }
}

/// A reproducible stream of AES-GCM nonces. Nonces travel in clear text, hence the full `ChaCha20`:
/// those that were sent must not reveal those that follow.
///
/// Random nonces of 96 bits are safe for about 2³² messages under one key (NIST SP 800-38D, §8.3),
/// counted over all nodes, since they share the key.
pub(crate) struct Nonces(ChaCha20Rng);

impl Nonces {
    /// The next nonce.
    pub(crate) fn nonce(&mut self) -> [u8; 12] {
        let mut nonce = [0; 12];
        self.0.fill_bytes(&mut nonce);
        nonce
    }

    /// Replaces the stream with one that depends on the former one and on the fresh bytes.
    fn mix(&mut self, fresh: [u8; 32]) {
        // The exclusive or of two independent values is as unpredictable as the better one of them,
        // so that fresh bytes which are weak, or known to others, do no harm.
        let mut seed = [0; 32];
        self.0.fill_bytes(&mut seed);
        for (byte, fresh) in seed.iter_mut().zip(fresh) {
            *byte ^= fresh;
        }
        self.0 = ChaCha20Rng::from_seed(seed);
    }
}

impl fmt::Debug for Nonces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonces(ChaCha20)")
    }
}

/// The seed for one purpose: the beginning of the `ChaCha20` stream with the label as its number.
/// Streams of different numbers are independent, so that a new label changes no other.
fn fork(seed: [u8; 32], label: [u8; 8]) -> [u8; 32] {
    let mut stream = ChaCha20Rng::from_seed(seed);
    stream.set_stream(u64::from_le_bytes(label));
    let mut forked = [0; 32];
    stream.fill_bytes(&mut forked);
    forked
}

/// Copies and serializes a stream by what it needs to go on: its seed, and how many words of 32
/// bits were drawn.
macro_rules! generator {
    ($name:ident, $generator:ident) => {
        impl $name {
            fn state(&self) -> ([u8; 32], u128) {
                (self.0.get_seed(), self.0.get_word_pos())
            }

            /// A stream repeats after 2⁶⁸ words, so any number is a place in it.
            fn at((seed, drawn): ([u8; 32], u128)) -> Self {
                let mut generator = $generator::from_seed(seed);
                generator.set_word_pos(drawn);
                Self(generator)
            }
        }

        impl Clone for $name {
            fn clone(&self) -> Self {
                Self::at(self.state())
            }
        }

        #[cfg(feature = "serde")]
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                self.state().serialize(to)
            }
        }

        #[cfg(feature = "serde")]
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                <([u8; 32], u128)>::deserialize(from).map(Self::at)
            }
        }
    };
}

generator!(Rng, ChaCha8Rng);
generator!(Nonces, ChaCha20Rng);

#[cfg(test)]
mod tests;
