//! The connection to an agent: finds its control socket, sends commands and receives replies.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::args::Common;
use crate::failure::Failure;
use crate::socket;

/// How long an agent may take to answer, besides the time for which the command itself makes it
/// wait. By default, a join takes at most 10 seconds.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// A connection to an agent.
pub(super) struct Connection {
    reader: BufReader<UnixStream>,
    path: PathBuf,
    next_id: u64,
}

impl Connection {
    /// Connects to the agent that the flags select.
    pub(super) fn open(common: &Common) -> Result<Self, Failure> {
        let path = find(common)?;
        let stream = UnixStream::connect(&path).map_err(|error| {
            let hint = match error.kind() {
                io::ErrorKind::NotFound => "; no agent has made this socket",
                io::ErrorKind::ConnectionRefused => "; the agent that made this socket has ended",
                _ => "",
            };
            Failure::unreachable(format_args!("{}: {error}{hint}", path.display()))
        })?;
        let connection = Self { reader: BufReader::new(stream), path, next_id: 1 };
        connection.patience(Some(PATIENCE))?;
        Ok(connection)
    }

    /// Limits how long an answer may take; `None` for no limit.
    pub(super) fn patience(&self, limit: Option<Duration>) -> Result<(), Failure> {
        let stream = self.reader.get_ref();
        stream
            .set_read_timeout(limit)
            .and_then(|()| stream.set_write_timeout(limit))
            .map_err(|error| self.lost(&error))
    }

    /// Sends a command, and waits for its reply.
    ///
    /// # Errors
    ///
    /// The agent answers with an error, whose message is that of the failure, or does not answer.
    pub(super) fn ask(&mut self, command: &[u8]) -> Result<Value, Failure> {
        let id = self.send(command)?;
        loop {
            let line = self.receive()?;
            // An error without an id says why the agent disconnects; other lines are events.
            if line["id"] == id.as_str() || is_error(&line) && line["id"].is_null() {
                return checked(line);
            }
        }
    }

    /// Sends a command, and returns the id of its reply.
    pub(super) fn send(&mut self, command: &[u8]) -> Result<String, Failure> {
        let id = self.next_id.to_string();
        self.next_id += 1;
        let line = [b"#", id.as_bytes(), b" ", command, b"\n"].concat();
        match self.reader.get_ref().write_all(&line) {
            Ok(()) => Ok(id),
            // The agent may have reported the reason before it disconnected.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                checked(self.receive()?).and_then(|_| Err(self.lost(&error)))
            }
            Err(error) => Err(self.lost(&error)),
        }
    }

    /// Receives the next line of the agent.
    pub(super) fn receive(&mut self) -> Result<Value, Failure> {
        let mut line = Vec::new();
        match self.reader.read_until(b'\n', &mut line) {
            Ok(_) if line.last() != Some(&b'\n') => {
                Err(Failure::unreachable(format_args!("{}: the agent has ended", self.shown())))
            }
            Ok(_) => serde_json::from_slice(&line).map_err(|error| {
                let path = self.shown();
                Failure::unreachable(format_args!("{path}: not the answer of an agent: {error}"))
            }),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(Failure::unreachable(
                format_args!("{}: the agent does not answer", self.shown()),
            )),
            Err(error) => Err(self.lost(&error)),
        }
    }

    fn lost(&self, error: &io::Error) -> Failure {
        Failure::unreachable(format_args!("{}: {error}", self.shown()))
    }

    fn shown(&self) -> impl std::fmt::Display {
        self.path.display()
    }
}

/// Returns a reply, or the failure that it reports.
pub(super) fn checked(reply: Value) -> Result<Value, Failure> {
    if !is_error(&reply) {
        return Ok(reply);
    }
    let text = |key: &str| reply[key].as_str().unwrap_or_default().to_owned();
    let (command, message) = (text("command"), text("message"));
    let command = command.strip_suffix("-hex").unwrap_or(&command);
    if command.is_empty() {
        return Err(Failure::unreachable(message));
    }
    Err(Failure::failed(format_args!("{command}: {message}")))
}

pub(super) fn is_error(reply: &Value) -> bool {
    reply["event"] == "error"
}

/// The socket that the flags and the environment select.
fn find(common: &Common) -> Result<PathBuf, Failure> {
    if let Some(name) = &common.agent {
        return socket::find(name.as_bytes())
            .map_err(|error| Failure::unreachable(format_args!("--agent {name}: {error}")));
    }
    if let Some(path) = &common.control {
        if path == Path::new("none") {
            return Err(Failure::usage("--control: expected the path of a socket"));
        }
        return Ok(path.clone());
    }
    let directory = socket::directory();
    let directory = directory.display();
    let mut found = socket::running()
        .map_err(|error| Failure::unreachable(format_args!("{directory}: {error}")))?;
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(Failure::unreachable(format_args!(
            "no agent of this user runs: there is no live socket in {directory}; `memberlist agent` \
             starts one, `--control PATH` or {} names a socket elsewhere",
            socket::VARIABLE
        ))),
        several => {
            let names: Vec<_> = found.iter().map(|path| path.display().to_string()).collect();
            Err(Failure::unreachable(format_args!(
                "{several} agents run: choose one by `--agent NAME` or `--control PATH`: {}",
                names.join(", ")
            )))
        }
    }
}
