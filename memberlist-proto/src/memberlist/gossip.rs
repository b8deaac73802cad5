//! Gossip: news goes to a few random members at every tick (SWIM §4.1).

use core::time::Duration;

use smallvec::SmallVec;

use super::query::age;
use super::send::Destination;
use super::ticks::next_tick;
use super::{Memberlist, Timer, send};
use crate::members::MemberId;
use crate::node::State;
use crate::time::Instant;

impl Memberlist {
    pub(super) fn start_gossip(&mut self, was: Duration) {
        let due = self.stop_ticking(self.periodic.gossip);
        self.periodic.gossip = None;
        let interval = self.config.gossip_interval;
        if !interval.is_zero() && self.config.gossip_nodes > 0 {
            let at = self.next_phase(due, was, interval);
            self.periodic.gossip = Some(self.timers.insert(at, Timer::Gossip));
        }
    }

    pub(super) fn gossip_tick(&mut self, due: Instant) {
        let at = next_tick(self.now, due, self.config.gossip_interval);
        self.periodic.gossip = Some(self.timers.insert(at, Timer::Gossip));
        if self.nothing_to_tell() {
            return;
        }
        let budget = self.gossip_budget();
        for id in self.gossip_targets() {
            let mut space = core::mem::take(&mut self.sealing);
            space.clear();
            self.pull(budget, &mut space);
            let node = self.members.node(id);
            let empty = space.is_empty();
            if let Some(to) = node.address() {
                let checksum = send::wants_checksum(&node);
                let node = Some(node.identity().node_name());
                self.pack(&Destination { to, node, checksum, probe: None }, &mut space);
            }
            self.sealing = space;
            if empty {
                return;
            }
        }
    }

    /// An idle tick need not even choose its targets.
    fn nothing_to_tell(&self) -> bool {
        !self.decider.is_some() && self.queues.is_empty()
    }

    fn gossip_targets(&mut self) -> SmallVec<[MemberId; 8]> {
        let (now, me, reach) = (self.now, self.me.id, self.config.gossip_to_the_dead_time);
        let mut targets = SmallVec::new();
        self.members.choose(
            self.config.gossip_nodes,
            &mut self.rng.gossip,
            &mut targets,
            |id, record| {
                id != me
                    && match record.state() {
                        State::Alive | State::Suspect => true,
                        State::Dead => reachable(now, record.since(), reach),
                        State::Left => false,
                    }
            },
        );
        targets
    }
}

/// Whether a dead member still gets gossip: it may want to refute what is in it.
fn reachable(now: Instant, since: Instant, reach: Duration) -> bool {
    age(now, since) <= reach
}
