//! Limits on what unauthenticated senders can make this node do or report, with a share for each.

use alloc::vec::Vec;
use core::hash::Hasher as _;
use core::net::{IpAddr, Ipv6Addr};

use siphasher::sip::SipHasher13;

use crate::bucket::Bucket;
use crate::config::Limits;
use crate::time::Instant;

/// How many buckets the sources are distributed over.
const PLACES: usize = 256;

/// A rate whose common part any source may use up, and beyond which every source still has a small
/// share of its own, so that a source that floods leaves something to the others.
///
/// No source is held back before the common part is used up. Where source addresses can be forged,
/// silencing a source by using up its share must therefore cost as much as using up the common part,
/// which without shares would silence all of them.
///
/// Sources are distributed over the buckets by a keyed hash, so that no sender can choose to share
/// the bucket of another, and memory is the same for any number of sources: none until the common
/// part is first used up.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Shares {
    hash_key: [u8; 16],
    common: Bucket,
    places: Vec<Bucket>,
}

/// A rate, in events per second, and its parts.
#[derive(Clone, Copy, Debug)]
struct Rate {
    /// The common part.
    common: usize,
    /// How much of the common part may be used at once.
    burst: usize,
    /// The share of a source, per second and at once.
    share: usize,
}

impl Shares {
    const fn new(hash_key: [u8; 16]) -> Self {
        Self { hash_key, common: Bucket::new(), places: Vec::new() }
    }

    /// Takes one event from the common part, or else from the source's share. Returns whether there
    /// was one.
    fn take(&mut self, now: Instant, source: IpAddr, rate: Rate) -> bool {
        self.common.take(now, rate.common, rate.burst) || self.take_own(now, source, rate.share)
    }

    /// Takes one event from the source's share. Returns whether there was one.
    fn take_own(&mut self, now: Instant, source: IpAddr, share: usize) -> bool {
        if self.places.is_empty() {
            self.places.resize(PLACES, Bucket::new());
        }
        let place = self.place(source);
        self.places.get_mut(place).is_some_and(|bucket| bucket.take(now, share, share))
    }

    fn place(&self, source: IpAddr) -> usize {
        let mut hasher = SipHasher13::new_with_key(&self.hash_key);
        match source_of(source) {
            IpAddr::V4(ip) => hasher.write(&ip.octets()),
            IpAddr::V6(ip) => hasher.write(&ip.octets()),
        }
        (hasher.finish() % PLACES as u64) as usize
    }
}

/// The source that an address belongs to: an IPv4 address is a source of its own, and all IPv6
/// addresses with the same first 64 bits are one. A single host commonly has a /64 to itself, and
/// could otherwise be any number of sources.
///
/// An IPv4 address that is mapped into IPv6 counts as the IPv4 address: that is how a socket that
/// listens on both families reports it.
pub fn source_of(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// Whether a source that has `own` of the `taken` places may take one more of the `most` that there
/// are. It may as long as more than a quarter of them is free; the last quarter is for sources that
/// have fewer than `share`, so that a few sources cannot take every place.
pub fn may_take_place(own: usize, taken: usize, most: usize, share: usize) -> bool {
    let free = most.saturating_sub(taken);
    free > most / 4 || (free > 0 && own < share)
}

/// The rates of everything that unauthenticated senders can make this node do or report.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Rates {
    names: Shares,
    relays: Shares,
    replies: Shares,
    reports: Shares,
}

impl Rates {
    pub(crate) fn new(hash_key: [u8; 16]) -> Self {
        let shares = || Shares::new(hash_key);
        Self { names: shares(), relays: shares(), replies: shares(), reports: shares() }
    }

    /// Whether `source` may add one more name to the members now. If so, that is counted.
    pub(crate) fn take_name(&mut self, now: Instant, source: IpAddr, limits: &Limits) -> bool {
        let rate = Rate {
            common: limits.new_members_per_second,
            burst: limits.new_members_burst,
            share: limits.share_per_source,
        };
        self.names.take(now, source, rate)
    }

    /// Whether one more ping of `source`, which is no member's address, may be answered now. If so,
    /// that is counted.
    pub(crate) fn take_reply(&mut self, now: Instant, source: IpAddr, limits: &Limits) -> bool {
        let (common, share) = (limits.replies_per_second, limits.share_per_source);
        self.replies.take(now, source, Rate { common, burst: common, share })
    }

    /// Whether one more refusal, conflict or failed exchange that `source` caused may be reported to
    /// the application now. If so, that is counted.
    pub(crate) fn take_report(&mut self, now: Instant, source: IpAddr, limits: &Limits) -> bool {
        let (common, share) = (limits.reports_per_second, limits.share_per_source);
        self.reports.take(now, source, Rate { common, burst: common, share })
    }

    /// Whether one more indirect ping of `source` may be relayed now, while `running` others are
    /// under way. If so, that is counted.
    pub(crate) fn take_relay(
        &mut self,
        now: Instant,
        source: IpAddr,
        limits: &Limits,
        running: usize,
    ) -> bool {
        let (most, common) = (limits.relays, limits.relays_per_second);
        let free = most.saturating_sub(running);
        // A relay takes a place for as long as its target may answer, so that a rate alone does not
        // keep places free: the last quarter of them is only for sources within their share.
        if free > most / 4 && self.relays.common.take(now, common, common) {
            return true;
        }
        free > 0 && self.relays.take_own(now, source, limits.share_per_source)
    }
}

#[cfg(test)]
mod tests;
