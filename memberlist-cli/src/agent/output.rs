//! Lines of output. A thread of its own writes standard output, because a slow reader must not
//! block the node. The driver bounds the events that wait for it, [`Output`] the lines.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

use super::report::Report;
use crate::sink::{self, Sink};
use crate::stderr;

/// The bounds of what waits to be written to standard output.
const QUEUE: Bounds = Bounds { lines: 1024, bytes: 4 << 20 };

/// Writes reports. Cheap to clone; the writer ends when the last clone is dropped.
#[derive(Clone, Debug)]
pub(super) struct Output {
    lines: mpsc::Sender<Waiting>,
    /// One permit for each byte that may still wait.
    room: Arc<Semaphore>,
    bytes: u32,
    style: Style,
}

/// The most that may wait in a queue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) lines: usize,
    /// A longer line waits alone.
    pub(super) bytes: u32,
}

/// A line with its line feed. It occupies room in the queue until it is dropped, once it is
/// written.
#[derive(Debug)]
pub(super) struct Waiting {
    line: String,
    _room: OwnedSemaphorePermit,
}

/// How reports are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// For people.
    Text,
    /// As JSON.
    Json,
    /// As JSON, in which events also have their text for people, as the field `summary`.
    #[cfg_attr(not(unix), allow(dead_code))] // Only the control socket needs it.
    Summarized,
}

/// Reports that the writer has ended.
#[derive(Debug)]
pub(super) struct Written(watch::Receiver<bool>);

impl Output {
    /// Starts writing to standard output.
    pub(super) fn start(style: Style) -> (Self, Written) {
        Self::start_with(style, sink::stdout(), |line| stderr::say(line))
    }

    /// Creates an output, and the queue from which its lines must be taken.
    pub(super) fn queue(style: Style, bounds: Bounds) -> (Self, mpsc::Receiver<Waiting>) {
        let (lines, queue) = mpsc::channel(bounds.lines);
        let room = Arc::new(Semaphore::new(bounds.bytes as usize));
        (Self { lines, room, bytes: bounds.bytes, style }, queue)
    }

    fn start_with(
        style: Style,
        to: impl Write + Send + 'static,
        say: impl Fn(&str) + Send + 'static,
    ) -> (Self, Written) {
        let (output, queue) = Self::queue(style, QUEUE);
        let (ended, end) = watch::channel(false);
        std::thread::spawn(move || {
            write_all(queue, to, say);
            // Fails if the agent has ended without waiting.
            let _ = ended.send(true);
        });
        (output, Written(end))
    }

    /// Queues a report, waiting while the queue is full. Once the reader has gone, reports are lost.
    pub(super) async fn write(&self, report: Report) {
        let line = self.style.line(report);
        let bytes = u32::try_from(line.len()).unwrap_or(u32::MAX).min(self.bytes);
        // The semaphore is never closed.
        let Ok(room) = Arc::clone(&self.room).acquire_many_owned(bytes).await else { return };
        let _ = self.lines.send(Waiting { line, _room: room }).await;
    }

    /// Waits until the reader has gone.
    pub(super) async fn closed(&self) {
        self.lines.closed().await;
    }
}

impl Style {
    fn line(self, report: Report) -> String {
        let mut line = match self {
            Self::Text => report.to_text(),
            Self::Json => report.to_json(),
            Self::Summarized => report.summarized().to_json(),
        };
        line.push('\n');
        line
    }
}

impl Waiting {
    pub(super) fn bytes(&self) -> &[u8] {
        self.line.as_bytes()
    }
}

impl Written {
    /// Waits until the last line is written, but at most for `limit`: a reader that has stopped
    /// reading must not keep the process alive.
    pub(super) async fn wait(mut self, limit: Duration) {
        let _ = tokio::time::timeout(limit, self.0.wait_for(|&ended| ended)).await;
    }
}

/// Writes lines until there are no more, or the reader has gone, which the agent notices through
/// [`Output::closed`]. Lines that cannot be written for any other reason, such as a full disk, are
/// lost; `say` is called once when that begins, and once when writing works again.
fn write_all(mut queue: mpsc::Receiver<Waiting>, to: impl Write, say: impl Fn(&str)) {
    let (mut sink, mut lost) = (Sink::new(to), 0_u64);
    while let Some(line) = queue.blocking_recv() {
        match sink.write(line.bytes()) {
            Ok(()) if lost == 0 => {}
            Ok(()) => {
                say(&format!("standard output: works again; lines lost: {lost}"));
                lost = 0;
            }
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return,
            Err(error) => {
                if lost == 0 {
                    say(&format!("standard output: {error}; its lines are lost until it works"));
                }
                lost += 1;
            }
        }
    }
    if lost > 0 {
        say(&format!("standard output: lines lost: {lost}"));
    }
}

#[cfg(test)]
mod tests;
