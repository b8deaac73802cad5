//! Go: the tests of `state_test.go` about probes.

use std::sync::Arc;
use std::time::Duration;

use memberlist_proto::wire::message::{Ack, Message, Nack};
use memberlist_proto::{
    Config, Event, Hooks, Name, Outcome, PingError, Refusal, State, StreamOp, Target,
};
use memberlist_sim::rig::{Rig, Sent, VSN, address};
use memberlist_sim::{Link, NodeId, Sim};

use crate::cluster::{cluster, sees};
use crate::one::{config, probing, start, start_with};

const SECOND: Duration = Duration::from_secs(1);

/// A node at the moment when it suspects `bad`, which never answers.
fn suspecting(change: impl FnOnce(&mut Config), peers: &[&str]) -> Rig {
    let mut config = probing();
    change(&mut config);
    let mut one = start(config);
    one.silence("bad");
    one.alive("bad", 1);
    for peer in peers {
        one.alive(peer, 1);
    }
    one.events();
    let end = one.now() + SECOND * 60;
    assert!(one.wait_until(end, |one| one.state("bad") == Some((State::Suspect, 1))));
    one
}

#[test]
fn member_list_probe() {
    let (mut sim, nodes) = cluster(2, |_| {});
    sim.run_for(SECOND * 10);
    assert_eq!(sees(&sim, nodes[0], nodes[1]), Some(State::Alive));
    assert!(sim.node(nodes[0]).stats().counters.probes >= 9);
    assert_eq!(sim.node(nodes[0]).stats().counters.probes_failed, 0);
}

#[test]
fn probe_node_suspect() {
    let (mut sim, nodes) = cluster(4, |_| {});
    sim.crash(nodes[3]);
    let suspected =
        |sim: &Sim| nodes[..3].iter().any(|it| sees(sim, *it, nodes[3]) == Some(State::Suspect));
    assert!(sim.run_until(SECOND * 30, suspected).is_some());
    let relayed = |node: &NodeId| sim.node(*node).stats().counters.relayed;
    assert!(nodes[..3].iter().map(relayed).sum::<u64>() >= 2, "both helpers must be asked");
}

#[test]
fn probe_node_suspect_dogpile() {
    // Other members, confirmations, milliseconds from suspicion to death.
    for (peers, confirmations, expected) in [
        (1, 0, 500_u64),
        (2, 0, 500),
        (3, 0, 500),
        (4, 0, 1000),
        (5, 0, 1000),
        (5, 1, 750),
        (5, 2, 604),
        (5, 3, 500),
        (5, 4, 500),
    ] {
        let names = ["p0", "p1", "p2", "p3"];
        let mut one = suspecting(
            |config| {
                config.probe_timeout = Duration::from_millis(1);
                config.probe_interval = Duration::from_millis(100);
                config.suspicion_mult = 5;
                config.suspicion_max_timeout_mult = 2;
            },
            &names[..peers - 1],
        );
        let began = one.now();
        for name in names.iter().take(confirmations) {
            one.suspect("bad", 1, name);
        }
        let end = one.now() + SECOND * 5;
        assert!(one.wait_until(end, |one| one.state("bad") == Some((State::Dead, 1))));
        let took = one.now().saturating_duration_since(began).as_millis() as u64;
        assert!(took.abs_diff(expected) <= 1, "{peers} {confirmations}: {took} ms");
    }
}

#[test]
fn probe_node_fallback_tcp() {
    let (mut sim, nodes) = cluster(2, |_| {});
    sim.network().set_default(Link { packets: false, ..Link::default() });
    sim.run_for(SECOND * 30);
    assert_eq!(sees(&sim, nodes[0], nodes[1]), Some(State::Alive));
    assert!(sim.node(nodes[0]).stats().counters.probes_by_stream > 10);
    assert_eq!(sim.node(nodes[0]).health_score(), 0, "the node itself is healthy");
}

