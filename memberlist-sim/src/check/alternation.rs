//! Nodes join and depart in turn, and the events agree with the table of members.

use std::collections::BTreeSet;

use memberlist_proto::{Event, Instant, Memberlist, NodeName};

use super::Law;

/// Who is a member according to the events alone.
#[derive(Debug, Default)]
pub(super) struct Alternation(BTreeSet<NodeName>);

impl Law for Alternation {
    fn name(&self) -> &'static str {
        "joined and departed alternate"
    }

    fn event(&mut self, _: Instant, event: &Event) -> Result<(), String> {
        match event {
            Event::Joined { node } if !self.0.insert(node.name().into()) => {
                Err(format!("{} joined twice", node.name()))
            }
            Event::Departed { node, .. } if !self.0.remove(node.name().as_bytes()) => {
                Err(format!("{} departed without having joined", node.name()))
            }
            Event::Updated { node, .. }
            | Event::Suspected { node, .. }
            | Event::Refuted { node, .. }
                if !self.0.contains(node.name().as_bytes()) =>
            {
                Err(format!("{} is not a member, but: {event}", node.name()))
            }
            _ => Ok(()),
        }
    }

    fn rest(&mut self, node: &Memberlist) -> Result<(), String> {
        if node.num_members() == self.0.len() {
            return Ok(());
        }
        let table: BTreeSet<NodeName> = node.members().map(|member| member.name().into()).collect();
        Err(format!("told {:?}, but the members are {table:?}", self.0))
    }
}
