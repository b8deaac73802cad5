//! Log lines, with the severity that the Go library gives them.

use std::fmt::{self, Display};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use memberlist_proto::{Event, Instant, Name, NodeName};

mod escape;
mod lines;
#[cfg(feature = "tracing")]
mod sink;

use self::escape::{Escaped, escaped_name};
#[cfg(feature = "metrics")]
pub(crate) use self::lines::recorder_panicked;
#[cfg(feature = "record")]
pub(crate) use self::lines::recording;
pub(crate) use self::lines::{
    announcing, failed, in_clear, is_logged, panicked, refused_packet, unresolved, unsent,
};

/// The severity of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    /// Something failed.
    Error,
    /// Something is odd.
    Warning,
    /// Something worth knowing.
    Info,
    /// Details for debugging.
    Debug,
}

/// What a line is about; `tracing` filters by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// `memberlist::probe`
    Probe,
    /// `memberlist::membership`
    Membership,
    /// `memberlist::stream`
    Stream,
    /// `memberlist::packet`
    Packet,
    /// `memberlist::join`
    Join,
    /// `memberlist::rejoin`
    Rejoin,
    /// `memberlist::delegate`
    Delegate,
    /// `memberlist::record`
    #[cfg_attr(not(feature = "record"), allow(dead_code))] // Nothing is recorded without it.
    Record,
    /// `memberlist::address`
    Address,
}

/// The source of a line. Each can be triggered any number of times, by strangers or by a failing
/// machine, and must not drown out the others.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source {
    /// Packets that cannot be understood.
    Packets,
    /// Exchanges over streams that fail.
    Streams,
    /// Messages about members that are refused.
    Refusals,
    /// Sockets that fail.
    Adapter,
    /// A delegate, or a recorder of metrics, that panics.
    Delegate,
    /// Joins that reach no peer.
    Joins,
    /// Changes of members.
    Members,
}

impl Source {
    const COUNT: usize = Self::Members as usize + 1;

    /// How many lines may be written in a second.
    fn lines(self) -> u32 {
        match self {
            Self::Packets
            | Self::Streams
            | Self::Refusals
            | Self::Adapter
            | Self::Delegate
            | Self::Joins => 10,
            // When a rack fails, the log should name its members.
            Self::Members => 100,
        }
    }
}

/// One line. Text in it that others have chosen is escaped here, so that it stays one line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    severity: Severity,
    target: Target,
    text: String,
    /// The other side's address.
    peer: Option<String>,
    /// The node that the line is about.
    member: Option<String>,
    /// Why.
    reason: Option<String>,
}

impl Line {
    fn new(severity: Severity, target: Target, text: impl Display) -> Self {
        let text = Escaped(text).to_string();
        Self { severity, target, text, peer: None, member: None, reason: None }
    }

    /// Makes a line from the text of an event or of its parts, which is escaped already.
    fn of_event(severity: Severity, target: Target, event: impl Display) -> Self {
        let text = event.to_string();
        Self { severity, target, text, peer: None, member: None, reason: None }
    }

    fn error(target: Target, text: impl Display) -> Self {
        Self::new(Severity::Error, target, text)
    }

    fn peer(self, peer: impl Display) -> Self {
        Self { peer: Some(Escaped(peer).to_string()), ..self }
    }

    fn member(self, member: Name<'_>) -> Self {
        Self { member: Some(escaped_name(member)), ..self }
    }

    fn reason(self, reason: impl Display) -> Self {
        Self { reason: Some(Escaped(reason).to_string()), ..self }
    }
}

/// A node's log.
pub(crate) struct Log {
    /// The node's own name, escaped.
    #[cfg_attr(not(feature = "tracing"), allow(dead_code))] // Written nowhere without it.
    node: String,
    /// One throttle for each source.
    throttles: Mutex<[Throttle; Source::COUNT]>,
}

impl Log {
    pub(crate) fn new(name: &NodeName) -> Self {
        Self { node: escaped_name(name.as_name()), throttles: Mutex::default() }
    }

    /// Writes the line for an event, if it is logged.
    pub(crate) fn event(&self, now: Instant, event: &Event) {
        if let Some((source, line)) = lines::of(event) {
            self.write(now, source, || line);
        }
    }

    /// Writes a line, unless its source has written too many in this second; the next line that is
    /// written says how many were suppressed.
    pub(crate) fn write(&self, now: Instant, source: Source, line: impl FnOnce() -> Line) {
        if !cfg!(feature = "tracing") {
            return;
        }
        let passed = {
            let mut throttles = self.throttles.lock().unwrap_or_else(PoisonError::into_inner);
            throttles[source as usize].pass(now, source.lines())
        };
        let Some(missing) = passed else { return };
        let mut line = line();
        if missing > 0 {
            line.text = format!("{} ({missing} similar lines suppressed)", line.text);
        }
        // The application's subscriber may panic, within a task that the node needs. The panic hook
        // has reported that panic already, and the log cannot.
        #[cfg(feature = "tracing")]
        let _ = crate::delegate::caught("log", || sink::write(&self.node, &line));
    }

    /// Writes a line at the start of a node, which is not throttled.
    pub(crate) fn write_once(&self, line: impl FnOnce() -> Line) {
        self.write(Instant::ORIGIN, Source::Members, line);
    }
}

/// Lets a limited number of lines through in a second, and counts the others.
#[derive(Clone, Copy, Debug, Default)]
struct Throttle {
    since: Instant,
    passed: u32,
    missing: u64,
}

impl Throttle {
    const WINDOW: Duration = Duration::from_secs(1);

    /// Decides about one line, of at most `lines` in a second. `Some` lets it through, with the
    /// number of lines suppressed before it.
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

impl Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests;
