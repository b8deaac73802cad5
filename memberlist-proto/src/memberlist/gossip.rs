//! Gossip: news is told to a few random members at every tick (SWIM §4.1).

use core::time::Duration;

use smallvec::SmallVec;

use super::send::Destination;
use super::{Memberlist, Timer, next_tick, send, state};
use crate::event::{Event, OpId};
use crate::members::MemberId;
use crate::node::{NodeName, State};
use crate::queues::Finished;
use crate::time::Instant;
use crate::wire::message::Message;

impl Memberlist {
    pub(super) fn start_gossip(&mut self) {
        if let Some(timer) = self.periodic.gossip.take() {
            self.timers.cancel(timer);
        }
        let interval = self.config.gossip_interval;
        if !interval.is_zero() && self.config.gossip_nodes > 0 {
            let at = self.now + self.first_phase(interval);
            self.periodic.gossip = Some(self.timers.insert(at, Timer::Gossip));
        }
    }

    pub(super) fn gossip_tick(&mut self, now: Instant, due: Instant) {
        let at = next_tick(now, due, self.config.gossip_interval);
        self.periodic.gossip = Some(self.timers.insert(at, Timer::Gossip));
        if self.nothing_to_tell() {
            return;
        }
        let budget = self.gossip_budget();
        for id in self.gossip_targets(now) {
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

    /// Queues membership news under the name of its subject, replacing what was queued there.
    pub(super) fn queue_membership(
        &mut self,
        key: NodeName,
        message: &Message<'_>,
        waiter: Option<OpId>,
    ) {
        self.queues.push_membership(key, message, waiter);
        self.told_finished();
    }

    /// Tells what has left the queues since the last call.
    pub(super) fn told_finished(&mut self) {
        while let Some(finished) = self.queues.next_finished() {
            match finished {
                Finished::Wait(op) => self.end_wait(op, Ok(())),
                Finished::User(id, end) => {
                    if end == crate::event::BroadcastEnd::Dropped {
                        self.counters.broadcasts_dropped += 1;
                    }
                    self.out.event(Event::BroadcastFinished { id, end });
                }
            }
        }
    }

    /// An idle tick need not even choose its targets.
    fn nothing_to_tell(&self) -> bool {
        self.delegate.is_none() && self.queues.is_empty()
    }

    fn gossip_targets(&mut self, now: Instant) -> SmallVec<[MemberId; 8]> {
        let (me, reach) = (self.me.id, self.config.gossip_to_the_dead_time);
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

/// Whether a dead member is still told what it may want to refute.
fn reachable(now: Instant, since: Instant, reach: Duration) -> bool {
    state::age(now, since) <= reach
}
