//! What the Go library would log, at its severity.

use std::fmt::Display;
use std::format;
use std::string::String;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::LogSink;
use memberlist_proto::Instant;
use memberlist_proto::NodeName;
use memberlist_proto::{Departure, Event, ExchangeKind};

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

/// Where lines come from: each can be caused any number of times, by strangers or by a failing
/// machine, and none is to drown the others.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source {
    /// Packets that cannot be understood.
    Packets,
    /// Exchanges over streams that fail.
    Streams,
    /// News about members that is refused.
    Refusals,
    /// Sockets that fail.
    Adapter,
    /// What becomes of members.
    Members,
}

impl Source {
    const COUNT: usize = Self::Members as usize + 1;

    /// How many lines are written in a second.
    fn lines(self) -> u32 {
        match self {
            Self::Packets | Self::Streams | Self::Refusals | Self::Adapter => 10,
            // A rack that fails is to be read of.
            Self::Members => 100,
        }
    }
}

/// Where lines go.
pub(super) struct Log {
    name: NodeName,
    sink: Option<LogSink>,
    /// One for each source.
    throttles: Mutex<[Throttle; Source::COUNT]>,
}

impl Log {
    pub(super) fn new(name: NodeName, sink: Option<LogSink>) -> Self {
        Self { name, sink, throttles: Mutex::default() }
    }

    pub(super) fn is_on(&self) -> bool {
        self.sink.is_some()
    }

    /// The line for an event, if it deserves one.
    pub(super) fn event(&self, now: Instant, event: &Event) {
        let Some((severity, line)) = line(event) else { return };
        let source = match event {
            Event::ExchangeFailed { .. } => Source::Streams,
            Event::Refused { .. } | Event::Conflict { .. } | Event::NamePoisoned { .. } => {
                Source::Refusals
            }
            _ => Source::Members,
        };
        self.repeated(now, source, severity, &line);
    }

    /// A line of which only the first of each second are written, and how many were not.
    pub(super) fn repeated(
        &self,
        now: Instant,
        source: Source,
        severity: Severity,
        line: &dyn Display,
    ) {
        let Some(sink) = self.sink else { return };
        let passed = {
            let mut throttles = self.throttles.lock().unwrap_or_else(PoisonError::into_inner);
            throttles[source as usize].pass(now, source.lines())
        };
        let line = match passed {
            None => return,
            Some(0) => format!("{line}"),
            Some(missing) => format!("{line} (and {missing} such lines before)"),
        };
        sink(&self.name, severity, &line);
    }
}

/// Lets through so many lines in a second, and counts the others.
#[derive(Clone, Copy, Debug, Default)]
struct Throttle {
    since: Instant,
    passed: u32,
    missing: u64,
}

impl Throttle {
    const WINDOW: Duration = Duration::from_secs(1);

    /// Whether to let one of so many lines through, and then how many were held back before it.
    fn pass(&mut self, now: Instant, lines: u32) -> Option<u64> {
        if now.saturating_duration_since(self.since) >= Self::WINDOW {
            self.since = now;
            self.passed = 0;
        }
        if self.passed >= lines {
            self.missing += 1;
            return None;
        }
        self.passed += 1;
        Some(std::mem::take(&mut self.missing))
    }
}

/// The line for an event, if it deserves one.
fn line(event: &Event) -> Option<(Severity, String)> {
    Some(match event {
        Event::Suspected { node, by } => {
            (Severity::Info, format!("suspect {} has failed, says {by}", node.name()))
        }
        Event::Departed { node, reason: Departure::Failed { confirmations, .. }, .. } => (
            Severity::Info,
            format!("marking {} as failed ({confirmations} confirmations)", node.name()),
        ),
        Event::Departed { node, reason: Departure::Left, from: Some(from) } => {
            (Severity::Debug, format!("{} has left, says {from}", node.name()))
        }
        Event::Departed { node, reason: Departure::Declared { by }, .. } => {
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
        Event::Rejoined { peer } => (Severity::Info, format!("found {peer} again")),
        // A member that died stays away more often than not.
        Event::ExchangeFailed { peer, exchange: ExchangeKind::Rejoin, error } => {
            (Severity::Debug, format!("looking for {peer}: {error}"))
        }
        Event::ExchangeFailed { peer, error, .. } => {
            (Severity::Error, format!("push/pull with {peer}: {error}"))
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