#[test]
fn probe_node_fallback_tcp_disabled() {
    struct NoStreams;
    impl Hooks for NoStreams {
        fn stream_ping(&self, _: Name<'_>) -> bool {
            false
        }
    }
    let by_config = probing().with(|it| it.disable_tcp_pings = true);
    let by_node: Arc<dyn Hooks> = Arc::new(NoStreams);
    for (config, delegate) in [(by_config, None), (probing(), Some(by_node))] {
        let mut one = start_with(config, delegate);
        one.silence("bad");
        one.alive("bad", 1);
        let end = one.now() + SECOND * 10;
        assert!(one.wait_until(end, |one| one.state("bad") == Some((State::Suspect, 1))));
        assert_eq!(one.stream_ops(), [], "no stream may be opened");
    }
}

#[test]
fn probe_node_fallback_tcp_old_protocol() {
    for (newest, streams) in [(2, 0), (3, 1)] {
        let mut one = start(probing());
        one.silence("bad");
        one.alive_with("bad", 1, &[1, newest, 2, 0, 0, 0], b"");
        let end = one.now() + SECOND * 10;
        assert!(one.wait_until(end, |one| one.state("bad") == Some((State::Suspect, 1))));
        let connects = one.stream_ops();
        let connects = connects.iter().filter(|op| matches!(op, StreamOp::Connect { .. }));
        assert_eq!(connects.count(), streams, "stream pings exist since version 3");
    }
}

/// How long after its ping a probe fails, and the health score afterwards.
fn failed_probe(score: u32, helper: Option<(&[u8], bool)>) -> (Duration, u32) {
    let mut one = start(probing().with(|it| it.disable_tcp_pings = true));
    for _ in 0..score {
        let incarnation = one.node().local().incarnation();
        one.suspect("me", incarnation, "x");
    }
    one.silence("bad");
    one.silence("helper");
    one.alive("bad", 1);
    assert_eq!(one.node().health_score(), score);
    let end = one.now() + SECOND * 5;
    let pinged = |one: &mut Rig| one.node().stats().counters.probes > 0;
    assert!(one.wait_until(end, pinged));
    let began = one.now();
    if let Some((vsn, _)) = helper {
        one.alive_with("helper", 1, vsn, b"");
    }
    if let Some((_, true)) = helper {
        let end = one.now() + SECOND * 5;
        let asked = |one: &mut Rig| one.heard_of("indirect bad nack");
        assert!(one.wait_until(end, asked), "the helper must be asked");
        one.nack_last();
    }
    let end = one.now() + SECOND * 20;
    assert!(one.wait_until(end, |one| one.state("bad") == Some((State::Suspect, 1))));
    (one.now().saturating_duration_since(began), one.node().health_score())
}

#[test]
fn probe_node_awareness_degraded() {
    assert_eq!(failed_probe(0, None), (SECOND, 1));
    assert_eq!(failed_probe(1, None), (SECOND * 2, 2), "the deadline grows with the score");
    assert_eq!(failed_probe(3, None), (SECOND * 4, 4));
}

#[test]
fn probe_node_wrong_vsn() {
    let mut one = start(config());
    one.alive_with("a", 1, &[0; 6], b"");
    assert_eq!(one.state("a"), None);
    let refused = one.events();
    let [Event::Refused { reason: Refusal::Versions, .. }] = &refused[..] else {
        panic!("{refused:?}")
    };
}

#[test]
fn probe_node_awareness_improved() {
    let mut one = start(probing());
    one.suspect("me", 1, "x");
    assert_eq!(one.node().health_score(), 1);
    one.alive("good", 1);
    one.wait(SECOND * 2);
    assert_eq!(one.state("good"), Some((State::Alive, 1)));
    assert_eq!(one.node().health_score(), 0);
}

#[test]
fn probe_node_awareness_missed_nack() {
    assert_eq!(failed_probe(0, Some((&VSN, false))), (SECOND, 1), "a missing nack costs health");
    assert_eq!(failed_probe(0, Some((&VSN, true))), (SECOND, 0), "with the nack it costs none");
}

#[test]
fn probe_node_awareness_old_protocol() {
    // A helper without nacks: a failed probe costs one.
    assert_eq!(failed_probe(0, Some((&[1, 3, 2, 0, 0, 0], false))), (SECOND, 1));
}

