//! The control socket: the line protocol for any number of clients, each with bounds of its own.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use memberlist_driver::{EventBounds, Handle};
use memberlist_proto::NodeName;
use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;

use super::event;
use super::execute::Execution;
use super::input;
use super::kinds::Kinds;
use super::output::{Bounds, Output, Style, Waiting};
use super::report::Report;
use super::session::{Next, Session};
use crate::failure::Failure;
use crate::socket::{Claim, ClaimError};

/// The most clients at a time; others get an error and are disconnected.
const CLIENTS: usize = 64;
/// The most commands of one client that have not replied yet; its further lines wait.
const WAITING: usize = 64;
/// The most that waits for one client to read it. Commands that produce more wait.
const QUEUE: Bounds = Bounds { lines: 16, bytes: 1 << 20 };
/// The events that wait for a client that reads them slowly: at least the last one about each node.
const BOUNDS: EventBounds = EventBounds::new(1024, 4 << 20);
/// How long the end of the process waits for clients to read their last replies.
const PARTING: Duration = Duration::from_millis(500);
/// The pause after a connection that could not be accepted.
const PAUSE: Duration = Duration::from_millis(100);

/// Where the agent listens for clients.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Place {
    /// In the directory for control sockets, under the name of the node.
    #[default]
    Default,
    /// At this path.
    Path(PathBuf),
    /// Nowhere.
    Nowhere,
}

impl Place {
    /// Parses the value of `--control`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "" => Err("expected a path, or `none`".to_owned()),
            "none" => Ok(Self::Nowhere),
            path => Ok(Self::Path(path.into())),
        }
    }

    /// Claims the socket. If the default one cannot be created, the agent logs a warning and runs
    /// without: its standard input still takes commands.
    pub(super) fn claim(&self, name: &NodeName) -> Result<Option<Claim>, Failure> {
        let claimed = match self {
            Self::Nowhere => return Ok(None),
            Self::Path(path) => Claim::at(path),
            Self::Default => Claim::default(name.as_bytes()),
        };
        match claimed {
            Ok(claim) => Ok(Some(claim)),
            Err(ClaimError::Io(path, error)) if *self == Self::Default => {
                let path = path.display();
                tracing::warn!(
                    "no control socket: {path}: {error}; `--control PATH` puts it elsewhere, \
                     `--control none` does without"
                );
                Ok(None)
            }
            Err(error @ ClaimError::Taken(_)) => Err(Failure::failed(format_args!(
                "--control: {error}; give this one another `--name`, or another socket with \
                 `--control PATH`, or `--control none`"
            ))),
            Err(error) => Err(Failure::failed(format_args!("--control: {error}"))),
        }
    }
}

/// Serves the clients of a control socket.
pub(super) struct Control {
    listener: UnixListener,
    execution: Execution,
    quit: Arc<Notify>,
}

impl Control {
    /// Prepares to serve clients. `quit` is notified when a client asks the agent to end.
    pub(super) fn new(
        claim: &Claim,
        execution: Execution,
        quit: Arc<Notify>,
    ) -> Result<Self, Failure> {
        let failed = |error| Failure::failed(format_args!("the control socket: {error}"));
        let listener = claim.listener().map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let listener = UnixListener::from_std(listener).map_err(failed)?;
        Ok(Self { listener, execution, quit })
    }

    /// Accepts clients until `ended` is true, then waits briefly until they have read their
    /// replies.
    pub(super) async fn serve(self, mut ended: watch::Receiver<bool>) {
        let mut clients = JoinSet::new();
        let end = ended.clone();
        let accepting = async {
            loop {
                while clients.try_join_next().is_some() {}
                match self.listener.accept().await {
                    Ok((stream, _)) if clients.len() >= CLIENTS => refuse(&stream),
                    Ok((stream, _)) => {
                        let (execution, quit) = (self.execution.clone(), Arc::clone(&self.quit));
                        clients.spawn(serve(stream, execution, quit, end.clone()));
                    }
                    Err(_) => tokio::time::sleep(PAUSE).await,
                }
            }
        };
        tokio::select! {
            () = accepting => {}
            () = end_of(&mut ended) => {}
        }
        let all = async { while clients.join_next().await.is_some() {} };
        // Clients that have not read them are disconnected.
        let _ = tokio::time::timeout(PARTING, all).await;
    }
}

/// Reports to a client beyond the limit why it is disconnected, if that is possible without
/// waiting.
fn refuse(stream: &UnixStream) {
    let message = format!("{CLIENTS} clients are connected already");
    let line = Report::error("", message).to_json() + "\n";
    let _ = stream.try_write(line.as_bytes());
}

/// Serves one client until it or the agent ends.
async fn serve(
    stream: UnixStream,
    execution: Execution,
    quit: Arc<Notify>,
    mut ended: watch::Receiver<bool>,
) {
    let (reader, writer) = stream.into_split();
    let (output, lines) = Output::queue(Style::Summarized, QUEUE);
    let commands = async {
        let (wanted, kinds) = watch::channel(Kinds::None);
        let node = execution.node.clone();
        let mut session = Session::new(execution, output.clone(), wanted);
        let mut events = JoinSet::new();
        let mut reader = BufReader::new(reader);
        loop {
            session.room(WAITING).await;
            let line = tokio::select! {
                line = input::read(&mut reader) => line,
                () = end_of(&mut ended) => {
                    session.finish().await;
                    // These end after the node's last event.
                    while events.join_next().await.is_some() {}
                    return;
                }
            };
            let Ok(Some(line)) = line else { break };
            match session.execute(line).await {
                Next::Quit => quit.notify_one(),
                Next::Watch if events.is_empty() => {
                    events.spawn(report_events(node.clone(), kinds.clone(), output.clone()));
                }
                Next::Watch | Next::Line => {}
            }
        }
        // The client sends nothing more: its last replies are still written, but no events.
        events.shutdown().await;
        session.finish().await;
    };
    let mut writing = std::pin::pin!(write_all(lines, writer));
    tokio::select! {
        // The client has gone.
        () = &mut writing => return,
        () = commands => {}
    }
    drop(output);
    // What is queued is still written.
    writing.await;
}

/// Waits until the agent ends.
async fn end_of(ended: &mut watch::Receiver<bool>) {
    // An error means that the agent has ended, too.
    let _ = ended.wait_for(|&ended| ended).await;
}

/// Reports the events that the client wants, from now to the end of the node.
async fn report_events(node: Handle, kinds: watch::Receiver<Kinds>, output: Output) {
    // It fails only if called from within a delegate.
    let Ok(mut events) = node.subscribe(BOUNDS) else { return };
    while let Some(event) = events.next().await {
        let report = event::report(&event);
        let wanted = report.filter(|report| kinds.borrow().include(report.event()));
        if let Some(report) = wanted {
            output.write(report).await;
        }
    }
}

/// Writes lines until there are no more, or the client has gone.
async fn write_all(mut lines: mpsc::Receiver<Waiting>, mut to: OwnedWriteHalf) {
    while let Some(line) = lines.recv().await {
        if to.write_all(line.bytes()).await.is_err() {
            return;
        }
    }
}
