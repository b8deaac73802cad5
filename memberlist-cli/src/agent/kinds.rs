//! The choice of the events that are reported.

use std::collections::BTreeSet;

/// The events of the agent, by the names that they have in its output.
pub(crate) const KINDS: [&str; 23] = [
    "joined",
    "updated",
    "departed",
    "had_left",
    "suspected",
    "refuted",
    "conflict",
    "join",
    "pinged",
    "message",
    "remote_state",
    "broadcast_finished",
    "broadcasts_finished",
    "refused",
    "overflow",
    "membership_overflow",
    "health_changed",
    "name_poisoned",
    "only_by_stream",
    "nothing_received",
    "not_listed",
    "rejoined",
    "exchange_failed",
];

/// A choice of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kinds {
    /// Every event.
    All,
    /// Every event except round trips, which are frequent.
    Quiet,
    /// No event.
    None,
    /// These events, and those that say that events were lost.
    These(BTreeSet<&'static str>),
}

/// Why a text is not a choice of events.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no event `{}`{}", .name.escape_debug(), .hint)]
pub(crate) struct NoEvent {
    name: String,
    hint: String,
}

impl Kinds {
    /// Parses names separated by commas, or `all`, `quiet` or `none`.
    pub(crate) fn parse(text: &str) -> Result<Self, NoEvent> {
        match text {
            "all" => return Ok(Self::All),
            "quiet" => return Ok(Self::Quiet),
            "none" => return Ok(Self::None),
            _ => {}
        }
        let kinds = text.split(',').map(|name| kind(name.trim()));
        kinds.collect::<Result<_, _>>().map(Self::These)
    }

    /// Whether an event of this name is reported. Unless no event is wanted, those that say that
    /// events were lost are included: a reader must know that its view is incomplete.
    pub(crate) fn include(&self, event: &str) -> bool {
        match self {
            Self::All => true,
            Self::Quiet => event != "pinged",
            Self::None => false,
            Self::These(kinds) => {
                kinds.contains(event) || ["overflow", "membership_overflow"].contains(&event)
            }
        }
    }
}

impl std::fmt::Display for Kinds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Quiet => f.write_str("quiet"),
            Self::None => f.write_str("none"),
            Self::These(kinds) => f.write_str(&kinds.iter().copied().collect::<Vec<_>>().join(",")),
        }
    }
}

fn kind(name: &str) -> Result<&'static str, NoEvent> {
    if let Some(kind) = KINDS.into_iter().find(|kind| *kind == name) {
        return Ok(kind);
    }
    // A comparison takes longer, the longer the given name is.
    let near = || KINDS.into_iter().min_by_key(|kind| strsim::osa_distance(kind, name));
    let near = if name.len() <= 32 { near() } else { None };
    let near = near.filter(|kind| strsim::osa_distance(kind, name) * 3 <= name.len());
    let hint = near.map_or(String::new(), |kind| format!("; did you mean `{kind}`?"));
    Err(NoEvent { name: name.chars().take(32).collect(), hint })
}

#[cfg(test)]
mod tests;
