//! Runs scenarios that are written as text.
//!
#![doc = include_str!("script/language.txt")]

mod command;
mod condition;
mod forge;
mod kinds;
mod live;
mod values;

use std::fs;
use std::path::Path;
use std::rc::Rc;

use self::command::Stage;
use crate::sim::Sim;

/// The description of the language, as in the documentation of [this module](self), in Markdown.
pub const LANGUAGE: &str = include_str!("script/language.txt");

/// A line of a script that cannot be carried out, or whose condition does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct ScriptError {
    /// The number of the line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What can be wrong with a line of a script.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// There is no such command.
    #[error("no command {0:?}")]
    Command(String),
    /// The command lacks something, or has too much; the usage is given.
    #[error("it should be: {0}")]
    Usage(&'static str),
    /// No node of this name was started.
    #[error("no node {0:?}")]
    Node(String),
    /// The node was already started.
    #[error("{0} was started before")]
    Twice(String),
    /// The node does not run.
    #[error("{0} does not run")]
    Stopped(String),
    /// The node runs.
    #[error("{0} runs")]
    Runs(String),
    /// Another node runs at the address of a node.
    #[error("{by} runs at the address of {of}")]
    Taken {
        /// The node whose address it is or was.
        of: String,
        /// The node that runs there.
        by: String,
    },
    /// A value cannot be parsed or is not allowed.
    #[error("{what}: {text:?} is not possible")]
    Value {
        /// What it is a value of.
        what: String,
        /// The value.
        text: String,
    },
    /// A node refuses an operation, or a configuration is not valid; the reason is given.
    #[error("it is refused: {0}")]
    Refused(String),
    /// A command stands below `----`, before the empty line that ends the events: it would be
    /// overwritten by them.
    #[error("below `----` stands what happens: an empty line is missing before {0:?}")]
    Below(String),
    /// A condition does not hold.
    #[error("this does not hold: {0}")]
    Unmet(String),
}

/// Why [`check`] fails for the file of a script.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// The file cannot be read or written.
    #[error(transparent)]
    File(#[from] std::io::Error),
    /// The script cannot be run to its end.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// Something else happens than the file says.
    #[error("line {line}: it says\n  {said}\nbut what happens is\n  {happened}")]
    Differs {
        /// The first line that differs, from 1.
        line: usize,
        /// What the file says there.
        said: String,
        /// What happens instead.
        happened: String,
    },
}

/// Runs a script, and returns its text with what really happens below each `----`.
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
/// The first line that cannot be carried out, or whose condition does not hold.
///
/// # Panics
///
/// A law of the protocol is broken.
pub fn run(text: &str) -> Result<String, ScriptError> {
    let (happened, result) = perform(text, false, Stage::default());
    result.map(|_| happened)
}

/// Runs a script for a reader who wants to see everything: its text has the events of every
/// paragraph, even without `----`. If a line fails, the text ends with it and with what happened
/// until then.
///
/// # Panics
///
/// A law of the protocol is broken.
pub fn narrate(text: &str) -> (String, Result<(), ScriptError>) {
    narrate_prepared(text, |_| ())
}

/// Like [`narrate`], and calls `prepare` with the simulation before anything happens in it, for
/// instance to [record](Sim::record) it. A script with a `seed` begins a new simulation: `prepare`
/// is then called again.
///
/// # Panics
///
/// A law of the protocol is broken.
pub fn narrate_prepared(
    text: &str,
    prepare: impl Fn(&mut Sim) + 'static,
) -> (String, Result<(), ScriptError>) {
    let (happened, result) = perform(text, true, Stage::prepared(Rc::new(prepare)));
    (happened, result.map(|_| ()))
}

/// Runs a script, and returns the cluster as it is at the end.
///
/// # Errors
///
/// Those of [`run`].
///
/// # Panics
///
/// A law of the protocol is broken.
pub fn play(text: &str) -> Result<Sim, ScriptError> {
    play_prepared(text, |_| ())
}

/// Like [`play`], and calls `prepare` with the simulation before anything happens in it, as
/// [`narrate_prepared`] does.
///
/// # Errors
///
/// Those of [`run`].
///
/// # Panics
///
/// A law of the protocol is broken.
pub fn play_prepared(text: &str, prepare: impl Fn(&mut Sim) + 'static) -> Result<Sim, ScriptError> {
    perform(text, false, Stage::prepared(Rc::new(prepare))).1.map(Stage::into_sim)
}

/// Runs the script in a file, and compares what happens with what the file says. With `update`, the
/// file is rewritten with what happens instead.
///
/// # Errors
///
/// The file cannot be read or written, a line of the script fails, or something else happens than
/// the file says. With `update`, a line that fails is still an error, and the file stays as it is.
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

/// Runs a script; returns its text with what happens, with `all` for each paragraph.
fn perform(text: &str, all: bool, mut stage: Stage) -> (String, Result<Stage, ScriptError>) {
    let mut result = String::with_capacity(text.len());
    let mut expected = false;
    for (index, line) in text.lines().enumerate() {
        let failed = |problem| Err(ScriptError { line: index + 1, problem });
        let empty = line.trim().is_empty();
        if expected && !empty {
            if command::is_written(line) {
                return (result, failed(Problem::Below(line.trim().to_owned())));
            }
            continue;
        }
        if empty && !expected {
            show(&mut stage, all, &mut result);
        }
        expected = line.trim() == "----";
        result.push_str(line);
        result.push('\n');
        if expected {
            result.push_str(&stage.output());
        } else if let Err(problem) = stage.line(line.split('#').next().unwrap_or_default()) {
            show(&mut stage, true, &mut result);
            return (result, failed(problem));
        }
    }
    show(&mut stage, all, &mut result);
    (result, Ok(stage))
}

/// Ends a paragraph without `----`: what happened is shown below a new `----`, or dropped.
fn show(stage: &mut Stage, shown: bool, result: &mut String) {
    let output = stage.output();
    if shown && !output.is_empty() {
        result.push_str("----\n");
        result.push_str(&output);
    }
}

#[cfg(test)]
mod tests;
