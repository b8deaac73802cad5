//! Each event is a valid transition from the state before, and the table's states are those that
//! were reported.

use memberlist_proto::{Event, Node, State};

use super::Law;
use super::picture::{Known, Picture, is_placeholder};

#[derive(Debug)]
pub(super) struct States;

impl Law for States {
    fn name(&self) -> &'static str {
        "states"
    }

    fn event(&mut self, picture: &Picture, event: &Event) -> Result<(), String> {
        use State::{Alive, Dead, Left, Suspect};
        let (node, from, to): (_, &[State], &[State]) = match event {
            Event::Joined { node } => (node, &[Dead, Left], &[Alive]),
            Event::Suspected { node, .. } => (node, &[Alive], &[Suspect]),
            // A node does not suspect itself: it refutes while it is alive.
            Event::Refuted { node, .. } if picture.is_me(node.name().as_bytes()) => {
                (node, &[Alive], &[Alive])
            }
            Event::Refuted { node, .. } => (node, &[Suspect], &[Alive]),
            Event::Updated { node, .. } => (node, &[Alive], &[Alive]),
            Event::Departed { node, .. } => (node, &[Alive, Suspect], &[Dead, Left]),
            Event::HadLeft { node, .. } => (node, &[Dead], &[Left]),
            _ => return Ok(()),
        };
        let before = picture.get(node.name().as_bytes()).map(|known| known.state);
        if !to.contains(&node.state()) {
            return Err(format!("{} afterwards: {event}", node.state()));
        }
        // Whether an event may be about an unknown node is up to the law of alternation.
        match before {
            Some(before) if !from.contains(&before) => Err(format!("{before} before: {event}")),
            _ => Ok(()),
        }
    }

    fn record(&mut self, _: &Picture, known: Option<&Known>, node: &Node) -> Result<(), String> {
        match known.map(|known| known.state) {
            _ if is_placeholder(node) => Ok(()),
            Some(reported) if reported == node.state() => Ok(()),
            Some(reported) => Err(format!("{node} is {}, reported {reported}", node.state())),
            None => Err(format!("{node} is {}, and no event has reported it", node.state())),
        }
    }
}
