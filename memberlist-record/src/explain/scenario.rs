//! An incident shown by recordings, as a scenario in the simulator's script language.
//!
//! A simulated node cannot be given the inputs of a live one, since its peers are simulated too.
//! What can be carried over is what happened to the cluster: which nodes there were, when each
//! left, stopped, stood still or came back, and when the packets of one stopped reaching another.
//! Of a node that was not recorded, only its silence is known, which is written as a crash.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use memberlist_proto::{Config, State};

use super::align::{Alignment, Delivery, Place};
use super::chronicle::Chronicle;

/// A scenario: the nodes that it begins with, and what happens to them at which time.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Scenario {
    /// The name of each node, and its name in the script. The others join the first.
    pub nodes: Vec<(String, String)>,
    /// The preset that the settings of the first recorded node are closest to.
    pub preset: &'static str,
    /// What happens, in order of time.
    pub acts: Vec<Act>,
    /// When the event that was asked for happened, on the same clock as [`Act::at`].
    pub ends: Duration,
}

/// Something that happens: a line of a script.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Act {
    /// When it happens: how long after the beginning.
    pub at: Duration,
    /// The line of the script.
    pub line: String,
}

/// How many packets in a row must be lost on a link before it counts as cut.
const CUT: usize = 3;
/// How long nodes are left alone before the first act.
const CALM: Duration = Duration::from_secs(5);

impl Scenario {
    /// Makes a scenario of some chronicles, up to a time on the common axis.
    pub fn of(chronicles: &[Chronicle], alignment: &Alignment, until: i64) -> Self {
        let mut names: BTreeSet<&str> = chronicles.iter().map(|it| it.node.as_str()).collect();
        for chronicle in chronicles {
            names.extend(chronicle.last.iter().map(|(name, _)| name));
            let changes = chronicle.moments.iter().flat_map(|it| &it.changes);
            names.extend(changes.map(|change| change.node.as_str()));
        }
        let first = chronicles.first().map_or("", |it| it.node.as_str());
        let mut ordered: Vec<&str> = vec![first];
        ordered.extend(names.iter().copied().filter(|it| *it != first));
        let nodes: Vec<(String, String)> = ordered
            .iter()
            .enumerate()
            .map(|(index, name)| ((*name).to_owned(), word(name, index)))
            .collect();
        let draft = Draft {
            chronicles,
            alignment,
            until,
            words: nodes.iter().cloned().collect(),
            acts: Vec::new(),
        };
        let mut acts = draft.acts();
        acts.sort();
        acts.dedup();
        // Nothing of interest happened before the first of them.
        let begin = acts.first().map_or(until, |(at, _)| *at);
        let since = |at: i64| CALM + Duration::from_nanos(u64::try_from(at - begin).unwrap_or(0));
        let acts = acts.iter().map(|(at, line)| Act { at: since(*at), line: line.clone() });
        let (acts, ends) = (acts.collect(), since(until));
        let preset = chronicles.first().map_or("lan", |it| preset(&it.config));
        Self { nodes, preset, acts, ends }
    }

    /// The script with only these acts, and with the condition that has to hold in the end.
    pub fn script(&self, acts: &[Act], condition: &str) -> String {
        let names: Vec<&str> = self.nodes.iter().map(|(_, word)| word.as_str()).collect();
        let mut out = format!("start {} with preset={}\n", names.join(" "), self.preset);
        if let [first, others @ ..] = &names[..]
            && !others.is_empty()
        {
            out += &["join ", &others.join(" "), " to ", first, "\n"].concat();
        }
        out += "until agree within 60s\n\n";
        let mut now = Duration::ZERO;
        for act in acts {
            let wait = act.at.saturating_sub(now).as_millis();
            if wait > 0 {
                out += &["run ", &wait.to_string(), "ms\n"].concat();
            }
            now = act.at.max(now);
            out += &act.line;
            out.push('\n');
        }
        let left = self.ends.saturating_sub(now) + Duration::from_secs(60);
        out += &["until ", condition, " within ", &left.as_secs().to_string(), "s\n"].concat();
        out
    }

    /// The name of a node in the script; `None` if there is no such node.
    pub fn word(&self, name: &str) -> Option<&str> {
        self.nodes.iter().find(|(it, _)| it == name).map(|(_, word)| word.as_str())
    }
}

/// The name itself if a script can have it as a word; otherwise `node` with the index.
fn word(name: &str, index: usize) -> String {
    let plain = |it: char| it.is_ascii_alphanumeric() || it == '-' || it == '_';
    let reserved = ["everybody", "somebody", "nobody", "agree", "idle", "but", "to", "with"];
    let fits = !name.is_empty()
        && name.chars().all(plain)
        && name.starts_with(|it: char| it.is_ascii_alphabetic())
        && !reserved.contains(&name);
    if fits { name.to_owned() } else { format!("node{index}") }
}

