//! Publishes a node's statistics through the facade of the crate `metrics`. Needs the feature
//! `metrics`.
//!
//! They are published once every [`INTERVAL`], and when the node ends, to the recorder that was
//! installed when the node started. Each name is described to the recorder, with its unit.

use std::time::Duration;

use memberlist_proto::{Counters, Decisions, Gauges, Instant, Stats, TlsFailure};
use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder, Unit};

use crate::transport::{Bad, TransportStats};

/// How often a running node publishes its figures.
pub const INTERVAL: Duration = Duration::from_secs(1);

/// The counters that the Go library has, too: the field of [`Counters`], and the Go library's name.
pub const GO_COUNTERS: &[(&str, &str)] = &[
    ("alive_accepted", "memberlist.msg.alive"),
    ("suspect_accepted", "memberlist.msg.suspect"),
    ("dead_accepted", "memberlist.msg.dead"),
    ("packet_bytes_sent", "memberlist.udp.sent"),
    ("packet_bytes_received", "memberlist.udp.received"),
    ("stream_bytes_sent", "memberlist.tcp.sent"),
    ("streams_opened", "memberlist.tcp.connect"),
    ("streams_accepted", "memberlist.tcp.accept"),
    ("probes_degraded", "memberlist.degraded.probe"),
    ("suspicions_degraded", "memberlist.degraded.timeout"),
];

/// The gauges that the Go library has, too: the field of [`Gauges`], the Go library's name, and the
/// value of the label `node_state`, if they count nodes in one state.
pub const GO_GAUGES: &[(&str, &str, Option<&str>)] = &[
    ("alive", "memberlist.node.instances", Some("alive")),
    ("suspect", "memberlist.node.instances", Some("suspect")),
    ("dead", "memberlist.node.instances", Some("dead")),
    ("left", "memberlist.node.instances", Some("left")),
    ("health_score", "memberlist.health.score", None),
    ("local_state_bytes", "memberlist.size.local", None),
    ("remote_state_bytes", "memberlist.size.remote", None),
];

/// Durations that are published as histograms, in seconds: the field of [`Counters`] that is their
/// sum, the field that is their number, and the Go library's name. Each publication records the
/// mean of the durations since the last one, as many times as there were.
pub const GO_TIMES: &[(&str, &str, &str)] = &[
    ("probe_nanos", "probes_ended", "memberlist.probeNode"),
    ("push_pull_nanos", "push_pulls_ended", "memberlist.pushPullNode"),
];

/// The name under which the length of the gossip queue is published: a histogram, with one sample
/// every `queue_check_interval`.
pub const GO_QUEUE: &str = "memberlist.queue.broadcasts";

/// The name under which [`Decisions`] are published: one counter for each value of the label `row`.
pub const DECISIONS: &str = "memberlist.decisions";

/// The prefix of the names of [`TransportStats`].
const TRANSPORT: &str = "memberlist.transport.";

/// The name under which failures of TLS are published: one counter for each value of the label
/// `reason`.
pub const TLS_FAILURES: &str = "memberlist.transport.tls_failures";

/// The name under which accepted connections that ended badly are published: one counter for each
/// value of the label `reason`.
const BAD: &str = "memberlist.transport.bad_by_reason";

/// The name under which the transport in use is published: a gauge that is 1 for the value of the
/// label `transport` that is in use, else 0.
const IN_USE: &str = "memberlist.transport.in_use";

/// The name under which a counter is published.
fn counter_name(field: &str) -> String {
    match GO_COUNTERS.iter().find(|(ours, _)| *ours == field) {
        Some((_, name)) => (*name).into(),
        None => format!("memberlist.{field}"),
    }
}

/// The name under which a gauge is published, and the value of its label `node_state`. If a counter
/// has the same name, `.now` is appended to distinguish them.
fn gauge_name(field: &str) -> (String, Option<&'static str>) {
    match GO_GAUGES.iter().find(|(ours, ..)| *ours == field) {
        Some((_, name, state)) => ((*name).into(), *state),
        None if Counters::default().iter().any(|(counter, _)| counter == field) => {
            (format!("memberlist.{field}.now"), None)
        }
        None => (format!("memberlist.{field}"), None),
    }
}

/// Whether a counter is published as part of a histogram instead.
fn is_time(field: &str) -> bool {
    GO_TIMES.iter().any(|(sum, count, _)| *sum == field || *count == field)
}

