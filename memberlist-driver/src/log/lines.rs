//! The lines themselves: what is said of what, in one place.

use std::io;
use std::net::SocketAddr;

use memberlist_proto::{Departure, Event, ExchangeKind, Name, PacketError};

use super::{Line, Severity, Source, Target};
use crate::delegate::Panicked;

/// Whether an event deserves a line: what [`of`] makes of it is known without making it.
pub(crate) fn is_logged(event: &Event) -> bool {
    cfg!(feature = "tracing") && severity(event).is_some()
}

/// How much the line for an event matters; nothing, if it deserves none.
fn severity(event: &Event) -> Option<Severity> {
    Some(match event {
        Event::Departed { reason: Departure::Left, from: None, .. }
        | Event::Refuted { by: None, .. } => return None,
        // A member that died stays away more often than not.
        Event::Departed { reason: Departure::Left, .. }
        | Event::ExchangeFailed { exchange: ExchangeKind::Rejoin, .. } => Severity::Debug,
        Event::Suspected { .. } | Event::Departed { .. } | Event::Rejoined { .. } => Severity::Info,
        Event::Refuted { .. } | Event::Refused { .. } | Event::OnlyByStream { .. } => {
            Severity::Warning
        }
        Event::NamePoisoned { .. } | Event::Conflict { .. } | Event::ExchangeFailed { .. } => {
            Severity::Error
        }
        _ => return None,
    })
}

/// The line for an event with where it comes from, if it deserves one.
pub(super) fn of(event: &Event) -> Option<(Source, Line)> {
    let severity = severity(event)?;
    let line = |target, text: String| Line::new(severity, target, text);
    Some(match event {
        Event::Suspected { node, by } => {
            let text = format!("{} is suspected to have failed, by {by}", node.name());
            (Source::Members, line(Target::Membership, text).member(node.name()).reason(by))
        }
        Event::Departed { node, reason, from } => {
            let text = departed(node.name(), reason);
            let line = line(Target::Membership, text).member(node.name()).reason(why(reason));
            (Source::Members, with_peer(line, *from))
        }
        Event::Refuted { by, node } => {
            let by = by.as_ref().map(ToString::to_string).unwrap_or_default();
            let text = format!("refuting an accusation by {by}");
            (Source::Members, line(Target::Membership, text).member(node.name()).reason(by))
        }
        Event::NamePoisoned { by } => {
            let by = by.as_ref().map_or_else(String::new, |by| format!(", by {by}"));
            let text = format!("accused at the highest incarnation{by}: this name is unusable");
            (Source::Refusals, line(Target::Membership, text))
        }
        Event::Conflict { existing, claimant } => {
            let (state, name) = (existing.state(), existing.name());
            let text = format!("{claimant} uses the name of {existing}, which is {state}");
            (Source::Refusals, line(Target::Membership, text).member(name))
        }
        Event::Refused { node, reason, from } => {
            let text = format!("refused news of {node}: {reason}");
            let line = line(Target::Membership, text).member(node.as_name()).reason(reason);
            (Source::Refusals, with_peer(line, *from))
        }
        Event::OnlyByStream { node } => {
            let name = node.name();
            let text = format!("reached {name} over a stream but not by packet: is UDP blocked?");
            let line = line(Target::Probe, text).member(name);
            (Source::Members, with_peer(line, node.address()))
        }
        Event::Rejoined { peer } => {
            (Source::Members, line(Target::Rejoin, format!("found {peer} again")).peer(peer))
        }
        Event::ExchangeFailed { peer, exchange, error } => {
            let (source, target, text) = match exchange {
                ExchangeKind::Accepted => {
                    (Source::Streams, Target::Stream, format!("stream from {peer}: {error}"))
                }
                ExchangeKind::Rejoin => {
                    (Source::Streams, Target::Rejoin, format!("looking for {peer}: {error}"))
                }
                _ => (Source::Streams, Target::Stream, format!("push/pull with {peer}: {error}")),
            };
            (source, line(target, text).peer(peer).reason(error))
        }
        _ => return None,
    })
}

fn departed(name: Name<'_>, reason: &Departure) -> String {
    match reason {
        Departure::Left => format!("{name} has left"),
        Departure::Failed { confirmations, .. } => {
            format!("marking {name} as failed ({confirmations} confirmations)")
        }
        Departure::Declared { by } => format!("{name} was declared dead by {by}"),
        _ => format!("{name} is no longer a member"),
    }
}

/// A departure's reason in a word.
fn why(reason: &Departure) -> &'static str {
    match reason {
        Departure::Left => "left",
        Departure::Failed { .. } => "failed",
        Departure::Declared { .. } => "declared dead",
        _ => "other",
    }
}

fn with_peer(line: Line, peer: Option<SocketAddr>) -> Line {
    match peer {
        Some(peer) => line.peer(peer),
        None => line,
    }
}

pub(crate) fn refused_packet(from: SocketAddr, error: &PacketError) -> Line {
    let line = Line::error(Target::Packet, format!("packet from {from}: {error}"));
    line.peer(from).reason(error)
}

pub(crate) fn unresolved(host: &str, error: &io::Error) -> Line {
    let text = format!("resolving {host}: {error}");
    Line::new(Severity::Debug, Target::Stream, text).reason(error)
}

pub(crate) fn panicked(Panicked { method, message }: &Panicked) -> Line {
    let text = format!("the delegate panicked in `{method}`: {message}");
    Line::error(Target::Delegate, text).reason(message)
}

pub(crate) fn announcing(severity: Severity, advertised: SocketAddr, text: String) -> Line {
    Line::new(severity, Target::Membership, text).peer(advertised)
}

pub(crate) fn in_clear(advertised: SocketAddr) -> Line {
    let text = format!("announcing the public address {advertised} without encryption");
    Line::new(Severity::Warning, Target::Membership, text).peer(advertised)
}
