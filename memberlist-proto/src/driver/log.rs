//! What the Go library would log, at its severity.

use alloc::format;
use alloc::string::String;

use crate::event::{Departure, Event, ExchangeKind};

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Something failed.
    Error,
    /// Something is odd.
    Warning,
    /// Something worth knowing.
    Info,
    /// For looking closely.
    Debug,
}

/// The line for an event, if it deserves one.
pub fn line(event: &Event) -> Option<(Severity, String)> {
    Some(match event {
        Event::Suspected { node, by } => {
            (Severity::Info, format!("suspect {} has failed, says {by}", node.name()))
        }
        Event::Departed { node, reason: Departure::Failed { confirmations, .. } } => (
            Severity::Info,
            format!("marking {} as failed ({confirmations} confirmations)", node.name()),
        ),
        Event::Departed { node, reason: Departure::Declared { by } } => {
            (Severity::Info, format!("{by} declared {} dead", node.name()))
        }
        Event::Refuted { by: Some(by), .. } => {
            (Severity::Warning, format!("refuting an accusation by {by}"))
        }
        Event::NamePoisoned { .. } => {
            (Severity::Error, "accused at the highest incarnation: this name is unusable".into())
        }
        Event::Conflict { existing, claimant } => (
            Severity::Error,
            format!("{claimant} uses the name of {existing}, which is {}", existing.state()),
        ),
        Event::Refused { node, reason, .. } => {
            (Severity::Warning, format!("refused news of {node}: {reason}"))
        }
        Event::OnlyByStream { node } => (
            Severity::Warning,
            format!("reached {} over a stream but not by packet: is UDP blocked?", node.name()),
        ),
        Event::ExchangeFailed { peer, exchange: ExchangeKind::Accepted, error } => {
            (Severity::Error, format!("stream from {peer}: {error}"))
        }
        Event::ExchangeFailed { peer, error, .. } => {
            (Severity::Error, format!("push/pull with {peer}: {error}"))
        }
        Event::Overflow { dropped } => {
            (Severity::Warning, format!("{dropped} events were dropped: the reader is too slow"))
        }
        _ => return None,
    })
}
