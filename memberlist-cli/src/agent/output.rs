//! Standard output, written by a thread of its own: a reader that is slow must not hold up the
//! node, whose events are bounded elsewhere.

use std::io::{self, Write};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::report::Report;

/// Lines waiting to be written, at most.
const QUEUE: usize = 1024;

/// Where reports go. Cheap to clone; the writer ends with the last clone.
#[derive(Clone, Debug)]
pub(super) struct Output {
    lines: mpsc::Sender<String>,
    json: bool,
}

/// The end of the writer.
#[derive(Debug)]
pub(super) struct Written(watch::Receiver<bool>);

impl Output {
    /// Starts writing to standard output.
    pub(super) fn start(json: bool) -> (Self, Written) {
        Self::start_with(json, io::stdout())
    }

    fn start_with(json: bool, to: impl Write + Send + 'static) -> (Self, Written) {
        let (lines, queue) = mpsc::channel(QUEUE);
        let (ended, end) = watch::channel(false);
        std::thread::spawn(move || {
            match write_all(queue, to) {
                // Told by whoever notices that nobody reads any more.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
                Err(error) => tracing::error!("standard output: {error}"),
                Ok(()) => {}
            }
            // The agent may have ended without waiting.
            let _ = ended.send(true);
        });
        (Self { lines, json }, Written(end))
    }

    /// Queues a report, waiting while the queue is full. Once nobody reads, reports are lost.
    pub(super) async fn tell(&self, report: Report) {
        let line = if self.json { report.to_json() } else { report.to_text() };
        let _ = self.lines.send(line).await;
    }

    /// Waits until nobody reads any more.
    pub(super) async fn closed(&self) {
        self.lines.closed().await;
    }
}

impl Written {
    /// Waits until the last line is written, `limit` at most: a reader that has stopped reading
    /// must not keep the process.
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
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn every_report_is_one_line_in_order() {
        let shared = Shared::default();
        let (output, written) = Output::start_with(true, shared.clone());
        for score in 0..3000 {
            output.tell(Report::new("health").with("score", score)).await;
        }
        drop(output);
        written.wait(Duration::from_secs(10)).await;
        let bytes = shared.0.lock().unwrap();
        let text = std::str::from_utf8(&bytes).unwrap();
        let scores = text.lines().map(|line| {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            value["score"].as_u64().unwrap()
        });
        assert!(scores.eq(0..3000));
    }

    #[tokio::test]
    async fn a_reader_that_has_gone_is_noticed_and_blocks_nobody() {
        let (output, written) = Output::start_with(false, Closed);
        output.tell(Report::new("health")).await;
        output.closed().await;
        output.tell(Report::new("health")).await;
        written.wait(Duration::from_secs(10)).await;
    }
}
