use alloc::vec::Vec;
use core::time::Duration;

use super::{Rig, address, config};
use crate::event::{Event, JoinError, JoinReport, OpId, Outcome, WaitError};
use crate::peer::{JoinPolicy, Peer, Retry};
use crate::transmit::{StreamFailure, StreamOp};

const RETRY: Retry = Retry { first: Duration::from_secs(2), longest: Duration::from_secs(8) };

fn rig() -> Rig {
    let mut config = config();
    config.join_timeout = Duration::from_secs(5);
    Rig::with(config)
}

fn peers(ports: core::ops::Range<u16>) -> Vec<Peer> {
    ports.map(|port| Peer::from(address(port))).collect()
}

fn refuse(rig: &mut Rig) -> usize {
    let ids = rig.connects();
    for (id, _) in &ids {
        rig.node.handle_stream_closed(rig.now, *id, Some(StreamFailure::Refused));
    }
    ids.len()
}

/// Retries reported, and the end, if any.
fn reported(rig: &mut Rig, op: OpId) -> (Vec<(usize, Duration)>, Option<JoinReport>) {
    let (mut retries, mut end) = (Vec::new(), None);
    while let Some(event) = rig.node.poll_event() {
        match event {
            Event::JoinRetries { op: of, failed, wait } if of == op => {
                retries.push((failed.len(), wait));
            }
            Event::Finished { op: of, outcome: Outcome::Join(Ok(report)) } if of == op => {
                assert!(end.replace(report).is_none(), "it ends once");
            }
            _ => {}
        }
    }
    (retries, end)
}

/// The ports of SRV records are the peers', unless the operator gave one.
#[test]
fn a_join_finds_the_members_of_a_service() {
    use crate::peer::{Peer, Targets};
    for (text, ports) in
        [("dnssrv+_g._tcp.example", [7001, 7002]), ("dnssrvnoa+_g._tcp.example:5", [5, 5])]
    {
        let mut rig = Rig::new();
        let peer: Peer = text.parse().unwrap();
        rig.node.join(rig.now, &[peer]);
        let lookup = rig.node.poll_lookup().unwrap();
        let noa = text.starts_with("dnssrvnoa");
        let targets = if noa { Targets::Platform } else { Targets::Server };
        assert_eq!((lookup.service, &*lookup.host), (Some(targets), "_g._tcp.example"));
        let found = [([10, 0, 0, 1].into(), 7001), ([10, 0, 0, 2].into(), 7002)];
        rig.node.handle_service(rig.now, lookup.id, Ok(&found));
        let mut tried = Vec::new();
        while let Some(op) = rig.node.poll_stream() {
            if let StreamOp::Connect { id, to, .. } = op {
                tried.push(to.port());
                rig.node.handle_stream_closed(rig.now, id, Some(StreamFailure::Refused));
            }
        }
        assert_eq!(tried, ports);
    }
}

#[test]
fn attempts_go_on_with_growing_waits_until_one_is_given_up() {
    let mut rig = rig();
    let policy = JoinPolicy {
        retry: Some(RETRY),
        give_up_after: Duration::from_secs(60),
        ..JoinPolicy::default()
    };
    let op = rig.node.join_with(rig.now, &peers(2..4), policy);
    let (begin, mut waits) = (rig.now, Vec::new());
    let report = loop {
        assert!(waits.len() < 100, "it never ends");
        refuse(&mut rig);
        let (retries, end) = reported(&mut rig, op);
        for (failed, wait) in retries {
            assert_eq!(failed, 2);
            waits.push(wait.as_millis());
        }
        if let Some(report) = end {
            break report;
        }
        let due = rig.node.poll_timeout().expect("something goes on");
        rig.wait(due.saturating_duration_since(rig.now));
    };
    assert_eq!(rig.now.saturating_duration_since(begin), Duration::from_secs(60));
    assert_eq!(report.failed.len(), 2, "what failed last is reported at the end");
    assert!((1000..2000).contains(&waits[0]) && (2000..4000).contains(&waits[1]), "{waits:?}");
    assert!(waits[2..].iter().all(|wait| (4000..8000).contains(wait)), "{waits:?}");
    assert_eq!(rig.node.stats().gauges.operations, 0);
    assert_eq!(rig.node.poll_timeout(), None);
}

#[test]
fn an_attempt_that_hangs_is_followed_by_another() {
    let mut rig = rig();
    let op = rig.node.join_with(rig.now, &peers(2..3), JoinPolicy::until_joined());
    let first = rig.connects();
    rig.wait(Duration::from_secs(5));
    assert_eq!(reported(&mut rig, op).0.len(), 1, "join_timeout has passed");
    rig.wait(Duration::from_secs(1));
    let second = rig.connects();
    assert_eq!((first.len(), second.len()), (1, 1));
    // What comes of the first one does not matter any more.
    rig.node.handle_stream_closed(rig.now, first[0].0, Some(StreamFailure::Refused));
    assert_eq!(reported(&mut rig, op).0, []);
    rig.node.cancel(rig.now, op);
    let report = reported(&mut rig, op).1.expect("cancelled");
    assert_eq!(report.failed[0].error, JoinError::Cancelled);
    assert_eq!(rig.node.poll_timeout(), None);
}

