//! Incarnations never go back, and nobody comes back from the dead without a higher one.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use memberlist_proto::{Event, Instant, Node, NodeName};

use super::Law;

/// The highest incarnation told of each name, at which address, and when it departed.
#[derive(Debug)]
pub(super) struct Incarnations {
    known: BTreeMap<NodeName, Known>,
    /// How long the departed are remembered at least.
    memory: Duration,
}

#[derive(Debug)]
struct Known {
    incarnation: u32,
    address: Option<SocketAddr>,
    departed: Option<Instant>,
}

impl Incarnations {
    pub(super) fn new(memory: Duration) -> Self {
        Self { known: BTreeMap::new(), memory }
    }
}

impl Law for Incarnations {
    fn name(&self) -> &'static str {
        "incarnations never go back"
    }

    fn event(&mut self, now: Instant, event: &Event) -> Result<(), String> {
        let (node, joined) = match event {
            Event::Joined { node } => (node, true),
            Event::Updated { node, .. }
            | Event::Suspected { node, .. }
            | Event::Refuted { node, .. }
            | Event::Departed { node, .. } => (node, false),
            _ => return Ok(()),
        };
        let departed = matches!(event, Event::Departed { .. }).then_some(now);
        let result = self.known.get(node.name().as_bytes()).map_or(Ok(()), |known| {
            // A name that left may be taken over from another address at any incarnation, and
            // what has been forgotten altogether begins anew.
            let forgotten = known
                .departed
                .is_some_and(|since| now.saturating_duration_since(since) > self.memory);
            if joined && (forgotten || known.address != node.address()) {
                return Ok(());
            }
            check(known, node, joined)
        });
        let known = Known { incarnation: node.incarnation(), address: node.address(), departed };
        self.known.insert(node.name().into(), known);
        result
    }
}

fn check(known: &Known, node: &Node, joined: bool) -> Result<(), String> {
    let (old, new) = (known.incarnation, node.incarnation());
    if new < old {
        return Err(format!("{} went from {old} back to {new}", node.name()));
    }
    if joined && known.departed.is_some() && new == old {
        return Err(format!("{} came back at incarnation {new}, which had departed", node.name()));
    }
    Ok(())
}
