//! Each condition of a probe by itself, and what is counted on the way.

use alloc::sync::Arc;

use super::*;
use crate::hooks::Hooks;
use crate::node::Name;
use crate::transmit::StreamOp;
use crate::wire::message::{Nack, Ping};

fn probing() -> Config {
    let differences = Differences { random_phase: false, ..config().differences };
    Config { probe_interval: Duration::from_secs(1), differences, ..config() }
}

/// A node that knows `a`, which it has just pinged, and one helper; every node understands up to
/// protocol version `pmax`.
fn unanswered(config: Config, pmax: u8) -> Rig {
    unanswered_by(Rig::with(config), pmax)
}

fn unanswered_by(mut rig: Rig, pmax: u8) -> Rig {
    let vsn = [1, pmax, 2, 0, 0, 0];
    rig.alive_with("a", 2, 1, b"", Some(&vsn));
    rig.alive_with("helper", 3, 1, b"", Some(&vsn));
    rig.wait(Duration::from_secs(1));
    rig.events();
    rig
}

/// The texts of what is sent for half a second, in which the ack does not come.
fn asked(rig: &mut Rig) -> Vec<String> {
    rig.sent();
    rig.wait(Duration::from_millis(500));
    let sent = rig.sent().into_iter().map(|it| it.text);
    sent.filter(|text| text.starts_with("indirect")).collect()
}

fn tries_a_stream(rig: &mut Rig) -> bool {
    core::iter::from_fn(|| rig.node.poll_stream()).any(|op| matches!(op, StreamOp::Connect { .. }))
}

#[test]
fn nacks_are_asked_only_of_who_knows_them_and_only_if_wanted() {
    let asks = |config, pmax| {
        let mut rig = unanswered(config, pmax);
        let asked = asked(&mut rig);
        assert_eq!(asked.len(), 1, "{asked:?}");
        rig.wait(Duration::from_millis(500));
        // Without nacks to expect, a failed probe costs one point; with one missing, one as well.
        assert_eq!(rig.node.health_score(), 1);
        asked[0].ends_with(" nack")
    };
    assert!(asks(probing(), 4));
    assert!(!asks(probing(), 3));
    assert!(!asks(Config { nacks: false, ..probing() }, 4));
    assert!(!asks(Config { nacks: false, ..probing() }, 3));
}

struct NoStreams;

impl Hooks for NoStreams {
    fn stream_ping(&self, _: Name<'_>) -> bool {
        false
    }
}

#[test]
fn a_stream_is_tried_only_if_everybody_concerned_allows_it() {
    let tries = |mut rig: Rig| {
        asked(&mut rig);
        tries_a_stream(&mut rig)
    };
    let off = Config { disable_tcp_pings: true, ..probing() };
    assert!(tries(unanswered(probing(), 3)));
    assert!(!tries(unanswered(probing(), 2)));
    assert!(!tries(unanswered(off.clone(), 3)));
    assert!(!tries(unanswered(off, 2)));
    let vetoing = || Rig::with_delegate(probing(), Some(Arc::new(NoStreams)));
    assert!(!tries(unanswered_by(vetoing(), 3)));
    assert!(!tries(unanswered_by(vetoing(), 2)));
}

#[test]
fn who_is_not_suspected_or_not_to_be_told_is_only_pinged() {
    for (suspected, buddy, pair) in [(true, true, true), (true, false, false), (false, true, false)]
    {
        let mut rig = Rig::with(Config { buddy_ping: buddy, ..probing() });
        rig.alive("a", 2, 1);
        // The news of it is reported to others, not in this test's packet.
        if suspected {
            rig.suspect("a", 1, "b");
        }
        rig.wait(Duration::from_secs(1));
        let sent: Vec<String> = rig.sent().into_iter().map(|it| it.text).collect();
        assert!(sent[0].starts_with("ping a"), "{sent:?}");
        let reported = sent.iter().filter(|text| *text == "suspect a 1 by me").count();
        assert_eq!(reported, usize::from(pair), "{sent:?}");
    }
}

/// A member at an address that no node can send to, as Go accepts it.
fn unreachable(require_usable_address: bool) -> Rig {
    let mut config = probing();
    config.differences.require_usable_address = false;
    let mut rig = Rig::with(config);
    let (addr, port, meta, vsn) = (Some(&[][..]), 2, None, Some(&VSN[..]));
    rig.receive(&Message::Alive(Alive { incarnation: 1, node: b"a", addr, port, meta, vsn }));
    rig.node.config.differences.require_usable_address = require_usable_address;
    rig.wait(Duration::from_secs(4));
    rig
}

#[test]
fn who_cannot_be_sent_to_is_suspected_unless_as_go_does() {
    assert_eq!(unreachable(true).state("a").0, State::Suspect);
    assert_eq!(unreachable(false).state("a").0, State::Alive);
    let mut config = probing();
    config.differences.require_usable_address = false;
    let mut rig = unanswered(config, 5);
    rig.wait(Duration::from_secs(1));
    assert_eq!(rig.node.stats().gauges.suspect, 1, "who can be sent to and does not answer");
}

