//! What can be read of a node at any time, also after its end.

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
    /// The address that the node's sockets are bound to, with the real port.
    pub fn bound_address(&self) -> SocketAddr {
        self.shared().bound
    }

    /// This node's own record, as it is announced. The one method that a delegate may call at any
    /// time.
    pub fn local(&self) -> Node {
        self.shared().local()
    }

    /// The members that are alive or suspect, this node included unless it has left, in no
    /// particular order (Go: `Members`). Takes time and memory in proportion to their number. Empty
    /// from within a delegate's method that the node is waiting for.
    pub fn members(&self) -> Vec<Node> {
        self.read(|state| state.core.members().collect()).unwrap_or_default()
    }

    /// Every node that is known, including the dead and those that left until they are forgotten.
    /// Empty from within a delegate's method that the node is waiting for.
    pub fn nodes(&self) -> Vec<Node> {
        self.read(|state| state.core.nodes().collect()).unwrap_or_default()
    }

    /// One node by its name, in any state. `None` from within a delegate's method that the node is
    /// waiting for.
    pub fn member(&self, name: impl Into<NodeName>) -> Option<Node> {
        let name = name.into();
        self.read(|state| state.core.member(&name)).ok().flatten()
    }

    /// How many members are alive or suspect, this node included unless it has left (Go:
    /// `NumMembers`). 0 from within a delegate's method that the node is waiting for.
    pub fn num_members(&self) -> usize {
        self.read(|state| state.core.num_members()).unwrap_or_default()
    }

    /// One more reader of the events, which gets what is reported from now on. Each reader gets every
    /// event, and `bounds` limit what waits for this one, however slow the others are.
    ///
    /// To follow the membership from any moment, subscribe first and look at
    /// [`members`](Self::members) afterwards.
    ///
    /// # Errors
    ///
    /// [`Error::Reentrant`] only.
    pub fn subscribe(&self, bounds: EventBounds) -> Result<Events, Error> {
        let reader = self.shared().look(|state| state.add_reader(bounds))?;
        Ok(Events::new(Arc::clone(self.shared()), reader))
    }

    /// What the node's transport has counted; all 0 with UDP.
    pub fn transport_stats(&self) -> TransportStats {
        self.shared().transport.read()
    }

    /// The configuration in force.
    ///
    /// # Errors
    ///
    /// [`Error::Reentrant`] only.
    pub fn config(&self) -> Result<Config, Error> {
        self.read(|state| state.core.config().clone())
    }

    /// The local health score, from 0, which is healthy, to `awareness_max_multiplier` − 1 (Go:
    /// `GetHealthScore`). 0 from within a delegate's method that the node is waiting for.
    pub fn health_score(&self) -> u32 {
        self.read(|state| state.core.health_score()).unwrap_or_default()
    }

    /// Counters since the start, gauges of this moment, and how each message about a member was
    /// decided. All zero from within a delegate's method that the node is waiting for.
    pub fn stats(&self) -> Stats {
        self.read(|state| state.core.stats()).unwrap_or_default()
    }

    /// Everything that an operator asks for: every node with its state, since when and why, seeds
    /// and their last error, recent refusals, queues. Takes time and memory in proportion to the
    /// number of nodes.
    ///
    /// # Errors
    ///
    /// [`Error::Reentrant`] only.
    pub fn status(&self) -> Result<Status, Error> {
        self.shared().with(|state, now| state.core.status(now))
    }

    /// The live members but this node, as peers: to be saved, and given to
    /// [`recall`](Self::recall) in the node's next life. Empty from within a delegate's method that
    /// the node is waiting for.
    pub fn snapshot(&self) -> Vec<Peer> {
        self.read(|state| state.core.snapshot().collect()).unwrap_or_default()
    }

    /// What was recorded so far, and what was not; nothing without
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

    /// A time of the node, such as [`Node::since`], on the clock of this machine; far in the past or
    /// future where that clock cannot go.
    pub fn to_instant(&self, time: Instant) -> std::time::Instant {
        self.shared().clock.moment(time)
    }

    /// How long ago a time of the node was, such as [`Node::since`]; zero if it is yet to come.
    /// `SystemTime::now() - node.age(time)` is that time by the calendar.
    pub fn age(&self, time: Instant) -> Duration {
        self.to_instant(time).elapsed()
    }

    fn read<R>(&self, f: impl FnOnce(&State) -> R) -> Result<R, Error> {
        self.shared().look(|state| f(state))
    }
}
