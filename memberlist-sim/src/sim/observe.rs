//! How the cluster stands.

use std::collections::BTreeMap;

use memberlist_proto::{Memberlist, Node, State};

use super::{NodeId, Sim, add};

impl Sim {
    /// Whether all nodes that run, and have not left, consider exactly each other alive, at the
    /// same address and incarnation and with the same metadata.
    ///
    /// # Errors
    ///
    /// Which node differs from the others, and how.
    pub fn agreement(&self) -> Result<(), String> {
        self.agreement_among(self.seats.ids())
    }

    /// The same among some nodes, which know no others: one of several clusters.
    ///
    /// # Errors
    ///
    /// As of [`agreement`](Self::agreement).
    pub fn agreement_among(&self, ids: impl IntoIterator<Item = NodeId>) -> Result<(), String> {
        let nodes = ids.into_iter().filter_map(|id| self.seats[id].node());
        let nodes: Vec<&Memberlist> = nodes.filter(|node| !node.has_left()).collect();
        let facts = |node: &Node| (node.incarnation(), node.address(), node.meta().to_vec());
        let expected: BTreeMap<_, _> = nodes
            .iter()
            .map(|node| (node.local().name().to_owned_name(), facts(&node.local())))
            .collect();
        // Looked at first, because it is quick: long before everything agrees, the numbers differ.
        for node in &nodes {
            if node.num_members() < expected.len() {
                let (name, seen) = (node.local().name().to_owned_name(), node.num_members());
                return Err(format!("{name} sees {seen} of {} members", expected.len()));
            }
        }
        for node in &nodes {
            let seen: BTreeMap<_, _> = node
                .members()
                .filter(|member| member.state() == State::Alive)
                .map(|member| (member.name().to_owned_name(), facts(&member)))
                .collect();
            if seen.len() != node.num_members() {
                return Err(format!("{} suspects a member", node.local().name()));
            }
            if seen != expected {
                return Err(format!("{} sees {seen:?}, not {expected:?}", node.local().name()));
            }
        }
        Ok(())
    }

    /// Whether no operation, stream or question of any node is under way.
    pub fn is_idle(&self) -> bool {
        self.seats.iter().filter_map(|seat| seat.node()).all(|node| {
            let gauges = node.stats().gauges;
            gauges.operations == 0 && gauges.streams == 0 && gauges.requests == 0
        })
    }

    /// What all nodes have counted and decided in all their lives, summed up.
    pub fn counters(&self) -> BTreeMap<&'static str, u64> {
        let mut sums = self.past.clone();
        for node in self.seats.iter().filter_map(|seat| seat.node()) {
            add(&mut sums, &node.stats());
        }
        sums
    }

    /// A digest of the whole run so far: equal for equal runs.
    pub fn trace_hash(&self) -> u64 {
        self.trace.hash()
    }

    /// How many steps the run has had so far.
    pub fn steps(&self) -> u64 {
        self.trace.steps()
    }
}
