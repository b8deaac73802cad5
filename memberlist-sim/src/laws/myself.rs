//! A node never considers itself suspect or dead, nor departed unless it has left, which is final.

use memberlist_proto::{Departure, Event, Memberlist};

use super::Law;
use super::picture::Picture;

#[derive(Debug, Default)]
pub(super) struct Myself {
    left: bool,
    incarnation: u32,
}

impl Law for Myself {
    fn name(&self) -> &'static str {
        "myself"
    }

    fn event(&mut self, picture: &Picture, event: &Event) -> Result<(), String> {
        match event {
            Event::Suspected { node, .. } if picture.is_me(node.name().as_bytes()) => {
                Err("it suspects itself".to_owned())
            }
            Event::Departed { node, reason, .. }
                if picture.is_me(node.name().as_bytes()) && *reason != Departure::Left =>
            {
                Err(format!("it considers itself departed: {reason}"))
            }
            _ => Ok(()),
        }
    }

    fn rest(&mut self, _: &Picture, node: &Memberlist) -> Result<(), String> {
        let incarnation = node.local().incarnation();
        if incarnation < self.incarnation {
            let before = self.incarnation;
            return Err(format!("its own incarnation went from {before} back to {incarnation}"));
        }
        if self.left && !node.has_left() {
            return Err("it had left, and has not any more".to_owned());
        }
        (self.left, self.incarnation) = (node.has_left(), incarnation);
        Ok(())
    }
}
