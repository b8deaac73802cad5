//! Joining through the seeds of `--join` until one answers.

use std::time::Duration;

use memberlist_proto::{JoinFailure, Peer};
use memberlist_tokio::Memberlist;

use super::event;
use super::output::Output;
use super::report::Report;
use crate::failure::Failure;

/// Between the first attempt and the second, give or take the jitter.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// Between two attempts, at most.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Reasons told in one line, at most.
const REASONS: usize = 5;

/// Joins through any of `seeds`, telling every attempt. With `once` the first failure is final.
pub(super) async fn join(
    node: Memberlist,
    output: Output,
    seeds: Vec<Peer>,
    once: bool,
) -> Result<(), Failure> {
    let mut wait = FIRST_WAIT;
    loop {
        let report = match node.join(&seeds).await {
            Ok(report) => report,
            Err(error) if once => return Err(Failure::failed(error)),
            // The node has left or ended: there is nothing to join any more.
            Err(error) => {
                output.tell(Report::error("join", error)).await;
                return Ok(());
            }
        };
        output.tell(event::join(&report)).await;
        if !report.joined.is_empty() {
            return Ok(());
        }
        if once {
            return Err(Failure::failed(reasons(&report.failed)));
        }
        tokio::time::sleep(jittered(wait, random())).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// Why nobody could be joined, in one line.
fn reasons(failed: &[JoinFailure]) -> String {
    let told = |failure: &JoinFailure| format!("{}: {}", failure.peer, failure.error);
    let reasons: Vec<_> = failed.iter().take(REASONS).map(told).collect();
    let more = match failed.len().saturating_sub(REASONS) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    format!("no node could be joined: {}{more}", reasons.join("; "))
}

/// Half to all of `wait`, so that nodes started together do not try together.
fn jittered(wait: Duration, random: u32) -> Duration {
    wait / 2 + (wait / 2).mul_f64(f64::from(random) / f64::from(u32::MAX))
}

/// Any number; without randomness the waits are simply not spread.
fn random() -> u32 {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).map_or(u32::MAX, |()| u32::from_ne_bytes(bytes))
}

#[cfg(test)]
mod tests;