/// The metrics of one node, and the values that were published last.
pub(crate) struct Publisher {
    counters: Vec<Counter>,
    gauges: Vec<Gauge>,
    times: Vec<Histogram>,
    decisions: Vec<Counter>,
    transport: Vec<Counter>,
    of_transport_now: Vec<Gauge>,
    in_use: Vec<Gauge>,
    bad: Vec<Counter>,
    tls_failures: Vec<Counter>,
    queue: Histogram,
    last: Stats,
    last_of_transport: TransportStats,
    queue_checked: Instant,
}

const METADATA: Metadata<'static> = Metadata::new("memberlist", Level::INFO, None);

impl Publisher {
    /// Publishes to the recorder that is installed now.
    pub(crate) fn new(labels: &[(String, String)]) -> Self {
        let key = |name: String, own: Option<(&'static str, &'static str)>| {
            let labels = labels.iter().map(|(name, value)| Label::new(name.clone(), value.clone()));
            let own = own.map(|(name, value)| Label::new(name, value));
            Key::from_parts(name, labels.chain(own).collect::<Vec<_>>())
        };
        metrics::with_recorder(|recorder| {
            let counter = |(field, _)| {
                if is_time(field) {
                    return Counter::noop();
                }
                recorder.register_counter(&key(counter_name(field), None), &METADATA)
            };
            let decision = |(row, _)| {
                recorder.register_counter(&key(DECISIONS.into(), Some(("row", row))), &METADATA)
            };
            let of_transport = |(field, _)| {
                recorder.register_counter(&key(format!("{TRANSPORT}{field}"), None), &METADATA)
            };
            let of_transport_now = |(field, _)| {
                recorder.register_gauge(&key(format!("{TRANSPORT}{field}"), None), &METADATA)
            };
            let in_use = |name| {
                recorder.register_gauge(&key(IN_USE.into(), Some(("transport", name))), &METADATA)
            };
            let bad = |reason: Bad| {
                let label = Some(("reason", reason.as_str()));
                recorder.register_counter(&key(BAD.into(), label), &METADATA)
            };
            let tls_failure = |failure: TlsFailure| {
                let label = Some(("reason", failure.as_str()));
                recorder.register_counter(&key(TLS_FAILURES.into(), label), &METADATA)
            };
            let gauge = |(field, _)| {
                let (name, state) = gauge_name(field);
                let label = state.map(|state| ("node_state", state));
                recorder.register_gauge(&key(name, label), &METADATA)
            };
            let histogram =
                |name: &str| recorder.register_histogram(&key(name.into(), None), &METADATA);
            describe(recorder);
            Self {
                counters: Counters::default().iter().map(counter).collect(),
                gauges: Gauges::default().iter().map(gauge).collect(),
                times: GO_TIMES.iter().map(|(.., name)| histogram(name)).collect(),
                decisions: Decisions::default().iter().map(decision).collect(),
                transport: TransportStats::default().iter().map(of_transport).collect(),
                of_transport_now: TransportStats::default()
                    .gauges()
                    .map(of_transport_now)
                    .collect(),
                in_use: TransportStats::NAMES.into_iter().map(in_use).collect(),
                bad: Bad::ALL.into_iter().map(bad).collect(),
                tls_failures: TlsFailure::ALL.into_iter().map(tls_failure).collect(),
                queue: histogram(GO_QUEUE),
                last: Stats::default(),
                last_of_transport: TransportStats::default(),
                queue_checked: Instant::ORIGIN,
            }
        })
    }

    /// Publishes what has changed since the last call. The length of the gossip queue is sampled
    /// every `interval` (`queue_check_interval`); 0 for never.
    pub(crate) fn publish(&mut self, now: Instant, interval: Duration, stats: Stats) {
        // A recorder that panics loses what it was not given; it is given nothing twice.
        let last = std::mem::replace(&mut self.last, stats);
        let stats = &self.last;
        let figures = stats.counters.iter().zip(last.counters.iter()).zip(&self.counters);
        for (((_, figure), (_, before)), handle) in figures {
            if figure > before {
                handle.increment(figure - before);
            }
        }
        let rows = stats.decisions.iter().zip(last.decisions.iter()).zip(&self.decisions);
        for (((_, figure), (_, before)), handle) in rows {
            if figure > before {
                handle.increment(figure - before);
            }
        }
        for ((_, figure), handle) in stats.gauges.iter().zip(&self.gauges) {
            handle.set(figure as f64);
        }
        for ((sum, count, _), handle) in GO_TIMES.iter().zip(&self.times) {
            let since = |field: &str| figure(stats, field).saturating_sub(figure(&last, field));
            let count = since(count);
            if let Some(mean) = since(sum).checked_div(count) {
                let mean = Duration::from_nanos(mean).as_secs_f64();
                handle.record_many(mean, count as usize);
            }
        }
        if !interval.is_zero() && now.saturating_duration_since(self.queue_checked) >= interval {
            self.queue_checked = now;
            self.queue.record(stats.gauges.membership_queue as f64);
        }
    }
}

