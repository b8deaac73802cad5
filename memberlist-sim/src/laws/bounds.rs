//! Whatever the node waits for has its timer, and nothing else has one; queues keep to their
//! limits.

use memberlist_proto::Memberlist;

use super::Law;
use super::picture::Picture;

/// Timers of the node itself: probe or reaping, gossip, full state exchange, rejoin.
const OWN: u64 = 4;

/// Without state of its own: it compares the gauges of a node.
#[derive(Debug)]
pub(super) struct Bounds;

impl Law for Bounds {
    fn name(&self) -> &'static str {
        "bounds"
    }

    fn rest(&mut self, _: &Picture, node: &Memberlist) -> Result<(), String> {
        let (stats, limits) = (node.stats(), &node.config().limits);
        let gauges = stats.gauges;
        if gauges.suspicions != gauges.suspect {
            return Err(format!("{} suspicions of {} suspects", gauges.suspicions, gauges.suspect));
        }
        // A probe waits for its timeout and its deadline, a relay for its ack and its nack.
        let waiting = gauges.suspicions + gauges.streams + gauges.operations;
        let timers = OWN + waiting + 2 * gauges.acks_awaited;
        if gauges.timers > timers {
            return Err(format!("{} timers, but only {timers} have a reason", gauges.timers));
        }
        // One entry per name, and a refutation under the node's own address beside its
        // announcement.
        let records = gauges.alive + gauges.suspect + gauges.dead + gauges.left;
        for (what, len, limit) in [
            ("membership messages", gauges.membership_queue, records + 1),
            ("disseminations", gauges.disseminations, limits.disseminations as u64),
            (
                "bytes of disseminations",
                gauges.dissemination_bytes,
                limits.dissemination_bytes as u64,
            ),
        ] {
            if len > limit {
                return Err(format!("{len} {what}, but at most {limit} are expected"));
            }
        }
        Ok(())
    }
}
