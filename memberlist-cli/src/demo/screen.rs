//! The output of the demonstration: lines with the time since its start. On a terminal they are
//! coloured, and a spinner shows that the demonstration is waiting.

use std::io::{self, IsTerminal, Write};
use std::time::Instant;

/// Standard output, perhaps a terminal.
#[derive(Debug)]
pub(super) struct Screen {
    start: Instant,
    terminal: bool,
    wheel: usize,
}

/// The colour of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Good,
    Doubt,
    Bad,
}

const WHEEL: [char; 4] = ['|', '/', '-', '\\'];
const CLEAR_LINE: &str = "\r\x1b[2K";

impl Screen {
    pub(super) fn new() -> Self {
        let terminal = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { start: Instant::now(), terminal, wheel: 0 }
    }

    /// Prints the heading of a step.
    pub(super) fn heading(&self, text: &str) {
        let line = if self.terminal { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() };
        self.write(&format!("\n{line}\n"));
    }

    /// Prints a line with the time.
    pub(super) fn line(&self, tone: Tone, text: &str) {
        let seconds = self.start.elapsed().as_secs_f64();
        let text = match tone {
            _ if !self.terminal => text.to_owned(),
            Tone::Plain => text.to_owned(),
            Tone::Good => format!("\x1b[32m{text}\x1b[0m"),
            Tone::Doubt => format!("\x1b[33m{text}\x1b[0m"),
            Tone::Bad => format!("\x1b[31m{text}\x1b[0m"),
        };
        self.write(&format!("[{seconds:7.3} s]  {text}\n"));
    }

    /// Prints text as it is.
    pub(super) fn text(&self, text: &str) {
        self.write(text);
    }

    /// Shows on a terminal what the demonstration is waiting for.
    pub(super) fn turn(&mut self, waiting: &str) {
        if self.terminal {
            self.wheel = (self.wheel + 1) % WHEEL.len();
            self.write(&format!("{} {waiting} ", WHEEL[self.wheel]));
        }
    }

    /// Errors are ignored: without a reader the demonstration still runs to its end.
    fn write(&self, text: &str) {
        let clear = if self.terminal { CLEAR_LINE } else { "" };
        let mut out = io::stdout().lock();
        let _ = write!(out, "{clear}{text}");
        let _ = out.flush();
    }
}
