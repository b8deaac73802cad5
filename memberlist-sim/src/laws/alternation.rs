//! Nodes join and depart in turn, and the members are those that have joined and not departed.

use memberlist_proto::{Event, Memberlist, Node, NodeName};

use super::Law;
use super::picture::{Known, Picture};

#[derive(Debug)]
pub(super) struct Alternation;

impl Law for Alternation {
    fn name(&self) -> &'static str {
        "alternation"
    }

    fn event(&mut self, picture: &Picture, event: &Event) -> Result<(), String> {
        match event {
            Event::Joined { node } if picture.is_member(node.name().as_bytes()) => {
                Err(format!("{} joined twice", node.name()))
            }
            Event::Departed { node, .. } if !picture.is_member(node.name().as_bytes()) => {
                Err(format!("{} departed without having joined", node.name()))
            }
            Event::HadLeft { node, .. } if picture.get(node.name().as_bytes()).is_none() => {
                Err(format!("{} left without having departed", node.name()))
            }
            Event::Updated { node, .. }
            | Event::Suspected { node, .. }
            | Event::Refuted { node, .. }
                if !picture.is_member(node.name().as_bytes()) =>
            {
                Err(format!("{} is not a member, but: {event}", node.name()))
            }
            _ => Ok(()),
        }
    }

    fn record(&mut self, _: &Picture, known: Option<&Known>, node: &Node) -> Result<(), String> {
        match (known.is_some_and(Known::is_live), node.state().is_live()) {
            (false, true) => Err(format!("{node} is a member, but has not joined")),
            (true, false) => Err(format!("{node} is {}, but has not departed", node.state())),
            _ => Ok(()),
        }
    }

    fn forgotten(&mut self, _: &Picture, name: &NodeName, known: &Known) -> Result<(), String> {
        if known.is_live() {
            return Err(format!("{name} is gone, but has not departed"));
        }
        Ok(())
    }

    fn rest(&mut self, picture: &Picture, node: &Memberlist) -> Result<(), String> {
        let (reported, counted) = (picture.live(), node.num_members());
        if reported == counted {
            return Ok(());
        }
        Err(format!("{reported} members by the events, but {counted} by `num_members`"))
    }
}
