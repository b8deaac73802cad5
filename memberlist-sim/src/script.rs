//! Scenarios as text: commands, and below them what they cause.
//!
//! ```text
//! # Three nodes; one crashes.
//! start a b c
//! join b c to a
//! until agree within 10s
//!
//! crash c
//! until everybody sees c dead within 60s
//! ----
//!     2.153 b: c is suspected by b
//! …
//! ```
//!
//! Below `----` stand the events since the last `----`, each with its time in seconds and the node
//! that emitted it, up to the next empty line; events of a paragraph without `----` are not shown.
//! `#` begins a comment. [`run`] returns the text with what really happens, [`check`] compares a
//! file with it.
//!
//! | command | what it does |
//! |---|---|
//! | `seed N` | the first command: what decides everything that is left to chance |
//! | `start NAMES [with OPTIONS]` | starts nodes; `n1..n9` is nine names |
//! | `join NAMES to NAME` | joins each to one; `join NAMES via HOST` by a host name |
//! | `host HOST NAMES` | resolves a host name to these nodes' addresses, or without any to none |
//! | `crash NAMES`, `restart NAMES` | without a word; at the old address, with empty memory |
//! | `restart NAMES with OPTIONS` | the same one after the other, stopping those that run; from now on with another `label` or `accept` |
//! | `move NAMES` | restarts at a new address; `move NAME to-address-of OTHER` at that of another node that does not run |
//! | `leave NAMES` | leaves the cluster in good order |
//! | `freeze NAMES`, `hold NAMES`, `slow NAMES by TIME`, `unplug NAMES`, `deafen NAMES`, `mute NAMES` | one [`Fault`](crate::Fault) each: the process stands still; its messages wait; each input takes this long on average; its interface is down; nothing reaches it; nothing that it sends arrives |
//! | `resume NAMES` | ends the fault |
//! | `cut NAMES from NAMES` | what the first send to the second is lost |
//! | `split NAMES from NAMES`, `heal` | cuts both directions; undoes every cut |
//! | `flap NAMES from NAMES every TIME for TIME` | splits, reconnects, splits …, beginning and in the end connected |
//! | `link OPTIONS`, `link NAME NAME OPTIONS`, `calm` | the network's faults, or those of one direction; none |
//! | `meta NAME TEXT`, `broadcast NAME TEXT` | announces metadata, gossips a message |
//! | `send NAME NAME TEXT`, `tell NAME NAME TEXT` | sends a message by packet, by stream |
//! | `ping NAME NAME` | asks for the round trip time |
//! | `forge NAME alive WHO OPTIONS`, `suspect`, `dead` | hands the node a stranger's message; `WHO` is any name, `-` an empty one |
//! | `try COMMAND` | does it, unless it is refused, the node runs or does not run already, or its address is taken |
//! | `run TIME` | lets time pass: `200ms`, `5s`, `2m` |
//! | `until CONDITION within TIME` | lets time pass until it holds, and fails if it never does; `within bound` is [`Sim::agreement_bound`] |
//! | `expect CONDITION` | fails unless it holds now |
//! | `watch NAMES`, `watch all` | shows only the events of these nodes |
//! | `show NAMES`, `stats NAME COUNTERS` | the nodes that they know, in which state; some of its counters, gauges and decisions |
//! | `hash` | the digest of the whole run |
//! | `tolerate errors` | from here on, a packet or stream that a node cannot read breaks no law |
//!
//! A condition is one of
//!
//! | condition | what holds |
//! |---|---|
//! | `agree`, `agree among NAMES` | all running nodes, or all of these, consider exactly each other alive: [`Sim::agreement`] |
//! | `idle` | no operation, stream or question is under way |
//! | `WHO sees NAME STATE` | the state is `alive`, `suspect`, `dead`, `left` or `unknown` |
//! | `WHO heard TEXT` | the message arrived |
//! | `WHO reported KIND [of NAME]` | an event of this kind was emitted: `joined`, `updated`, `departed` (`left` or `dead`), `suspected`, `refuted`, `conflict`, `refused`, `rejoined`, `failed` |
//! | `WHO counts N` | so many members |
//!
//! `WHO` is a name, or `everybody`, `everybody but NAME`, `somebody`, `nobody` or `nobody but NAME`
//! among the nodes that run and have not left.
//!
//! Options of a node: `preset=lan|wan|local`, `name=TEXT`, `at=NAME` (the address of a node that does
//! not run any more), `label=TEXT`, `accept=TEXT,…` (labels accepted beside it; `-` is the empty one), `key=1` (a digit repeated), `meta=TEXT`, `compress=on|off`,
//! `differences=all|none`, `reclaim=TIME`, `probe=TIME`, `streampings=on|off`, `indirect=N`,
//! `protocol=N`, `application=N` (its own version), `ip=4|6`, `networks=NETWORK,…` (where members may
//! be), `vetoes=NAME` (refuses one), `seeds=HOST,…`, `rejoin=on|off|TIME`, `suspicion=on|off`,
//! `limits.NAME=N` (any of [`Limits`](memberlist_proto::Limits)), `asks=on|off` (asks its application
//! for state and admission), `spread=on|off` (passes on what is broadcast:
//! [`Spread`](crate::Spread)).
//!
//! Options of a link: `loss`, `duplication`, `corruption`, `refusal`, `reset`, `silence` from 0 to 1,
//! `latency=TIME..TIME`, `connect=TIME`, `mtu`, `queue` and `chunk` in bytes, `bandwidth` in bytes a
//! second, `packets=on|off`, `streams=on|off`; [`Link`](crate::Link) explains each.
//!
//! Options of a forged message: `incarnation=N`, `by=NAME` (the accuser), `address` and `source`,
//! each `IP:PORT` or a node whose address it is, `versions=crossed` (impossible ones), `meta=N`
//! bytes.

