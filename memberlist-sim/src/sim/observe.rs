//! The state of the cluster as a whole.

use std::collections::BTreeMap;

use memberlist_proto::{Memberlist, Node, State};

use super::{NodeId, Sim, add};

impl Sim {
    /// Whether the nodes that run and have not left agree: each considers exactly these nodes
    /// alive, at the address and incarnation and with the metadata that each of them announces.
    ///
    /// # Errors
    ///
    /// A node that disagrees, and in what.
    pub fn agreement(&self) -> Result<(), String> {
        self.agreement_among(self.seats.ids())
    }

    /// Like [`agreement`](Self::agreement), among some nodes that know no others, such as one of
    /// several clusters. Nodes that do not run are left out.
    ///
    /// # Errors
    ///
    /// A node that disagrees, and in what.
    pub fn agreement_among(&self, ids: impl IntoIterator<Item = NodeId>) -> Result<(), String> {
        let nodes = ids.into_iter().filter_map(|id| self.seats[id].node());
        let nodes: Vec<&Memberlist> = nodes.filter(|node| !node.has_left()).collect();
        let facts = |node: &Node| (node.incarnation(), node.address(), node.meta().to_vec());
        let expected: BTreeMap<_, _> = nodes
            .iter()
            .map(|node| (node.local().name().to_owned_name(), facts(&node.local())))
            .collect();
        // The quick check comes first: until shortly before all agree, the numbers differ.
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

    /// The counters and decisions of [`Stats`](memberlist_proto::Stats) by name, summed over all
    /// lives of all nodes.
    pub fn counters(&self) -> BTreeMap<&'static str, u64> {
        let mut sums = self.past.clone();
        for node in self.seats.iter().filter_map(|seat| seat.node()) {
            add(&mut sums, &node.stats());
        }
        sums
    }

    /// A digest of all [steps](Self::steps) so far, equal for equal runs. Data on streams enters it
    /// only by its effects.
    pub fn trace_hash(&self) -> u64 {
        self.trace.hash()
    }

    /// The number of steps so far: datagrams, timers and look-ups that a node handled, its events,
    /// starts and crashes, and faults that were set.
    pub fn steps(&self) -> u64 {
        self.trace.steps()
    }
}
