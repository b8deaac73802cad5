//! The commands of scripts.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::rc::Rc;
use std::time::Duration;

use memberlist_proto::{
    BroadcastKind, Event, Host, Instant, Memberlist, NodeName, OpId, Peer, Priority, Target,
};

use super::condition::Condition;
use super::{Problem, values};
use crate::app::{Drawn, Spread};
use crate::seat::NodeId;
use crate::sim::Sim;

/// How often `until` checks its condition.
const LOOK: Duration = Duration::from_millis(50);

/// How long `meta` and `leave` wait until the news has spread.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// The first word of every command.
pub(super) const WORDS: [&str; 36] = [
    "try",
    "seed",
    "tolerate",
    "run",
    "until",
    "expect",
    "watch",
    "show",
    "stats",
    "hash",
    "host",
    "cut",
    "split",
    "heal",
    "link",
    "calm",
    "meta",
    "broadcast",
    "send",
    "tell",
    "ping",
    "join",
    "forge",
    "start",
    "flap",
    "restart",
    "crash",
    "leave",
    "resume",
    "move",
    "freeze",
    "hold",
    "slow",
    "unplug",
    "deafen",
    "mute",
];

/// Whether a line below `----` is a command or a comment that is out of place: a line that says
/// what happens begins with a time, with a name and a colon, or with a digest.
pub(super) fn is_written(line: &str) -> bool {
    let first = line.split_whitespace().next().unwrap_or_default();
    first.starts_with('#') || WORDS.contains(&first)
}

/// A simulated cluster, and the names of its nodes in the script.
pub(super) struct Stage {
    sim: Sim,
    begin: Instant,
    nodes: BTreeMap<String, NodeId>,
    /// The name of each node, by its index.
    names: Vec<String>,
    /// The nodes whose events are shown; `None` for all.
    watched: Option<Vec<NodeId>>,
    /// How many events of each node have been shown or left out.
    seen: Vec<usize>,
    output: String,
    prepare: Prepare,
}

impl Default for Stage {
    fn default() -> Self {
        Self::new(1, Rc::new(|_| ()))
    }
}

/// What is done to a simulation before anything happens in it.
pub(super) type Prepare = Rc<dyn Fn(&mut Sim)>;

impl Stage {
    pub(super) fn prepared(prepare: Prepare) -> Self {
        Self::new(1, prepare)
    }

    fn new(seed: u64, prepare: Prepare) -> Self {
        let mut sim = Sim::new(seed);
        prepare(&mut sim);
        Self {
            begin: sim.now(),
            sim,
            prepare,
            nodes: BTreeMap::new(),
            names: Vec::new(),
            watched: None,
            seen: Vec::new(),
            output: String::new(),
        }
    }

    /// The cluster as it is now.
    pub(super) fn into_sim(self) -> Sim {
        self.sim
    }

    pub(super) fn sim(&mut self) -> &mut Sim {
        &mut self.sim
    }

    pub(super) fn sim_ref(&self) -> &Sim {
        &self.sim
    }

    /// The name that the script has for a node.
    pub(super) fn script_name(&self, id: NodeId) -> &str {
        &self.names[id.index()]
    }

    /// Takes the events and the results of commands since the last call, as text.
    pub(super) fn output(&mut self) -> String {
        self.collect();
        core::mem::take(&mut self.output)
    }

