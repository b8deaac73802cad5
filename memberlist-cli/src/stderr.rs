//! The lines that the program writes to standard error. A failure to write them affects nothing
//! else, and while a node runs, nothing waits for their reader.

use std::fmt::Display;
use std::io::{self, Write};

#[cfg(feature = "agent")]
mod queue;

#[cfg(feature = "agent")]
pub(crate) use self::queue::{finish, log, start};

/// Writes a line, with the name of the program in front. If it cannot be written, it is lost.
pub(crate) fn say(line: impl Display) {
    let line = format!("memberlist: {line}\n");
    #[cfg(feature = "agent")]
    let Some(line) = queue::offer(line.into_bytes()) else { return };
    let _ = io::stderr().write_all(line.as_ref());
}