#[test]
fn a_probe_that_was_not_sent_heals_nobody() {
    for (fails, health) in [(false, 1), (true, 2)] {
        let mut rig = Rig::with(probing());
        rig.alive("a", 2, 1);
        rig.suspect("me", 1, "b");
        rig.suspect("me", 2, "b");
        rig.wait(Duration::from_secs(1));
        let transmits = rig.transmits();
        let ping = opened(address(2), &transmits[0].payload).remove(0).text;
        if fails {
            rig.node.handle_transmit_failed(rig.now, &transmits[0]);
        }
        let seq_no = ping.rsplit('#').next().and_then(|it| it.parse().ok()).expect("a number");
        rig.receive(&Message::Ack(Ack { seq_no, payload: None }));
        assert_eq!(rig.node.health_score(), health);
    }
}

#[test]
fn only_probes_at_low_health_count_as_degraded() {
    let mut rig = unanswered(probing(), 5);
    let degraded = |rig: &Rig| rig.node.stats().counters.probes_degraded;
    assert_eq!((rig.node.stats().counters.probes, degraded(&rig)), (1, 0));
    rig.wait(Duration::from_secs(1));
    assert_eq!((rig.node.health_score(), degraded(&rig)), (1, 1), "the next has begun");
    rig.wait(Duration::from_secs(2));
    assert_eq!((rig.node.health_score(), degraded(&rig)), (2, 2));
}

#[test]
fn what_nobody_waits_for_is_counted_each_time() {
    let mut rig = Rig::new();
    for count in 1..=2 {
        rig.receive(&Message::Nack(Nack { seq_no: 7 }));
        rig.receive(&Message::Ping(Ping { seq_no: 7, node: b"other", ..Ping::default() }));
        let counters = rig.node.stats().counters;
        assert_eq!((counters.acks_unknown, counters.pings_misdirected), (count, count));
    }
}

#[test]
fn the_dead_are_forgotten_without_probes_too() {
    let mut config = config();
    config.gossip_to_the_dead_time = Duration::from_secs(5);
    config.differences.reap_without_probes = true;
    for reaps in [true, false] {
        config.differences.reap_without_probes = reaps;
        let mut rig = Rig::with(config.clone());
        rig.alive("a", 2, 1);
        rig.wait(Duration::from_secs(5));
        rig.dead("a", 1, "b");
        // Dead for exactly as long as it is remembered, and no longer than that.
        rig.wait(Duration::from_secs(5));
        assert!(rig.knows("a"));
        rig.wait(Duration::from_secs(5));
        assert_eq!(rig.knows("a"), !reaps);
        rig.alive("b", 3, 1);
        rig.dead("b", 1, "c");
        rig.wait(Duration::from_secs(10));
        assert_eq!(rig.knows("b"), !reaps, "again and again");
    }
}

/// How long the version vectors are with which news of `a` is gossiped.
struct Vectors(Vec<Option<usize>>);

impl Visit for Vectors {
    fn message(&mut self, message: Message<'_>, _: &[u8]) {
        if let Message::Alive(alive) = message
            && alive.node == b"a"
        {
            self.0.push(alive.vsn.map(<[u8]>::len));
        }
    }
}

#[test]
fn only_six_bytes_of_a_version_vector_are_passed_on() {
    let mut config = Config { gossip_interval: Duration::from_secs(1), ..config() };
    config.differences.require_versions = false;
    let longer = [1, 5, 2, 0, 0, 0, 9];
    for (vsn, passed) in [(&longer[..0], Some(0)), (&longer[..1], None), (&longer[..5], None)]
        .into_iter()
        .chain([(&longer[..6], Some(6)), (&longer[..], Some(6))])
    {
        let mut rig = Rig::with(config.clone());
        rig.alive("b", 3, 1);
        rig.alive_with("a", 2, 1, b"", Some(vsn));
        rig.wait(Duration::from_secs(2));
        let rules = Rules {
            label: b"",
            skip_inbound_label_check: false,
            accept_labels: &[],
            keyring: None,
            verify_incoming: true,
            limits: PacketLimits::default(),
        };
        let mut vectors = Vectors(Vec::new());
        for sent in rig.transmits() {
            packet::open(&sent.payload, &rules, &mut Scratch::default(), &mut vectors)
                .expect("an honest packet");
        }
        assert!(!vectors.0.is_empty());
        assert!(vectors.0.iter().all(|it| *it == passed), "{vsn:?}: {:?}", vectors.0);
    }
}

/// Whether an exchange is a join is what this node began it for, whatever the answer says.
#[test]
fn an_answer_does_not_decide_whether_an_exchange_is_a_join() {
    for joins in [true, false] {
        let mut config = config();
        config.push_pull_interval = Duration::from_secs(30);
        config.ask_admit_merge = true;
        let mut rig = Rig::with(config);
        if joins {
            rig.node.join(rig.now, &[crate::Peer::from(address(2))]);
        } else {
            rig.alive("a", 2, 1);
            rig.wait(Duration::from_secs(60));
        }
        let (id, _) = rig.connects()[0];
        rig.node.handle_stream_connected(rig.now, id);
        let mut answer = Vec::new();
        crate::wire::push_pull::encode_header(&mut answer, !joins, 0, 0);
        rig.node.handle_stream_data(rig.now, id, &answer).expect("a good state");
        assert_eq!(rig.node.poll_request().is_some(), joins);
    }
}
