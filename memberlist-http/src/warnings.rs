//! What an operator should look at, in plain words.

use memberlist_proto::{NodeName, State, Status};
use serde::Serialize;

use crate::entries::shown;
use crate::journal::Level;
use crate::recorder::{Loss, Recorder};

/// How many names a warning lists.
const NAMES: usize = 3;
/// How long a refusal is shown, in milliseconds.
const REFUSED: u64 = 10 * 60_000;

/// One sentence, and since when it has been true, in milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Warning {
    pub(crate) level: Level,
    pub(crate) text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<u64>,
}

impl Warning {
    fn new(level: Level, since: Option<u64>, text: String) -> Self {
        Self { level, text, since }
    }

    fn bad(since: Option<u64>, text: String) -> Self {
        Self::new(Level::Bad, since, text)
    }

    fn warn(since: Option<u64>, text: String) -> Self {
        Self::new(Level::Warn, since, text)
    }
}

/// All warnings that apply now, the worst first.
pub(crate) fn of(now: u64, status: &Status, recorder: &Recorder) -> Vec<Warning> {
    let mut warnings = about_itself(now, status, recorder);
    warnings.extend(about_members(now, status, recorder));
    warnings.extend(about_seeds(now, status));
    warnings.sort_by_key(|warning| std::cmp::Reverse(warning.level));
    warnings
}

fn about_itself(now: u64, status: &Status, recorder: &Recorder) -> Vec<Warning> {
    let mut found = Vec::new();
    if status.left {
        found.push(Warning::bad(None, "This node has left the cluster".to_owned()));
    }
    if let Some(age) = status.silent_ms {
        let addr = status.addr;
        let blocked = if recorder.by_connections() { "its port" } else { "UDP" };
        let text = if is_alone(status) {
            // This node cannot know which of these it is.
            format!(
                "No packet reaches this node: {blocked} is blocked, {addr} is not its address, or every \
                 other member has failed"
            )
        } else {
            format!(
                "No packet reaches this node: {blocked} is blocked, or {addr} is not its address"
            )
        };
        found.push(Warning::bad(Some(now.saturating_sub(age)), text));
    }
    if let Some(age) = status.unlisted_ms {
        let text = "Other members do not list this node: they refuse its announcement, or it does \
                    not reach them";
        found.push(Warning::bad(Some(now.saturating_sub(age)), text.to_owned()));
    }
    if let Some(at) = recorder.poisoned() {
        let text = "This node's name is unusable: it was accused at the highest incarnation there \
                    is. Restart it under another name";
        found.push(Warning::bad(Some(at), text.to_owned()));
    }
    if let Some(at) = recorder.unreadable_certificates() {
        let text = "This node's certificates have changed and cannot be used: the ones before stay \
                    in force until they expire. The log says what is wrong";
        found.push(Warning::bad(Some(at), text.to_owned()));
    }
    if let Some(failure) = recorder.tls_failure(now) {
        let text = format!("A connection failed for TLS: {}. The log names the peer", failure.what);
        found.push(Warning::warn(Some(failure.at), text));
    }
    if status.health_score > 0 {
        let text = format!(
            "This node's health score is {}: it is slow, or the network around it loses packets",
            status.health_score
        );
        found.push(Warning::warn(None, text));
    }
    found
}

fn about_members(now: u64, status: &Status, recorder: &Recorder) -> Vec<Warning> {
    let live = |name: &NodeName| {
        let found = status.nodes.binary_search_by(|node| node.name.cmp(name));
        found.is_ok_and(|index| status.nodes[index].state.is_live())
    };
    let mut found: Vec<Warning> = recorder.great_losses().map(|loss| lost(loss, live)).collect();
    let suspects = status.nodes.iter().filter(|node| node.state == State::Suspect);
    let suspects: Vec<&NodeName> = suspects.map(|node| &node.name).collect();
    if !suspects.is_empty() {
        let text = format!("{} suspected: {}", counted(suspects.len()), listed(&suspects));
        found.push(Warning::warn(None, text));
    }
    let streams = recorder.by_stream();
    if let Some(since) = streams.values().min() {
        let names: Vec<&NodeName> = streams.keys().collect();
        let (count, names) = (counted(names.len()), listed(&names));
        let text = format!("{count} reachable by TCP only, UDP does not get through: {names}");
        found.push(Warning::warn(Some(*since), text));
    }
    if let Some(conflict) = recorder.conflict(now) {
        let name = shown(conflict.what.as_name());
        let text = format!("Another node uses the name {name} at a different address");
        found.push(Warning::bad(Some(conflict.at), text));
    }
    let refused: Vec<_> = status.refused.iter().filter(|it| it.age_ms <= REFUSED).collect();
    if let Some(last) = refused.last() {
        let (name, reason) = (shown(last.name.as_name()), &last.reason);
        let text = format!("News about {name} from {} was refused: {reason}", last.from);
        found.push(Warning::warn(Some(now.saturating_sub(last.age_ms)), text));
    }
    found
}

fn lost(loss: &Loss, live: impl Fn(&NodeName) -> bool) -> Warning {
    let (count, before) = (loss.names.len(), loss.before.max(loss.names.len()));
    let back = loss.names.iter().filter(|name| live(name)).count();
    let part = if count * 2 > before { "Most" } else { "Half" };
    let text = format!("{part} of the cluster was lost: {count} of {before} members failed");
    let (level, text) = match back {
        back if back == count => (Level::Info, format!("{text}; all of them are back")),
        0 => (Level::Bad, text),
        1 => (Level::Bad, format!("{text}; one of them is back")),
        back => (Level::Bad, format!("{text}; {back} of them are back")),
    };
    Warning::new(level, Some(loss.since), text)
}

fn about_seeds(now: u64, status: &Status) -> Vec<Warning> {
    let missing: Vec<_> = status.seeds.iter().filter(|seed| !seed.live).collect();
    let mut found = Vec::new();
    if is_alone(status) && !missing.is_empty() && !status.left {
        let text = "This node is alone: it has found none of its seeds";
        found.push(Warning::bad(None, text.to_owned()));
    }
    for seed in missing.iter().filter(|seed| seed.error.is_some()).take(NAMES) {
        let (peer, error) = (&seed.peer, seed.error.as_deref().unwrap_or_default());
        let tried = seed.tried_ms.map(|age| now.saturating_sub(age));
        found.push(Warning::warn(tried, format!("The seed {peer} cannot be reached: {error}")));
    }
    found
}

fn is_alone(status: &Status) -> bool {
    status.nodes.iter().filter(|node| node.state.is_live()).count() < 2
}

fn counted(members: usize) -> String {
    if members == 1 { "1 member is".to_owned() } else { format!("{members} members are") }
}

fn listed(names: &[&NodeName]) -> String {
    let mut text: Vec<_> = names.iter().take(NAMES).map(|name| shown(name.as_name())).collect();
    if names.len() > NAMES {
        text.push(format!("and {} more", names.len() - NAMES));
    }
    text.join(", ")
}

#[cfg(test)]
mod tests;
