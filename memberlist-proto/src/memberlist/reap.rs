//! Forgetting members that have been dead or gone for long enough (Go: `resetNodes`).

use core::time::Duration;

use super::query::age;
use super::ticks::{moved, next_tick};
use super::{Memberlist, Timer};
use crate::config::Config;
use crate::time::Instant;

impl Memberlist {
    /// Starts the timer of a node that does not probe: with probes, the dead are forgotten whenever
    /// their order wraps around.
    pub(super) fn start_reaping(&mut self, was: Duration) {
        let due = self.stop_ticking(self.periodic.reap);
        self.periodic.reap = None;
        let own_timer = self.config.differences.reap_without_probes;
        if own_timer && self.config.probe_interval.is_zero() {
            let interval = interval(&self.config);
            let at = due.map_or(self.now + interval, |due| moved(self.now, due, was, interval));
            self.periodic.reap = Some(self.timers.insert(at, Timer::Reap));
        }
    }

    pub(super) fn reap_tick(&mut self, due: Instant) {
        self.reap();
        let at = next_tick(self.now, due, interval(&self.config));
        self.periodic.reap = Some(self.timers.insert(at, Timer::Reap));
    }

    pub(super) fn reap(&mut self) {
        let (now, limit) = (self.now, self.config.gossip_to_the_dead_time);
        // A node keeps its own record, even after it has left.
        let mine = self.members.record(self.me.id).identity().clone();
        let reaped = self
            .members
            .reap(|record| !record.identity().ptr_eq(&mine) && age(now, record.since()) > limit);
        for (id, node) in &reaped {
            self.departures.remove(id);
            self.flaps.forget(*id);
            self.notices.forget(*id);
            self.leave_notices.forget(*id);
            self.answer_notices.forget(*id);
            // Without company, news about the name would wait forever.
            self.queues.forget(node.name().as_bytes());
        }
        self.counters.reaped += reaped.len() as u64;
    }
}

/// How often a node that does not probe looks for members to forget.
pub(super) fn interval(config: &Config) -> Duration {
    config.gossip_to_the_dead_time.max(Duration::from_secs(1))
}
