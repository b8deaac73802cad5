//! Gossip: a few random members are sent the news at every tick (SWIM §4.1).

use core::time::Duration;

use smallvec::SmallVec;

use super::query::age;
use super::send::Destination;
use super::ticks::next_tick;
use super::{Memberlist, Timer, send};
use crate::members::{MemberId, Record, Routed};
use crate::node::State;
use crate::time::Instant;
use crate::timers::TimerId;

/// When this node gossips. While there is nothing to send, no timer runs, and only the phase is
/// kept.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Ticks {
    /// The time of a tick, not before the latest one; `None` if this node does not gossip at all.
    due: Option<Instant>,
    timer: Option<TimerId>,
}

impl Memberlist {
    pub(super) fn start_gossip(&mut self, was: Duration) {
        let before = core::mem::take(&mut self.periodic.gossip);
        self.stop_ticking(before.timer);
        let interval = self.config.gossip_interval;
        if !interval.is_zero() && self.config.gossip_nodes > 0 {
            let due = before.due.map(|due| not_before(self.now, due, was));
            self.periodic.gossip.due = Some(self.next_phase(due, was, interval));
        }
    }

    /// Sets the timer of the next tick if there is something to send.
    pub(super) fn wake_gossip(&mut self) {
        let Ticks { due: Some(due), timer: None } = self.periodic.gossip else { return };
        if self.has_no_news() {
            return;
        }
        let at = not_before(self.now, due, self.config.gossip_interval);
        let timer = Some(self.timers.insert(at, Timer::Gossip));
        self.periodic.gossip = Ticks { due: Some(at), timer };
    }

    pub(super) fn gossip_tick(&mut self, due: Instant) {
        let next = next_tick(self.now, due, self.config.gossip_interval);
        self.periodic.gossip = Ticks { due: Some(next), timer: None };
        // What was queued may have been piggybacked on other packets.
        if self.has_no_news() {
            return;
        }
        let budget = self.gossip_budget();
        for id in self.gossip_targets() {
            let mut space = self.sealing.lend();
            space.clear();
            self.pull(budget, &mut space);
            let node = self.members.node(id);
            let empty = space.is_empty();
            if let Some(to) = node.address() {
                let checksum = send::wants_checksum(&node);
                let node = Some(node.identity().node_name());
                self.pack(&Destination { to, node, checksum, probe: None }, &mut space);
            }
            self.sealing.give_back(space);
            if empty {
                return;
            }
        }
    }

    /// Counts a choice that zones had a part in.
    pub(super) fn count_routed(&mut self, routed: Routed) {
        if routed != Routed::No {
            self.counters.zone_choices += 1;
        }
        // A node that is alone has no zones to route between yet.
        if routed == Routed::Skipped && self.members.len() > 1 {
            self.counters.zone_choices_skipped += 1;
        }
    }

    fn gossip_targets(&mut self) -> SmallVec<[MemberId; 8]> {
        let (now, me, reach) = (self.now, self.me.id, self.config.gossip_to_the_dead_time);
        let mut targets = SmallVec::new();
        let routed = self.members.choose_routed(
            self.config.gossip_nodes,
            self.config.zone_rules(),
            &mut self.rng.gossip,
            &mut targets,
            |id, record| id != me && gets_gossip(record, now, reach),
        );
        self.count_routed(routed);
        targets
    }
}

/// The first tick at `now` or later, of those that follow `due` at this interval.
fn not_before(now: Instant, due: Instant, interval: Duration) -> Instant {
    if due >= now { due } else { next_tick(Instant::from_nanos(now.as_nanos() - 1), due, interval) }
}

fn gets_gossip(record: &Record, now: Instant, reach: Duration) -> bool {
    match record.state() {
        State::Alive | State::Suspect => true,
        State::Dead => reachable(now, record.since(), reach),
        State::Left => false,
    }
}

/// Whether a dead member still gets gossip: it may want to refute what is in it.
fn reachable(now: Instant, since: Instant, reach: Duration) -> bool {
    age(now, since) <= reach
}