/// The preset with the same suspicion and probe interval, or else the closest.
fn preset(config: &Config) -> &'static str {
    let presets =
        [("lan", Config::lan("x")), ("wan", Config::wan("x")), ("local", Config::local("x"))];
    let distance = |of: &Config| {
        let interval = of.probe_interval.abs_diff(config.probe_interval).as_millis();
        let timeout = of.probe_timeout.abs_diff(config.probe_timeout).as_millis();
        u128::from(of.suspicion_mult.abs_diff(config.suspicion_mult)) * 1000 + interval + timeout
    };
    presets.iter().min_by_key(|(_, of)| distance(of)).map_or("lan", |(name, _)| name)
}

struct Draft<'a> {
    chronicles: &'a [Chronicle],
    alignment: &'a Alignment,
    until: i64,
    words: BTreeMap<String, String>,
    acts: Vec<(i64, String)>,
}

impl Draft<'_> {
    fn acts(mut self) -> Vec<(i64, String)> {
        let recorded: BTreeSet<&str> = self.chronicles.iter().map(|it| it.node.as_str()).collect();
        for (node, chronicle) in self.chronicles.iter().enumerate() {
            for (from, to) in &chronicle.gaps {
                let (from, to) = (self.alignment.time(node, *from), self.alignment.time(node, *to));
                self.act(from, "freeze", &chronicle.node);
                self.act(to, "resume", &chronicle.node);
            }
            // Its recording ended before that time, and another node considers it suspect or dead.
            let ended = self.alignment.time(node, chronicle.ended);
            let died = |other: &Chronicle| {
                let row = other.last.get(&chronicle.node);
                row.is_some_and(|row| matches!(row.state, State::Dead | State::Suspect))
            };
            if ended < self.until && self.chronicles.iter().any(died) {
                self.act(ended, "crash", &chronicle.node);
            }
        }
        for (node, chronicle) in self.chronicles.iter().enumerate() {
            self.changes(node, chronicle, &recorded);
        }
        self.cuts();
        self.acts
    }

    fn act(&mut self, at: i64, verb: &str, name: &str) {
        if let Some(word) = self.words.get(name).filter(|_| at < self.until) {
            self.acts.push((at, format!("{verb} {word}")));
        }
    }

    /// Adds what a node saw of those that were not recorded, and of those that left.
    fn changes(&mut self, node: usize, chronicle: &Chronicle, recorded: &BTreeSet<&str>) {
        let mut heard: BTreeMap<&str, i64> = BTreeMap::new();
        let mut down: BTreeSet<&str> = BTreeSet::new();
        for moment in &chronicle.moments {
            let at = self.alignment.time(node, moment.at);
            let from = moment.from().and_then(|it| chronicle.names.get(&it));
            if let Some(from) = from.filter(|_| !moment.heard.is_empty()) {
                heard.insert(from, at);
            }
            for change in &moment.changes {
                let Some((before, after)) = change.states() else { continue };
                let name = change.node.as_str();
                match after {
                    Some(State::Left) => {
                        self.act(at, "leave", name);
                    }
                    Some(State::Suspect)
                        if before == Some(State::Alive) && !recorded.contains(name) =>
                    {
                        let silent = heard.get(name).copied().unwrap_or(at);
                        down.insert(name);
                        self.act(silent, "crash", name);
                    }
                    Some(State::Alive) if down.remove(name) => self.act(at, "try restart", name),
                    _ => {}
                }
            }
        }
    }

    /// Adds the cut links between two recorded nodes: each from the first of several packets in a
    /// row that were lost to the next one that arrived.
    fn cuts(&mut self) {
        let mut links: BTreeMap<(usize, usize), Vec<(i64, bool)>> = BTreeMap::new();
        for (node, chronicle) in self.chronicles.iter().enumerate() {
            for (index, moment) in chronicle.moments.iter().enumerate() {
                let at = self.alignment.time(node, moment.at);
                for (sent, it) in moment.sent.iter().enumerate().filter(|(_, it)| !it.stream) {
                    let place = Place { node, moment: index, sent };
                    let (to, arrived) = match self.alignment.delivery(place) {
                        Delivery::Received { node, .. } => (node, true),
                        Delivery::Lost { node } => (node, false),
                        _ => continue,
                    };
                    if it.bytes > 0 && at < self.until {
                        links.entry((node, to)).or_default().push((at, arrived));
                    }
                }
            }
        }
        for ((from, to), sent) in links {
            let word = |node: usize| self.words[&self.chronicles[node].node].clone();
            let (from, to) = (word(from), word(to));
            let mut run: Vec<i64> = Vec::new();
            for (at, arrived) in sent.into_iter().chain([(self.until, true)]) {
                if !arrived {
                    run.push(at);
                    continue;
                }
                if run.len() >= CUT {
                    let line = |what| format!("link {from} {to} packets={what} streams={what}");
                    self.acts.push((run[0], line("off")));
                    self.acts.push((at, line("on")));
                }
                run.clear();
            }
        }
        let until = self.until;
        self.acts.retain(|(at, _)| *at < until);
    }
}
