//! The program `memberlist`: a demonstration of a cluster, one node driven by lines of text, a
//! decoder of packets and streams, and a generator of keys.

mod agent;
mod decode;
mod demo;
mod failure;
mod hex;
mod keygen;
mod node;
mod simulate;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use clap::error::{Error, ErrorKind};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::failure::Failure;

/// Cluster membership by gossip, compatible with hashicorp/memberlist.
#[derive(Parser)]
#[command(name = "memberlist", version, arg_required_else_help = false)]
enum Program {
    /// Watch a cluster form, gossip, lose a node and notice it, in one process on loopback.
    Demo(demo::Args),
    /// Run one node in the foreground, driven by lines on standard input.
    Agent(Box<agent::Args>),
    /// Print a new random key in base64.
    Keygen(keygen::Args),
    /// Print every layer and message of a packet or a stream as JSON.
    Decode(decode::Args),
    /// Run a cluster in virtual time by a script, and print what happens.
    Simulate(simulate::Args),
}

fn main() -> ExitCode {
    let program = match Program::try_parse() {
        Ok(program) => program,
        Err(error) => return refuse(&error),
    };
    // The demonstration tells everything itself; on one terminal, logs would be in its way.
    let quiet = matches!(program, Program::Demo(_));
    log_to_stderr(if quiet { LevelFilter::OFF } else { LevelFilter::WARN });
    let result = match program {
        Program::Demo(args) => demo::run(&args),
        Program::Agent(args) => agent::run(&args),
        Program::Keygen(args) => keygen::run(&args),
        Program::Decode(args) => decode::run(&args),
        Program::Simulate(args) => simulate::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("memberlist: {failure}");
            failure.exit_code()
        }
    }
}

/// Help and version go out as they are; anything wrong becomes one line.
fn refuse(error: &Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        // Nobody is left to tell if standard output is closed.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let failure = Failure::usage(one_line(&error.render().to_string()));
    eprintln!("memberlist: {failure}");
    failure.exit_code()
}

/// The first paragraph of an error of the argument parser, without its prefix.
fn one_line(text: &str) -> String {
    let paragraph = text.split("\n\n").next().unwrap_or_default();
    let words: Vec<_> = paragraph.split_whitespace().collect();
    let line = words.join(" ");
    line.strip_prefix("error: ").map_or(line.clone(), str::to_owned)
}

/// Logs go to standard error, from `level` up unless `RUST_LOG` says otherwise.
fn log_to_stderr(level: LevelFilter) {
    let filter = EnvFilter::builder().with_default_directive(level.into()).from_env_lossy();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}

#[cfg(test)]
mod tests;
