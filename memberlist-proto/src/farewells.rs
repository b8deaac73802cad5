//! Leaves of members whose names have since been taken over at other addresses. A peer that missed
//! such a leave has no other way to learn of it, since every record says that the name is alive.

use alloc::collections::VecDeque;

use crate::node::NodeName;

/// How many of the latest leaves are remembered. Each is of use only until every peer knows the new
/// address.
const REMEMBERED: usize = 256;

/// The names, each with the incarnation at which its former bearer left.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Farewells(VecDeque<(NodeName, u32)>);

impl Farewells {
    pub(crate) fn remember(&mut self, name: NodeName, incarnation: u32) {
        self.0.retain(|(known, _)| *known != name);
        if self.0.len() >= REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back((name, incarnation));
    }

    /// The incarnation at which the former bearer of a name left; `None` if no such leave is
    /// remembered.
    pub(crate) fn of(&self, name: &[u8]) -> Option<u32> {
        let known = self.0.iter().find(|(known, _)| known.as_bytes() == name);
        known.map(|(_, incarnation)| *incarnation)
    }
}
