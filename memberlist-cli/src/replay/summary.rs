//! The summary of a replay.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use memberlist_proto::{Input, Instant};
use memberlist_record::{Entry, Replay, ReplayError, Session, Step, Verdict};
use serde_json::json;

/// The counts of a replay, and its first difference from the live run.
#[derive(Debug)]
pub(crate) struct Summary {
    node: String,
    core: String,
    segments: usize,
    from_birth: bool,
    /// Inputs by their kind.
    inputs: BTreeMap<&'static str, u64>,
    same: u64,
    unverified: u64,
    cut: u64,
    differs: u64,
    checkpoints: u64,
    /// The time of the first difference, and the kind of the input there.
    first: Option<(Instant, &'static str)>,
    begun: Instant,
    last: Instant,
    born: Instant,
}

impl Summary {
    pub(crate) fn new(session: &Session, replay: &Replay) -> Self {
        let header = replay.header();
        let begun = Instant::from_nanos(header.at);
        Self {
            node: header.node.clone(),
            core: format!("{} {}", header.core_version, header.core_hash),
            segments: session.segments().len(),
            from_birth: session.is_from_birth(),
            inputs: BTreeMap::new(),
            same: 0,
            unverified: 0,
            cut: 0,
            differs: 0,
            checkpoints: 0,
            first: None,
            begun,
            last: begun,
            born: Instant::from_nanos(header.born.at),
        }
    }

    /// Replays and counts all inputs to the end.
    pub(crate) fn run(&mut self, replay: &mut Replay) -> Result<(), ReplayError> {
        while let Some(step) = replay.step()? {
            self.add(&step);
        }
        Ok(())
    }

    fn add(&mut self, step: &Step) {
        let kind = kind(&step.record.entry);
        *self.inputs.entry(kind).or_default() += 1;
        self.last = self.last.max(step.record.at);
        let arrived = step.arrived.is_some_and(|verdict| verdict == Verdict::Differs);
        self.checkpoints += u64::from(step.arrived == Some(Verdict::Same));
        match step.verdict {
            Verdict::Same => self.same += 1,
            Verdict::Unverified => self.unverified += 1,
            Verdict::Cut => self.cut += 1,
            Verdict::Differs => self.differs += 1,
        }
        if arrived || step.verdict == Verdict::Differs {
            self.first.get_or_insert((step.record.at, kind));
        }
    }

    pub(crate) fn is_verified(&self) -> bool {
        self.first.is_none()
    }

    pub(crate) fn difference(&self) -> String {
        let Some((at, kind)) = self.first else { return "nothing differs".to_owned() };
        format!("the replay differs from the live run at {}, with {kind}", self.since(at))
    }

    fn total(&self) -> u64 {
        self.inputs.values().sum()
    }

    /// A time as text, since the start of the node.
    fn since(&self, at: Instant) -> String {
        let since = at.saturating_duration_since(self.born);
        let millis = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        humantime::format_duration(Duration::from_millis(millis)).to_string()
    }

    pub(crate) fn to_text(&self, replay: &Replay) -> String {
        let mut out = String::new();
        let _ = writeln!(out, "node {}, recorded by core {}", self.node, self.core);
        let birth = if self.from_birth { "from its start" } else { "without its beginning" };
        let (from, to) = (self.since(self.begun), self.since(self.last));
        let _ = writeln!(out, "{} segments, {birth}; replayed from {from} to {to}", self.segments);
        let kinds: Vec<_> =
            self.inputs.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        let _ = writeln!(out, "{} inputs: {}", self.total(), kinds.join(", "));
        let _ = writeln!(
            out,
            "outputs of {} inputs and the state at {} checkpoints are the same byte for byte",
            self.same, self.checkpoints
        );
        if self.unverified > 0 {
            let ids: Vec<_> = replay.missing_keys().iter().map(ToString::to_string).collect();
            let _ = writeln!(
                out,
                "{} inputs cannot be verified: keys are missing ({})",
                self.unverified,
                ids.join(", ")
            );
        }
        if self.cut > 0 {
            let _ = writeln!(out, "the node ended within the last input");
        }
        if self.differs > 0 {
            let _ = writeln!(out, "{} inputs led to other outputs", self.differs);
        }
        let node = replay.node();
        let _ = writeln!(
            out,
            "at the end: {} members, health score {}",
            node.num_members(),
            node.health_score()
        );
        out
    }

    pub(crate) fn to_json(&self, replay: &Replay) -> String {
        let millis = |at: Instant| {
            u64::try_from(at.saturating_duration_since(self.born).as_millis()).unwrap_or(u64::MAX)
        };
        let missing: Vec<_> = replay.missing_keys().iter().map(ToString::to_string).collect();
        json!({
            "node": self.node,
            "core": self.core,
            "segments": self.segments,
            "from_birth": self.from_birth,
            "from_ms": millis(self.begun),
            "to_ms": millis(self.last),
            "inputs": self.inputs,
            "same": self.same,
            "checkpoints": self.checkpoints,
            "unverified": self.unverified,
            "missing_keys": missing,
            "cut": self.cut,
            "differs": self.differs,
            "first_difference_ms": self.first.map(|(at, _)| millis(at)),
            "members": replay.node().num_members(),
            "health_score": replay.node().health_score(),
        })
        .to_string()
    }
}

/// The kind of an input, in the plural.
fn kind(entry: &Entry<'_>) -> &'static str {
    match entry {
        Entry::Input(Input::Packet { .. }) => "packets",
        Entry::Input(Input::Timeout) => "timeouts",
        Entry::Input(Input::StreamData { .. }) => "pieces of streams",
        Entry::Input(
            Input::StreamAccepted { .. }
            | Input::StreamConnected { .. }
            | Input::StreamWritten { .. }
            | Input::StreamEof { .. }
            | Input::StreamClosed { .. },
        ) => "events of streams",
        Entry::Input(Input::LookupAnswered { .. }) => "look-ups",
        Entry::Input(Input::Answered { .. }) => "answers",
        Entry::Input(Input::Command(_)) => "operations",
        Entry::AddKey(_) | Entry::UseKey(_) | Entry::RemoveKey(_) => "changes of keys",
        _ => "others",
    }
}