    /// Carries out one line.
    pub(super) fn line(&mut self, line: &str) -> Result<(), Problem> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some((command, rest)) = words.split_first() else { return Ok(()) };
        match *command {
            "try" => match self.line(&rest.join(" ")) {
                Err(
                    Problem::Refused(_)
                    | Problem::Runs(_)
                    | Problem::Stopped(_)
                    | Problem::Taken { .. },
                ) => Ok(()),
                result => result,
            },
            "seed" | "tolerate" | "run" | "until" | "expect" => self.govern(command, rest),
            "watch" | "show" | "stats" | "hash" => self.report(command, rest),
            "host" | "cut" | "split" | "heal" | "link" | "calm" => self.wire(command, rest),
            "meta" | "broadcast" | "send" | "tell" | "ping" | "join" => self.talk(command, rest),
            "forge" => self.forge(rest),
            "start" => self.start(rest),
            "flap" => self.flap(rest),
            "restart" => self.restart(rest),
            "crash" | "leave" | "resume" => {
                for id in self.ids(rest)? {
                    self.live(command, id)?;
                }
                Ok(())
            }
            "move" => self.relocate(rest),
            "freeze" | "hold" | "slow" | "unplug" | "deafen" | "mute" => self.harm(command, rest),
            other => Err(Problem::Command(other.to_owned())),
        }
    }

    /// Commands that let time pass, and state what must hold.
    fn govern(&mut self, command: &str, rest: &[&str]) -> Result<(), Problem> {
        match (command, rest) {
            ("seed", [seed]) => {
                if !self.names.is_empty() {
                    return Err(Problem::Usage("seed N, before anything is started"));
                }
                *self = Self::new(values::number("seed", seed)?, Rc::clone(&self.prepare));
            }
            ("seed", _) => return Err(Problem::Usage("seed N")),
            ("tolerate", ["errors"]) => self.sim.tolerate_errors(),
            ("tolerate", _) => return Err(Problem::Usage("tolerate errors")),
            ("run", [time]) => self.sim.run_for(values::time(time)?),
            ("run", _) => return Err(Problem::Usage("run TIME")),
            ("until", [wanted @ .., "within", limit]) => {
                let condition = Condition::parse(wanted, &self.nodes)?;
                let limit = if *limit == "bound" {
                    self.sim.agreement_bound()
                } else {
                    values::time(limit)?
                };
                let end = self.sim.now() + limit;
                while !condition.holds(&self.sim) {
                    if self.sim.now() >= end {
                        return Err(self.unmet(&condition, wanted));
                    }
                    self.sim.run_for(LOOK);
                }
            }
            ("until", _) => return Err(Problem::Usage("until CONDITION within TIME")),
            (_, wanted) => {
                let condition = Condition::parse(wanted, &self.nodes)?;
                if !condition.holds(&self.sim) {
                    return Err(self.unmet(&condition, wanted));
                }
            }
        }
        Ok(())
    }

    /// Commands that show something.
    fn report(&mut self, command: &str, rest: &[&str]) -> Result<(), Problem> {
        self.collect();
        match (command, rest) {
            ("watch", ["all"]) => self.watched = None,
            ("watch", _) => self.watched = Some(self.ids(rest)?),
            ("show", _) => {
                for id in self.ids(rest)? {
                    self.running(id)?;
                    for node in self.sim.view(id) {
                        let (state, incarnation) = (node.state(), node.incarnation());
                        let name = &self.names[id.index()];
                        self.say(&format!("{name}: {node} {state}, incarnation {incarnation}"));
                    }
                }
            }
            ("stats", [name, counters @ ..]) if !counters.is_empty() => {
                let id = self.id(name)?;
                self.running(id)?;
                let stats = self.sim.node(id).stats();
                for wanted in counters {
                    let figures = stats.counters.iter().chain(stats.gauges.iter());
                    let (_, figure) = figures
                        .chain(stats.decisions.iter())
                        .find(|(it, _)| it == wanted)
                        .ok_or_else(|| values::value("a counter", wanted))?;
                    self.say(&format!("{name}: {wanted} = {figure}"));
                }
            }
            ("stats", _) => return Err(Problem::Usage("stats NAME COUNTERS")),
            (_, []) => {
                let hash = self.sim.trace_hash();
                self.say(&format!("{hash:016x} after {} steps", self.sim.steps()));
            }
            _ => return Err(Problem::Usage("hash")),
        }
        Ok(())
    }

    /// Commands that change the network.
    fn wire(&mut self, command: &str, rest: &[&str]) -> Result<(), Problem> {
        match (command, rest) {
            ("host", [host, names @ ..]) => {
                let ids = self.ids(names)?;
                let found = ids.iter().map(|id| self.sim.address(*id).ip()).collect();
                self.sim.network().name(host, found);
            }
            ("cut" | "split", _) => {
                let (one, other) = self.halves(rest)?;
                if command == "split" {
                    self.sim.network().partition(&one, &other);
                } else {
                    for (from, to) in one.iter().flat_map(|a| other.iter().map(move |b| (a, b))) {
                        self.sim.network().cut(*from, *to);
                    }
                }
            }
            ("heal", []) => self.sim.network().heal(),
            ("calm", []) => self.sim.network().calm(),
            ("link", [from, to, options @ ..]) if !from.contains('=') => {
                let (from, to) = (self.id(from)?, self.id(to)?);
                let link = values::link(self.sim.network().link(from, to), options)?;
                self.sim.network().set_link(from, to, link);
            }
            ("link", options) => {
                let link = values::link(self.sim.network().default_link(), options)?;
                self.sim.network().set_default(link);
            }
            _ => return Err(Problem::Usage("host HOST NAMES, heal, calm")),
        }
        Ok(())
    }

    /// Commands that an application would give to its node.
    fn talk(&mut self, command: &str, rest: &[&str]) -> Result<(), Problem> {
        match (command, rest) {
            ("join", [names @ .., "to" | "via", target]) => {
                let peer = if rest[names.len()] == "to" {
                    Peer::from(self.sim.address(self.id(target)?))
                } else {
                    Peer { name: None, host: Host::Name((*target).to_owned()), port: None }
                };
                for id in self.ids(names)? {
                    self.operate(id, |node, now| Ok(node.join(now, std::slice::from_ref(&peer))))?;
                }
                Ok(())
            }
            ("join", _) => Err(Problem::Usage("join NAMES to NAME, or join NAMES via HOST")),
            ("meta", [name, text @ ..]) => {
                let (id, text) = (self.id(name)?, text.join(" "));
                self.operate(id, |node, now| {
                    node.set_meta(now, text.into(), PATIENCE).map_err(|it| it.to_string())
                })
            }
            ("broadcast", [name, text @ ..]) if !text.is_empty() => {
                let (id, text) = (self.id(name)?, text.join(" "));
                self.running(id)?;
                let queue = |node: &mut Memberlist, now| {
                    let kind = BroadcastKind::Unique;
                    node.broadcast(now, text.as_bytes(), kind, Priority::Normal).map(|_| ())
                };
                self.sim.with(id, queue).map_err(|it| Problem::Refused(it.to_string()))
            }
            ("send", [from, to, text @ ..]) if !text.is_empty() => {
                let (id, target, text) = (self.id(from)?, self.target(to)?, text.join(" "));
                self.running(id)?;
                let sent = self.sim.with(id, |node, now| node.send(now, target, text.as_bytes()));
                sent.map_err(|it| Problem::Refused(it.to_string()))
            }
            ("tell", [from, to, text @ ..]) if !text.is_empty() => {
                let (id, target, text) = (self.id(from)?, self.target(to)?, text.join(" "));
                self.operate(id, |node, now| {
                    node.send_reliable(now, target, text.as_bytes()).map_err(|it| it.to_string())
                })
            }
            ("ping", [from, to]) => {
                let (id, target) = (self.id(from)?, self.target(to)?);
                self.operate(id, |node, now| Ok(node.ping(now, target)))
            }
            _ => Err(Problem::Usage(
                "meta NAME TEXT, broadcast NAME TEXT, send NAME NAME TEXT, tell NAME NAME TEXT, ping NAME NAME",
            )),
        }
    }

    fn start(&mut self, rest: &[&str]) -> Result<(), Problem> {
        let (names, options) = values::with_options(rest);
        for name in values::names(names)? {
            if self.nodes.contains_key(&name) {
                return Err(Problem::Twice(name));
            }
            let values::Start { config, at, spread, vetoes } = values::config(&name, options)?;
            let place = at.map(|other| self.free_address(&other)).transpose()?;
            let app = Drawn { spread: spread.then(Spread::default), vetoes };
            let id = match place {
                Some(ip) => self.sim.start_at(ip, config, app),
                None => self.sim.start_with(config, app),
            };
            self.nodes.insert(name.clone(), id);
            self.names.push(name);
            self.seen.push(0);
        }
        Ok(())
    }

    pub(super) fn operate(
        &mut self,
        id: NodeId,
        begin: impl FnOnce(&mut Memberlist, Instant) -> Result<OpId, String>,
    ) -> Result<(), Problem> {
        self.running(id)?;
        self.sim.try_operate(id, begin).map(|_| ()).map_err(Problem::Refused)
    }

    fn target(&self, name: &str) -> Result<Target, Problem> {
        let member: NodeName = self.sim.name(self.id(name)?).clone();
        Ok(Target::Member(member))
    }

    pub(super) fn id(&self, name: &str) -> Result<NodeId, Problem> {
        self.nodes.get(name).copied().ok_or_else(|| Problem::Node(name.to_owned()))
    }

    /// The nodes on both sides of `from`.
    pub(super) fn halves(&self, words: &[&str]) -> Result<(Vec<NodeId>, Vec<NodeId>), Problem> {
        const USAGE: Problem =
            Problem::Usage("cut, split or flap NAMES from NAMES, with nodes on both sides");
        let at = words.iter().position(|word| *word == "from").ok_or(USAGE)?;
        let (one, other) = (self.ids(&words[..at])?, self.ids(&words[at + 1..])?);
        if one.is_empty() || other.is_empty() { Err(USAGE) } else { Ok((one, other)) }
    }

    pub(super) fn ids(&self, words: &[&str]) -> Result<Vec<NodeId>, Problem> {
        values::names(words)?.iter().map(|name| self.id(name)).collect()
    }

    pub(super) fn running(&self, id: NodeId) -> Result<(), Problem> {
        if self.sim.runs(id) {
            Ok(())
        } else {
            Err(Problem::Stopped(self.names[id.index()].clone()))
        }
    }

    fn unmet(&self, condition: &Condition, wanted: &[&str]) -> Problem {
        let wanted = wanted.join(" ");
        Problem::Unmet(match condition.why(&self.sim) {
            Some(why) => format!("{wanted}: {why}"),
            None => wanted,
        })
    }

    fn say(&mut self, line: &str) {
        self.output.push_str(line);
        self.output.push('\n');
    }

    /// Writes down the events since the last call, in the order of their times.
    fn collect(&mut self) {
        let mut lines = Vec::new();
        for (index, seen) in self.seen.iter_mut().enumerate() {
            let id = NodeId::new(index);
            let log = self.sim.events(id);
            let fresh = &log[core::mem::replace(seen, log.len())..];
            if self.watched.as_ref().is_none_or(|watched| watched.contains(&id)) {
                // Successful probes are too frequent to be worth a line.
                let shown = fresh.iter().filter(|(_, it)| !matches!(it, Event::Pinged { .. }));
                lines.extend(shown.map(|(at, event)| (*at, index, event.to_string())));
            }
        }
        lines.sort_by_key(|(at, index, _)| (*at, *index));
        for (at, index, text) in lines {
            let at = at.saturating_duration_since(self.begin).as_millis();
            let (name, seconds, millis) = (&self.names[index], at / 1000, at % 1000);
            // Writing to a string cannot fail.
            let _ = writeln!(self.output, "{seconds:>5}.{millis:03} {name}: {text}");
        }
    }
}
