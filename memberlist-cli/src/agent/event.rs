//! The events of the node as reports: a JSON object for programs, the event's text for people.

use memberlist_proto::{
    BroadcastEnd, Departure, Event, ExchangeKind, JoinFailure, JoinReport, Node, NodeName,
};
use serde_json::{Value, json};

use super::report::{Report, node, text};
use crate::hex;

/// The report of an event; `None` for one that the reply to a command replaces.
pub(super) fn report(event: &Event) -> Option<Report> {
    fields(event).map(|report| report.reading(event))
}

fn fields(event: &Event) -> Option<Report> {
    let report = match event {
        Event::Joined { node: who } => Report::new("joined").with("node", node(who)),
        Event::Updated { node: who, change } => {
            let changed: Vec<_> =
                [(change.meta, "meta"), (change.address, "address"), (change.versions, "versions")]
                    .into_iter()
                    .filter_map(|(changed, what)| changed.then_some(what))
                    .collect();
            Report::new("updated").with("node", node(who)).with("changed", changed)
        }
        Event::Departed { node: who, reason, from } => Report::new("departed")
            .with("node", node(who))
            .with("reason", departure(reason))
            .with("from", from.map(|from| from.to_string())),
        Event::HadLeft { node: who, from } => Report::new("had_left")
            .with("node", node(who))
            .with("from", from.map(|from| from.to_string())),
        Event::Suspected { node: who, by } => {
            Report::new("suspected").with("node", node(who)).with("by", by.to_string())
        }
        Event::Refuted { node: who, by } => {
            let by = by.as_ref().map(NodeName::to_string);
            Report::new("refuted").with("node", node(who)).with("by", by)
        }
        Event::Conflict { existing, claimant } => {
            Report::new("conflict").with("node", node(existing)).with("other", node(claimant))
        }
        Event::Coalesced { node: who, events, departure: reason } => {
            coalesced(who, *events, reason.as_ref())
        }
        Event::JoinRetries { failed, .. } => failed_join(0, failed),
        Event::Pinged { node: who, rtt, payload } => pinged(node(who), *rtt, payload),
        Event::Finished { .. } => return None,
        other => return about_bytes(other).or_else(|| trouble(other)),
    };
    Some(report)
}

/// The state of a node after several events that were merged because the reader was slow: reported
/// as the one event that a reader needs who knows nothing about the node.
fn coalesced(who: &Node, events: u64, reason: Option<&Departure>) -> Report {
    let name = if who.state().is_live() { "joined" } else { "departed" };
    Report::new(name)
        .with("node", node(who))
        .with("reason", reason.map(departure))
        .with("coalesced", events)
}

/// A round trip, as an event or as the reply to `ping`.
pub(super) fn pinged(node: Value, rtt: std::time::Duration, payload: &[u8]) -> Report {
    Report::new("pinged")
        .with("node", node)
        .with("rtt_ms", rtt.as_micros() as f64 / 1000.0)
        .with("payload_hex", hex::encode(payload))
}

/// The outcome of a join, as an event or as the reply to `join`: how many peers were joined, and
/// why the others were not.
pub(super) fn join(report: &JoinReport) -> Report {
    failed_join(report.joined.len(), &report.failed)
}

fn failed_join(joined: usize, failed: &[JoinFailure]) -> Report {
    let failed: Vec<_> = failed
        .iter()
        .map(|failure| {
            let address = failure.address.map(|address| address.to_string());
            json!({
                "peer": failure.peer.to_string(),
                "addr": address,
                "error": failure.error.to_string(),
            })
        })
        .collect();
    Report::new("join").with("joined", joined).with("failed", failed)
}

