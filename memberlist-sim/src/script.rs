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
//! Below `----` stands what the commands since the last `----` made the nodes tell, up to the next
//! empty line; what is not written below a `----` is run and not shown. `#` begins a comment.
//! [`run`] gives the text with what really happens, [`check`] compares a file with it.
//!
//! | command | what it does |
//! |---|---|
//! | `seed N` | first of all: what decides everything that is left to chance |
//! | `start NAMES [with OPTIONS]` | starts nodes; `n1..n9` is nine names |
//! | `join NAMES to NAME` | joins each to one; `join NAMES via HOST` by a host name |
//! | `host HOST NAMES` | lets a host name lead to these nodes, or without any to nobody |
//! | `crash NAMES`, `restart NAMES`, `move NAMES` | without a word; at the old address, at a new one |
//! | `leave NAMES` | in good order |
//! | `freeze NAMES`, `hold NAMES`, `resume NAMES` | the process stands still; its messages do |
//! | `cut NAMES from NAMES` | what the first send to the second is lost |
//! | `split NAMES from NAMES`, `heal` | in both directions; undoes every cut |
//! | `link OPTIONS`, `link NAME NAME OPTIONS`, `calm` | the network's faults, or those of one direction; none |
//! | `meta NAME TEXT`, `broadcast NAME TEXT` | announces metadata, gossips a message |
//! | `send NAME NAME TEXT`, `tell NAME NAME TEXT` | a message by packet, by stream |
//! | `ping NAME NAME` | asks for the round trip time |
//! | `forge NAME alive WHO OPTIONS`, `suspect`, `dead` | a stranger's message; `WHO` is any name, `-` an empty one |
//! | `try COMMAND` | does it, unless the node refuses it, or runs or stands still already |
//! | `run TIME` | lets time pass: `200ms`, `5s`, `2m` |
//! | `until CONDITION within TIME` | lets time pass until it holds, and fails if it never does; `within bound` is [`Sim::agreement_bound`] |
//! | `expect CONDITION` | fails unless it holds now |
//! | `watch NAMES`, `watch all` | shows only what these tell |
//! | `show NAMES`, `stats NAME COUNTERS` | whom they know and how; some of its counters, gauges and decisions |
//! | `hash` | the digest of the whole run |
//! | `tolerate errors` | what nodes cannot read is no broken law from here on |
//!
//! A condition is `agree`; or `idle`: no operation, stream or question is under way; or `WHO sees NAME STATE`, the states being `alive`, `suspect`, `dead`,
//! `left`, `unknown`; or `WHO heard TEXT`; or `WHO told KIND [of NAME]`, the kinds being `joined`,
//! `updated`, `departed`, `suspected`, `refuted`, `conflict`, `refused`, `failed`; or `WHO counts
//! N` members. `WHO` is a name, `everybody`, `everybody but NAME`, `somebody` or `nobody`, of those
//! that run and have not left.
//!
//! Options of a node: `preset=lan|wan|local`, `name=TEXT`, `label=TEXT`, `key=1` (a digit repeated),
//! `meta=TEXT`, `compress=on|off`, `differences=all|none`, `reclaim=TIME`, `probe=TIME`,
//! `streampings=on|off`, `indirect=N`, `protocol=N`, `application=N` (its own version),
//! `ip=4|6`, `networks=NETWORK,…` (where members may be), `vetoes=NAME` (refuses one), `seeds=HOST,…`,
//! `rejoin=on|off|TIME`, `suspicion=on|off`, `limits.NAME=N` (any of [`Limits`](memberlist_proto::Limits)),
//! `asks=on|off` (asks
//! its application for state and admission), `spread=on|off` (passes on what is broadcast: [`Spread`](crate::Spread)). Options of a link:
//! `loss`, `duplication`, `corruption`, `refusal`, `reset`, `silence` from 0 to 1, `latency=TIME..TIME`, `connect=TIME`,
//! `mtu`, `queue` and `chunk` in bytes, `bandwidth` in bytes a second,
//! `packets=on|off`, `streams=on|off`. Options of a forged message: `incarnation=N`, `by=NAME` (the
//! accuser), `address` and `source`, each `IP:PORT` or a node whose address it is,
//! `versions=crossed` (impossible ones), `meta=N` bytes.

mod command;
mod condition;
mod forge;
mod tell;
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
    /// A value cannot be read or is not allowed.
    #[error("{what}: {text:?} is not possible")]
    Value {
        /// What it is a value of.
        what: String,
        /// The value.
        text: String,
    },
    /// A node cannot do what it is told.
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
    Ok(perform(text)?.0)
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
    perform(text).map(|(_, stage)| stage.into_sim())
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

fn perform(text: &str) -> Result<(String, Stage), ScriptError> {
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
        } else {
            stage
                .line(line.split('#').next().unwrap_or_default())
                .map_err(|problem| ScriptError { line: index + 1, problem })?;
        }
    }
    Ok((result, stage))
}

#[cfg(test)]
mod tests;
