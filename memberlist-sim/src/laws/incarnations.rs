//! Incarnations never go back, and a departed node returns only with a higher one. A departed node
//! is remembered for `gossip_to_the_dead_time`: until then, old news about it is recognized.

use memberlist_proto::{Event, Node, NodeName};

use super::Law;
use super::picture::{Known, Picture, is_placeholder};

#[derive(Debug)]
pub(super) struct Incarnations;

impl Law for Incarnations {
    fn name(&self) -> &'static str {
        "incarnations"
    }

    fn event(&mut self, picture: &Picture, event: &Event) -> Result<(), String> {
        let (node, joined) = match event {
            Event::Joined { node } => (node, true),
            Event::Updated { node, .. }
            | Event::Suspected { node, .. }
            | Event::Refuted { node, .. }
            | Event::Departed { node, .. }
            | Event::HadLeft { node, .. } => (node, false),
            _ => return Ok(()),
        };
        let Some(known) = picture.get(node.name().as_bytes()) else { return Ok(()) };
        // The name of a node that left may be taken over from another address at any
        // incarnation, and what was forgotten begins anew.
        if joined && (picture.may_forget(known) || !known.is_at_address_of(node)) {
            return Ok(());
        }
        let (old, new) = (known.incarnation, node.incarnation());
        if new < old {
            return Err(format!("{} went from {old} back to {new}", node.name()));
        }
        if joined && !known.is_live() && new == old {
            return Err(format!("{} departed and came back at incarnation {new}", node.name()));
        }
        Ok(())
    }

    fn record(
        &mut self,
        picture: &Picture,
        known: Option<&Known>,
        node: &Node,
    ) -> Result<(), String> {
        let Some(known) = known else { return Ok(()) };
        let (old, new) = (known.incarnation, node.incarnation());
        // One packet can make a node forget a name and learn it anew.
        if new >= old || is_placeholder(node) || picture.may_forget(known) {
            return Ok(());
        }
        Err(format!("{} went from {old} back to {new} in the table", node.name()))
    }

    fn forgotten(
        &mut self,
        picture: &Picture,
        name: &NodeName,
        known: &Known,
    ) -> Result<(), String> {
        // A name at incarnation zero was never a member: nothing is lost with it.
        if known.incarnation == 0 || picture.may_forget(known) {
            return Ok(());
        }
        Err(format!("{name}, {}, was forgotten too early", known.state))
    }
}
