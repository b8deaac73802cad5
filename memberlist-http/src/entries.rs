//! Converts events of a node to entries of the journal.

use memberlist_proto::{Departure, Event, Name, Node};

use crate::journal::{Class, Entry, Level};

/// The maximum length of an entry's text, in bytes: errors may quote long texts from peers.
const LONGEST: usize = 600;

/// The entry for an event; `None` for messages, round trips, ends of operations, and the like. The
/// application's payloads must not appear on a page that any browser may open.
pub(crate) fn of(event: &Event, time: u64) -> Option<Entry> {
    use Class::{Members, Others};
    use Level::{Bad, Good, Info, Warn};
    let (kind, level, class, node) = match event {
        Event::Joined { node } => ("joined", Good, Members, Some(node)),
        Event::Updated { node, .. } => ("updated", Info, Members, Some(node)),
        Event::Departed { node, reason: Departure::Left, .. } => {
            ("left", Info, Members, Some(node))
        }
        Event::Departed { node, .. } => ("failed", Bad, Members, Some(node)),
        Event::HadLeft { node, .. } => ("had_left", Info, Members, Some(node)),
        Event::Suspected { node, .. } => ("suspected", Warn, Members, Some(node)),
        Event::Refuted { node, .. } => ("refuted", Good, Members, Some(node)),
        Event::Coalesced { node, .. } => ("coalesced", Info, Members, Some(node)),
        Event::MembershipOverflow { .. } => ("membership_overflow", Warn, Members, None),
        Event::Health { score: 0 } => ("health", Good, Others, None),
        Event::Health { .. } => ("health", Warn, Others, None),
        Event::Conflict { existing, .. } => ("conflict", Bad, Others, Some(existing)),
        Event::Refused { .. } => ("refused", Warn, Others, None),
        Event::NamePoisoned { .. } => ("name_poisoned", Bad, Others, None),
        Event::NothingReceived { .. } => ("nothing_received", Bad, Others, None),
        Event::NotListed { .. } => ("not_listed", Bad, Others, None),
        Event::OnlyByStream { node } => ("only_by_stream", Warn, Others, Some(node)),
        Event::Rejoined { .. } => ("rejoined", Good, Others, None),
        Event::ExchangeFailed { .. } => ("exchange_failed", Warn, Others, None),
        Event::JoinRetries { .. } => ("join_retries", Warn, Others, None),
        _ => return None,
    };
    let node = node.map(|node| shown(node.name()));
    Some(Entry { id: 0, time, kind, level, text: cut(event.to_string()), node, class })
}

fn cut(mut text: String) -> String {
    if text.len() > LONGEST {
        let end = (0..=LONGEST).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or_default());
        text.push('…');
    }
    text
}

/// A name as text; bytes that are not UTF-8 as `\xff`.
pub(crate) fn shown(name: Name<'_>) -> String {
    readable(name.as_bytes())
}

/// Bytes as text; those that are not UTF-8 as `\xff`.
pub(crate) fn readable(bytes: &[u8]) -> String {
    let chunk = |chunk: std::str::Utf8Chunk<'_>| {
        format!("{}{}", chunk.valid(), chunk.invalid().escape_ascii())
    };
    bytes.utf8_chunks().map(chunk).collect()
}

/// How a live member came to its state, if the event says so.
pub(crate) fn origin(event: &Event) -> Option<(&Node, &'static str)> {
    match event {
        Event::Joined { node } => Some((node, "joined")),
        Event::Refuted { node, .. } => Some((node, "refuted a suspicion")),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
