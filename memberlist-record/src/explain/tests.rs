//! Chronicles made by hand, and what they explain.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use memberlist_proto::{Instant, State};

use super::*;
use crate::format::Born;
use crate::replay::Verdict;

fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, last], 7946))
}

fn at(millis: u64) -> Instant {
    Instant::from_nanos(millis * 1_000_000)
}

fn chronicle(name: &str, last: u8, begun: u64, ended: u64, moments: Vec<Moment>) -> Chronicle {
    let names = (1..4).map(|last| (address(last), format!("n{last}"))).collect();
    Chronicle {
        node: name.into(),
        address: address(last),
        born: Born { at: begun * 1_000_000, wall_clock_ms: None, seed: String::new() },
        config: memberlist_proto::Config::lan(name),
        begun: at(begun),
        ended: at(ended),
        dropped: 0,
        differs: 0,
        unverified: 0,
        inputs: 0,
        first: Table::default(),
        last: Table::default(),
        moments,
        gaps: Vec::new(),
        names,
    }
}

fn moment(millis: u64, input: Took) -> Moment {
    Moment {
        number: 0,
        at: at(millis),
        input,
        heard: Vec::new(),
        print: None,
        sent: Vec::new(),
        reports: Vec::new(),
        changes: Vec::new(),
        health: 0,
        queued: 0,
        verdict: Verdict::Same,
    }
}

fn sends(millis: u64, to: u8, print: u64, said: Said) -> Moment {
    let sent = Sent {
        to: Some(address(to)),
        node: Some(format!("n{to}")),
        stream: false,
        bytes: 20,
        said: vec![said],
        print,
    };
    Moment { sent: vec![sent], ..moment(millis, Took::Timeout) }
}

fn hears(millis: u64, from: u8, print: u64, said: Said) -> Moment {
    let input = Took::Packet { from: address(from), bytes: 20, error: None };
    Moment { heard: vec![said], print: Some(print), ..moment(millis, input) }
}

fn ping(seq: u32, to: u8) -> Said {
    Said::Ping { seq, node: format!("n{to}"), by: String::new() }
}

fn suspect(by: &str) -> Said {
    Said::Suspect { node: "n2".into(), incarnation: 1, by: by.into() }
}

fn row(state: State, accusers: &[&str]) -> Row {
    let mut table = Table::of(&node("n2"), at(1000));
    let mut row = table.0.remove("n2").expect("itself");
    row.state = state;
    row.accusers = accusers.iter().map(ToString::to_string).collect();
    row
}

fn node(name: &str) -> memberlist_proto::Memberlist {
    let mut config = memberlist_proto::Config::lan(name);
    config.advertise_addr = [10, 0, 0, 2].into();
    memberlist_proto::Memberlist::new(at(1000), config, None, [1; 32]).expect("valid")
}

/// The second's clock is 5000 ms ahead: the bounds are 1 ms in one direction and 3 ms in the other,
/// and the middle between them is taken.
#[test]
fn clocks_are_aligned_by_messages_in_both_directions() {
    let one = vec![sends(1000, 2, 11, ping(1, 2)), hears(1004, 2, 12, Said::Ack { seq: 1 })];
    let two = vec![hears(6001, 1, 11, ping(1, 2)), sends(6001, 1, 12, Said::Ack { seq: 1 })];
    let all = [chronicle("n1", 1, 1000, 2000, one), chronicle("n2", 2, 6000, 7000, two)];
    let alignment = Alignment::of(&all);
    assert_eq!(alignment.aligned_by(0), AlignedBy::Reference);
    assert_eq!(alignment.aligned_by(1), AlignedBy::Messages);
    assert_eq!(alignment.drift(), None);
    assert_eq!(alignment.time(0, at(1000)), 0);
    assert_eq!(alignment.time(1, at(6001)), 2_000_000, "2 ms there, 2 ms back");
}

