use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use bytes::Bytes;

use super::*;
use crate::event::{ExchangeError, JoinError, JoinRefused, PingError, Refusal, WaitError};
use crate::node::{Identity, IdentityParts, State, Versions};
use crate::time::Instant;

fn node(name: &[u8], state: State) -> Node {
    let parts = IdentityParts {
        name,
        addr: Some(&[10, 0, 0, 2]),
        port: 7946,
        meta: None,
        versions: Some(Versions::default()),
    };
    Node::new(Identity::new(parts).expect("a short name"), 2, state, Instant::from_nanos(1))
}

fn peer() -> SocketAddr {
    ([10, 0, 0, 9], 7946).into()
}

fn op() -> OpId {
    OpId(7)
}

#[test]
fn what_becomes_of_members() {
    let b = || node(b"b", State::Alive);
    let change = Change { meta: true, address: true, versions: true };
    let by = || NodeName::from("c");
    let failed = || Departure::Failed { by: vec![by(), "d".into()], confirmations: 1 };
    let departed = |reason, from| Event::Departed { node: b(), reason, from };
    for (event, expected) in [
        (Event::Joined { node: b() }, "b (10.0.0.2:7946) joined"),
        (
            Event::Updated { node: b(), change: Change { address: false, ..change } },
            "b changed its metadata, versions",
        ),
        (
            Event::Updated { node: b(), change },
            "b (10.0.0.2:7946) changed its metadata, address, versions",
        ),
        (
            Event::NothingReceived { silent: Duration::from_millis(12_900), announced: peer() },
            "no packet has arrived for 12 s: is UDP blocked, or 10.0.0.9:7946, which this node \
             announces, not its address?",
        ),
        (
            Event::NotListed { peer: peer() },
            "the state of 10.0.0.9:7946 and of other peers does not list this node: they refuse \
             its announcement, or it does not reach them",
        ),
        (departed(Departure::Left, Some(peer())), "b left (reported by 10.0.0.9:7946)"),
        (departed(failed(), None), "b failed, accused by c, d"),
        (departed(Departure::Declared { by: by() }, None), "b was declared dead by c"),
        (Event::Suspected { node: b(), by: by() }, "b is suspected by c"),
        (
            Event::Refuted { node: b(), by: Some(by()) },
            "b refuted an accusation by c, now at incarnation 2",
        ),
        (Event::Refuted { node: b(), by: None }, "b refuted an accusation, now at incarnation 2"),
        (
            Event::Coalesced {
                node: node(b"b", State::Dead),
                events: 3,
                departure: Some(failed()),
            },
            "b is dead after 3 events (failed, accused by c, d)",
        ),
        (
            Event::Conflict { existing: b(), claimant: node(b"b", State::Alive) },
            "conflict: b (10.0.0.2:7946) uses the name of b (10.0.0.2:7946)",
        ),
        (
            Event::Refused { node: by(), from: Some(peer()), reason: Refusal::Name(300) },
            "news about c refused: the name is 300 bytes long (reported by 10.0.0.9:7946)",
        ),
    ] {
        assert_eq!(event.to_string(), expected);
    }
}

#[test]
fn what_was_received() {
    let payload = Bytes::from_static(b"say \"hi\"");
    for (event, expected) in [
        (
            Event::Message { from: peer(), channel: Channel::Stream, payload: payload.clone() },
            "message \"say \\\"hi\\\"\" from 10.0.0.9:7946 by stream",
        ),
        (
            Event::RemoteState { from: peer(), join: true, state: payload.clone() },
            "state \"say \\\"hi\\\"\" from 10.0.0.9:7946 by join",
        ),
        (
            Event::Pinged {
                node: node(b"b", State::Alive),
                rtt: Duration::from_nanos(1_500_999),
                payload: Bytes::new(),
            },
            "b answered a probe in 1.5ms",
        ),
    ] {
        assert_eq!(event.to_string(), expected);
    }
}

#[test]
fn how_operations_end() {
    let outcome = |outcome: Outcome| Event::Finished { op: op(), outcome }.to_string();
    let failure = |peer: &str, address| JoinFailure {
        peer: peer.parse().expect("a peer"),
        address,
        error: JoinError::TimedOut,
    };
    let report = JoinReport {
        joined: vec![peer(), ([10, 0, 0, 8], 1).into()],
        failed: vec![failure("db", Some(peer())), failure("10.0.0.9", Some(peer()))],
    };
    assert_eq!(
        outcome(Outcome::Join(Ok(report))),
        "operation 7: joined through 10.0.0.9:7946, 10.0.0.8:1; db (10.0.0.9:7946) failed: the \
         join ran out of time; 10.0.0.9 failed: the join ran out of time"
    );
    let retries = Event::JoinRetries {
        op: op(),
        failed: vec![failure("db", None)],
        wait: Duration::from_millis(500),
    };
    assert_eq!(
        retries.to_string(),
        "operation 7: joined no peer, retrying in 500ms; db failed: the join ran out of time"
    );
    let pong = Pong { rtt: Duration::from_millis(2), payload: Bytes::from_static(b"x") };
    for (ended, expected) in [
        (Outcome::Join(Ok(JoinReport::default())), "joined no peer"),
        (Outcome::Join(Err(JoinRefused::Left)), "join refused: this node has left the cluster"),
        (Outcome::Leave(Ok(crate::LeaveReport::default())), "left the cluster"),
        (Outcome::Leave(Err(WaitError::TimedOut)), "leave failed: not finished in time"),
        (Outcome::SetMeta(Ok(())), "metadata announced"),
        (Outcome::Ping(Ok(pong)), "ping answered in 2ms, payload \"x\""),
        (Outcome::Ping(Err(PingError::NoResponse)), "ping failed: no response"),
        (Outcome::SendReliable(Ok(())), "message sent"),
        (Outcome::SendReliable(Err(ExchangeError::Cancelled)), "message not sent: cancelled"),
        (Outcome::Settle(Ok(3)), "settled with 3 members"),
    ] {
        assert_eq!(ended.to_string(), expected);
    }
    let broadcast = |end| Event::BroadcastFinished { id: BroadcastId(4), end }.to_string();
    assert_eq!(broadcast(BroadcastEnd::Sent), "broadcast 4: sent");
    let streamed = BroadcastEnd::Streamed { sent: 3, failed: 1 };
    assert_eq!(
        broadcast(streamed),
        "broadcast 4: sent by stream to 3 members, and 1 were not reached"
    );
}

