//! The queue of lines for standard error. A thread of its own writes them: a stalled reader must
//! not stop the node whose packets are logged.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use crate::sink::{self, Sink};

/// The most lines that wait, and the most bytes; further lines are dropped. A longer line waits
/// alone.
const LINES: usize = 1024;
const BYTES: usize = 1 << 20;

/// Set once there is a thread that writes.
static QUEUE: OnceLock<Queue> = OnceLock::new();

/// Starts the thread that writes lines from now on. If it cannot be started, lines are written at
/// once, as before.
pub(crate) fn start() {
    let writer = std::thread::Builder::new().name("stderr".to_owned());
    if writer.spawn(|| QUEUE.get_or_init(Queue::default).write_all(sink::stderr())).is_ok() {
        QUEUE.get_or_init(Queue::default);
    }
}

/// Waits until everything is written, but at most for `limit`.
pub(crate) fn finish(limit: Duration) {
    if let Some(queue) = QUEUE.get() {
        queue.finish(limit);
    }
}

/// Queues a line that ends with a line feed; returns it if there is no thread that writes.
pub(super) fn offer(line: Vec<u8>) -> Option<Vec<u8>> {
    match QUEUE.get() {
        Some(queue) => queue.offer(line),
        None => return Some(line),
    }
    None
}

/// The writer for the lines of the log. Each call of `write` is a line.
pub(crate) fn log() -> impl Write {
    Log
}

struct Log;

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Some(line) = offer(line.to_vec()) {
            io::stderr().write_all(&line)?;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Debug, Default)]
struct Queue {
    state: Mutex<State>,
    /// A line was queued, or written.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    entries: VecDeque<Entry>,
    /// The bytes of the lines among the entries.
    bytes: usize,
    writing: bool,
}

#[derive(Debug)]
enum Entry {
    Line(Vec<u8>),
    /// The number of lines that are missing here.
    Dropped(u64),
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a line, or counts it as missing. Does not wait.
    fn offer(&self, line: Vec<u8>) {
        let mut state = self.lock();
        let full = state.entries.len() >= LINES
            || (state.bytes > 0 && state.bytes.saturating_add(line.len()) > BYTES);
        match state.entries.back_mut() {
            Some(Entry::Dropped(lines)) if full => *lines += 1,
            _ if full => state.entries.push_back(Entry::Dropped(1)),
            _ => {
                state.bytes += line.len();
                state.entries.push_back(Entry::Line(line));
            }
        }
        self.changed.notify_all();
    }

    /// Writes what is queued, forever.
    fn write_all(&self, to: impl Write) {
        let (mut sink, mut failed) = (Sink::new(to), 0_u64);
        loop {
            let line = self.next();
            if failed > 0 && sink.write(&missing(failed, "could not be written")).is_ok() {
                failed = 0;
            }
            let written = match &line {
                Entry::Line(line) => sink.write(line),
                Entry::Dropped(lines) => sink.write(&missing(*lines, "were not read in time")),
            };
            if written.is_err() {
                failed += match line {
                    Entry::Line(_) => 1,
                    Entry::Dropped(lines) => lines,
                };
            }
            self.lock().writing = false;
            self.changed.notify_all();
        }
    }

    /// Waits for the next entry.
    fn next(&self) -> Entry {
        let mut state = self.lock();
        loop {
            if let Some(entry) = state.entries.pop_front() {
                if let Entry::Line(line) = &entry {
                    state.bytes -= line.len();
                }
                state.writing = true;
                return entry;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn finish(&self, limit: Duration) {
        let busy = |state: &mut State| state.writing || !state.entries.is_empty();
        drop(self.changed.wait_timeout_while(self.lock(), limit, busy));
    }
}

fn missing(lines: u64, why: &str) -> Vec<u8> {
    format!("memberlist: lines missing here, which {why}: {lines}\n").into_bytes()
}

#[cfg(test)]
mod tests;