#[test]
fn cancelled_or_left_between_attempts_it_ends() {
    for leave in [false, true] {
        let mut rig = rig();
        let op = rig.node.join_with(rig.now, &peers(2..3), JoinPolicy::until_joined());
        refuse(&mut rig);
        assert_eq!(reported(&mut rig, op).0.len(), 1);
        if leave {
            rig.node.leave(rig.now, Duration::ZERO);
            rig.wait(Duration::from_secs(1));
        } else {
            rig.node.cancel(rig.now, op);
        }
        let report = reported(&mut rig, op).1.expect("it has ended");
        assert!(report.joined.is_empty() && report.failed.len() == 1);
        assert_eq!(rig.node.poll_timeout(), None);
    }
}

#[test]
fn no_more_are_tried_than_are_wanted() {
    let mut rig = rig();
    let policy = JoinPolicy { enough: 2, ..JoinPolicy::default() };
    let op = rig.node.join_with(rig.now, &peers(2..9), policy);
    assert_eq!(rig.connects().len(), 2);
    let mut rig = self::rig();
    let op_of_all = rig.node.join(rig.now, &peers(2..9));
    assert_eq!(rig.connects().len(), 7);
    let _ = (op, op_of_all);
}

#[test]
fn rest_is_told_when_nobody_has_come_or_gone_for_a_while() {
    let mut rig = rig();
    let (quiet, never) = (Duration::from_secs(3), Duration::ZERO);
    let op = rig.node.settle(rig.now, quiet, never);
    rig.wait(Duration::from_secs(2));
    rig.alive("a", 2, 1);
    rig.wait(Duration::from_secs(2));
    rig.dead("a", 1, "a");
    rig.alive("b", 3, 1);
    rig.wait(Duration::from_millis(2999));
    assert_eq!(settled(&mut rig, op), None);
    rig.wait(Duration::from_millis(1));
    assert_eq!(settled(&mut rig, op), Some(Ok(2)));

    let op = rig.node.settle(rig.now, quiet, never);
    assert_eq!(settled(&mut rig, op), None, "even if all is quiet it takes its time");
    rig.wait(quiet);
    assert_eq!(settled(&mut rig, op), Some(Ok(2)));
}

#[test]
fn rest_waits_for_joins_and_gives_up_in_time() {
    let mut rig = rig();
    let join = rig.node.join(rig.now, &peers(2..3));
    let quiet = Duration::from_secs(3);
    let patient = rig.node.settle(rig.now, quiet, Duration::ZERO);
    let hasty = rig.node.settle(rig.now, quiet, Duration::from_secs(4));
    let cancelled = rig.node.settle(rig.now, quiet, Duration::ZERO);
    rig.node.cancel(rig.now, cancelled);
    rig.wait(Duration::from_secs(4));
    let mut ends = ends(&mut rig);
    assert_eq!(ends.remove(&cancelled), Some(Err(WaitError::Cancelled)));
    assert_eq!(ends.remove(&hasty), Some(Err(WaitError::TimedOut)));
    assert!(ends.is_empty());
    rig.node.cancel(rig.now, join);
    rig.wait(quiet);
    assert_eq!(settled(&mut rig, patient), Some(Ok(1)));
    assert_eq!(rig.node.poll_timeout(), None);
}

#[test]
fn rest_without_a_quiet_time_waits_for_joins_too() {
    let mut rig = rig();
    let join = rig.node.join(rig.now, &peers(2..3));
    let patient = rig.node.settle(rig.now, Duration::ZERO, Duration::ZERO);
    let hasty = rig.node.settle(rig.now, Duration::ZERO, Duration::from_secs(4));
    rig.wait(Duration::from_secs(3));
    assert!(ends(&mut rig).is_empty(), "the join still connects");
    rig.wait(Duration::from_secs(1));
    assert_eq!(ends(&mut rig).into_iter().collect::<Vec<_>>(), [(hasty, Err(WaitError::TimedOut))]);
    rig.node.cancel(rig.now, join);
    assert_eq!(settled(&mut rig, patient), Some(Ok(1)), "at once");
    let alone = rig.node.settle(rig.now, Duration::ZERO, Duration::ZERO);
    rig.wait(Duration::ZERO);
    assert_eq!(settled(&mut rig, alone), Some(Ok(1)));
    assert_eq!(rig.node.poll_timeout(), None);
}

fn ends(rig: &mut Rig) -> alloc::collections::BTreeMap<OpId, Result<usize, WaitError>> {
    let events = core::iter::from_fn(|| rig.node.poll_event());
    let end = |event| match event {
        Event::Finished { op, outcome: Outcome::Settle(result) } => Some((op, result)),
        _ => None,
    };
    events.filter_map(end).collect()
}

fn settled(rig: &mut Rig, op: OpId) -> Option<Result<usize, WaitError>> {
    ends(rig).remove(&op)
}
