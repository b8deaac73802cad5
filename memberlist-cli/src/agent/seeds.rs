//! Joins through the seeds of `--join` until one answers.

use std::net::SocketAddr;

use memberlist_driver::{Error, Handle};
use memberlist_proto::{
    Event, ExchangeError, JoinError, JoinPolicy, JoinReport, NodeName, NotJoined, Peer,
};

use super::event;
use super::output::Output;
use super::report::Report;
use crate::failure::Failure;

/// The most reasons listed in one line.
const REASONS: usize = 5;

/// Joins through any of `seeds`. With `once`, a failed attempt is final, and an error; otherwise
/// the node retries until a seed answers, and reports each failed attempt as an event.
pub(super) async fn join(
    node: Handle,
    output: Output,
    seeds: Vec<Peer>,
    once: bool,
) -> Result<(), Failure> {
    let policy = if once { JoinPolicy::default() } else { JoinPolicy::until_joined() };
    match node.join_with(&seeds, policy).await {
        Ok(report) => output.write(event::join(&report)).await,
        Err(Error::NotJoined(NotJoined { report })) => {
            output.write(event::join(&report)).await;
            if once {
                return Err(Failure::failed(why(&node.local().name().into(), &report)));
            }
        }
        Err(error) if once => return Err(Failure::failed(error)),
        // The node has left or ended, so it cannot join any more.
        Err(error) => output.write(Report::error("join", error)).await,
    }
    Ok(())
}

/// Remembers which node was last reported to hold this node's name in the cluster: each is reported
/// once.
#[derive(Debug, Default)]
pub(super) struct Holders(Option<SocketAddr>);

impl Holders {
    /// The line to print about an event, if it is the first about this holder of the name.
    pub(super) fn note(&mut self, name: &NodeName, event: &Event) -> Option<String> {
        let holder = |error: &ExchangeError| match error {
            ExchangeError::NameTaken { holder } => Some(*holder),
            _ => None,
        };
        let holder = match event {
            Event::JoinRetries { failed, .. } => {
                failed.iter().find_map(|failure| match &failure.error {
                    JoinError::Exchange(error) => holder(error),
                    _ => None,
                })
            }
            Event::ExchangeFailed { error, .. } => holder(error),
            _ => None,
        }?;
        (self.0.replace(holder) != Some(holder)).then(|| held(name, holder))
    }
}

fn held(name: &NodeName, holder: SocketAddr) -> String {
    format!("not in this cluster: {} is held by {holder}", name.to_string().escape_debug())
}

/// Why no node could be joined, in one line.
fn why(name: &NodeName, report: &JoinReport) -> String {
    if let Some(holder) = report.name_holder() {
        return held(name, holder);
    }
    let failed = &report.failed;
    let reasons: Vec<_> = failed.iter().take(REASONS).map(ToString::to_string).collect();
    let more = match failed.len().saturating_sub(REASONS) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    format!("no node could be joined: {}{more}", reasons.join("; "))
}

#[cfg(test)]
mod tests;
