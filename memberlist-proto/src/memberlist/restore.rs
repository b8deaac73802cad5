//! Members that are put in from outside.

use super::Memberlist;
use crate::node::{Identity, Node, State};

impl Memberlist {
    /// Keeps this allocation in place of an equal identity of its own, if it has one. Nothing that the
    /// node does depends on it, so no recording contains it.
    ///
    /// Nodes that learn of a member by gossip each allocate its identity; nodes that run in one process,
    /// as in a simulation, can thus share one between them. Call it with the identity that another
    /// node reported when this one reports [`Event::Joined`](crate::Event::Joined) or
    /// [`Event::Updated`](crate::Event::Updated) for the same name.
    ///
    /// ```
    /// use memberlist_proto::{Config, Instant, Memberlist};
    ///
    /// let now = Instant::from_nanos(1);
    /// let mut one = Memberlist::new(now, Config::local("one"), None, [1; 32])?;
    /// let known = one.local();
    /// one.share_identity(known.identity());
    /// assert_eq!(one.local(), known);
    /// # Ok::<(), memberlist_proto::ConfigError>(())
    /// ```
    pub fn share_identity(&mut self, identity: &Identity) {
        self.members.share_identity(identity);
    }

    pub(super) fn members_restored(&mut self, members: impl IntoIterator<Item = Node>) {
        for node in members {
            if self.members.len() >= self.config.limits.members {
                return;
            }
            if self.members.get(node.name().as_bytes()).is_some() {
                continue;
            }
            let (state, since) = match node.state() {
                State::Alive | State::Suspect => (State::Alive, self.now),
                gone => (gone, self.now),
            };
            if state == State::Alive {
                self.wanted.found(node.name().as_bytes());
            }
            let identity = node.identity().clone();
            let incarnation = node.incarnation();
            let order = &mut self.rng.probe_order;
            let id = self.members.insert(identity, incarnation, state, since, order);
            // The application vouches for it.
            self.members.set_answered(id);
        }
    }
}
