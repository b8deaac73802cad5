//! Joining through the seeds of `--join` until one answers.

use memberlist_driver::Handle;
use memberlist_proto::{JoinFailure, JoinPolicy, Peer};

use super::event;
use super::output::Output;
use super::report::Report;
use crate::failure::Failure;

/// The most reasons listed in one line.
const REASONS: usize = 5;

/// Joins through any of `seeds`. With `once` the first failure is final; otherwise the node retries
/// until one answers, and reports each attempt as an event.
pub(super) async fn join(
    node: Handle,
    output: Output,
    seeds: Vec<Peer>,
    once: bool,
) -> Result<(), Failure> {
    let policy = if once { JoinPolicy::default() } else { JoinPolicy::until_joined() };
    match node.join_with(&seeds, policy).await {
        Ok(report) => {
            let failed = once && report.joined.is_empty();
            output.write(event::join(report.joined.len(), &report.failed)).await;
            if failed { Err(Failure::failed(reasons(&report.failed))) } else { Ok(()) }
        }
        Err(error) if once => Err(Failure::failed(error)),
        // The node has left or ended, so it cannot join any more.
        Err(error) => {
            output.write(Report::error("join", error)).await;
            Ok(())
        }
    }
}

/// Why no node could be joined, in one line.
fn reasons(failed: &[JoinFailure]) -> String {
    let reason = |failure: &JoinFailure| format!("{}: {}", failure.peer, failure.error);
    let reasons: Vec<_> = failed.iter().take(REASONS).map(reason).collect();
    let more = match failed.len().saturating_sub(REASONS) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    format!("no node could be joined: {}{more}", reasons.join("; "))
}

#[cfg(test)]
mod tests;
