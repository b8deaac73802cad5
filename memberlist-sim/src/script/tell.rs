//! What nodes tell, as a line of text.

use memberlist_proto::{
    BroadcastEnd, Channel, Departure, Event, JoinReport, NodeName, Outcome, State,
};

/// The line for an event; none for a probe that was answered, which happens all the time.
pub(super) fn event(event: &Event) -> Option<String> {
    Some(match event {
        Event::Pinged { .. } => return None,
        Event::Joined { node } => format!("{} joined", node.name()),
        Event::Updated { node, change } => {
            let parts = [
                (change.meta, "metadata"),
                (change.address, "address"),
                (change.versions, "versions"),
            ];
            let parts: Vec<&str> = parts.iter().filter(|it| it.0).map(|it| it.1).collect();
            format!("{} has other {}", node.name(), parts.join(" and "))
        }
        Event::Departed { node, reason, .. } => match reason {
            Departure::Left => format!("{} left", node.name()),
            Departure::Failed { by, .. } => {
                format!("{} is dead, accused by {}", node.name(), list(by))
            }
            Departure::Declared { by } => format!("{} is dead, says {by}", node.name()),
            other => format!("{} departed: {other:?}", node.name()),
        },
        Event::Suspected { node, by } => format!("{} is suspected by {by}", node.name()),
        Event::Refuted { node, by } => {
            let by = by.as_ref().map_or(String::new(), |by| format!(" what {by} said"));
            format!("{} refuted{by}, now at incarnation {}", node.name(), node.incarnation())
        }
        Event::Conflict { existing, claimant } => {
            format!("conflict: {claimant} is also {existing}")
        }
        Event::Refused { node, reason, .. } => format!("refused {node}: {reason}"),
        Event::Message { channel, payload, .. } => {
            let channel = match channel {
                Channel::Packet => "packet",
                Channel::Stream => "stream",
            };
            format!("heard {:?} by {channel}", String::from_utf8_lossy(payload))
        }
        Event::Finished { outcome, .. } => finished(outcome),
        Event::BroadcastFinished { end, .. } => match end {
            BroadcastEnd::Sent => "its broadcast was sent as often as it should".to_owned(),
            BroadcastEnd::Replaced => "its broadcast was replaced".to_owned(),
            BroadcastEnd::Dropped => "its broadcast was dropped".to_owned(),
            BroadcastEnd::Streamed { sent, failed } => {
                format!("its message went to {sent} by stream, and not to {failed}")
            }
        },
        Event::Health { score } => format!("health score {score}"),
        Event::OnlyByStream { node } => format!("{} answers by stream only", node.name()),
        Event::Rejoined { peer } => format!("found {peer} again"),
        Event::ExchangeFailed { peer, exchange, error } => {
            format!("{exchange:?} with {peer} failed: {error}")
        }
        other => format!("{other:?}"),
    })
}

/// The word by which conditions name the kind of an event, and whom it is about.
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

fn finished(outcome: &Outcome) -> String {
    fn end<T, E: std::fmt::Display>(what: &str, result: &Result<T, E>) -> String {
        match result {
            Ok(_) => format!("{what} done"),
            Err(error) => format!("{what} failed: {error}"),
        }
    }
    match outcome {
        Outcome::Join(Ok(report)) => joined(report),
        Outcome::Join(refused) => end("join", refused),
        Outcome::Leave(result) => end("leave", result),
        Outcome::SetMeta(result) => end("metadata", result),
        Outcome::Ping(result) => end("ping", result),
        Outcome::SendReliable(result) => end("message", result),
        Outcome::Settle(Ok(members)) => format!("settled with {members} members"),
        Outcome::Settle(refused) => end("settling", refused),
        other => format!("{other:?}"),
    }
}

fn joined(report: &JoinReport) -> String {
    let mut parts: Vec<String> = Vec::new();
    if !report.joined.is_empty() {
        let peers: Vec<String> = report.joined.iter().map(ToString::to_string).collect();
        parts.push(format!("joined through {}", peers.join(" ")));
    }
    for failure in &report.failed {
        parts.push(format!("join through {} failed: {}", failure.peer, failure.error));
    }
    parts.join("; ")
}

fn list(names: &[NodeName]) -> String {
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}
