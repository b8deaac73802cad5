//! `memberlist completions` and `memberlist man`, both generated from the definition of the
//! arguments.

use std::fs;
use std::path::PathBuf;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::failure::Failure;
use crate::stdout::put;

/// The flags of `memberlist completions`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Completions {
    /// Shell to complete commands in
    shell: Shell,
}

/// The flags of `memberlist man`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Man {
    /// Write the page of every command into this folder, which is created if it does not exist
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

/// Prints a completion script for a shell.
pub(crate) fn completions<P: CommandFactory>(args: &Completions) -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut P::command(), "memberlist", &mut text);
    put(text)
}

/// Prints the manual page of the program, or writes all pages into a folder.
pub(crate) fn man<P: CommandFactory>(args: &Man) -> Result<(), Failure> {
    if let Some(dir) = &args.dir {
        let failed = |error| Failure::failed(format_args!("{}: {error}", dir.display()));
        fs::create_dir_all(dir).map_err(failed)?;
        return clap_mangen::generate_to(P::command(), dir).map_err(failed);
    }
    let mut text = Vec::new();
    clap_mangen::Man::new(P::command()).render(&mut text).map_err(Failure::failed)?;
    put(text)
}
