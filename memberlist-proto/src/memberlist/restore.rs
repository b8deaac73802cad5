//! A known view put in from outside.

use super::Memberlist;
use crate::node::{Node, State};

impl Memberlist {
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
