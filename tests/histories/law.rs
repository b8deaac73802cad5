//! What has to hold for every node after every step.

use std::collections::{BTreeMap, BTreeSet};

use memberlist_proto::{Event, Instant, Memberlist, Node, NodeName, State};

/// What one node has said so far, to hold it against what it says next.
#[derive(Default)]
pub struct Witness {
    known: BTreeMap<NodeName, Node>,
    present: BTreeSet<NodeName>,
    has_left: bool,
    incarnation: u32,
    events: BTreeMap<&'static str, usize>,
}

impl Witness {
    /// Hears an event: joined and departed alternate.
    pub fn hear(&mut self, event: &Event) {
        match event {
            Event::Joined { node } => {
                *self.events.entry("joined").or_default() += 1;
                let name = node.identity().node_name();
                assert!(self.present.insert(name), "{node} joined twice");
            }
            Event::Departed { node, .. } => {
                *self.events.entry("departed").or_default() += 1;
                let name = node.identity().node_name();
                assert!(self.present.remove(&name), "{node} departed without having joined");
            }
            Event::Suspected { .. } => *self.events.entry("suspected").or_default() += 1,
            Event::Refuted { .. } => *self.events.entry("refuted").or_default() += 1,
            Event::Updated { .. } => *self.events.entry("updated").or_default() += 1,
            Event::NamePoisoned { .. } => panic!("nobody here accuses at the highest incarnation"),
            _ => {}
        }
    }

    /// Members that were given to a node, which tells no event of them.
    pub fn given(&mut self, names: impl IntoIterator<Item = NodeName>) {
        self.present.extend(names);
    }

    /// How often each kind of event was told.
    pub fn events(&self) -> &BTreeMap<&'static str, usize> {
        &self.events
    }

    /// Looks at the whole node after a step; `forgets` is how long it keeps the dead.
    pub fn look(&mut self, now: Instant, node: &Memberlist, forgets: std::time::Duration) {
        node.check_invariants().expect("invariants");
        let me = node.local();
        self.has_left |= me.state() == State::Left;
        let expected = if self.has_left { State::Left } else { State::Alive };
        assert_eq!(me.state(), expected, "{me} of itself");
        assert!(me.incarnation() >= self.incarnation, "{me} was at {}", self.incarnation);
        self.incarnation = me.incarnation();
        let live: BTreeSet<_> = node.members().map(|it| it.identity().node_name()).collect();
        assert_eq!(live, self.present, "the members, and what events told of them");
        let known: BTreeMap<_, _> =
            node.nodes().map(|it| (it.identity().node_name(), it)).collect();
        for (name, old) in &self.known {
            // One packet can make a node forget a name and hear of it anew.
            let forgettable =
                !old.state().is_live() && now.saturating_duration_since(old.since()) > forgets;
            match known.get(name) {
                Some(new) if !forgettable => lawful(old, new),
                Some(_) => {}
                None => assert!(forgettable, "{old} was forgotten too early"),
            }
        }
        self.known = known;
    }
}

/// The legal changes of one record.
fn lawful(old: &Node, new: &Node) {
    let (before, after) = (old.state(), new.state());
    assert!(new.incarnation() >= old.incarnation(), "{old} became {new}: an older incarnation");
    let revived = after == State::Alive && before != State::Alive;
    assert!(!revived || new.incarnation() > old.incarnation(), "{old} became {new} unrefuted");
    let raised = !before.is_live() && after == State::Suspect;
    assert!(!raised || new.incarnation() > old.incarnation(), "{old} became {new} unrefuted");
}
