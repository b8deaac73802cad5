//! The sources of accepted connections, and how much of the common limits each of them uses.

use std::collections::BTreeMap;
use std::net::IpAddr;

use memberlist_proto::{may_take_place, source_of};

use super::Limits;

/// A source may use the last quarter of a limit on bytes only while it holds at most one part in
/// this many of the whole.
const SHARES: usize = 32;
/// How many bytes a packet that waits counts in addition to its length.
const ENTRY: usize = 128;

/// The usage of all sources together, and of each. A source is an IPv4 address or an IPv6 /64, as
/// in the core.
#[derive(Debug, Default)]
pub(super) struct Sources {
    all: Taken,
    each: BTreeMap<IpAddr, Taken>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Taken {
    connections: usize,
    /// Connections whose purpose is still unknown.
    handshakes: usize,
    /// Bytes of frames that have begun to arrive.
    partial: usize,
    /// Bytes of packets that have arrived and wait.
    arrived: usize,
}

/// Which limit is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TooMany {
    InAll,
    OfSource,
    Unsettled,
}

impl Sources {
    /// Counts one more connection, whose purpose is still unknown.
    ///
    /// # Errors
    ///
    /// There is no room for it.
    pub(super) fn admit(&mut self, from: IpAddr, limits: &Limits) -> Result<(), TooMany> {
        let from = source_of(from);
        let own = self.each.get(&from).copied().unwrap_or_default();
        let (most, share) = (limits.handshakes, limits.handshakes_per_peer);
        if self.all.connections >= limits.connections {
            return Err(TooMany::InAll);
        }
        if own.connections >= limits.connections_per_peer {
            return Err(TooMany::OfSource);
        }
        if !may_take_place(own.handshakes, self.all.handshakes, most, share) {
            return Err(TooMany::Unsettled);
        }
        self.change(from, |taken| {
            taken.connections += 1;
            taken.handshakes += 1;
        });
        Ok(())
    }

    /// The purpose of a connection is known now.
    pub(super) fn settled(&mut self, from: IpAddr) {
        self.change(source_of(from), |taken| taken.handshakes -= 1);
    }

    /// A connection that held `before` bytes of an incomplete frame now holds `now`; returns
    /// whether there is room.
    pub(super) fn holds(
        &mut self,
        from: IpAddr,
        before: usize,
        now: usize,
        limits: &Limits,
    ) -> bool {
        let from = source_of(from);
        self.change(from, |taken| taken.partial = taken.partial - before + now);
        let own = self.each.get(&from).map_or(0, |taken| taken.partial);
        now <= before || fits(own, self.all.partial, limits.partial_bytes)
    }

    /// A packet of `len` bytes has arrived; returns whether it may wait. If none waits, it may in
    /// any case.
    pub(super) fn waits(&mut self, from: IpAddr, len: usize, limits: &Limits) -> bool {
        let (from, len) = (source_of(from), len + ENTRY);
        let own = self.each.get(&from).map_or(0, |taken| taken.arrived) + len;
        let all = self.all.arrived + len;
        let room = self.all.arrived == 0 || fits(own, all, limits.arrived_bytes);
        if room {
            self.change(from, |taken| taken.arrived += len);
        }
        room
    }

    /// A packet that waited is being handled.
    pub(super) fn handled(&mut self, from: IpAddr, len: usize) {
        let from = source_of(from);
        self.change(from, |taken| taken.arrived -= len + ENTRY);
        self.forget(from);
    }

    /// The usage of all sources: connections, those of them whose purpose is unknown, bytes of
    /// packets that have arrived, and bytes of packets that have partly arrived.
    pub(super) fn taken(&self) -> [usize; 4] {
        [self.all.connections, self.all.handshakes, self.all.arrived, self.all.partial]
    }

    /// A connection ends, with what it held.
    pub(super) fn ends(&mut self, from: IpAddr, shakes: bool, partial: usize) {
        let from = source_of(from);
        self.change(from, |taken| {
            taken.connections -= 1;
            taken.handshakes -= usize::from(shakes);
            taken.partial -= partial;
        });
        self.forget(from);
    }

    fn forget(&mut self, from: IpAddr) {
        if self.each.get(&from) == Some(&Taken::default()) {
            self.each.remove(&from);
        }
    }

    fn change(&mut self, from: IpAddr, change: impl Fn(&mut Taken)) {
        change(&mut self.all);
        change(self.each.entry(from).or_default());
    }
}

/// Whether a source may hold `own` bytes when all hold `all` of at most `most`. The last quarter is
/// reserved for sources that hold few.
fn fits(own: usize, all: usize, most: usize) -> bool {
    all <= most - most / 4 || (all <= most && own <= most / SHARES)
}

#[cfg(test)]
mod tests;
