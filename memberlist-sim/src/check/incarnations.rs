//! Incarnations never go back, and nobody comes back from the dead without a higher one.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use memberlist_proto::{Event, Node, NodeName};

use super::Law;

/// The highest incarnation told of each name, at which address, and whether it departed with it.
#[derive(Debug, Default)]
pub(super) struct Incarnations(BTreeMap<NodeName, Known>);

#[derive(Debug)]
struct Known {
    incarnation: u32,
    address: Option<SocketAddr>,
    departed: bool,
}

impl Law for Incarnations {
    fn name(&self) -> &'static str {
        "incarnations never go back"
    }

    fn event(&mut self, event: &Event) -> Result<(), String> {
        let (node, joined) = match event {
            Event::Joined { node } => (node, true),
            Event::Updated { node, .. }
            | Event::Suspected { node, .. }
            | Event::Refuted { node, .. }
            | Event::Departed { node, .. } => (node, false),
            _ => return Ok(()),
        };
        let departed = matches!(event, Event::Departed { .. });
        let result = self.0.get(node.name().as_bytes()).map_or(Ok(()), |known| {
            // A name that left may be taken over from another address at any incarnation.
            if joined && known.address != node.address() {
                return Ok(());
            }
            check(known, node, joined)
        });
        let known = Known { incarnation: node.incarnation(), address: node.address(), departed };
        self.0.insert(node.name().into(), known);
        result
    }

    fn rest(&mut self, node: &memberlist_proto::Memberlist) -> Result<(), String> {
        // What has been forgotten altogether may begin anew.
        self.0.retain(|name, known| !known.departed || node.member(name).is_some());
        Ok(())
    }
}

fn check(known: &Known, node: &Node, joined: bool) -> Result<(), String> {
    let (old, new) = (known.incarnation, node.incarnation());
    if new < old {
        return Err(format!("{} went from {old} back to {new}", node.name()));
    }
    if joined && known.departed && new == old {
        return Err(format!("{} came back at incarnation {new}, which had departed", node.name()));
    }
    Ok(())
}
