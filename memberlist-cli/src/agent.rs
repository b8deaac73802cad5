//! `memberlist agent`: one node in the foreground, controlled by commands on standard input.

mod args;
mod command;
mod descriptors;
mod event;
mod execute;
mod http;
mod input;
mod output;
mod report;
mod seeds;
mod settings;
mod signals;
mod snapshot;

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use memberlist_driver::{Error, Events, Handle};
use memberlist_proto::NodeName;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

pub(crate) use self::args::Args;
use self::command::{Command, LEAVE_TIMEOUT, Line};
use self::execute::Execution;
use self::input::Input;
use self::output::Output;
use self::report::Report;
use self::seeds::Holders;
pub(crate) use self::settings::{Settings, value::key};
use self::signals::Signals;
use self::snapshot::Snapshot;
use crate::failure::Failure;
use crate::node::{self, Carried};

/// How long unfinished commands and unwritten lines may delay the end of the process.
const LAST_WORDS: Duration = Duration::from_secs(2);

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let settings = args.settings()?;
    descriptors::prepare(&settings.config.limits);
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
        let (node, events) =
            node::start(args.runtime, settings, Some(Arc::clone(&carried))).await?;
        let (output, written) = Output::start(args.json);
        let page = servers.serve(&node)?;
        let agent = Agent { node, carried, output, page };
        let result = agent.run(args, snapshot, events, signals).await;
        written.wait(LAST_WORDS).await;
        result
    });
    // A name look-up or a delegate call may still be running in the background.
    runtime.shutdown_background();
    result
}

/// A running node and the output for its reports.
struct Agent {
    node: Handle,
    carried: Arc<Carried>,
    output: Output,
    /// Where the page is served.
    page: Option<SocketAddr>,
}

/// What the agent waits for besides lines and events.
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
        self.output.write(execute::started(&self.node, self.page)).await;
        if let Some(snapshot) = &mut snapshot {
            snapshot.recall(&self.node)?;
        }
        // Commands whose replies are still to come.
        let mut replies = JoinSet::new();
        let result = {
            // Signals are handled even while these two wait for a reader of standard output.
            let mut reporting = pin!(self.report_events(&mut events));
            let mut executing = pin!(self.execute_all(input::start(), &mut replies));
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
            // Report the remaining events, then wait for the commands that the end has failed.
            self.report_rest(&mut events).await;
            while replies.join_next().await.is_some() {}
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
        mut reporting: Pin<&mut impl Future<Output = Infallible>>,
        mut executing: Pin<&mut impl Future<Output = ()>>,
    ) -> Result<(), Failure> {
        let mut joining = self.join(args);
        let mut leaving: Pending<Result<(), Error>> = None;
        loop {
            tokio::select! {
                never = &mut reporting => match never {},
                () = &mut executing => return Ok(()),
                joined = wait(&mut joining) => match joined {
                    Ok(()) => joining = None,
                    Err(failure) => return Err(failure),
                },
                left = wait(&mut leaving) => {
                    if let Err(error) = left {
                        eprintln!("memberlist: left, but some members may not know it: {error}");
                    }
                    return Ok(());
                }
                () = signals.next() => {
                    if leaving.is_some() {
                        // At once: without waiting for anything.
                        eprintln!("memberlist: stopped by a second signal");
                        std::process::exit(1);
                    }
                    joining = None;
                    leaving = Some(self.leave());
                }
                () = self.output.closed(), if leaving.is_none() => {
                    eprintln!("memberlist: standard output is closed, leaving");
                    joining = None;
                    leaving = Some(self.leave());
                }
            }
        }
    }

    /// Reports every event, and then waits forever.
    async fn report_events(&self, events: &mut Events) -> Infallible {
        self.report_rest(events).await;
        // The node has ended: there are no more events.
        std::future::pending().await
    }

    /// Reports every event until the node has ended.
    async fn report_rest(&self, events: &mut Events) {
        let name = NodeName::from(self.node.local().name());
        let mut holders = Holders::default();
        while let Some(event) = events.next().await {
            if let Some(line) = holders.note(&name, &event) {
                eprintln!("memberlist: {line}");
            }
            if let Some(report) = event::report(&event) {
                self.output.write(report).await;
            }
        }
    }

    /// Executes lines until `quit`. The end of the input does not end the agent.
    async fn execute_all(&self, mut lines: mpsc::Receiver<Input>, replies: &mut JoinSet<()>) {
        loop {
            tokio::select! {
                line = lines.recv() => match line {
                    Some(line) => if self.execute(line, replies).await.is_break() { return },
                    None => break,
                },
                Some(_) = replies.join_next() => {}
            }
        }
        std::future::pending::<()>().await;
    }

    /// Executes one line of input. A command that completes immediately is answered before the next
    /// one; a command that has to wait continues beside those that follow.
    async fn execute(&self, input: Input, replies: &mut JoinSet<()>) -> ControlFlow<()> {
        let line = match input {
            Ok(bytes) => Line::parse(&bytes),
            Err(error) => {
                self.output.write(Report::error("", error)).await;
                return ControlFlow::Continue(());
            }
        };
        let Some(Line { id, name, command }) = line else {
            return ControlFlow::Continue(());
        };
        let stop = matches!(command, Ok(Command::Quit));
        let execution = Execution { node: self.node.clone(), carried: Arc::clone(&self.carried) };
        let mut reply = Box::pin(async move {
            let report = match command {
                Ok(command) => execution.run(command).await,
                Err(error) => Err(error.to_string()),
            };
            report.unwrap_or_else(|message| Report::error(&name, message)).reply_to(id.as_deref())
        });
        match reply.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(report) => self.output.write(report).await,
            Poll::Pending => {
                let output = self.output.clone();
                replies.spawn(async move { output.write(reply.await).await });
            }
        }
        if stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Joins through the seeds of `--join`, if there are any.
    fn join(&self, args: &Args) -> Pending<Result<(), Failure>> {
        if args.join.is_empty() {
            return None;
        }
        let (node, output) = (self.node.clone(), self.output.clone());
        Some(Box::pin(seeds::join(node, output, args.join.clone(), args.join_once)))
    }

    /// Leaves gracefully.
    fn leave(&self) -> Running<Result<(), Error>> {
        let node = self.node.clone();
        Box::pin(async move { execute::leave(&node, LEAVE_TIMEOUT).await })
    }
}

/// Keeps the snapshot file up to date forever, if there is one.
async fn keep(snapshot: &mut Option<Snapshot>, node: &Handle) -> Infallible {
    match snapshot {
        Some(snapshot) => snapshot.keep(node).await,
        None => std::future::pending().await,
    }
}

/// Waits for what is pending; forever, if nothing is.
async fn wait<T>(pending: &mut Pending<T>) -> T {
    match pending {
        Some(pending) => pending.await,
        None => std::future::pending().await,
    }
}
