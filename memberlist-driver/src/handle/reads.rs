//! The methods that read a node's state, at any time, even after its end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use memberlist_proto::{Config, Instant, Key, Node, NodeName, Peer, Stats, Status};

use super::Handle;
use crate::error::Error;
use crate::events::{EventBounds, Events};
use crate::state::State;
use crate::transport::TransportStats;

/// The node as it is now. These methods also work after the node's end.
impl Handle {
    /// The address that the node's sockets are bound to, with the actual port if 0 was asked for.
    pub fn bound_address(&self) -> SocketAddr {
        self.shared().bound
    }

    /// This node's own record, as it is announced. Unlike the other methods that return members, it
    /// also works from within a delegate's method that the node is waiting for.
    pub fn local(&self) -> Node {
        self.shared().local()
    }

    /// The members that are alive or suspect, this node included unless it has left, in no
    /// particular order (Go: `Members`). Takes time and memory in proportion to their number. Empty
    /// from within a delegate's method that the node is waiting for.
    pub fn members(&self) -> Vec<Node> {
        self.read(|state| state.core.members().collect()).unwrap_or_default()
    }

    /// Every node that is known: the members, and those that are dead or have left, until their
    /// records are removed. Empty from within a delegate's method that the node is waiting for.
    pub fn nodes(&self) -> Vec<Node> {
        self.read(|state| state.core.nodes().collect()).unwrap_or_default()
    }

    /// One node by its name, in any state; `None` if it is unknown. Also `None` from within a
    /// delegate's method that the node is waiting for.
    pub fn member(&self, name: impl Into<NodeName>) -> Option<Node> {
        let name = name.into();
        self.read(|state| state.core.member(&name)).ok().flatten()
    }

    /// How many members are alive or suspect, this node included unless it has left (Go:
    /// `NumMembers`). 0 from within a delegate's method that the node is waiting for.
    pub fn num_members(&self) -> usize {
        self.read(|state| state.core.num_members()).unwrap_or_default()
    }

    /// Adds a reader of the events, which receives everything that is reported from now on. Each
    /// reader receives every event, and `bounds` limits what may wait for this one, independently
    /// of the others.
    ///
    /// To follow the membership without a gap, subscribe first and call [`members`](Self::members)
    /// afterwards.
    ///
    /// # Errors
    ///
    /// [`Error::Reentrant`] only.
    pub fn subscribe(&self, bounds: EventBounds) -> Result<Events, Error> {
        let reader = self.shared().look(|state| state.add_reader(bounds))?;
        Ok(Events::new(Arc::clone(self.shared()), reader))
    }

    /// The statistics of the node's transport; all zero with the default transport, UDP and TCP.
    pub fn transport_stats(&self) -> TransportStats {
        self.shared().transport.read()
    }

    /// The configuration in force, with every change made since the start.
    ///
    /// # Errors
    ///
    /// [`Error::Reentrant`] only.
    pub fn config(&self) -> Result<Config, Error> {
        self.read(|state| state.core.config().clone())
    }

    /// The local health score, from 0 (healthy) to `awareness_max_multiplier` − 1 (Go:
    /// `GetHealthScore`). 0 from within a delegate's method that the node is waiting for.
    pub fn health_score(&self) -> u32 {
        self.read(|state| state.core.health_score()).unwrap_or_default()
    }

    /// Statistics: counters since the start, gauges at this moment, and what was decided about each
    /// message about a member. All zero from within a delegate's method that the node is waiting
    /// for.
    pub fn stats(&self) -> Stats {
        self.read(|state| state.core.stats()).unwrap_or_default()
    }

    /// The status for an operator: every node with its state, since when and why, the seeds with
    /// their last errors, recent refusals, queues. Takes time and memory in proportion to the
    /// number of nodes.
    ///
    /// # Errors
    ///
    /// [`Error::Reentrant`] only.
    pub fn status(&self) -> Result<Status, Error> {
        self.shared().with(|state, now| state.core.status(now))
    }

    /// The live members except this node, as peers: to be saved, and passed to
    /// [`recall`](Self::recall) after a restart. Empty from within a delegate's method that the
    /// node is waiting for.
    pub fn snapshot(&self) -> Vec<Peer> {
        self.read(|state| state.core.snapshot().collect()).unwrap_or_default()
    }

    /// How much has been recorded so far, and how much was dropped; `None` without
    /// [`Options::record_to`](crate::bind::Options::record_to).
    #[cfg(feature = "record")]
    pub fn recording(&self) -> Option<memberlist_record::RecordStats> {
        self.shared().recording.as_ref().map(memberlist_record::Recorder::stats)
    }

    /// Whether the node has left the cluster. `false` from within a delegate's method that the node
    /// is waiting for.
    pub fn has_left(&self) -> bool {
        self.read(|state| state.core.has_left()).unwrap_or_default()
    }

    /// The keys, the primary first; empty without encryption, and from within a delegate's method
    /// that the node is waiting for.
    pub fn keys(&self) -> Vec<Key> {
        self.read(|state| state.core.keys()).unwrap_or_default()
    }

    /// Converts a time of the node, such as [`Node::since`], to this machine's monotonic clock. A
    /// time before the node's start becomes its start, and one that the clock cannot represent a
    /// moment far in the future.
    pub fn to_instant(&self, time: Instant) -> std::time::Instant {
        self.shared().clock.moment(time)
    }

    /// How long ago a time of the node was, such as [`Node::since`]; zero if it is in the future.
    /// `SystemTime::now() - node.age(time)` is that time on the wall clock.
    pub fn age(&self, time: Instant) -> Duration {
        self.to_instant(time).elapsed()
    }

    fn read<R>(&self, f: impl FnOnce(&State) -> R) -> Result<R, Error> {
        self.shared().look(|state| f(state))
    }
}
