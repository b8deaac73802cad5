//! Forgetting a node by order of the operator (Serf: `force-leave --prune`).

use super::Memberlist;
use super::accuse::Accusation;
use crate::event::ForgetError;
use crate::node::NodeName;

impl Memberlist {
    /// Ends the search for a name and removes its record. Members that still have the record are
    /// informed as if the node had left: they search for it as well.
    pub(super) fn forgotten(&mut self, name: &NodeName) -> Result<(), ForgetError> {
        let searched = self.wanted.forget(name.as_bytes());
        let Some(id) = self.members.get(name.as_bytes()) else {
            return if searched { Ok(()) } else { Err(ForgetError::Unknown) };
        };
        let record = self.members.record(id);
        if id == self.me.id || record.state().is_live() {
            return Err(ForgetError::Member);
        }
        let incarnation = record.incarnation();
        let (node, from) = (name.as_bytes(), name.as_bytes());
        self.broadcast_dead(Accusation { incarnation, node, from, via: None }, None);
        self.members.reap(1, |record| record.name() == *node);
        self.departures.remove(&id);
        self.flaps.forget(id);
        self.notices.forget(id);
        self.leave_notices.forget(id);
        self.answer_notices.forget(id);
        Ok(())
    }
}