#[test]
fn every_message_is_received_lost_or_outside_of_what_was_recorded() {
    let one = vec![
        sends(1000, 2, 11, ping(1, 2)),
        sends(1100, 2, 12, ping(2, 2)),
        sends(1200, 3, 13, ping(3, 3)),
        // The second is not recorded any more.
        sends(1900, 2, 14, ping(4, 2)),
    ];
    let two = vec![hears(1001, 1, 11, ping(1, 2))];
    let all = [chronicle("n1", 1, 1000, 2000, one), chronicle("n2", 2, 1000, 1500, two)];
    let alignment = Alignment::of(&all);
    let delivery = |moment| alignment.delivery(Place { node: 0, moment, sent: 0 });
    assert_eq!(delivery(0), Delivery::Received { node: 1, moment: 0 });
    assert_eq!(delivery(1), Delivery::Lost { node: 1 });
    assert_eq!(delivery(2), Delivery::Unrecorded);
    assert_eq!(delivery(3), Delivery::Outside { node: 1 });
    assert_eq!(alignment.origin(1, 0), Some(Place { node: 0, moment: 0, sent: 0 }));
    assert_eq!(alignment.aligned_by(1), AlignedBy::OneWay);
    let [link] = alignment.losses() else { panic!("{:?}", alignment.losses()) };
    assert_eq!((link.from, link.to, link.sent, link.lost), (0, 1, 2, 1));
    assert_eq!((link.first, link.last), (Some(100_000_000), Some(100_000_000)));
    assert_eq!(link.kinds, BTreeMap::from([("ping", 1)]));
}

/// The same bytes sent twice, as plain gossip is: the one that arrived is the earlier one.
#[test]
fn equal_packets_are_matched_in_their_order() {
    let one = vec![sends(1000, 2, 11, suspect("n1")), sends(1300, 2, 11, suspect("n1"))];
    let two = vec![hears(1001, 1, 11, suspect("n1")), hears(1301, 1, 11, suspect("n1"))];
    let all = [chronicle("n1", 1, 1000, 2000, one), chronicle("n2", 2, 1000, 2000, two)];
    let alignment = Alignment::of(&all);
    let delivery = |moment| alignment.delivery(Place { node: 0, moment, sent: 0 });
    assert_eq!(delivery(0), Delivery::Received { node: 1, moment: 0 });
    assert_eq!(delivery(1), Delivery::Received { node: 1, moment: 1 });
}

#[test]
fn clocks_that_run_differently_fast_are_noticed() {
    let one = vec![
        sends(1000, 2, 11, ping(1, 2)),
        hears(2000, 2, 12, ping(2, 1)),
        sends(9000, 2, 13, ping(3, 2)),
    ];
    // Its clock is 10 ms behind at first, and 50 ms behind later.
    let two = vec![
        hears(991, 1, 11, ping(1, 2)),
        sends(1989, 1, 12, ping(2, 1)),
        hears(8951, 1, 13, ping(3, 2)),
    ];
    let all = [chronicle("n1", 1, 1000, 9500, one), chronicle("n2", 2, 990, 9000, two)];
    assert_eq!(Alignment::of(&all).drift(), Some(19_000_000));
}

#[test]
fn nodes_without_messages_are_aligned_by_their_clocks_or_not_at_all() {
    let mut all =
        [chronicle("n1", 1, 1000, 2000, Vec::new()), chronicle("n2", 2, 50, 90, Vec::new())];
    assert_eq!(Alignment::of(&all).aligned_by(1), AlignedBy::Nothing);
    all[0].born.wall_clock_ms = Some(70_000);
    all[1].born.wall_clock_ms = Some(70_500);
    let alignment = Alignment::of(&all);
    assert_eq!(alignment.aligned_by(1), AlignedBy::Clocks);
    assert_eq!(alignment.time(1, at(60)), 510_000_000);
}

#[test]
fn probes_have_their_acks_and_the_answers_of_helpers() {
    let ask = |seq| Said::IndirectPing { seq, node: "n2".into(), by: "n1".into() };
    let moments = vec![
        sends(1000, 2, 1, ping(7, 2)),
        hears(1001, 2, 2, Said::Ack { seq: 7 }),
        sends(2000, 2, 3, ping(8, 2)),
        sends(2100, 3, 4, ask(8)),
        hears(2300, 3, 5, Said::Nack { seq: 8 }),
        hears(2400, 3, 6, Said::Ack { seq: 99 }),
    ];
    let all = probes(&chronicle("n1", 1, 1000, 3000, moments));
    assert_eq!(all.len(), 2);
    assert_eq!(all[0].acked, Some((at(1001), 1)));
    assert!(all[0].is_answered());
    assert_eq!(all[1].pings, [(2, 0)]);
    assert_eq!(all[1].asks[0].helper, "n3");
    assert_eq!(all[1].asks[0].answer, Some((Answer::Nack, at(2300), 4)));
    assert!(!all[1].is_answered());
}

