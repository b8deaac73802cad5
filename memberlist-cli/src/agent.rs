//! `memberlist agent`: one node in the foreground, controlled by commands on standard input.

mod args;
mod command;
#[cfg(unix)]
mod control;
mod descriptors;
mod event;
mod execute;
mod http;
mod input;
mod key_file;
mod kinds;
mod notify;
mod output;
mod report;
mod seeds;
mod session;
mod settings;
mod signals;
mod snapshot;
mod socket;
mod transport;

use std::convert::Infallible;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, Instant};

use memberlist_driver::{Error, Events, Handle};
use memberlist_proto::NodeName;
use tokio::sync::{Notify, mpsc, watch};

pub(crate) use self::args::Args;
use self::command::LEAVE_TIMEOUT;
pub(crate) use self::descriptors::raised_limit;
use self::execute::{About, Execution};
use self::input::Input;
pub(crate) use self::kinds::Kinds;
use self::output::{Output, Style};
use self::seeds::Holders;
use self::session::{Next, Session};
pub(crate) use self::settings::Settings;
use self::signals::Signals;
use self::snapshot::Snapshot;
use self::socket::Socket;
use crate::failure::Failure;
use crate::node::{self, Carried};
use crate::stderr;

/// How long the line about an immediate end may delay it.
const LAST_WORD: Duration = Duration::from_millis(100);
/// How long unfinished commands and unwritten lines may delay the end of the process.
const LAST_WORDS: Duration = Duration::from_secs(2);

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let settings = args.settings()?;
    let transport = args.transport()?;
    descriptors::prepare(&settings.config.limits);
    // Must come before there is a thread that creates files.
    let socket = Socket::claim(args, &settings)?;
    let snapshot = args.snapshot.as_deref().map(Snapshot::open).transpose()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format_args!("cannot start the runtime: {error}")))?;
    let result = runtime.block_on(async {
        let signals = Signals::start()
            .map_err(|error| Failure::failed(format_args!("cannot handle signals: {error}")))?;
        let servers = http::Servers::start(args).await?;
        let carried = Arc::new(Carried::default());
        let (node, events) = node::start(
            args.runtime,
            settings,
            Some(Arc::clone(&carried)),
            transport,
            args.recording(),
            args.name_servers(),
        )
        .await?;
        let (output, written) = Output::start(if args.json { Style::Json } else { Style::Text });
        let about = Arc::new(About {
            runtime: args.runtime,
            began: Instant::now(),
            control: socket.path(),
            page: servers.serve(&node)?,
        });
        let execution = Execution { node: node.clone(), carried, about };
        let agent = Agent { node, execution, output, socket, quit: Arc::default() };
        let result = agent.run(args, snapshot, events, signals).await;
        written.wait(LAST_WORDS).await;
        result
    });
    // A name look-up or a delegate call may still be running in the background.
    runtime.shutdown_background();
    result
}

/// A running node, its output, and the sources of its commands.
struct Agent {
    node: Handle,
    execution: Execution,
    output: Output,
    socket: Socket,
    /// Notified when a client of the control socket asks the agent to end.
    quit: Arc<Notify>,
}

/// Something that the agent waits for besides lines and events, if it is under way.
type Pending<T> = Option<Running<T>>;
type Running<T> = Pin<Box<dyn Future<Output = T> + Send>>;

impl Agent {
    /// Runs until `quit`, a signal or a failure, then stops the node.
    async fn run(
        self,
        args: &Args,
        mut snapshot: Option<Snapshot>,
        mut events: Events,
        mut signals: Signals,
    ) -> Result<(), Failure> {
        self.output.write(execute::started(&self.node, &self.execution.about)).await;
        if let Some(snapshot) = &mut snapshot {
            snapshot.recall(&self.node)?;
        }
        let (ended, end) = watch::channel(false);
        let clients = self.socket.serve(&self.execution, &self.quit, end)?;
        let (wanted, kinds) = watch::channel(args.events());
        let mut session = Session::new(self.execution.clone(), self.output.clone(), wanted);
        let result = {
            // Signals are handled even while these two wait for a reader of standard output.
            let mut reporting = pin!(self.report_events(&mut events, &kinds));
            let mut executing = pin!(execute_all(input::start(), &mut session));
            let ended =
                self.wait_for_end(args, &mut signals, reporting.as_mut(), executing.as_mut());
            tokio::select! {
                result = ended => result,
                never = keep(&mut snapshot, &self.node) => match never {},
            }
        };
        if let Some(snapshot) = &mut snapshot {
            // A disk that does not answer must not keep the process running.
            let _ = tokio::time::timeout(LAST_WORDS, snapshot.save(&self.node)).await;
        }
        let farewell = async {
            self.node.shutdown().await;
            // Report the remaining events, then wait for the commands, which fail now that the node
            // has ended.
            self.report_events(&mut events, &kinds).await;
            session.finish().await;
            // The receiver has gone if no client can connect.
            let _ = ended.send(true);
            if let Some(clients) = clients {
                let _ = clients.await;
            }
        };
        tokio::select! {
            _ = tokio::time::timeout(LAST_WORDS, farewell) => {}
            () = signals.next() => {}
        }
        result
    }

