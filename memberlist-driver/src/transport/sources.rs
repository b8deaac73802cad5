//! Where accepted connections come from, and what each source takes of the common room.

use std::collections::BTreeMap;
use std::net::IpAddr;

use memberlist_proto::{may_take_place, source_of};

use super::Limits;

/// The least part of the bytes of unfinished frames, and of packets that wait, that a source finds free,
/// whatever others take.
const SHARES: usize = 32;
/// What a packet that waits takes besides its bytes.
const ENTRY: usize = 128;

/// What all sources take, and each of them. A source is an IPv4 address or an IPv6 /64, as in the core.
#[derive(Debug, Default)]
pub(super) struct Sources {
    all: Taken,
    each: BTreeMap<IpAddr, Taken>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Taken {
    connections: usize,
    /// Connections that have not said what they are for.
    handshakes: usize,
    /// Bytes of frames that have begun to arrive.
    partial: usize,
    /// Bytes of packets that have arrived and wait.
    arrived: usize,
}

/// Of what there are too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TooMany {
    InAll,
    OfSource,
    Unsettled,
}

impl Sources {
    /// One more connection, which has not said what it is for.
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

    /// A connection has said what it is for.
    pub(super) fn settled(&mut self, from: IpAddr) {
        self.change(source_of(from), |taken| taken.handshakes -= 1);
    }

    /// A connection that held `before` bytes of an unfinished frame holds `now`; whether there is room.
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

    /// A packet of so many bytes has arrived; whether it may wait. One may in any case.
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

    /// What all sources take: connections, those of them that have not said what they are for, bytes
    /// of packets that have arrived, and bytes of packets that have arrived in part.
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

/// Whether so many bytes of one source are among so many of all. The last quarter is for sources that
/// have few.
fn fits(own: usize, all: usize, most: usize) -> bool {
    all <= most - most / 4 || (all <= most && own <= most / SHARES)
}

#[cfg(test)]
mod tests;
