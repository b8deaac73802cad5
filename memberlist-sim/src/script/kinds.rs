//! The words that scripts have for events and states.

use memberlist_proto::{Departure, Event, NodeName, Outcome, State};

/// The kinds of events that a condition can name.
pub(super) const KINDS: [&str; 11] = [
    "joined",
    "updated",
    "departed",
    "left",
    "dead",
    "suspected",
    "refuted",
    "conflict",
    "refused",
    "rejoined",
    "failed",
];

/// The words by which conditions name an event, and the node that it is about.
pub(super) fn kinds(event: &Event) -> Option<(&'static [&'static str], NodeName)> {
    let (kinds, node): (&[_], _) = match event {
        Event::Joined { node } => (&["joined"], node),
        Event::Updated { node, .. } => (&["updated"], node),
        Event::Departed { node, reason: Departure::Left, .. } => (&["departed", "left"], node),
        Event::Departed { node, .. } => (&["departed", "dead"], node),
        Event::HadLeft { node, .. } => (&["left"], node),
        Event::Suspected { node, .. } => (&["suspected"], node),
        Event::Refuted { node, .. } => (&["refuted"], node),
        Event::Conflict { existing, .. } => (&["conflict"], existing),
        Event::Refused { node, .. } => return Some((&["refused"], node.clone())),
        Event::Rejoined { .. } => return Some((&["rejoined"], NodeName::from(""))),
        Event::ExchangeFailed { .. } => return Some((&["failed"], NodeName::from(""))),
        Event::Finished { outcome: Outcome::Join(Ok(report)), .. } if report.joined.is_empty() => {
            return Some((&["failed"], NodeName::from("")));
        }
        _ => return None,
    };
    Some((kinds, node.name().into()))
}

/// The word for a state, or for that of an unknown node.
pub(super) fn state(state: Option<State>) -> String {
    state.map_or_else(|| "unknown".to_owned(), |state| state.to_string())
}
