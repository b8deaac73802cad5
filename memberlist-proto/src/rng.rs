//! Reproducible randomness: one seed, a named generator, one stream for each purpose.

use core::fmt;
use core::ops::Range;
use core::time::Duration;

use rand_chacha::rand_core::{Rng as _, SeedableRng};
use rand_chacha::{ChaCha8Rng, ChaCha20Rng};

use crate::time::Instant;

/// Every stream of randomness that an instance draws from, forked from one seed, so that a draw
/// in one does not reshuffle the others. A recorded seed reproduces the draws on every machine and
/// after every update: the generators are named, not "the default".
///
/// The seed also decides the encryption nonces. The same seed with the same key repeats them,
/// which breaks AES-GCM: outside of simulations it must come from the operating system, once.
#[derive(Clone, Debug)]
pub(crate) struct Randomness {
    /// In which order members are probed.
    pub probe_order: Rng,
    /// With whom to gossip and exchange state, and whom to ask for help.
    pub gossip: Rng,
    /// Phases of periodic timers and the spread of retries.
    pub jitter: Rng,
    /// When and where to look for seeds and for members that died.
    pub rejoin: Rng,
    /// Nonces of encrypted messages.
    pub nonces: Nonces,
    /// Everything else.
    pub misc: Rng,
}

impl Randomness {
    /// Forks the seed into its streams.
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self {
            probe_order: Rng::from_seed(fork(seed, *b"probe   ")),
            gossip: Rng::from_seed(fork(seed, *b"gossip  ")),
            jitter: Rng::from_seed(fork(seed, *b"jitter  ")),
            rejoin: Rng::from_seed(fork(seed, *b"rejoin  ")),
            nonces: Nonces(ChaCha20Rng::from_seed(fork(seed, *b"nonces  "))),
            misc: Rng::from_seed(fork(seed, *b"misc    ")),
        }
    }

    /// A key for hash tables, the same at each call with one seed: it draws from no stream.
    pub(crate) fn hash_key(seed: [u8; 32]) -> [u8; 16] {
        let mut key = [0; 16];
        key.copy_from_slice(&fork(seed, *b"hash    ")[..16]);
        key
    }
}

/// A reproducible stream of random numbers (`ChaCha8`). `Debug` does not show its state.
#[derive(Clone)]
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
        // Lemire, "Fast Random Integer Generation in an Interval", 2019.
        let mut product = u128::from(self.u64()) * u128::from(n);
        if (product as u64) < n {
            let threshold = n.wrapping_neg() % n;
            while (product as u64) < threshold {
                product = u128::from(self.u64()) * u128::from(n);
            }
        }
        (product >> 64) as u64
    }

    /// A uniform index of a list of `len` elements; 0 if it is empty.
    pub(crate) fn index(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }

    /// A uniform duration in the range, to the nanosecond; its start if the range is empty. A
    /// length above 584 years counts as 584 years.
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

/// A reproducible stream of AES-GCM nonces. They travel in the clear, so that the generator is the
/// full `ChaCha20`: what was sent must not give away what follows.
#[derive(Clone)]
pub(crate) struct Nonces(ChaCha20Rng);

impl Nonces {
    /// The next nonce.
    pub(crate) fn nonce(&mut self) -> [u8; 12] {
        let mut nonce = [0; 12];
        self.0.fill_bytes(&mut nonce);
        nonce
    }
}

impl fmt::Debug for Nonces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonces(ChaCha20)")
    }
}

/// The seed of one purpose: the `ChaCha20` stream that the label names. Labels have independent
/// streams, so a new one changes no other.
fn fork(seed: [u8; 32], label: [u8; 8]) -> [u8; 32] {
    let mut stream = ChaCha20Rng::from_seed(seed);
    stream.set_stream(u64::from_le_bytes(label));
    let mut forked = [0; 32];
    stream.fill_bytes(&mut forked);
    forked
}

#[cfg(test)]
mod tests;
