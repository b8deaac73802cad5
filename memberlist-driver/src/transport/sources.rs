//! Where accepted connections come from, and what each source takes of the common room.

use std::collections::BTreeMap;
use std::net::IpAddr;

use memberlist_proto::{may_take_place, source_of};

use super::Limits;

/// The least part of the bytes of unfinished frames that a source finds free, whatever others take.
const PARTIAL_SHARES: usize = 32;

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
}

impl Sources {
    /// One more connection, which has not said what it is for; whether there is room.
    pub(super) fn admit(&mut self, from: IpAddr, limits: &Limits) -> bool {
        let from = source_of(from);
        let own = self.each.get(&from).copied().unwrap_or_default();
        let (most, share) = (limits.handshakes, limits.handshakes_per_peer);
        let room = self.all.connections < limits.connections
            && own.connections < limits.connections_per_peer
            && may_take_place(own.handshakes, self.all.handshakes, most, share);
        if room {
            self.change(from, |taken| {
                taken.connections += 1;
                taken.handshakes += 1;
            });
        }
        room
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
        let (most, all) = (limits.partial_bytes, self.all.partial);
        now <= before || all <= most - most / 4 || (all <= most && own <= most / PARTIAL_SHARES)
    }

    /// A connection ends, with what it held.
    pub(super) fn ends(&mut self, from: IpAddr, shakes: bool, partial: usize) {
        let from = source_of(from);
        self.change(from, |taken| {
            taken.connections -= 1;
            taken.handshakes -= usize::from(shakes);
            taken.partial -= partial;
        });
        if self.each.get(&from) == Some(&Taken::default()) {
            self.each.remove(&from);
        }
    }

    fn change(&mut self, from: IpAddr, change: impl Fn(&mut Taken)) {
        change(&mut self.all);
        change(self.each.entry(from).or_default());
    }
}

#[cfg(test)]
mod tests;
