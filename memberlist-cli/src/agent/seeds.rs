//! Joining through the seeds of `--join` until one answers.

use std::time::Duration;

use memberlist_proto::Peer;
use memberlist_tokio::Memberlist;

use super::event;
use super::output::Output;
use super::report::Report;
use crate::failure::Failure;

/// Between the first attempt and the second, give or take the jitter.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// Between two attempts, at most.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Joins through any of `seeds`, telling every attempt. With `once` the first failure is final.
pub(super) async fn join(
    node: Memberlist,
    output: Output,
    seeds: Vec<Peer>,
    once: bool,
) -> Result<(), Failure> {
    let mut wait = FIRST_WAIT;
    loop {
        let (joined, report) = match node.join(&seeds).await {
            Ok(report) => (!report.joined.is_empty(), event::join(&report)),
            // The node has left or ended: there is nothing to join any more.
            Err(error) => {
                output.tell(Report::error("join", error)).await;
                return Ok(());
            }
        };
        output.tell(report).await;
        if joined {
            return Ok(());
        }
        if once {
            let seeds: Vec<_> = seeds.iter().map(ToString::to_string).collect();
            let seeds = seeds.join(", ");
            return Err(Failure::failed(format_args!("no node could be joined at {seeds}")));
        }
        tokio::time::sleep(jittered(wait, random())).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
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
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_between_half_and_all() {
        let wait = Duration::from_secs(8);
        assert_eq!(jittered(wait, 0), wait / 2);
        assert_eq!(jittered(wait, u32::MAX), wait);
        let middle = jittered(wait, u32::MAX / 2);
        assert!(middle > wait * 7 / 10 && middle < wait * 8 / 10, "{middle:?}");
    }
}
