//! `memberlist agent`: one node in the foreground, driven by lines.

mod args;
mod command;
mod event;
mod execute;
mod input;
mod output;
mod report;
mod seeds;
mod settings;
mod signals;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use memberlist_tokio::{Error, Events, Memberlist};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

pub(crate) use self::args::Args;
use self::command::{Command, LEAVE_TIMEOUT, Line};
use self::execute::Execution;
use self::input::Input;
use self::output::{Output, Written};
use self::report::Report;
pub(crate) use self::settings::{Settings, value::key};
use self::signals::Signals;
use crate::failure::Failure;
use crate::node::{self, Carried};

/// How long the replies to commands under way, and lines on their way out, may hold up the end.
const LAST_WORDS: Duration = Duration::from_secs(2);

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let settings = args.settings()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format_args!("no runtime: {error}")))?;
    let result = runtime.block_on(async {
        let signals = Signals::start()
            .map_err(|error| Failure::failed(format_args!("no signals: {error}")))?;
        let carried = Arc::new(Carried::default());
        let (node, events) = node::start(settings, Some(Arc::clone(&carried))).await?;
        let (output, written) = Output::start(args.json);
        let agent = Agent { node, carried, output, written, replies: JoinSet::new() };
        agent.run(args, events, signals).await
    });
    // A look-up or a question to the application may still be under way.
    runtime.shutdown_background();
    result
}

/// A running node and where its reports go.
struct Agent {
    node: Memberlist,
    carried: Arc<Carried>,
    output: Output,
    written: Written,
    /// Commands that wait for something.
    replies: JoinSet<()>,
}

/// What the agent waits for besides lines and events.
type Pending<T> = Option<Pin<Box<dyn Future<Output = T> + Send>>>;

impl Agent {
    async fn run(
        mut self,
        args: &Args,
        mut events: Events,
        mut signals: Signals,
    ) -> Result<(), Failure> {
        self.output.tell(execute::started(&self.node)).await;
        let mut lines: Option<mpsc::Receiver<Input>> = Some(input::start());
        let mut leaving: Pending<Result<(), Error>> = None;
        let mut joining: Pending<Result<(), Failure>> = (!args.join.is_empty()).then(|| {
            let join = seeds::join(
                self.node.clone(),
                self.output.clone(),
                args.join.clone(),
                args.join_once,
            );
            Box::pin(join) as Pin<Box<_>>
        });
        let result = loop {
            tokio::select! {
                Some(event) = node::next(&mut events) => {
                    if let Some(report) = event::report(&event) {
                        self.output.tell(report).await;
                    }
                }
                line = next_line(&mut lines) => match line {
                    None => lines = None,
                    Some(line) => if self.obey(line).await.is_break() { break Ok(()) },
                },
                joined = wait(&mut joining) => match joined {
                    Ok(()) => joining = None,
                    Err(failure) => break Err(failure),
                },
                left = wait(&mut leaving) => {
                    if let Err(error) = left {
                        eprintln!("memberlist: left, but not everybody may know: {error}");
                    }
                    break Ok(());
                }
                () = signals.next() => {
                    if leaving.is_some() {
                        // At once means without the farewell below.
                        eprintln!("memberlist: stopped by a second signal");
                        std::process::exit(1);
                    }
                    joining = None;
                    leaving = Some(leave(&self.node));
                }
                () = self.output.closed(), if leaving.is_none() => {
                    eprintln!("memberlist: standard output is closed, leaving");
                    joining = None;
                    leaving = Some(leave(&self.node));
                }
                Some(_) = self.replies.join_next() => {}
            }
        };
        self.end(events, signals).await;
        result
    }

    /// Carries out one line of input. What is done at once is answered at once, in order; what
    /// must wait goes on beside the commands that follow.
    async fn obey(&mut self, input: Input) -> std::ops::ControlFlow<()> {
        let line = match input {
            Ok(bytes) => Line::parse(&bytes),
            Err(error) => {
                self.output.tell(Report::error("", error)).await;
                return std::ops::ControlFlow::Continue(());
            }
        };
        let Some(Line { id, name, command }) = line else {
            return std::ops::ControlFlow::Continue(());
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
            Poll::Ready(report) => self.output.tell(report).await,
            Poll::Pending => {
                let output = self.output.clone();
                self.replies.spawn(async move { output.tell(reply.await).await });
            }
        }
        if stop { std::ops::ControlFlow::Break(()) } else { std::ops::ControlFlow::Continue(()) }
    }

    /// Stops the node, then says what is left to say: commands under way end with the node.
    async fn end(mut self, mut events: Events, mut signals: Signals) {
        let farewell = async {
            while let Some(event) = node::ready(&mut events) {
                if let Some(report) = event::report(&event) {
                    self.output.tell(report).await;
                }
            }
            self.node.shutdown().await;
            while self.replies.join_next().await.is_some() {}
        };
        tokio::select! {
            _ = tokio::time::timeout(LAST_WORDS, farewell) => {}
            () = signals.next() => {}
        }
        drop((self.replies, self.output));
        self.written.wait(LAST_WORDS).await;
    }
}

fn leave(node: &Memberlist) -> Pin<Box<dyn Future<Output = Result<(), Error>> + Send>> {
    let node = node.clone();
    Box::pin(async move { execute::leave(&node, LEAVE_TIMEOUT).await })
}

/// The next line; never, once the input has ended.
async fn next_line(lines: &mut Option<mpsc::Receiver<Input>>) -> Option<Input> {
    match lines {
        Some(lines) => lines.recv().await,
        None => std::future::pending().await,
    }
}

/// The end of what is pending; never, if nothing is.
async fn wait<T>(pending: &mut Pending<T>) -> T {
    match pending {
        Some(pending) => pending.await,
        None => std::future::pending().await,
    }
}