mod command;
mod condition;
mod forge;
mod kinds;
mod live;
mod values;

use std::fs;
use std::path::Path;

use self::command::Stage;
use crate::sim::Sim;

/// What is wrong with a script, or with what it expects.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct ScriptError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What can be wrong with a line of a script.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// No such command.
    #[error("no command {0:?}")]
    Command(String),
    /// The command is not complete, or has too much.
    #[error("it should be: {0}")]
    Usage(&'static str),
    /// No node of that name was started.
    #[error("no node {0:?}")]
    Node(String),
    /// The node is started already.
    #[error("{0} was started before")]
    Twice(String),
    /// The node does not run.
    #[error("{0} does not run")]
    Stopped(String),
    /// The node runs.
    #[error("{0} runs")]
    Runs(String),
    /// Another node runs at the address.
    #[error("{by} runs at the address of {of}")]
    Taken {
        /// The node whose address it is or was.
        of: String,
        /// The node that runs there.
        by: String,
    },
    /// A value cannot be read or is not allowed.
    #[error("{what}: {text:?} is not possible")]
    Value {
        /// What it is a value of.
        what: String,
        /// The value.
        text: String,
    },
    /// A node refuses what it is asked to do.
    #[error("it is refused: {0}")]
    Refused(String),
    /// What was expected does not hold.
    #[error("this does not hold: {0}")]
    Unmet(String),
}

/// Why a script's file does not pass.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// It cannot be read or written.
    #[error(transparent)]
    File(#[from] std::io::Error),
    /// It cannot be run to its end.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// Something else happens than it says.
    #[error("line {line}: it says\n  {said}\nbut what happens is\n  {happened}")]
    Differs {
        /// The first line that differs, from 1.
        line: usize,
        /// What the file says there.
        said: String,
        /// What happens.
        happened: String,
    },
}

/// Runs a script; its text with what really happens below each `----`.
///
/// ```
/// let text = "start a b\njoin b to a\nuntil agree within 5s\n\nexpect a counts 2\n";
/// assert_eq!(memberlist_sim::script::run(text)?, text);
/// assert!(memberlist_sim::script::run("crash a\n").is_err());
/// # Ok::<(), memberlist_sim::script::ScriptError>(())
/// ```
///
/// # Errors
///
/// A line that makes no sense, or a condition that does not hold.
///
/// # Panics
///
/// A law of the protocol is broken.
pub fn run(text: &str) -> Result<String, ScriptError> {
    let (happened, result) = perform(text);
    result.map(|_| happened)
}

/// The same for a reader who wants to see what happened until an error: the text to the line that
/// fails, and below it what was not shown yet.
///
/// # Panics
///
/// A law of the protocol is broken.
pub fn run_to_error(text: &str) -> (String, Result<(), ScriptError>) {
    let (happened, result) = perform(text);
    (happened, result.map(|_| ()))
}

/// Runs a script; the cluster as it is at the end.
///
/// # Errors
///
/// As of [`run`].
///
/// # Panics
///
/// A law of the protocol is broken.
pub fn play(text: &str) -> Result<Sim, ScriptError> {
    perform(text).1.map(Stage::into_sim)
}

/// Runs the script in a file and compares; with `update` the file is written anew instead.
///
/// # Errors
///
/// The file, the script or what it says is not right. A condition that does not hold is an error
/// also with `update`.
///
/// # Panics
///
/// A law of the protocol is broken.
pub fn check(path: &Path, update: bool) -> Result<(), CheckError> {
    let text = fs::read_to_string(path)?;
    let happened = run(&text)?;
    if text == happened {
        return Ok(());
    }
    if update {
        return Ok(fs::write(path, happened)?);
    }
    let (mut said, mut happened) = (text.lines(), happened.lines());
    let mut line = 0;
    loop {
        line += 1;
        let pair = (said.next(), happened.next());
        if pair.0 != pair.1 || pair.0.is_none() {
            let owned = |it: Option<&str>| it.unwrap_or("(the end)").to_owned();
            return Err(CheckError::Differs { line, said: owned(pair.0), happened: owned(pair.1) });
        }
    }
}

fn perform(text: &str) -> (String, Result<Stage, ScriptError>) {
    let mut stage = Stage::default();
    let mut result = String::with_capacity(text.len());
    let mut expected = false;
    for (index, line) in text.lines().enumerate() {
        let empty = line.trim().is_empty();
        if expected && !empty {
            continue;
        }
        expected = line.trim() == "----";
        result.push_str(line);
        result.push('\n');
        if expected {
            result.push_str(&stage.output());
        } else if empty {
            stage.output();
        } else if let Err(problem) = stage.line(line.split('#').next().unwrap_or_default()) {
            result.push_str(&stage.output());
            return (result, Err(ScriptError { line: index + 1, problem }));
        }
    }
    (result, Ok(stage))
}

#[cfg(test)]
mod tests;
