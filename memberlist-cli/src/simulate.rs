//! `memberlist simulate`: a cluster in virtual time, driven by a script, or an experiment with many
//! such clusters.

#[cfg(feature = "experiments")]
mod experiment;
mod language;

use std::fs;
use std::path::{Path, PathBuf};

use memberlist_sim::script::{self, CheckError};

use crate::failure::Failure;
use crate::stderr;
use crate::stdout::put;

/// The flags of `memberlist simulate`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_long_help = language::help())]
#[cfg_attr(feature = "experiments", command(subcommand_negates_reqs = true))]
#[cfg_attr(feature = "experiments", command(args_conflicts_with_subcommands = true))]
pub(crate) struct Args {
    /// The experiment to run, instead of scripts
    #[cfg(feature = "experiments")]
    #[command(subcommand)]
    experiment: Option<experiment::Command>,

    /// Files with scripts; each is printed with what happens
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Compare what happens with what the files say, and print only what differs
    #[arg(long, conflicts_with = "update")]
    check: bool,

    /// Rewrite what the files say below each `----`
    #[arg(long)]
    update: bool,

    /// Record every node to a directory of its own in this one, for `memberlist replay`
    #[arg(long, value_name = "DIR", conflicts_with_all = ["check", "update"])]
    record: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    #[cfg(feature = "experiments")]
    if let Some(experiment) = &args.experiment {
        return experiment.run();
    }
    let mut failures = Vec::new();
    for file in &args.files {
        let done = match &args.record {
            Some(folder) => record(file, folder),
            None if args.check || args.update => check(file, args.update),
            None => show(file),
        };
        failures.extend(done.err());
    }
    let last = failures.pop();
    for failure in failures {
        stderr::say(failure);
    }
    last.map_or(Ok(()), Err)
}

/// Prints a script with what happens, as far as the first line that fails.
fn show(file: &Path) -> Result<(), Failure> {
    let text = fs::read_to_string(file).map_err(|error| failed(file, &error))?;
    let (happened, result) = script::narrate(&text);
    put(happened)?;
    result.map_err(|error| failed(file, &error))
}

/// Like [`show`], with a recording of every node.
fn record(file: &Path, folder: &Path) -> Result<(), Failure> {
    let text = fs::read_to_string(file).map_err(|error| failed(file, &error))?;
    // Created first: it must not fail in the middle of the script.
    fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
    let folder = folder.to_owned();
    let (happened, result) = script::narrate_prepared(&text, move |sim| drop(sim.record(&folder)));
    put(happened)?;
    result.map_err(|error| failed(file, &error))
}

fn check(file: &Path, update: bool) -> Result<(), Failure> {
    match script::check(file, update) {
        Ok(()) => Ok(()),
        // Shows what led to the failure, and returns it.
        Err(CheckError::Script(_)) => show(file),
        Err(error) => Err(failed(file, &error)),
    }
}

fn failed(file: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::failed(format_args!("{}: {error}", file.display()))
}
