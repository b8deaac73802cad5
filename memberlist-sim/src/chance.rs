//! All random choices of the simulator, drawn from one seed.

use std::time::Duration;

use chacha20::ChaCha8Rng;
use chacha20::rand_core::{Rng as _, SeedableRng as _};

pub(crate) struct Chance(ChaCha8Rng);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// Draws the seed of a node.
    pub(crate) fn seed(&mut self) -> [u8; 32] {
        let mut seed = [0; 32];
        self.0.fill_bytes(&mut seed);
        seed
    }

    /// Draws whether something of this probability happens.
    pub(crate) fn happens(&mut self, probability: f64) -> bool {
        // What cannot happen needs no draw, so a perfect network draws little.
        probability > 0.0 && ((self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64) < probability
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.0.next_u64()) * u128::from(n)) >> 64) as u64
    }

    pub(crate) fn between(&mut self, shortest: Duration, longest: Duration) -> Duration {
        let range = longest.saturating_sub(shortest).as_nanos() as u64;
        shortest + Duration::from_nanos(self.below(range.max(1)))
    }

    /// Draws a duration from the exponential distribution of this mean.
    pub(crate) fn exponential(&mut self, mean: Duration) -> Duration {
        // Never 0, which has no logarithm. `libm::log` is the same on every machine.
        let even = (self.below(1 << 53) + 1) as f64 / (1_u64 << 53) as f64;
        mean.mul_f64(-libm::log(even))
    }
}
