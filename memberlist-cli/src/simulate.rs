//! `memberlist simulate`: a cluster in virtual time, told what to do by a script.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use memberlist_sim::script;

use crate::failure::Failure;

/// The flags of `memberlist simulate`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// The script; what its commands cause is printed below each `----`.
    file: PathBuf,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let told = |error: &dyn std::fmt::Display| {
        Failure::failed(format_args!("{}: {error}", args.file.display()))
    };
    let text = fs::read_to_string(&args.file).map_err(|error| told(&error))?;
    let happened = script::run(&text).map_err(|error| told(&error))?;
    std::io::stdout().write_all(happened.as_bytes()).map_err(Failure::failed)
}
