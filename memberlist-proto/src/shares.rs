//! What strangers can make this node do or tell, shared out among them.

use alloc::vec::Vec;
use core::hash::Hasher as _;
use core::net::IpAddr;

use siphasher::sip::SipHasher13;

use crate::bucket::Bucket;
use crate::time::Instant;

/// The places that sources are sorted into.
const PLACES: usize = 256;

/// A rate of which everybody may use as much as there is, and beyond which every source still has
/// a little of its own: so one that floods leaves something for the others.
///
/// No source is ever held back before the common part is used up. Where sources can be forged,
/// whoever wants to silence one by using up its share must therefore send as much as would use up
/// everybody's if there were no shares.
///
/// Sources are sorted into places by a keyed hash, so that nobody can choose to share the place of
/// another, and memory is the same for any number of them: none until the common part is first
/// used up.
#[derive(Clone, Debug)]
pub(crate) struct Shares {
    hash_key: [u8; 16],
    common: Bucket,
    places: Vec<Bucket>,
}

impl Shares {
    pub(crate) const fn new(hash_key: [u8; 16]) -> Self {
        Self { hash_key, common: Bucket::new(), places: Vec::new() }
    }

    /// Takes one from the common part: `burst` fit in, and `rate` come back each second.
    pub(crate) fn take_common(&mut self, now: Instant, rate: usize, burst: usize) -> bool {
        self.common.take(now, rate, burst)
    }

    /// Takes one of the `share` that a source has in a second, and at once.
    pub(crate) fn take_own(&mut self, now: Instant, source: IpAddr, share: usize) -> bool {
        if self.places.is_empty() {
            self.places.resize(PLACES, Bucket::new());
        }
        let place = self.place(source);
        self.places.get_mut(place).is_some_and(|bucket| bucket.take(now, share, share))
    }

    fn place(&self, source: IpAddr) -> usize {
        let mut hasher = SipHasher13::new_with_key(&self.hash_key);
        match source.to_canonical() {
            IpAddr::V4(ip) => hasher.write(&ip.octets()),
            IpAddr::V6(ip) => hasher.write(&ip.octets()),
        }
        (hasher.finish() % PLACES as u64) as usize
    }
}

/// The rates of everything that strangers can make this node do or tell.
#[derive(Clone, Debug)]
pub(crate) struct Rates {
    /// New names among the members.
    pub(crate) names: Shares,
    /// Indirect pings relayed.
    pub(crate) relays: Shares,
    /// Refusals, conflicts and failed exchanges told.
    pub(crate) reports: Shares,
}

impl Rates {
    pub(crate) fn new(hash_key: [u8; 16]) -> Self {
        let shares = || Shares::new(hash_key);
        Self { names: shares(), relays: shares(), reports: shares() }
    }
}

#[cfg(test)]
mod tests;