/// The report of an event about bytes of the application, received or sent.
fn about_bytes(event: &Event) -> Option<Report> {
    Some(match event {
        Event::Message { from, channel, payload } => Report::new("message")
            .with("from", from.to_string())
            .with("channel", channel.to_string())
            .with("text", text(payload))
            .with("hex", hex::encode(payload)),
        Event::RemoteState { from, join, state } => Report::new("remote_state")
            .with("from", from.to_string())
            .with("join", *join)
            .with("text", text(state))
            .with("hex", hex::encode(state)),
        Event::BroadcastFinished { id, end } => {
            let finished = Report::new("broadcast_finished").with("broadcast_id", id.as_u64());
            match end {
                BroadcastEnd::Sent => finished.with("end", "sent"),
                BroadcastEnd::Replaced => finished.with("end", "replaced"),
                BroadcastEnd::Dropped => finished.with("end", "dropped"),
                BroadcastEnd::TooLong => finished.with("end", "too_long"),
                BroadcastEnd::Streamed { sent, failed } => {
                    finished.with("end", "streamed").with("sent", *sent).with("failed", *failed)
                }
            }
        }
        Event::BroadcastsFinished { sent, replaced, dropped, streamed } => {
            Report::new("broadcasts_finished")
                .with("sent", *sent)
                .with("replaced", *replaced)
                .with("dropped", *dropped)
                .with("streamed", *streamed)
        }
        _ => return None,
    })
}

/// The report of an event about something that went wrong, or about the node's health.
fn trouble(event: &Event) -> Option<Report> {
    Some(match event {
        Event::Refused { node, from, reason } => Report::new("refused")
            .with("name", node.to_string())
            .with("from", from.map(|from| from.to_string()))
            .with("message", reason.to_string()),
        Event::Overflow { dropped } => Report::new("overflow").with("dropped", *dropped),
        Event::MembershipOverflow { events } => {
            Report::new("membership_overflow").with("events", *events)
        }
        // Not `health`, which is the reply to the command of that name.
        Event::Health { score } => Report::new("health_changed").with("score", *score),
        Event::NamePoisoned { by } => {
            Report::new("name_poisoned").with("by", by.as_ref().map(NodeName::to_string))
        }
        Event::OnlyByStream { node: who } => Report::new("only_by_stream").with("node", node(who)),
        Event::NothingReceived { silent, announced } => Report::new("nothing_received")
            .with("silent_ms", u64::try_from(silent.as_millis()).unwrap_or(u64::MAX))
            .with("announced", announced.to_string()),
        Event::NotListed { peer } => Report::new("not_listed").with("peer", peer.to_string()),
        Event::Rejoined { peer } => Report::new("rejoined").with("peer", peer.to_string()),
        Event::ExchangeFailed { peer, exchange, error } => Report::new("exchange_failed")
            .with("peer", peer.to_string())
            .with("exchange", exchange_name(*exchange))
            .with("message", error.to_string()),
        _ => return None,
    })
}

fn departure(reason: &Departure) -> Value {
    match reason {
        Departure::Left => json!({ "kind": "left" }),
        Departure::Failed { by, confirmations } => json!({
            "kind": "failed",
            "by": by.first().map(NodeName::to_string),
            "confirmations": confirmations,
            "accusers": by.iter().map(NodeName::to_string).collect::<Vec<_>>(),
        }),
        // Its suspicion expired first at another node, whose number of confirmations is unknown.
        Departure::Declared { by } => {
            json!({ "kind": "failed", "by": by.to_string(), "declared": true })
        }
        other => json!({ "kind": format!("{other:?}").to_lowercase() }),
    }
}

fn exchange_name(kind: ExchangeKind) -> &'static str {
    match kind {
        ExchangeKind::PushPull => "push_pull",
        ExchangeKind::Join => "join",
        ExchangeKind::Rejoin => "rejoin",
        ExchangeKind::SendReliable => "send_reliable",
        ExchangeKind::StreamPing => "stream_ping",
        ExchangeKind::Accepted => "accepted",
        _ => "other",
    }
}

#[cfg(test)]
mod tests;
