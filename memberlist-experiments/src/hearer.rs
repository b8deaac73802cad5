//! An application that receives one broadcast.

use std::cell::RefCell;
use std::rc::Rc;

use memberlist_proto::{BroadcastKind, Channel, Event, Instant, Memberlist, Priority};
use memberlist_sim::App;

use crate::cluster::Cluster;

/// Notes when its node receives the broadcast, and passes it on once, as Serf does.
#[derive(Clone, Default)]
pub(crate) struct Hearer(Rc<RefCell<Heard>>);

#[derive(Default)]
struct Heard {
    at: Option<Instant>,
    /// Attempts to join that failed.
    failed: u64,
}

impl App for Hearer {
    fn event(&mut self, now: Instant, node: &mut Memberlist, event: &Event) {
        if matches!(event, Event::JoinRetries { .. }) {
            self.0.borrow_mut().failed += 1;
        }
        if let Event::Message { payload, channel: Channel::Packet, .. } = event
            && self.heard().is_none()
        {
            self.0.borrow_mut().at = Some(now);
            let sent = node.broadcast(now, payload, BroadcastKind::Unique, Priority::Normal);
            sent.expect("what came in a packet fits into one");
        }
    }
}

impl Hearer {
    /// Broadcasts from its own node, the one with this number; returns the time of that.
    pub(crate) fn begin(&self, cluster: &mut Cluster, number: usize) -> Instant {
        cluster.sim.with(cluster.nodes[number], |node, now| {
            self.0.borrow_mut().at = Some(now);
            let sent = node.broadcast(now, b"news", BroadcastKind::Unique, Priority::Normal);
            sent.expect("it fits into a packet");
            now
        })
    }

    /// When its node first received the broadcast.
    pub(crate) fn heard(&self) -> Option<Instant> {
        self.0.borrow().at
    }

    /// Forgets the broadcast, for another one.
    pub(crate) fn forget(&self) {
        self.0.borrow_mut().at = None;
    }

    /// The number of its node's attempts to join that failed.
    pub(crate) fn failed_joins(&self) -> u64 {
        self.0.borrow().failed
    }
}