impl Publisher {
    /// Publishes what has changed in the transport's statistics since the last call.
    pub(crate) fn publish_transport(&mut self, stats: TransportStats) {
        let last = std::mem::replace(&mut self.last_of_transport, stats);
        let stats = &self.last_of_transport;
        for (((_, figure), (_, before)), handle) in
            stats.iter().zip(last.iter()).zip(&self.transport)
        {
            if figure > before {
                handle.increment(figure - before);
            }
        }
        for ((_, figure), handle) in stats.gauges().zip(&self.of_transport_now) {
            handle.set(figure as f64);
        }
        for (name, handle) in TransportStats::NAMES.iter().zip(&self.in_use) {
            handle.set(f64::from(u8::from(*name == stats.name())));
        }
        for (reason, handle) in Bad::ALL.iter().zip(&self.bad) {
            let of = |stats: &TransportStats| stats.bad_by_reason.get(reason.as_str()).copied();
            let (figure, before) = (of(stats).unwrap_or(0), of(&last).unwrap_or(0));
            if figure > before {
                handle.increment(figure - before);
            }
        }
        for (failure, handle) in TlsFailure::ALL.iter().zip(&self.tls_failures) {
            let of = |stats: &TransportStats| stats.tls_failures.get(failure).copied();
            let (figure, before) = (of(stats).unwrap_or(0), of(&last).unwrap_or(0));
            if figure > before {
                handle.increment(figure - before);
            }
        }
    }
}

/// Describes every name that is published.
fn describe(recorder: &dyn Recorder) {
    for (field, text) in Counters::descriptions().filter(|(field, _)| !is_time(field)) {
        recorder.describe_counter(counter_name(field).into(), Some(unit(field)), sentence(text));
    }
    for (field, text) in Gauges::descriptions() {
        let (name, state) = gauge_name(field);
        let text = if state.is_some() { INSTANCES.into() } else { sentence(text) };
        recorder.describe_gauge(name.into(), Some(unit(field)), text);
    }
    for (name, text) in TIMES {
        recorder.describe_histogram((*name).into(), Some(Unit::Seconds), (*text).into());
    }
    recorder.describe_counter(DECISIONS.into(), Some(Unit::Count), DECIDED.into());
    for (field, text) in TransportStats::descriptions() {
        let name = format!("{TRANSPORT}{field}");
        recorder.describe_counter(name.into(), Some(unit(field)), sentence(text));
    }
    for (field, text) in TransportStats::gauge_descriptions() {
        let name = format!("{TRANSPORT}{field}");
        recorder.describe_gauge(name.into(), Some(unit(field)), sentence(text));
    }
    recorder.describe_gauge(IN_USE.into(), Some(Unit::Count), TRANSPORT_IN_USE.into());
    recorder.describe_counter(BAD.into(), Some(Unit::Count), BAD_BY_REASON.into());
    recorder.describe_counter(TLS_FAILURES.into(), Some(Unit::Count), TLS_FAILED.into());
    recorder.describe_histogram(GO_QUEUE.into(), Some(Unit::Count), QUEUED.into());
}

const INSTANCES: &str = "Nodes in each state, this node included.";
const DECIDED: &str =
    "What became of alive, suspect and dead messages, by row of the decision table.";
const TRANSPORT_IN_USE: &str = "1 for the transport that the node uses, 0 for the others.";
const BAD_BY_REASON: &str = "Accepted connections that ended badly, by the reason.";
const TLS_FAILED: &str = "TLS connections that did not come to be, by the reason.";
const QUEUED: &str = "Membership messages in the gossip queue, sampled every queue_check_interval.";
const TIMES: &[(&str, &str)] = &[
    ("memberlist.probeNode", "How long probes took."),
    ("memberlist.pushPullNode", "How long successful full state exchanges took."),
];

fn unit(field: &str) -> Unit {
    if field.contains("bytes") || field.ends_with("memory") { Unit::Bytes } else { Unit::Count }
}

/// A documentation comment as a description for the recorder.
fn sentence(text: &'static str) -> metrics::SharedString {
    text.trim().into()
}

/// A counter by its name.
fn figure(stats: &Stats, field: &str) -> u64 {
    stats.counters.iter().find(|(name, _)| *name == field).map_or(0, |(_, figure)| figure)
}

#[cfg(test)]
mod tests;
