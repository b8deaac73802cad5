//! Whatever is waited for has its timer, and nothing else has one.

use memberlist_proto::{Event, Instant, Memberlist};

use super::Law;

/// Timers of the node itself: probe or reaping, gossip, full state exchange, rejoin.
const OWN: u64 = 4;

/// Keeps nothing: it compares what a node counts.
#[derive(Debug, Default)]
pub(super) struct Bounds;

impl Law for Bounds {
    fn name(&self) -> &'static str {
        "timers and queues within their bounds"
    }

    fn event(&mut self, _: Instant, _: &Event) -> Result<(), String> {
        Ok(())
    }

    fn rest(&mut self, node: &Memberlist) -> Result<(), String> {
        let stats = node.stats();
        let gauges = stats.gauges;
        // A probe waits for its timeout and its deadline, a relay for its ack and its nack.
        let waiting = gauges.suspicions + gauges.streams + gauges.operations;
        let timers = OWN + waiting + 2 * gauges.acks_awaited;
        if gauges.timers > timers {
            return Err(format!("{} timers, but only {timers} have a reason", gauges.timers));
        }
        // One entry a name, also of those that were forgotten before anybody could be told, and a
        // refutation under the own address beside the announcement.
        let records = gauges.alive + gauges.suspect + gauges.dead + gauges.left;
        let names = records + stats.counters.reaped;
        if gauges.membership_queue > names + 1 {
            let queue = gauges.membership_queue;
            return Err(format!("{queue} membership messages about {names} names"));
        }
        Ok(())
    }
}
