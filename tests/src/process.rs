//! A child process whose output is collected while it runs.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::binary::INSTALL;

/// How long a wait may take before the test fails. Normally it takes less than a quarter of this.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How many lines of a log a failure message shows.
const SHOWN_LINES: usize = 40;
/// Longer lines are truncated in a failure message.
const SHOWN_WIDTH: usize = 400;

/// A child process; killed when dropped.
#[derive(Debug)]
pub struct Process {
    what: String,
    child: Mutex<Child>,
    pid: u32,
    stdin: Mutex<Option<ChildStdin>>,
    output: Arc<Output>,
}

impl Process {
    /// Starts `command`; panics with install instructions if the program is missing.
    pub fn spawn(what: &str, command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{what}: {error} starting {command:?}\n{INSTALL}"));
        let output = Arc::new(Output::default());
        output.collect(child.stdout.take().expect("piped"), |log| &mut log.stdout);
        output.collect(child.stderr.take().expect("piped"), |log| &mut log.stderr);
        Self {
            what: what.to_owned(),
            pid: child.id(),
            stdin: Mutex::new(child.stdin.take()),
            child: Mutex::new(child),
            output,
        }
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Writes one line to standard input.
    pub fn write_line(&self, line: &[u8]) {
        let mut guard = lock(&self.stdin);
        let stdin = guard.as_mut().expect("standard input is still open");
        let written = stdin.write_all(line).and_then(|()| stdin.write_all(b"\n"));
        if let Err(error) = written.and_then(|()| stdin.flush()) {
            panic!("{}: {error} writing a command\n{}", self.what, self.transcript());
        }
    }

    /// Closes standard input.
    pub fn close_stdin(&self) {
        lock(&self.stdin).take();
    }

    /// Stops the process without warning, as `kill -9` does.
    pub fn kill(&self) {
        let mut child = lock(&self.child);
        // Fails only if the process has already ended, which is fine.
        let _ = child.kill();
        let _ = child.wait();
    }

    /// Sends a signal by name, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let status =
            Command::new("kill").arg(format!("-{name}")).arg(self.pid.to_string()).status();
        assert!(status.is_ok_and(|status| status.success()), "kill -{name} {}", self.what);
    }

    /// How the process ended; `None` if it still runs.
    pub fn exited(&self) -> Option<ExitStatus> {
        lock(&self.child).try_wait().expect("the status of a child")
    }

    /// Waits until the process ends by itself.
    #[track_caller]
    pub fn wait_exit(&self) -> ExitStatus {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.exited() {
                self.output.wait_closed(until);
                return status;
            }
            assert!(Instant::now() < until, "{} does not end\n{}", self.what, self.transcript());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// The lines of standard output from number `from` on, counted from 0.
    pub fn stdout_from(&self, from: usize) -> Vec<String> {
        lock(&self.output.log).stdout.lines.iter().skip(from).cloned().collect()
    }

    /// The text of standard error so far.
    pub fn stderr(&self) -> String {
        lock(&self.output.log).stderr.lines.join("\n")
    }

    /// Blocks until there is more output than when `seen` lines had been read from standard
    /// output, until standard output ends, or until `until`. Returns whether there is more.
    pub fn wait_stdout(&self, seen: usize, until: Instant) -> bool {
        self.output.wait(until, |log| log.stdout.lines.len() > seen || log.stdout.closed)
            && self.stdout_len() > seen
    }

    /// The number of lines of standard output so far.
    pub fn stdout_len(&self) -> usize {
        lock(&self.output.log).stdout.lines.len()
    }

    /// Waits until either output has a line that contains `text`.
    #[track_caller]
    pub fn wait_text(&self, text: &str) {
        let found = self.output.wait(Instant::now() + PATIENCE, |log| {
            let mut lines = log.stdout.lines.iter().chain(&log.stderr.lines);
            lines.any(|line| line.contains(text))
        });
        assert!(found, "{} never printed {text:?}\n{}", self.what, self.transcript());
    }

    /// The last lines of both outputs, for failure messages.
    pub fn transcript(&self) -> String {
        let log = lock(&self.output.log);
        let mut text = String::new();
        for (title, stream) in [("standard output", &log.stdout), ("standard error", &log.stderr)] {
            let _ = writeln!(text, "--- {} {title}", self.what);
            for line in &stream.lines[stream.lines.len().saturating_sub(SHOWN_LINES)..] {
                let _ = writeln!(text, "{}", line.chars().take(SHOWN_WIDTH).collect::<String>());
            }
        }
        text
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Calls `probe` until it succeeds; panics with its last error after [`PATIENCE`].
#[track_caller]
pub fn eventually<T>(what: &str, probe: impl FnMut() -> Result<T, String>) -> T {
    eventually_within(PATIENCE, what, probe)
}

/// Like [`eventually`], for what may take longer than [`PATIENCE`].
#[track_caller]
pub fn eventually_within<T>(
    patience: Duration,
    what: &str,
    mut probe: impl FnMut() -> Result<T, String>,
) -> T {
    let until = Instant::now() + patience;
    loop {
        match probe() {
            Ok(found) => return found,
            Err(complaint) if Instant::now() > until => panic!("{what}: {complaint}"),
            Err(_) => thread::sleep(Duration::from_millis(50)),
        }
    }
}

#[derive(Debug, Default)]
struct Output {
    log: Mutex<Log>,
    grown: Condvar,
}

#[derive(Debug, Default)]
struct Log {
    stdout: Stream,
    stderr: Stream,
}

#[derive(Debug, Default)]
struct Stream {
    lines: Vec<String>,
    closed: bool,
}

impl Output {
    fn collect(
        self: &Arc<Self>,
        source: impl Read + Send + 'static,
        stream: impl Fn(&mut Log) -> &mut Stream + Send + 'static,
    ) {
        let output = Arc::clone(self);
        thread::spawn(move || {
            let mut source = BufReader::new(source);
            let mut line = Vec::new();
            while source.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                let text = String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned();
                stream(&mut lock(&output.log)).lines.push(text);
                output.grown.notify_all();
                line.clear();
            }
            stream(&mut lock(&output.log)).closed = true;
            output.grown.notify_all();
        });
    }

    fn wait(&self, until: Instant, done: impl Fn(&Log) -> bool) -> bool {
        let mut log = lock(&self.log);
        while !done(&log) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            log = self.grown.wait_timeout(log, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    fn wait_closed(&self, until: Instant) {
        self.wait(until, |log| log.stdout.closed && log.stderr.closed);
    }
}

/// A failed assertion in another thread must not hide the log behind a poisoned lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
