//! The words that scripts have for events and states.

use memberlist_proto::{Event, NodeName, Outcome, State};

/// The word by which conditions name the kind of an event, and the node that it is about.
pub(super) fn kind(event: &Event) -> Option<(&'static str, NodeName)> {
    let (kind, node) = match event {
        Event::Joined { node } => ("joined", node),
        Event::Updated { node, .. } => ("updated", node),
        Event::Departed { node, .. } => ("departed", node),
        Event::Suspected { node, .. } => ("suspected", node),
        Event::Refuted { node, .. } => ("refuted", node),
        Event::Conflict { existing, .. } => ("conflict", existing),
        Event::Refused { node, .. } => return Some(("refused", node.clone())),
        Event::Rejoined { .. } => return Some(("rejoined", NodeName::from(""))),
        Event::ExchangeFailed { .. } => return Some(("failed", NodeName::from(""))),
        Event::Finished { outcome: Outcome::Join(Ok(report)), .. } if report.joined.is_empty() => {
            return Some(("failed", NodeName::from("")));
        }
        _ => return None,
    };
    Some((kind, node.name().into()))
}

/// The words for a state, and for none.
pub(super) fn state(state: Option<State>) -> String {
    state.map_or_else(|| "unknown".to_owned(), |state| state.to_string())
}
