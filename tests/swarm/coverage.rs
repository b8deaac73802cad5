//! What a sweep of seeds has covered, and what it must have covered to be meaningful.

use std::collections::{BTreeMap, BTreeSet};

use memberlist_proto::Decisions;
use memberlist_sim::{Event, Sim};

/// Everything that happened in a number of runs.
#[derive(Default)]
pub(crate) struct Coverage {
    counters: BTreeMap<&'static str, u64>,
    events: BTreeSet<String>,
    commands: BTreeSet<String>,
}

/// What must have happened, besides every row of the protocol's decision tables except
/// [`ELSEWHERE`].
const COUNTERS: [&str; 26] = [
    "accusations_old",
    "acks_unknown",
    "alive_accepted",
    "alive_old",
    "broadcasts_sent",
    "conflicts",
    "dead_accepted",
    "exchanges_failed",
    "messages_received",
    "packets_refused",
    "probes",
    "probes_by_stream",
    "probes_degraded",
    "probes_failed",
    "push_pulls",
    "reaped",
    "refuted",
    "relayed",
    "stream_bytes_received",
    "stream_bytes_sent",
    "streams_accepted",
    "streams_opened",
    "suspect_accepted",
    "suspicions_degraded",
    "told_dead",
    "packets_sent",
];

/// Rows that neither honest nodes nor packets can cause, only a stream that a stranger has made up.
const ELSEWHERE: [&str; 1] = ["merged_unknown"];

const EVENTS: [&str; 18] = [
    "BroadcastFinished",
    "BroadcastsFinished",
    "Coalesced",
    "Conflict",
    "Declared",
    "ExchangeFailed",
    "Failed",
    "Finished",
    "Health",
    "Joined",
    "Left",
    "MembershipOverflow",
    "Message",
    "OnlyByStream",
    "Overflow",
    "Pinged",
    "Refuted",
    "Suspected",
];

const COMMANDS: [&str; 52] = [
    "accept=",
    "accept=-",
    "accept=blue",
    "accept=swarm",
    "bandwidth",
    "broadcast",
    "corruption",
    "crash",
    "cut",
    "deafen",
    "duplication",
    "flap",
    "forge",
    "freeze",
    "hold",
    "ip=4",
    "ip=6",
    "latency",
    "leave",
    LOSSY_LEAVE,
    "limits.members",
    "limits.new_members_burst",
    "limits.new_members_per_second",
    "limits.operations",
    "limits.push_pulls",
    "limits.relays",
    "limits.relays_per_second",
    "limits.reports_per_second",
    "limits.share_per_source",
    "limits.streams",
    "limits.streams_opened",
    "limits.streams_per_source",
    "limits.told_dead",
    "limits.user_broadcasts",
    "loss",
    "meta",
    "move",
    "mute",
    "networks",
    "packets",
    "rejoin",
    "seeds",
    "silence",
    "slow",
    "split",
    "suspicion",
    "to-address-of",
    "unplug",
    "vetoes",
    "transport=alertmanager",
    "transport=dskit",
    "via",
];

/// A leave while packets are lost.
const LOSSY_LEAVE: &str = "leave under loss";

impl Coverage {
    pub(crate) fn add(&mut self, script: &str, sim: &Sim, summaries: BTreeSet<&'static str>) {
        self.events.extend(summaries.into_iter().map(str::to_owned));
        for (counter, figure) in sim.counters() {
            *self.counters.entry(counter).or_default() += figure;
        }
        for (_, event) in sim.node_ids().flat_map(|id| sim.events(id)) {
            self.events.insert(name(&format!("{event:?}")));
            if let Event::Departed { reason, .. } = event {
                self.events.insert(name(&format!("{reason:?}")));
            }
        }
        let mut lossy = false;
        for line in script.lines() {
            lossy = line.starts_with("link loss=0.") || (lossy && line != "calm");
            if lossy && line.starts_with("leave ") {
                self.commands.insert(LOSSY_LEAVE.to_owned());
            }
        }
        let words = script.lines().flat_map(|line| line.split_whitespace());
        for word in words {
            self.commands
                .extend([word, word.split('=').next().unwrap_or_default()].map(str::to_owned));
        }
    }

    /// What should have happened, but did not.
    pub(crate) fn missing(&self) -> Vec<&'static str> {
        let counters =
            COUNTERS.into_iter().filter(|it| self.counters.get(it).is_none_or(|n| *n == 0));
        let events = EVENTS.into_iter().filter(|it| !self.events.contains(*it));
        let rows = rows().filter(|it| self.counters.get(it).is_none_or(|n| *n == 0));
        let commands = COMMANDS.into_iter().filter(|it| !self.commands.contains(*it));
        counters.chain(rows).chain(events).chain(commands).collect()
    }
}

/// The rows of the decision tables that a sweep must have seen.
fn rows() -> impl Iterator<Item = &'static str> {
    let all: Vec<_> = Decisions::default().iter().map(|(row, _)| row).collect();
    all.into_iter().filter(|row| !ELSEWHERE.contains(row))
}

/// The first word of a value's text.
fn name(text: &str) -> String {
    text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned()
}

#[test]
fn nothing_run_is_nothing_seen() {
    let missing = Coverage::default().missing().len();
    assert_eq!(missing, COUNTERS.len() + rows().count() + EVENTS.len() + COMMANDS.len());
    assert!(rows().count() > 30);
}
