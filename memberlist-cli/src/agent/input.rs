//! Lines of input. A thread of its own reads standard input, so that a blocked read does not keep
//! the process from ending.

use std::io::{self, BufRead, Read};

use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _};
use tokio::sync::mpsc;

/// The longest line, in bytes: enough for the longest reliable message in hexadecimal.
const LINE_MAX: usize = 64 << 20;

/// The most lines that are read ahead.
const QUEUE: usize = 4;

/// One line without its line end, or the error that it was too long and has been skipped.
pub(super) type Input = Result<Vec<u8>, LineTooLong>;

/// A line is longer than any command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the line is longer than {LINE_MAX} bytes")]
pub(super) struct LineTooLong;

/// Starts reading standard input.
pub(super) fn start() -> mpsc::Receiver<Input> {
    let (lines, queue) = mpsc::channel(QUEUE);
    std::thread::spawn(move || {
        let mut input = io::stdin().lock();
        loop {
            match read_line(&mut input, LINE_MAX) {
                Ok(Some(line)) => {
                    if lines.blocking_send(line).is_err() {
                        return;
                    }
                }
                Ok(None) => return,
                Err(error) => {
                    tracing::error!("standard input: {error}");
                    return;
                }
            }
        }
    });
    queue
}

fn read_line(input: &mut impl BufRead, limit: usize) -> io::Result<Option<Input>> {
    let mut line = Vec::new();
    if input.by_ref().take(limit as u64 + 1).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
        // On Windows, a line ends with two characters.
        if cfg!(windows) && line.last() == Some(&b'\r') {
            line.pop();
        }
    } else if line.len() > limit {
        drop(line);
        input.skip_until(b'\n')?;
        return Ok(Some(Err(LineTooLong)));
    }
    Ok(Some(Ok(line)))
}

/// Reads a line from a connection; `None` at its end.
pub(super) async fn read(from: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Input>> {
    let mut line = Vec::new();
    if (&mut *from).take(LINE_MAX as u64 + 1).read_until(b'\n', &mut line).await? == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if line.len() > LINE_MAX {
        drop(line);
        skip_line(from).await?;
        return Ok(Some(Err(LineTooLong)));
    }
    Ok(Some(Ok(line)))
}

async fn skip_line(from: &mut (impl AsyncBufRead + Unpin)) -> io::Result<()> {
    loop {
        let bytes = from.fill_buf().await?;
        let end = bytes.iter().position(|&byte| byte == b'\n');
        let used = end.map_or(bytes.len(), |at| at + 1);
        from.consume(used);
        if end.is_some() || used == 0 {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests;
