//! Forgetting members that have been dead or gone for long enough (Go: `resetNodes`).

use core::time::Duration;

use super::query::age;
use super::ticks::{moved, next_tick};
use super::{Memberlist, Timer};
use crate::config::Config;
use crate::members::Record;
use crate::time::Instant;

/// How many members are forgotten in one call: where a data centre fails, thousands fail together.
const AT_ONCE: usize = 4_096;
/// How long after that the next ones are forgotten.
const REST: Duration = Duration::from_millis(1);

impl Memberlist {
    /// Starts the reaping timer of a node that does not probe. With probes, the dead are forgotten
    /// whenever the probe order wraps around.
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

    pub(super) fn reap_rest(&mut self) {
        self.periodic.reap_rest = None;
        self.reap();
    }

    pub(super) fn reap(&mut self) {
        let (now, limit) = (self.now, self.config.gossip_to_the_dead_time);
        // A node keeps its own record, even after it has left.
        let mine = self.members.record(self.me.id).identity().clone();
        let expired =
            |record: &Record| !record.identity().ptr_eq(&mine) && age(now, record.since()) > limit;
        let reaped = self.members.reap(AT_ONCE, expired);
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
        if reaped.len() == AT_ONCE && self.periodic.reap_rest.is_none() {
            let at = self.now + REST;
            self.periodic.reap_rest = Some(self.timers.insert(at, Timer::ReapRest));
        }
    }
}

/// How often a node that does not probe looks for members to forget.
pub(super) fn interval(config: &Config) -> Duration {
    config.gossip_to_the_dead_time.max(Duration::from_secs(1))
}
