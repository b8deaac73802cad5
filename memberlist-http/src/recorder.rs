//! What the page remembers about its node: the node itself keeps only what the protocol needs.

use std::collections::{BTreeMap, VecDeque};

use memberlist_driver::transport::TransportStats;
use memberlist_proto::{Departure, Event, NodeName, Stats, TlsFailure};

use crate::entries;
use crate::journal::Entry;
use crate::series::{History, Sample, Series};

/// A failure within this time after the previous one, in milliseconds, belongs to the same loss.
const AT_ONCE: u64 = 60_000;
/// The maximum duration of one loss. If members fail all the time, it would otherwise never end,
/// and after some days amount to half of the cluster.
const AT_MOST: u64 = 10 * AT_ONCE;
/// How long a loss is remembered after the last failure.
const REMEMBERED: u64 = 12 * 3_600_000;
/// How long a conflict is shown that is not repeated.
const CONFLICT: u64 = 10 * 60_000;
/// How long a failed TLS connection is shown.
const REFUSED: u64 = 10 * 60_000;
/// The maximum number of losses that are remembered.
const LOSSES: usize = 4;

/// The last round trip to a member.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct RoundTrip {
    pub(crate) millis: f64,
    /// Milliseconds since 1970.
    pub(crate) at: u64,
}

/// Many members that failed at about the same time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Loss {
    pub(crate) since: u64,
    pub(crate) until: u64,
    /// Members before it, this node included.
    pub(crate) before: usize,
    pub(crate) names: Vec<NodeName>,
}

/// Something that was reported, and when that was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Noted<T> {
    pub(crate) what: T,
    pub(crate) at: u64,
}

/// Records every event and, once a second, the figures. All times are in milliseconds since 1970.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    series: Series,
    last: Option<(u64, Stats)>,
    round_trips: BTreeMap<NodeName, RoundTrip>,
    origins: BTreeMap<NodeName, &'static str>,
    by_stream: BTreeMap<NodeName, u64>,
    losses: VecDeque<Loss>,
    poisoned: Option<u64>,
    conflict: Option<Noted<NodeName>>,
    transport: TransportStats,
    /// The last failed TLS connection, and when reloading certificates last failed, unless it has
    /// succeeded since.
    tls_failure: Option<Noted<TlsFailure>>,
    certificates: Option<u64>,
}

impl Recorder {
    /// Records an event; `live` is the number of live members after it. Returns the entry for the
    /// journal, if it has one.
    pub(crate) fn observe(&mut self, now: u64, event: &Event, live: usize) -> Option<Entry> {
        if let Some((node, origin)) = entries::origin(event) {
            self.origins.insert(node.name().into(), origin);
        }
        match event {
            Event::Pinged { node, rtt, .. } => {
                let name = NodeName::from(node.name());
                self.by_stream.remove(&name);
                let millis = (rtt.as_micros() as f64) / 1000.0;
                self.round_trips.insert(name, RoundTrip { millis, at: now });
            }
            Event::OnlyByStream { node } => {
                self.by_stream.entry(node.name().into()).or_insert(now);
            }
            Event::Departed { node, reason, .. } => {
                let name = NodeName::from(node.name());
                self.round_trips.remove(&name);
                self.origins.remove(&name);
                self.by_stream.remove(&name);
                if *reason != Departure::Left {
                    self.lost(now, name, live);
                }
            }
            Event::NamePoisoned { .. } => self.poisoned = Some(now),
            Event::Conflict { existing, .. } => {
                self.conflict = Some(Noted { what: existing.name().into(), at: now });
            }
            _ => {}
        }
        entries::of(event, now)
    }

    /// Records the figures.
    pub(crate) fn sample(&mut self, now: u64, stats: Stats) {
        if let Some((at, before)) = &self.last {
            let seconds = now.saturating_sub(*at) as f64 / 1000.0;
            self.series.push(Sample::new(now, seconds, before, &stats));
        }
        self.last = Some((now, stats));
        self.losses.retain(|loss| loss.until + REMEMBERED >= now);
    }

    /// Records the transport's figures.
    pub(crate) fn transport(&mut self, now: u64, stats: TransportStats) {
        let before = &self.transport;
        let count = |stats: &TransportStats, failure| stats.tls_failures.get(failure).copied();
        let grown = stats.tls_failures.keys().find(|it| count(&stats, it) > count(before, it));
        if let Some(failure) = grown {
            self.tls_failure = Some(Noted { what: *failure, at: now });
        }
        if stats.certificate_errors > before.certificate_errors {
            self.certificates = Some(now);
        }
        if stats.certificates_reloaded > before.certificates_reloaded {
            self.certificates = None;
        }
        self.transport = stats;
    }

    /// Whether packets travel over connections.
    pub(crate) fn by_connections(&self) -> bool {
        self.transport.framing.is_some()
    }

    /// The last failed TLS connection, if that was recently.
    pub(crate) fn tls_failure(&self, now: u64) -> Option<&Noted<TlsFailure>> {
        self.tls_failure.as_ref().filter(|it| it.at + REFUSED >= now)
    }

    /// When this node's certificates could last not be reloaded, unless that has succeeded since.
    pub(crate) fn unreadable_certificates(&self) -> Option<u64> {
        self.certificates
    }

    /// Forgets everything about nodes that are not live: the events about their departures may have
    /// been dropped.
    pub(crate) fn keep_only(&mut self, is_live: impl Fn(&NodeName) -> bool) {
        self.round_trips.retain(|name, _| is_live(name));
        self.origins.retain(|name, _| is_live(name));
        self.by_stream.retain(|name, _| is_live(name));
    }

    fn lost(&mut self, now: u64, name: NodeName, live: usize) {
        let goes_on = |loss: &&mut Loss| loss.until + AT_ONCE >= now && loss.since + AT_MOST >= now;
        let last = self.losses.back_mut().filter(goes_on);
        if let Some(loss) = last {
            loss.until = now;
            if !loss.names.contains(&name) {
                loss.names.push(name);
            }
            // More may have failed before the first of these events was read.
            loss.before = loss.before.max(live + loss.names.len());
            return;
        }
        if self.losses.len() == LOSSES {
            self.losses.pop_front();
        }
        let loss = Loss { since: now, until: now, before: live + 1, names: vec![name] };
        self.losses.push_back(loss);
    }

    /// The losses of at least half of the members, and of more than one; the latest last.
    pub(crate) fn great_losses(&self) -> impl Iterator<Item = &Loss> {
        self.losses
            .iter()
            .filter(|loss| loss.names.len() > 1 && loss.names.len() * 2 >= loss.before)
    }

    pub(crate) fn round_trip(&self, name: &NodeName) -> Option<RoundTrip> {
        self.round_trips.get(name).copied()
    }

    pub(crate) fn origin(&self, name: &NodeName) -> Option<&'static str> {
        self.origins.get(name).copied()
    }

    /// The members that answer by stream but not by packet, and since when.
    pub(crate) fn by_stream(&self) -> &BTreeMap<NodeName, u64> {
        &self.by_stream
    }

    pub(crate) fn poisoned(&self) -> Option<u64> {
        self.poisoned
    }

    pub(crate) fn conflict(&self, now: u64) -> Option<&Noted<NodeName>> {
        self.conflict.as_ref().filter(|noted| noted.at + CONFLICT >= now)
    }

    pub(crate) fn history(&self, since: u64) -> History {
        self.series.since(since)
    }
}

#[cfg(test)]
mod tests;