    async fn wait_for_end(
        &self,
        args: &Args,
        signals: &mut Signals,
        mut reporting: Pin<&mut impl Future<Output = ()>>,
        mut executing: Pin<&mut impl Future<Output = ()>>,
    ) -> Result<(), Failure> {
        let mut joining = self.join(args);
        let mut leaving: Pending<Result<(), Error>> = None;
        let mut settling: Pending<Result<usize, Error>> = None;
        if joining.is_none() {
            settling = Some(self.settle());
        } else {
            notify::joining();
        }
        loop {
            tokio::select! {
                () = &mut reporting => return Err(Failure::failed("the node has ended by itself")),
                () = &mut executing => return Ok(()),
                () = self.quit.notified() => return Ok(()),
                joined = wait(&mut joining) => match joined {
                    Ok(()) => {
                        joining = None;
                        settling = Some(self.settle());
                    }
                    Err(failure) => return Err(failure),
                },
                settled = wait(&mut settling) => {
                    settling = None;
                    if let Ok(members) = settled {
                        notify::ready(members);
                    }
                }
                left = wait(&mut leaving) => {
                    if let Err(error) = left {
                        let what = "left, but some members may not know it";
                        stderr::say(format_args!("{what}: {error}"));
                    }
                    return Ok(());
                }
                () = signals.next() => {
                    if leaving.is_some() {
                        // Ends at once, without waiting for anything.
                        stderr::say("stopped by a second signal");
                        self.socket.remove();
                        stderr::finish(LAST_WORD);
                        std::process::exit(1);
                    }
                    joining = None;
                    leaving = Some(self.leave());
                }
                () = self.output.closed(), if leaving.is_none() => {
                    stderr::say("standard output is closed, leaving");
                    joining = None;
                    leaving = Some(self.leave());
                }
            }
        }
    }

    /// Reports the events that are wanted until the node has ended.
    async fn report_events(&self, events: &mut Events, kinds: &watch::Receiver<Kinds>) {
        let name = NodeName::from(self.node.local().name());
        let mut holders = Holders::default();
        while let Some(event) = events.next().await {
            if let Some(line) = holders.note(&name, &event) {
                stderr::say(line);
            }
            let report = event::report(&event);
            let wanted = report.filter(|report| kinds.borrow().include(report.event()));
            if let Some(report) = wanted {
                self.output.write(report).await;
            }
        }
    }

    /// Joins through the seeds of `--join`, if there are any.
    fn join(&self, args: &Args) -> Pending<Result<(), Failure>> {
        if args.join.is_empty() {
            return None;
        }
        let (node, output) = (self.node.clone(), self.output.clone());
        Some(Box::pin(seeds::join(node, output, args.join.clone(), args.join_once)))
    }

    /// Waits until the membership has settled.
    fn settle(&self) -> Running<Result<usize, Error>> {
        Box::pin(notify::settled(self.node.clone()))
    }

    /// Leaves gracefully.
    fn leave(&self) -> Running<Result<(), Error>> {
        notify::stopping();
        let node = self.node.clone();
        Box::pin(async move { execute::leave(&node, LEAVE_TIMEOUT).await })
    }
}

/// Executes lines until `quit`. The end of the input does not end the agent.
async fn execute_all(mut lines: mpsc::Receiver<Input>, session: &mut Session) {
    loop {
        // Frees the commands that have replied meanwhile.
        session.room(usize::MAX).await;
        let Some(line) = lines.recv().await else { break };
        if session.execute(line).await == Next::Quit {
            return;
        }
    }
    std::future::pending::<()>().await;
}

/// Keeps the snapshot file up to date forever, if there is one.
async fn keep(snapshot: &mut Option<Snapshot>, node: &Handle) -> Infallible {
    match snapshot {
        Some(snapshot) => snapshot.keep(node).await,
        None => std::future::pending().await,
    }
}

/// Waits for something that is pending; forever if nothing is.
async fn wait<T>(pending: &mut Pending<T>) -> T {
    match pending {
        Some(pending) => pending.await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
