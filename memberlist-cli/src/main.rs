//! The program `memberlist`: an agent that runs one node and takes commands as lines, commands that
//! ask a running agent, a demonstration of a cluster, a decoder of packets and streams, generators
//! of keys and certificates, a simulator, and a replay of what an agent has recorded.

// The print macros panic if the output cannot be written: `stdout` and `stderr` are used instead.
#![deny(clippy::print_stdout, clippy::print_stderr)]

#[cfg(feature = "agent")]
mod agent;
#[cfg(feature = "agent")]
mod cert;
#[cfg(all(unix, feature = "agent"))]
mod client;
mod decode;
#[cfg(feature = "agent")]
mod demo;
mod failure;
mod generate;
mod hex;
mod keygen;
#[cfg(feature = "agent")]
mod log;
#[cfg(feature = "agent")]
mod node;
mod replay;
mod simulate;
#[cfg(feature = "agent")]
mod sink;
#[cfg(all(unix, feature = "agent"))]
mod socket;
mod stderr;
mod stdout;

use std::process::ExitCode;
#[cfg(feature = "agent")]
use std::time::Duration;

use clap::Parser;
use clap::error::{Error, ErrorKind};

use crate::failure::Failure;

/// How long the end of the process waits until its lines on standard error are written.
#[cfg(feature = "agent")]
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Cluster membership by gossip, compatible with hashicorp/memberlist.
#[derive(Parser)]
#[command(name = "memberlist", version, arg_required_else_help = false)]
#[cfg_attr(all(unix, feature = "agent"), command(after_help = client::EXIT_CODES))]
enum Program {
    /// Watch a cluster on loopback form, gossip, and detect the failure of a node.
    #[cfg(feature = "agent")]
    Demo(demo::Args),
    /// Run one node in the foreground, controlled by commands on standard input.
    #[cfg(feature = "agent")]
    Agent(Box<agent::Args>),
    /// Create a certificate authority and certificates of nodes, for trying out TLS.
    #[cfg(feature = "agent")]
    Cert(cert::Args),
    /// Generate a random key and print it in base64.
    Keygen(keygen::Args),
    /// Decode a captured packet or stream and print its layers and messages as JSON.
    Decode(decode::Args),
    /// Replay what an agent has recorded, and verify that the same happens again.
    Replay(Box<replay::Args>),
    /// Run scripts against simulated clusters in virtual time, or the published experiments.
    Simulate(simulate::Args),
    /// Print a script that completes commands in a shell.
    Completions(generate::Completions),
    /// Print the manual page of the program, or write one for each command.
    Man(generate::Man),
    #[cfg(all(unix, feature = "agent"))]
    #[command(flatten)]
    Ask(client::Command),
}

fn main() -> ExitCode {
    let program = match Program::try_parse() {
        Ok(program) => program,
        Err(error) => return refuse(&error),
    };
    // The demonstration prints everything itself, and log lines would garble its output.
    #[cfg(feature = "agent")]
    log::to_stderr(matches!(program, Program::Demo(_)));
    // A node must not wait for a reader of its log.
    #[cfg(feature = "agent")]
    if matches!(program, Program::Agent(_) | Program::Demo(_)) {
        stderr::start();
    }
    let code = match run(program) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            stderr::say(&failure);
            failure.exit_code()
        }
    };
    #[cfg(feature = "agent")]
    stderr::finish(LAST_WORDS);
    code
}

fn run(program: Program) -> Result<(), Failure> {
    match program {
        #[cfg(feature = "agent")]
        Program::Demo(args) => demo::run(&args),
        #[cfg(feature = "agent")]
        Program::Agent(args) => agent::run(&args),
        #[cfg(feature = "agent")]
        Program::Cert(args) => cert::run(&args),
        Program::Keygen(args) => keygen::run(&args),
        Program::Decode(args) => decode::run(&args),
        Program::Replay(args) => replay::run(&args),
        Program::Simulate(args) => simulate::run(&args),
        Program::Completions(args) => generate::completions::<Program>(&args),
        Program::Man(args) => generate::man::<Program>(&args),
        #[cfg(all(unix, feature = "agent"))]
        Program::Ask(command) => client::run(command),
    }
}

/// Prints help and version as they are, and every usage error as one line.
fn refuse(error: &Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        // If standard output is closed, there is no one to report it to.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let failure = Failure::usage(one_line(&error.render().to_string()));
    stderr::say(&failure);
    failure.exit_code()
}

/// The first paragraph of an error of the argument parser, without its prefix, with its tip if it
/// has one.
fn one_line(text: &str) -> String {
    let mut paragraphs = text
        .split("\n\n")
        .map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "));
    let line = paragraphs.next().unwrap_or_default();
    let line = line.strip_prefix("error: ").unwrap_or(&line).to_owned();
    match paragraphs.find_map(|it| it.strip_prefix("tip: ").map(str::to_owned)) {
        Some(tip) => format!("{line} ({tip})"),
        None => line,
    }
}

#[cfg(all(test, feature = "agent"))]
mod tests;
