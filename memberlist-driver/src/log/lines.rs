//! The lines themselves: which events are logged, with which severity, target and text.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use memberlist_proto::{
    Departure, Event, ExchangeKind, JoinError, JoinFailure, JoinReport, Outcome, PacketError,
};

use super::{Line, Severity, Source, Target};
use crate::delegate::Panicked;

/// How many reasons a line about a failed join lists.
const REASONS: usize = 5;

/// Whether an event is logged; cheaper than making the line.
pub(crate) fn is_logged(event: &Event) -> bool {
    cfg!(feature = "tracing") && about(event).is_some()
}

/// The source, severity and target of the line for an event; `None` if the event is not logged.
fn about(event: &Event) -> Option<(Source, Severity, Target)> {
    use Severity::{Debug, Error, Info, Warning};
    Some(match event {
        // The application knows what this node does itself.
        Event::Departed { reason: Departure::Left, from: None, .. }
        | Event::Refuted { by: None, .. } => return None,
        Event::Departed { reason: Departure::Left, .. } => {
            (Source::Members, Debug, Target::Membership)
        }
        Event::Suspected { .. } | Event::Departed { .. } | Event::HadLeft { .. } => {
            (Source::Members, Info, Target::Membership)
        }
        Event::Refuted { .. } | Event::NotListed { .. } => {
            (Source::Members, Warning, Target::Membership)
        }
        Event::Refused { .. } => (Source::Refusals, Warning, Target::Membership),
        Event::NamePoisoned { .. } | Event::Conflict { .. } => {
            (Source::Refusals, Error, Target::Membership)
        }
        Event::OnlyByStream { .. } | Event::NothingReceived { .. } => {
            (Source::Members, Warning, Target::Probe)
        }
        Event::JoinRetries { .. } => (Source::Joins, Warning, Target::Join),
        Event::Finished { outcome: Outcome::Join(Ok(report)), .. } if has_failed(report) => {
            (Source::Joins, Warning, Target::Join)
        }
        Event::Rejoined { .. } => (Source::Members, Info, Target::Rejoin),
        // Most members that died do not come back.
        Event::ExchangeFailed { exchange: ExchangeKind::Rejoin, .. } => {
            (Source::Streams, Debug, Target::Rejoin)
        }
        Event::ExchangeFailed { .. } => (Source::Streams, Error, Target::Stream),
        _ => return None,
    })
}

/// The line for an event, with its source, if the event is logged. Its text is the event's own.
pub(super) fn of(event: &Event) -> Option<(Source, Line)> {
    let (source, severity, target) = about(event)?;
    match event {
        Event::JoinRetries { failed, wait, .. } => {
            let line = not_joined(severity, failed, format_args!(", retrying in {wait:.1?}"));
            return Some((source, line));
        }
        Event::Finished { outcome: Outcome::Join(Ok(report)), .. } => {
            return Some((source, not_joined(severity, &report.failed, format_args!(""))));
        }
        _ => {}
    }
    let line = Line::of_event(severity, target, event);
    let line = match event {
        Event::Suspected { node, by } | Event::Refuted { node, by: Some(by) } => {
            line.member(node.name()).reason(by)
        }
        Event::Departed { node, reason, from } => {
            with_peer(line.member(node.name()).reason(why(reason)), *from)
        }
        Event::NamePoisoned { by: Some(by) } => line.reason(by),
        Event::HadLeft { node, from } => with_peer(line.member(node.name()), *from),
        Event::Conflict { existing, claimant } => {
            with_peer(line.member(existing.name()), claimant.address())
        }
        Event::Refused { node, reason, from } => {
            with_peer(line.member(node.as_name()).reason(reason), *from)
        }
        Event::OnlyByStream { node } => with_peer(line.member(node.name()), node.address()),
        Event::Rejoined { peer } | Event::NotListed { peer } => line.peer(peer),
        Event::ExchangeFailed { peer, error, .. } => line.peer(peer).reason(error),
        _ => line,
    };
    Some((source, line))
}

/// Whether a join has ended without joining any peer, and not because the application cancelled it
/// or left.
fn has_failed(report: &JoinReport) -> bool {
    let given_up = |it: &JoinFailure| matches!(it.error, JoinError::Cancelled | JoinError::Left);
    report.joined.is_empty() && !report.failed.iter().any(given_up)
}

/// The line for an attempt that has joined no peer, with the first few reasons.
fn not_joined(severity: Severity, failed: &[JoinFailure], next: fmt::Arguments<'_>) -> Line {
    let mut reasons: Vec<_> = failed.iter().take(REASONS).map(ToString::to_string).collect();
    if failed.len() > REASONS {
        reasons.push(format!("and {} more", failed.len() - REASONS));
    }
    if failed.is_empty() {
        reasons.push("no peer was given".to_owned());
    }
    let reasons = reasons.join("; ");
    let text = format_args!("joined no peer{next}: {reasons}");
    let line = Line::of_event(severity, Target::Join, text);
    match failed {
        [one] => with_peer(line, one.address).reason(&one.error),
        _ => line,
    }
}

/// A departure's reason in one or two words.
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

pub(crate) fn unsent(to: SocketAddr, error: &io::Error) -> Line {
    Line::error(Target::Packet, format!("sending to {to}: {error}")).peer(to).reason(error)
}

pub(crate) fn failed(target: Target, doing: &str, error: &io::Error) -> Line {
    Line::error(target, format!("{doing}: {error}")).reason(error)
}

pub(crate) fn unresolved(host: &str, error: &io::Error) -> Line {
    let text = format!("resolving {host}: {error}");
    Line::new(Severity::Debug, Target::Stream, text).reason(error)
}

pub(crate) fn panicked(Panicked { method, message }: &Panicked) -> Line {
    let text = format!("the delegate panicked in `{method}`: {message}");
    Line::error(Target::Delegate, text).reason(message)
}

/// The line for a panic of the recorder of metrics, which is the application's.
#[cfg(feature = "metrics")]
pub(crate) fn recorder_panicked(Panicked { message, .. }: &Panicked) -> Line {
    let text = format!("the recorder of metrics panicked: {message}");
    Line::error(Target::Delegate, text).reason(message)
}

/// The line for what a recorder reports.
#[cfg(feature = "record")]
pub(crate) fn recording(notice: &memberlist_record::Notice) -> Line {
    use memberlist_record::Notice;
    match notice {
        Notice::Dropped(inputs) => {
            let text = format_args!("{inputs} inputs were not recorded: the disk was too slow");
            Line::new(Severity::Warning, Target::Record, text)
        }
        Notice::Failed(error) => {
            Line::error(Target::Record, format_args!("recording failed: {error}")).reason(error)
        }
        _ => Line::new(Severity::Warning, Target::Record, format_args!("recording: {notice:?}")),
    }
}

pub(crate) fn announcing(severity: Severity, advertised: SocketAddr, text: String) -> Line {
    Line::new(severity, Target::Address, text).peer(advertised)
}

pub(crate) fn in_clear(advertised: SocketAddr) -> Line {
    let text = format!("announcing the public address {advertised} without encryption");
    Line::new(Severity::Warning, Target::Address, text).peer(advertised)
}