/// Whatever a peer chose: no line end, no escape sequence, no reordering.
#[test]
fn an_event_is_one_line() {
    let hostile = "x\n2026-01-01 ERROR\r\u{1b}[2J\u{85}\u{2028}\u{202e}\\n\0";
    let name = || NodeName::from([hostile.as_bytes(), b"\xff"].concat().as_slice());
    let node = || node(name().as_bytes(), State::Dead);
    let payload = || Bytes::copy_from_slice(name().as_bytes());
    let error = || ExchangeError::Remote(hostile.into());
    let failure = || JoinFailure {
        peer: crate::peer::Peer {
            name: Some(name()),
            host: crate::peer::Host::Name(hostile.into()),
            port: None,
        },
        address: None,
        error: JoinError::Exchange(error()),
    };
    let reason = || Departure::Failed { by: vec![name(), name()], confirmations: 1 };
    let change = Change { meta: true, address: true, versions: false };
    let pong = Pong { rtt: Duration::ZERO, payload: payload() };
    let report = JoinReport { joined: Vec::new(), failed: vec![failure()] };
    let events = [
        Event::Joined { node: node() },
        Event::Updated { node: node(), change },
        Event::Departed { node: node(), reason: reason(), from: None },
        Event::Departed { node: node(), reason: Departure::Declared { by: name() }, from: None },
        Event::Suspected { node: node(), by: name() },
        Event::Refuted { node: node(), by: Some(name()) },
        Event::Conflict { existing: node(), claimant: node() },
        Event::Refused { node: name(), from: None, reason: Refusal::Vetoed(hostile.into()) },
        Event::Message { from: peer(), channel: Channel::Packet, payload: payload() },
        Event::RemoteState { from: peer(), join: false, state: payload() },
        Event::Pinged { node: node(), rtt: Duration::ZERO, payload: payload() },
        Event::Finished { op: op(), outcome: Outcome::Join(Ok(report)) },
        Event::Finished { op: op(), outcome: Outcome::Ping(Ok(pong)) },
        Event::Finished { op: op(), outcome: Outcome::SendReliable(Err(error())) },
        Event::JoinRetries { op: op(), failed: vec![failure()], wait: Duration::MAX },
        Event::NamePoisoned { by: Some(name()) },
        Event::OnlyByStream { node: node() },
        Event::Coalesced { node: node(), events: 2, departure: Some(reason()) },
        Event::ExchangeFailed { peer: peer(), exchange: ExchangeKind::Accepted, error: error() },
    ];
    for event in events {
        let text = event.to_string();
        assert!(
            text.contains("x\\n2026-01-01 ERROR\\r\\u{1b}[2J\\u{85}\\u{2028}\\u{202e}\\\\n"),
            "{text}"
        );
        let raw = |c: char| c.is_control() || ('\u{2028}'..='\u{202e}').contains(&c);
        assert!(!text.contains(raw), "{text:?}");
    }
    assert!(Event::Joined { node: node() }.to_string().contains("\\0\\xff\" ("), "nothing is lost");
}

/// A name can be anything, also what looks like the rest of the line.
#[test]
fn names_do_not_run_into_the_words_around_them() {
    let shown = |name: &str| Event::NamePoisoned { by: Some(name.into()) }.to_string();
    for (name, expected) in [
        ("ns/pod-0:7946", "by ns/pod-0:7946"),
        ("x, y", "by \"x, y\""),
        ("x\"", "by \"x\\\"\""),
        ("x\\", "by x\\\\"),
        ("", "by \"\""),
    ] {
        assert!(shown(name).ends_with(expected), "{}", shown(name));
    }
}

#[test]
fn long_payloads_are_cut_between_characters() {
    let message = |text: &str| {
        let payload = Bytes::copy_from_slice(text.as_bytes());
        Event::Message { from: peer(), channel: Channel::Packet, payload }.to_string()
    };
    let whole = "é".repeat(32);
    assert!(message(&whole).starts_with(&["message \"", &whole, "\" from"].concat()));
    let cut: String = ["a", &"é".repeat(50)].concat();
    let shown = ["message \"a", &"é".repeat(31), "…\" (101 bytes) from"].concat();
    assert!(message(&cut).starts_with(&shown), "{}", message(&cut));
}
