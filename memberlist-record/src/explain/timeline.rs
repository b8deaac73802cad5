//! The run of a node, as data for a diagram.

use std::time::Duration;

use memberlist_proto::{Instant, State};
use serde::Serialize;

use super::chronicle::Chronicle;
use super::moment::Report;
use super::probes::probes;
use super::table::Table;

/// A chronicle as data for a diagram. Times are nanoseconds since the run began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Timeline {
    /// The node.
    pub node: String,
    /// When the replay begins.
    pub begun: u64,
    /// When the last input was.
    pub ended: u64,
    /// Each node that was ever known, by name, with its states in order of time.
    pub members: Vec<(String, Vec<Span>)>,
    /// Each direct answer to a probe: when it arrived, the member's name, and the round trip time.
    pub round_trips: Vec<(u64, String, Duration)>,
    /// Each probe that no ack answered in time: when it began, and the member's name.
    pub unanswered: Vec<(u64, String)>,
    /// Each change of the health score: when it was, and the new score.
    pub health: Vec<(u64, u32)>,
    /// Each change of the number of messages in the gossip queues: when it was, and the new number.
    pub queued: Vec<(u64, u64)>,
}

/// A time in which a node was in one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Span {
    /// When it entered the state, or when the replay begins.
    pub from: u64,
    /// When it left the state, or when the replay ends.
    pub to: u64,
    /// The state.
    pub state: State,
}

impl Timeline {
    /// Makes a timeline of a whole chronicle.
    pub fn of(chronicle: &Chronicle) -> Self {
        let since = |at: Instant| at.as_nanos().saturating_sub(chronicle.born.at);
        let mut timeline = Self {
            node: chronicle.node.clone(),
            begun: since(chronicle.begun),
            ended: since(chronicle.ended),
            members: members(chronicle, since),
            round_trips: Vec::new(),
            unanswered: Vec::new(),
            health: Vec::new(),
            queued: Vec::new(),
        };
        for moment in &chronicle.moments {
            let at = since(moment.at);
            if timeline.health.last().is_none_or(|(_, score)| *score != moment.health) {
                timeline.health.push((at, moment.health));
            }
            if timeline.queued.last().is_none_or(|(_, queued)| *queued != moment.queued) {
                timeline.queued.push((at, moment.queued));
            }
            timeline.round_trips.extend(moment.reports.iter().filter_map(|report| match report {
                Report::Pinged { node, rtt } => Some((at, node.clone(), *rtt)),
                _ => None,
            }));
        }
        let failed = probes(chronicle).into_iter().filter(|probe| {
            !probe.is_answered() && probe.on_behalf_of.is_none() && !probe.pings.is_empty()
        });
        timeline.unanswered = failed
            .map(|probe| (since(chronicle.moments[probe.begun()].at), probe.target))
            .collect();
        timeline
    }
}

fn members(chronicle: &Chronicle, since: impl Fn(Instant) -> u64) -> Vec<(String, Vec<Span>)> {
    let mut names: Vec<&str> = chronicle.first.iter().map(|(name, _)| name).collect();
    let changes = || {
        chronicle.moments.iter().flat_map(|it| it.changes.iter().map(move |change| (it.at, change)))
    };
    names.extend(changes().map(|(_, change)| change.node.as_str()));
    names.sort_unstable();
    names.dedup();
    let end = since(chronicle.ended);
    let spans = |name: &str| {
        let state = |table: &Table| table.get(name).map(|row| row.state);
        let mut current = state(&chronicle.first).map(|state| (since(chronicle.begun), state));
        let mut spans = Vec::new();
        for (at, change) in changes().filter(|(_, change)| change.node == name) {
            let Some((_, after)) = change.states() else { continue };
            if let Some((from, state)) = current {
                spans.push(Span { from, to: since(at), state });
            }
            current = after.map(|state| (since(at), state));
        }
        spans.extend(current.map(|(from, state)| Span { from, to: end, state }));
        spans
    };
    names.into_iter().map(|name| (name.to_owned(), spans(name))).collect()
}