#[test]
fn probe_node_buddy() {
    let mut one = suspecting(|_| {}, &[]);
    one.sent();
    one.wait(SECOND * 3);
    let together =
        |sent: &Sent| sent.words.starts_with(&["ping bad".into(), "suspect bad 1".into()]);
    assert!(one.sent().iter().any(together), "the suspicion must accompany the ping");
}

#[test]
fn probe_node() {
    let mut one = start(probing());
    one.alive("good", 1);
    one.wait(SECOND * 3);
    assert_eq!(one.state("good"), Some((State::Alive, 1)));
    let pings = one.sent().into_iter().filter(|sent| sent.words[0] == "ping good").count();
    assert_eq!(pings, 3);
}

#[test]
fn ping() {
    let (mut sim, nodes) = cluster(2, |_| {});
    let outcome = |sim: &mut Sim, target: Target| {
        let op = sim.operate(nodes[0], |node, now| node.ping(now, target));
        sim.run_for(SECOND * 2);
        let events = sim.events(nodes[0]).iter();
        let mut ended = events.filter_map(|(_, event)| match event {
            Event::Finished { op: ended, outcome: Outcome::Ping(result) } if *ended == op => {
                Some(result.clone())
            }
            _ => None,
        });
        ended.next().expect("the ping has ended")
    };
    let pong = outcome(&mut sim, Target::Member("n1".into())).expect("an answer");
    assert!(pong.rtt > Duration::ZERO && pong.rtt < SECOND);
    let unknown = Target::Addr { addr: ([10, 9, 9, 9], 1).into(), node: Some("bad".into()) };
    assert!(matches!(outcome(&mut sim, unknown), Err(PingError::NoResponse)));
}

#[test]
fn reset_nodes() {
    let mut one = start(probing().with(|it| it.gossip_to_the_dead_time = SECOND * 10));
    for name in ["a", "b", "c"] {
        one.alive(name, 1);
    }
    one.dead("b", 1, "x");
    one.wait(SECOND * 9);
    assert_eq!(one.state("b"), Some((State::Dead, 1)), "kept while it may refute");
    one.wait(SECOND * 6);
    assert_eq!(one.state("b"), None, "removed at the end of the probe round");
    assert_eq!(one.node().num_members(), 3);
}

#[test]
fn next_seq() {
    let mut one = start(config());
    let numbers: Vec<u32> = (0..3)
        .map(|_| {
            let target = Target::Addr { addr: address("x"), node: None };
            one.begin(|node, now| node.ping(now, target));
            let packet = one.packets().pop().expect("a ping");
            // 00 | map: the number follows its key.
            let body = &packet.payload[1..];
            let at = body.windows(5).position(|key| key == b"SeqNo").expect("a number") + 5;
            assert_eq!(body[at], 0xce, "a number of four bytes");
            u32::from_be_bytes(body[at + 1..at + 5].try_into().expect("four bytes"))
        })
        .collect();
    assert_eq!(numbers[1], numbers[0].wrapping_add(1));
    assert_eq!(numbers[2], numbers[0].wrapping_add(2));
}

#[test]
fn set_probe_channels() {
    let mut one = start(probing().with(|it| it.disable_tcp_pings = true));
    one.silence("bad");
    one.alive("bad", 1);
    let end = one.now() + SECOND * 3;
    assert!(one.wait_until(end, |one| one.node().stats().gauges.acks_awaited == 1));
    one.wait(SECOND);
    assert_eq!(one.node().stats().counters.probes_failed, 1, "the probe must end");
}

#[test]
fn set_ack_handler() {
    let mut one = start(config());
    one.begin(|node, now| node.ping(now, Target::Addr { addr: address("x"), node: None }));
    assert_eq!(one.node().stats().gauges.acks_awaited, 1);
    one.silence("");
    one.wait(SECOND);
    assert_eq!(one.node().stats().gauges.acks_awaited, 0);
}

#[test]
fn invoke_ack_handler() {
    let mut one = start(config());
    one.receive(&Message::Ack(Ack { seq_no: 12, payload: None }));
    assert_eq!(one.node().stats().counters.acks_unknown, 1, "and nothing else");
    one.receive(&Message::Nack(Nack { seq_no: 12 }));
    assert_eq!(one.node().stats().counters.acks_unknown, 2);
    assert!(one.events().is_empty());
}
