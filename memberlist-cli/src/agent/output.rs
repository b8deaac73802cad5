//! Lines of output. Standard output is written by a thread of its own: a slow reader must not block
//! the node. The events waiting for it are bounded by the driver.

use std::io::{self, Write};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::report::Report;

/// The most lines that wait to be written.
const QUEUE: usize = 1024;

/// Writes reports. Cheap to clone; the writer ends when the last clone is dropped.
#[derive(Clone, Debug)]
pub(super) struct Output {
    lines: mpsc::Sender<String>,
    style: Style,
}

/// How reports are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// For people.
    Text,
    /// As JSON.
    Json,
    /// As JSON, where events have their text for people, too, in the field `summary`.
    #[cfg_attr(not(unix), allow(dead_code))] // Only the control socket needs it.
    Summarized,
}

/// Signals that the writer has ended.
#[derive(Debug)]
pub(super) struct Written(watch::Receiver<bool>);

impl Output {
    /// Starts writing to standard output.
    pub(super) fn start(style: Style) -> (Self, Written) {
        Self::start_with(style, io::stdout())
    }

    /// An output of which at most `bound` lines wait to be taken from the queue.
    pub(super) fn queue(style: Style, bound: usize) -> (Self, mpsc::Receiver<String>) {
        let (lines, queue) = mpsc::channel(bound);
        (Self { lines, style }, queue)
    }

    fn start_with(style: Style, to: impl Write + Send + 'static) -> (Self, Written) {
        let (output, queue) = Self::queue(style, QUEUE);
        let (ended, end) = watch::channel(false);
        std::thread::spawn(move || {
            match write_all(queue, to) {
                // The agent notices through `Output::closed`.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
                Err(error) => tracing::error!("standard output: {error}"),
                Ok(()) => {}
            }
            // The agent may have ended without waiting.
            let _ = ended.send(true);
        });
        (output, Written(end))
    }

    /// Queues a report, waiting while the queue is full. Once the reader has gone, reports are lost.
    pub(super) async fn write(&self, report: Report) {
        let line = match self.style {
            Style::Text => report.to_text(),
            Style::Json => report.to_json(),
            Style::Summarized => report.summarized().to_json(),
        };
        let _ = self.lines.send(line).await;
    }

    /// Waits until the reader has gone.
    pub(super) async fn closed(&self) {
        self.lines.closed().await;
    }
}

impl Written {
    /// Waits until the last line is written, at most `limit`: a reader that has stopped reading must
    /// not keep the process alive.
    pub(super) async fn wait(mut self, limit: Duration) {
        let _ = tokio::time::timeout(limit, self.0.wait_for(|&ended| ended)).await;
    }
}

fn write_all(mut queue: mpsc::Receiver<String>, mut to: impl Write) -> io::Result<()> {
    while let Some(line) = queue.blocking_recv() {
        to.write_all(line.as_bytes())?;
        to.write_all(b"\n")?;
        to.flush()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
