//! `memberlist simulate`: a cluster in virtual time, driven by a script.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use memberlist_sim::script;

use crate::failure::Failure;

/// The flags of `memberlist simulate`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// The script; the events of its commands are printed below each `----`
    file: PathBuf,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::failed(format_args!("{}: {error}", args.file.display()))
    };
    let text = fs::read_to_string(&args.file).map_err(|error| failed(&error))?;
    let (happened, result) = script::run_to_error(&text);
    std::io::stdout().write_all(happened.as_bytes()).map_err(Failure::failed)?;
    result.map_err(|error| failed(&error))
}
