//! The log of the program.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::stderr;

/// Logs to standard error: warnings, or nothing if `quiet`, unless `RUST_LOG` says otherwise. The line
/// about an address that was chosen for the user is always shown.
pub(crate) fn to_stderr(quiet: bool) {
    let level = if quiet { LevelFilter::OFF } else { LevelFilter::WARN };
    let filter = match std::env::var(EnvFilter::DEFAULT_ENV) {
        Ok(wanted) => EnvFilter::builder().with_default_directive(level.into()).parse_lossy(wanted),
        Err(_) => EnvFilter::new(format!("{level},memberlist::address=info")),
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr::log)
        // These are written by `eprintln!`, which panics if it fails.
        .log_internal_errors(false)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}
