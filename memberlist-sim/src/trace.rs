//! A digest of everything that happened.

use std::hash::Hasher as _;

use memberlist_proto::Instant;
use siphasher::sip::SipHasher13;

/// Grows with every step; equal for equal runs.
#[derive(Clone, Debug)]
pub(crate) struct Trace {
    hasher: SipHasher13,
    steps: u64,
}

impl Trace {
    pub(crate) fn new(seed: u64) -> Self {
        let mut hasher = SipHasher13::new();
        hasher.write_u64(seed);
        Self { hasher, steps: 0 }
    }

    pub(crate) fn step(&mut self, now: Instant, node: usize, what: &str, bytes: &[u8]) {
        self.steps += 1;
        self.hasher.write_u64(now.as_nanos());
        self.hasher.write_u64(node as u64);
        self.hasher.write(what.as_bytes());
        self.hasher.write(bytes);
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hasher.finish()
    }

    pub(crate) fn steps(&self) -> u64 {
        self.steps
    }
}
