//! The commands from one source (standard input, or a client of the control socket) and their
//! replies.

use std::future::Future;
use std::task::{Context, Poll, Waker};

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::command::{Command, Line};
use super::execute::Execution;
use super::input::Input;
use super::kinds::Kinds;
use super::output::Output;
use super::report::Report;

/// A source of commands.
pub(super) struct Session {
    execution: Execution,
    output: Output,
    /// The events that the source wants to see on its output.
    wanted: watch::Sender<Kinds>,
    /// Commands whose replies are still to come.
    replies: JoinSet<()>,
}

/// What the caller does after a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Read the next line.
    Line,
    /// Report the events that the session wants now, and read the next line.
    Watch,
    /// End the agent.
    Quit,
}

impl Session {
    pub(super) fn new(execution: Execution, output: Output, wanted: watch::Sender<Kinds>) -> Self {
        Self { execution, output, wanted, replies: JoinSet::new() }
    }

    /// Executes one line of input. A command that completes immediately is answered before the next
    /// one; a command that has to wait continues beside the following ones.
    pub(super) async fn execute(&mut self, input: Input) -> Next {
        let line = match input {
            Ok(bytes) => Line::parse(&bytes),
            Err(error) => {
                self.output.write(Report::error("", error)).await;
                return Next::Line;
            }
        };
        let Some(Line { id, name, command }) = line else {
            return Next::Line;
        };
        let next = match &command {
            Ok(Command::Quit) => Next::Quit,
            Ok(Command::Watch(kinds)) => {
                self.wanted.send_replace(kinds.clone());
                Next::Watch
            }
            _ => Next::Line,
        };
        let execution = self.execution.clone();
        let mut reply = Box::pin(async move {
            let report = match command {
                Ok(command) => execution.run(command).await,
                Err(error) => Err(error.to_string()),
            };
            report.unwrap_or_else(|message| Report::error(&name, message)).reply_to(id.as_deref())
        });
        let polled = reply.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        match polled {
            Poll::Ready(report) => self.output.write(report).await,
            Poll::Pending => {
                let output = self.output.clone();
                self.replies.spawn(async move { output.write(reply.await).await });
            }
        }
        next
    }

    /// Waits until fewer than `most` commands have yet to reply. It may be cancelled.
    pub(super) async fn room(&mut self, most: usize) {
        while self.replies.try_join_next().is_some() {}
        while self.replies.len() >= most && self.replies.join_next().await.is_some() {}
    }

    /// Waits until every command has replied. It may be cancelled.
    pub(super) async fn finish(&mut self) {
        while self.replies.join_next().await.is_some() {}
    }
}
