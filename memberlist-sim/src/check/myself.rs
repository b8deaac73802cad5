//! Nobody believes itself suspect or dead, nor out of the cluster unless it left.

use memberlist_proto::{Departure, Event, Instant, NodeName};

use super::Law;

/// The node's own name, once it told it.
#[derive(Debug, Default)]
pub(super) struct Myself(Option<NodeName>);

impl Law for Myself {
    fn name(&self) -> &'static str {
        "nobody believes itself dead"
    }

    fn event(&mut self, _: Instant, event: &Event) -> Result<(), String> {
        match event {
            // A node tells itself first.
            Event::Joined { node } if self.0.is_none() => self.0 = Some(node.name().into()),
            Event::Suspected { node, .. } if self.is_me(node.name().as_bytes()) => {
                return Err("it suspects itself".to_owned());
            }
            Event::Departed { node, reason, .. }
                if self.is_me(node.name().as_bytes()) && *reason != Departure::Left =>
            {
                return Err(format!("it departed by {reason:?}"));
            }
            _ => {}
        }
        Ok(())
    }
}

impl Myself {
    fn is_me(&self, name: &[u8]) -> bool {
        self.0.as_ref().is_some_and(|me| me.as_bytes() == name)
    }
}
