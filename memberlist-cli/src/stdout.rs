//! Standard output of all commands but the agent.

use std::io::{self, Write as _};

use crate::failure::Failure;

/// Writes to standard output. That its reader has gone is not a failure.
pub(crate) fn put(text: impl AsRef<[u8]>) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_ref()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::failed(format_args!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}
