//! An output that may fail at any time and work again later.

use std::io::{self, Write};
use std::thread;
use std::time::Duration;

/// How long to wait before retrying a write to an output that another process has made
/// non-blocking.
const PAUSE: Duration = Duration::from_millis(10);

/// Writes whole lines; each is written in one piece, if the system takes it.
#[derive(Debug)]
pub(crate) struct Sink<W> {
    to: W,
    /// Only the beginning of the last line was written.
    torn: bool,
}

impl<W: Write> Sink<W> {
    pub(crate) fn new(to: W) -> Self {
        Self { to, torn: false }
    }

    /// Writes a line, which ends with a line feed. If only the beginning of the line before was
    /// written, a line feed comes first.
    pub(crate) fn write(&mut self, line: &[u8]) -> io::Result<()> {
        if self.torn {
            self.write_all(b"\n")?;
        }
        self.write_all(line)
    }

    fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.to.write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    let (done, rest) = bytes.split_at(written);
                    self.torn = !done.ends_with(b"\n");
                    bytes = rest;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(PAUSE),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Standard output without the buffer of the standard library, which would keep what could not be
/// written and write it with a later line.
pub(crate) fn stdout() -> Box<dyn Write + Send> {
    #[cfg(unix)]
    if let Some(file) = duplicate(io::stdout()) {
        return Box::new(file);
    }
    Box::new(io::stdout())
}

/// Standard error without the lock of the standard library, which a stalled write would hold.
pub(crate) fn stderr() -> Box<dyn Write + Send> {
    #[cfg(unix)]
    if let Some(file) = duplicate(io::stderr()) {
        return Box::new(file);
    }
    Box::new(io::stderr())
}

#[cfg(unix)]
fn duplicate(stream: impl std::os::fd::AsFd) -> Option<std::fs::File> {
    stream.as_fd().try_clone_to_owned().ok().map(Into::into)
}

#[cfg(test)]
mod tests;