/// A ping that a peer asked for is not a probe of the node's own.
#[test]
fn a_relayed_ping_is_on_behalf_of_the_peer_that_asked() {
    let ask = Said::IndirectPing { seq: 5, node: "n2".into(), by: "n3".into() };
    let relayed = sends(1000, 2, 1, ping(9, 2)).sent;
    let moments = vec![Moment { sent: relayed, ..hears(1000, 3, 2, ask) }];
    let all = probes(&chronicle("n1", 1, 1000, 3000, moments));
    assert_eq!(all[0].on_behalf_of.as_deref(), Some("n3"));
}

#[test]
fn a_change_says_what_is_different() {
    let (alive, dead) = (row(State::Alive, &[]), row(State::Dead, &[]));
    let suspect = row(State::Suspect, &["n1", "n3"]);
    let change = |before: Option<&Row>, after: Option<&Row>| {
        let (before, after) = (before.cloned(), after.cloned());
        Change { node: "n2".into(), before, after }.to_string()
    };
    assert_eq!(change(Some(&alive), Some(&suspect)), "n2: alive → suspect, accused by n1, n3");
    assert_eq!(change(Some(&suspect), Some(&dead)), "n2: suspect → dead");
    assert_eq!(change(Some(&dead), None), "n2: forgotten");
    assert_eq!(change(None, Some(&alive)), "n2: new, alive, incarnation 1, at 10.0.0.2:7946");
}

/// The last accusation and the verdict can come in one moment.
#[test]
fn an_accuser_of_the_last_moment_counts() {
    let mut dead = row(State::Dead, &[]);
    dead.departure = Some(Gone::Failed { by: vec!["n3".into(), "n1".into()] });
    let before = Some(row(State::Suspect, &["n3"]));
    let change = Change { node: "n2".into(), before, after: Some(dead) };
    assert_eq!(change.new_accusers().collect::<Vec<_>>(), ["n1"]);
}

#[test]
fn an_account_names_the_accusers_and_what_is_missing() {
    let change = |before: &Row, after: &Row| Change {
        node: "n2".into(),
        before: Some(before.clone()),
        after: Some(after.clone()),
    };
    let (alive, dead) = (row(State::Alive, &[]), row(State::Dead, &[]));
    let first = row(State::Suspect, &["n3"]);
    let both = row(State::Suspect, &["n3", "n1"]);
    let moments = vec![
        hears(1000, 2, 1, Said::Ack { seq: 1 }),
        sends(2000, 2, 2, ping(2, 2)),
        Moment { changes: vec![change(&alive, &first)], ..hears(2500, 3, 3, suspect("n3")) },
        Moment { changes: vec![change(&first, &both)], ..moment(3000, Took::Timeout) },
        Moment { changes: vec![change(&both, &dead)], ..moment(9000, Took::Timeout) },
        hears(9500, 3, 4, Said::Dead { node: "n2".into(), incarnation: 1, by: "n3".into() }),
    ];
    let mut chronicle = chronicle("n1", 1, 1000, 9600, moments);
    chronicle.last.0.insert("n2".into(), dead);
    let account = Account::of(&chronicle, "n2");
    assert_eq!(account.accusers, ["n3", "n1"]);
    assert_eq!(account.since, Some(at(9000)));
    assert_eq!(account.unanswered.len(), 1);
    let lines: Vec<(u64, &str)> =
        account.lines.iter().map(|it| (it.at.as_nanos() / 1_000_000, it.text.as_str())).collect();
    assert_eq!(lines[0], (1000, "received from n2 itself for the last time before: ack 1"));
    assert_eq!(lines[1], (2000, "sent ping 2 to n2"));
    assert_eq!(lines[2], (2500, "received from n3: suspect n2 (incarnation 1) by n3"));
    assert_eq!(
        lines[3].1,
        "n2: alive → suspect, accused by n3 ← from n3: suspect n2 (incarnation 1) by n3"
    );
    assert_eq!(lines[4].1, "n2: accused by n1 ← the timer of probe 2 ran out without an ack");
    assert_eq!(lines[5], (9000, "n2: suspect → dead ← the timer of its suspicion ran out"));
    assert_eq!(lines.len(), 6, "{lines:?}");
    assert_eq!(account.missing.len(), 2, "{:?}", account.missing);
    assert!(account.missing[0].contains("no ack in time for ping 2"), "{:?}", account.missing);
    assert!(account.missing[1].contains("incarnation above 1"), "{:?}", account.missing);
}
