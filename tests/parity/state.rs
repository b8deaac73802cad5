//! Go: `state_test.go`.

use std::sync::Arc;
use std::time::Duration;

use memberlist_proto::wire::message::{Ack, Alive, Message, Nack};
use memberlist_proto::{
    Config, Delegate, Event, JoinError, Name, Outcome, PingError, Refusal, State, StreamOp, Target,
};
use memberlist_sim::{Link, NodeId, Sim};

use crate::one::{One, VSN, addr, address, config, probing};

const SECOND: Duration = Duration::from_secs(1);

/// Nodes on a perfect network that know each other.
fn cluster(size: usize, change: impl Fn(&mut Config)) -> (Sim, Vec<NodeId>) {
    let mut sim = Sim::new(77);
    let nodes: Vec<NodeId> = (0..size)
        .map(|index| {
            let mut config = Config::lan(format!("n{index}").as_str());
            change(&mut config);
            sim.start(config)
        })
        .collect();
    for node in &nodes[1..] {
        sim.join(*node, nodes[0]);
    }
    assert!(sim.run_until(SECOND * 60, |sim| sim.agreement().is_ok()).is_some());
    (sim, nodes)
}

fn sees(sim: &Sim, who: NodeId, whom: NodeId) -> Option<State> {
    sim.node(who).member(sim.name(whom)).map(|node| node.state())
}

/// A node at the moment at which it suspects `bad`, which answers nothing.
fn suspecting(change: impl FnOnce(&mut Config), peers: &[&str]) -> One {
    let mut config = probing();
    change(&mut config);
    let mut one = One::new(config);
    one.silent.push("bad");
    one.alive("bad", 1);
    for peer in peers {
        one.alive(peer, 1);
    }
    one.events();
    let end = one.now + SECOND * 60;
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
    assert!(nodes[..3].iter().map(relayed).sum::<u64>() >= 2, "both others were asked");
}

#[test]
fn probe_node_suspect_dogpile() {
    // How many other members, how many confirmations, milliseconds from suspicion to death.
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
        let began = one.now;
        for name in names.iter().take(confirmations) {
            one.suspect("bad", 1, name);
        }
        let end = one.now + SECOND * 5;
        assert!(one.wait_until(end, |one| one.state("bad") == Some((State::Dead, 1))));
        let took = one.now.saturating_duration_since(began).as_millis() as u64;
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
    assert_eq!(sim.node(nodes[0]).health_score(), 0, "it is not this node's fault");
}

#[test]
fn probe_node_fallback_tcp_disabled() {
    struct NoStreams;
    impl Delegate for NoStreams {
        fn stream_ping(&self, _: Name<'_>) -> bool {
            false
        }
    }
    let by_config = Config { disable_tcp_pings: true, ..probing() };
    let by_node: Arc<dyn Delegate> = Arc::new(NoStreams);
    for (config, delegate) in [(by_config, None), (probing(), Some(by_node))] {
        let mut one = One::with(config, delegate);
        one.silent.push("bad");
        one.alive("bad", 1);
        let end = one.now + SECOND * 10;
        assert!(one.wait_until(end, |one| one.state("bad") == Some((State::Suspect, 1))));
        assert_eq!(one.stream_ops(), [], "no stream was tried");
    }
}

#[test]
fn probe_node_fallback_tcp_old_protocol() {
    for (newest, streams) in [(2, 0), (3, 1)] {
        let mut one = One::new(probing());
        one.silent.push("bad");
        one.alive_with("bad", 1, &[1, newest, 2, 0, 0, 0], b"");
        let end = one.now + SECOND * 10;
        assert!(one.wait_until(end, |one| one.state("bad") == Some((State::Suspect, 1))));
        let connects = one.stream_ops();
        let connects = connects.iter().filter(|op| matches!(op, StreamOp::Connect { .. }));
        assert_eq!(connects.count(), streams, "only since version 3");
    }
}

/// How long after its ping a probe fails, and the score afterwards.
fn failed_probe(score: u32, helper: Option<(&[u8], bool)>) -> (Duration, u32) {
    let mut one = One::new(Config { disable_tcp_pings: true, ..probing() });
    for _ in 0..score {
        let incarnation = one.node.local().incarnation();
        one.suspect("me", incarnation, "x");
    }
    one.silent = vec!["bad", "helper"];
    one.alive("bad", 1);
    assert_eq!(one.node.health_score(), score);
    let end = one.now + SECOND * 5;
    let pinged = |one: &mut One| one.node.stats().counters.probes > 0;
    assert!(one.wait_until(end, pinged));
    let began = one.now;
    if let Some((vsn, _)) = helper {
        one.alive_with("helper", 1, vsn, b"");
    }
    if let Some((_, true)) = helper {
        let end = one.now + SECOND * 5;
        let asked = |one: &mut One| one.heard_of("indirect bad nack");
        assert!(one.wait_until(end, asked), "the helper is asked");
        one.nack_everything();
    }
    let end = one.now + SECOND * 20;
    assert!(one.wait_until(end, |one| one.state("bad") == Some((State::Suspect, 1))));
    (one.now.saturating_duration_since(began), one.node.health_score())
}

#[test]
fn probe_node_awareness_degraded() {
    assert_eq!(failed_probe(0, None), (SECOND, 1));
    assert_eq!(failed_probe(1, None), (SECOND * 2, 2), "a worse node waits longer");
    assert_eq!(failed_probe(3, None), (SECOND * 4, 4));
}

#[test]
fn probe_node_wrong_vsn() {
    let mut one = One::new(config());
    one.alive_with("a", 1, &[0; 6], b"");
    assert_eq!(one.state("a"), None);
    let refused = one.events();
    let [Event::Refused { reason: Refusal::Versions, .. }] = &refused[..] else {
        panic!("{refused:?}")
    };
}

#[test]
fn probe_node_awareness_improved() {
    let mut one = One::new(probing());
    one.suspect("me", 1, "x");
    assert_eq!(one.node.health_score(), 1);
    one.alive("good", 1);
    one.wait(SECOND * 2);
    assert_eq!(one.state("good"), Some((State::Alive, 1)));
    assert_eq!(one.node.health_score(), 0);
}

#[test]
fn probe_node_awareness_missed_nack() {
    assert_eq!(failed_probe(0, Some((&VSN, false))), (SECOND, 1), "the helper's nack is missing");
    assert_eq!(failed_probe(0, Some((&VSN, true))), (SECOND, 0), "this node is not to blame");
}

#[test]
fn probe_node_awareness_old_protocol() {
    // A helper that knows no nacks: a failed probe counts once.
    assert_eq!(failed_probe(0, Some((&[1, 3, 2, 0, 0, 0], false))), (SECOND, 1));
}

#[test]
fn probe_node_buddy() {
    let mut one = suspecting(|_| {}, &[]);
    one.sent();
    one.wait(SECOND * 3);
    let together = |sent: &crate::one::Sent| {
        sent.words.starts_with(&["ping bad".into(), "suspect bad 1".into()])
    };
    assert!(one.sent().iter().any(together), "the suspect hears of it with its ping");
}

#[test]
fn probe_node() {
    let mut one = One::new(probing());
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
    let nobody = Target::Addr { addr: ([10, 9, 9, 9], 1).into(), node: Some("bad".into()) };
    assert!(matches!(outcome(&mut sim, nobody), Err(PingError::NoResponse)));
}

#[test]
fn reset_nodes() {
    let mut one = One::new(Config { gossip_to_the_dead_time: SECOND * 10, ..probing() });
    for name in ["a", "b", "c"] {
        one.alive(name, 1);
    }
    one.dead("b", 1, "x");
    one.wait(SECOND * 9);
    assert_eq!(one.state("b"), Some((State::Dead, 1)), "it may still refute");
    one.wait(SECOND * 6);
    assert_eq!(one.state("b"), None, "forgotten when the round is over");
    assert_eq!(one.node.num_members(), 3);
}

#[test]
fn next_seq() {
    let mut one = One::new(config());
    let numbers: Vec<u32> = (0..3)
        .map(|_| {
            let target = Target::Addr { addr: address("x"), node: None };
            one.node.ping(one.now, target);
            let packet = one.node.poll_transmit().expect("a ping");
            // 00 | map of … "SeqNo" is the only number of the message that grows.
            let body = &packet.payload[1..];
            let at = body.windows(5).position(|key| key == b"SeqNo").expect("a number") + 5;
            assert_eq!(body[at], 0xce, "four bytes at this height");
            u32::from_be_bytes(body[at + 1..at + 5].try_into().expect("four bytes"))
        })
        .collect();
    assert_eq!(numbers[1], numbers[0].wrapping_add(1));
    assert_eq!(numbers[2], numbers[0].wrapping_add(2));
}

#[test]
fn set_probe_channels() {
    let mut one = One::new(Config { disable_tcp_pings: true, ..probing() });
    one.silent.push("bad");
    one.alive("bad", 1);
    let end = one.now + SECOND * 3;
    assert!(one.wait_until(end, |one| one.node.stats().gauges.acks_awaited == 1));
    one.wait(SECOND);
    assert_eq!(one.node.stats().counters.probes_failed, 1, "nobody waits for ever");
}

#[test]
fn set_ack_handler() {
    let mut one = One::new(config());
    one.node.ping(one.now, Target::Addr { addr: address("x"), node: None });
    assert_eq!(one.node.stats().gauges.acks_awaited, 1);
    one.silent.push("");
    one.wait(SECOND);
    assert_eq!(one.node.stats().gauges.acks_awaited, 0);
}

#[test]
fn invoke_ack_handler() {
    let mut one = One::new(config());
    one.receive(&Message::Ack(Ack { seq_no: 12, payload: None }));
    assert_eq!(one.node.stats().counters.acks_unknown, 1, "and nothing else");
    one.receive(&Message::Nack(Nack { seq_no: 12 }));
    assert_eq!(one.node.stats().counters.acks_unknown, 2);
    assert!(one.events().is_empty());
}

#[test]
fn alive_node_new_node() {
    let mut one = One::new(config());
    let before = one.queued();
    one.alive("test", 1);
    assert_eq!(one.state("test"), Some((State::Alive, 1)));
    assert_eq!(one.joined(), 1);
    assert_eq!(one.queued(), before + 1);
}

#[test]
fn alive_node_suspect_node() {
    let mut one = One::new(Config { probe_interval: SECOND * 60, ..config() });
    one.alive("test", 1);
    one.suspect("test", 1, "x");
    one.events();
    let before = one.queued();
    one.alive("test", 1);
    assert_eq!(one.state("test"), Some((State::Suspect, 1)), "the same incarnation says nothing");
    one.alive("test", 2);
    assert_eq!(one.state("test"), Some((State::Alive, 2)));
    assert_eq!(one.joined(), 0, "it had never gone");
    assert_eq!(one.queued(), before, "in place of the suspicion");
}

#[test]
fn alive_node_idempotent() {
    let mut one = One::new(config());
    one.alive("test", 1);
    let since = one.node.member(&"test".into()).expect("known").since();
    one.events();
    one.wait(SECOND);
    one.alive("test", 2);
    let node = one.node.member(&"test".into()).expect("known");
    assert_eq!((node.state(), node.incarnation()), (State::Alive, 2));
    assert_eq!(node.since(), since, "alive all the time");
    assert!(one.events().is_empty());
}

#[test]
fn alive_node_change_meta() {
    let mut one = One::new(config());
    one.alive_with("test", 1, &VSN, b"val1");
    one.events();
    one.alive_with("test", 2, &VSN, b"val2");
    assert_eq!(one.node.member(&"test".into()).expect("known").meta(), b"val2");
    let told = one.events();
    assert!(matches!(&told[..], [Event::Updated { change, .. }] if change.meta), "{told:?}");
}

#[test]
fn alive_node_refute() {
    let mut one = One::new(config());
    let before = one.node.local();
    one.receive(&Message::Alive(Alive {
        incarnation: 2,
        node: b"me",
        addr: Some(&[10, 0, 0, 1]),
        port: 7946,
        meta: Some(b"other"),
        vsn: Some(&VSN),
    }));
    let after = one.node.local();
    assert_eq!((after.state(), after.meta()), (State::Alive, before.meta()));
    assert_eq!(after.incarnation(), 3, "above the claim");
    assert_eq!(one.queued(), 1, "one refutation");
}

#[test]
fn alive_node_conflict() {
    let reclaim = Config { dead_node_reclaim_time: SECOND, ..config() };
    let mut one = One::new(reclaim);
    let elsewhere = |one: &mut One, incarnation| {
        one.receive(&Message::Alive(Alive {
            incarnation,
            node: b"test",
            addr: Some(&[10, 2, 2, 2]),
            port: 1,
            meta: None,
            vsn: Some(&VSN),
        }));
    };
    one.alive("test", 1);
    one.events();
    elsewhere(&mut one, 2);
    let told = one.events();
    assert!(matches!(&told[..], [Event::Conflict { .. }]), "{told:?}");
    let known = |one: &One| one.node.member(&"test".into()).expect("known");
    assert_eq!(known(&one).address(), Some(address("test")));
    assert_eq!(known(&one).incarnation(), 1);
    // The dead lose their name after the time for it.
    one.dead("test", 2, "x");
    elsewhere(&mut one, 3);
    assert_eq!(known(&one).state(), State::Dead, "not yet");
    one.wait(SECOND * 2);
    elsewhere(&mut one, 3);
    assert_eq!(known(&one).state(), State::Alive);
    assert_eq!(known(&one).address(), Some(([10, 2, 2, 2], 1).into()));
}

#[test]
fn suspect_node_no_node() {
    let mut one = One::new(config());
    let before = one.queued();
    one.suspect("test", 1, "x");
    assert_eq!((one.state("test"), one.queued()), (None, before));
}

#[test]
fn suspect_node() {
    let mut one = One::new(Config { probe_interval: Duration::from_millis(501), ..config() });
    one.silent.push("test");
    one.alive("test", 1);
    one.suspect("test", 1, "x");
    assert_eq!(one.state("test"), Some((State::Suspect, 1)));
    let told = one.events();
    assert!(told.iter().any(|event| matches!(event, Event::Suspected { .. })));
    one.wait(SECOND * 30);
    assert!(matches!(one.state("test"), None | Some((State::Dead, 1))), "its time has run out");
    let told = one.events();
    let departed = told.iter().filter(|event| matches!(event, Event::Departed { .. }));
    assert_eq!(departed.count(), 1);
}

#[test]
fn suspect_node_double_suspect() {
    let mut one = One::new(Config { probe_interval: SECOND * 60, ..config() });
    one.alive("test", 1);
    one.suspect("test", 1, "x");
    let since = one.node.member(&"test".into()).expect("known").since();
    let before = one.queued();
    one.events();
    one.wait(Duration::from_millis(10));
    one.suspect("test", 1, "x");
    assert_eq!(one.node.member(&"test".into()).expect("known").since(), since);
    assert_eq!((one.queued(), one.events().len()), (before, 0));
}

#[test]
fn suspect_node_old_suspect() {
    let mut one = One::new(config());
    one.alive("test", 10);
    let before = one.queued();
    one.suspect("test", 1, "x");
    assert_eq!((one.state("test"), one.queued()), (Some((State::Alive, 10)), before));
}

#[test]
fn suspect_node_refute() {
    let mut one = One::new(config());
    one.suspect("me", 1, "x");
    assert_eq!(one.node.local().state(), State::Alive);
    assert_eq!(one.node.local().incarnation(), 2);
    assert_eq!(one.queued(), 1);
    assert_eq!(one.node.health_score(), 1, "to be accused is a sign of bad health");
}

#[test]
fn dead_node_no_node() {
    let mut one = One::new(config());
    let before = one.queued();
    one.dead("test", 1, "x");
    assert_eq!((one.state("test"), one.queued()), (None, before));
}

#[test]
fn dead_node_left() {
    let mut one = One::new(config());
    one.alive("test", 1);
    one.events();
    one.dead("test", 1, "test");
    assert_eq!(one.state("test"), Some((State::Left, 1)));
    let told = one.events();
    assert!(matches!(&told[..], [Event::Departed { .. }]), "{told:?}");
    // Whoever has left may come back at once, and from elsewhere.
    one.receive(&Message::Alive(Alive {
        incarnation: 3,
        node: b"test",
        addr: Some(&[10, 2, 2, 2]),
        port: 1,
        meta: None,
        vsn: Some(&VSN),
    }));
    assert_eq!(one.state("test"), Some((State::Alive, 3)));
    assert_eq!(one.joined(), 1);
}

#[test]
fn dead_node() {
    let mut one = One::new(config());
    one.alive("test", 1);
    one.events();
    let before = one.queued();
    one.dead("test", 1, "x");
    assert_eq!(one.state("test"), Some((State::Dead, 1)));
    assert_eq!(one.queued(), before, "in place of the announcement");
    let told = one.events();
    assert!(matches!(&told[..], [Event::Departed { .. }]), "{told:?}");
}

#[test]
fn dead_node_double() {
    let mut one = One::new(config());
    one.alive("test", 1);
    one.dead("test", 1, "x");
    one.events();
    let before = one.queued();
    one.dead("test", 2, "x");
    assert_eq!((one.events().len(), one.queued()), (0, before));
}

#[test]
fn dead_node_old_dead() {
    let mut one = One::new(config());
    one.alive("test", 10);
    one.dead("test", 1, "x");
    assert_eq!(one.state("test"), Some((State::Alive, 10)));
}

#[test]
fn dead_node_alive_replay() {
    let mut one = One::new(config());
    one.alive("test", 10);
    one.dead("test", 10, "x");
    one.alive("test", 10);
    assert_eq!(one.state("test"), Some((State::Dead, 10)), "an old announcement revives nobody");
}

#[test]
fn dead_node_refute() {
    let mut one = One::new(config());
    one.dead("me", 1, "x");
    assert_eq!(one.node.local().state(), State::Alive);
    assert_eq!(one.node.local().incarnation(), 2);
    assert_eq!(one.queued(), 1);
    assert_eq!(one.node.health_score(), 1);
}

#[test]
fn merge_state() {
    use memberlist_proto::wire::push_pull::{self, NodeState};
    let mut one = One::new(Config { probe_interval: SECOND * 60, ..config() });
    for name in ["test1", "test2", "test3"] {
        one.alive(name, 1);
    }
    one.suspect("test1", 1, "x");
    one.events();
    let mut state = Vec::new();
    let remote = [(&b"test1"[..], 2, 0), (b"test2", 1, 1), (b"test3", 1, 2), (b"test4", 2, 0)];
    push_pull::encode_header(&mut state, false, remote.len(), 0);
    for (name, incarnation, what) in remote {
        let node = NodeState {
            name,
            addr: Some(&addr(std::str::from_utf8(name).expect("a name"))),
            port: 7946,
            meta: None,
            incarnation,
            state: what,
            vsn: Some(&VSN),
        };
        push_pull::encode_state(&mut state, &node);
    }
    let stream = one.node.accept_stream(one.now, address("peer")).expect("room");
    one.node.handle_stream_data(one.now, stream, &state).expect("a good state");
    assert_eq!(one.state("test1"), Some((State::Alive, 2)));
    assert_eq!(one.state("test2"), Some((State::Suspect, 1)));
    assert_eq!(one.state("test3"), Some((State::Suspect, 1)), "dead elsewhere is suspect here");
    assert_eq!(one.state("test4"), Some((State::Alive, 2)));
    assert_eq!(one.joined(), 1, "of the new one alone");
}

#[test]
fn gossip() {
    let (mut sim, nodes) = cluster(3, |_| {});
    // Whoever is told of a change only by gossip hears it.
    let meta = |node: &mut memberlist_proto::Memberlist, now| {
        node.set_meta(now, "new".into(), SECOND * 5).expect("short")
    };
    sim.operate(nodes[0], meta);
    let heard = |sim: &Sim| {
        nodes[1..].iter().all(|node| {
            let known = sim.node(*node).member(sim.name(nodes[0])).expect("known");
            known.meta() == b"new"
        })
    };
    assert!(sim.run_until(SECOND * 5, heard).is_some_and(|took| took < SECOND * 2));
}

#[test]
fn gossip_to_dead() {
    let gossiping = Config {
        gossip_interval: Duration::from_millis(200),
        gossip_to_the_dead_time: SECOND * 2,
        ..config()
    };
    let mut one = One::new(gossiping);
    one.alive("dead", 1);
    one.wait(SECOND * 5);
    one.dead("dead", 1, "x");
    one.sent();
    one.wait(SECOND);
    assert!(one.sent().iter().any(|sent| sent.to == address("dead")), "for a while");
    one.wait(SECOND * 2);
    one.sent();
    one.alive("other", 1);
    one.wait(SECOND * 5);
    let sent = one.sent();
    assert!(sent.iter().any(|sent| sent.to == address("other")));
    assert!(sent.iter().all(|sent| sent.to != address("dead")), "and then no more");
}

#[test]
fn failed_remote() {
    // A ping that could not be sent is no silence of the other: helpers are asked at once, and it
    // costs no health if they reach the target.
    let mut one = One::new(Config { disable_tcp_pings: true, ..probing() });
    one.alive("target", 1);
    one.wait(Duration::from_millis(900));
    one.alive("helper", 1);
    one.sent();
    let ping = loop {
        let due = one.node.poll_timeout().expect("a probe");
        one.now = one.now.max(due);
        one.node.handle_timeout(one.now);
        if let Some(transmit) = one.node.poll_transmit() {
            break transmit;
        }
    };
    one.node.handle_transmit_failed(one.now, &ping);
    let asked = one.sent();
    assert!(asked.iter().any(|sent| sent.words[0].starts_with("indirect")), "{asked:?}");
}

#[test]
fn push_pull() {
    let (mut sim, nodes) = cluster(2, |config| config.push_pull_interval = SECOND * 10);
    let late = sim.start(Config::lan("late"));
    sim.join(late, nodes[1]);
    // Nobody gossips: only a full state exchange can tell the first of the third.
    sim.network().set_default(Link { packets: false, ..Link::default() });
    let heard = sim.run_until(SECOND * 60, |sim| sim.node(nodes[0]).num_members() == 3);
    assert!(heard.is_some());
}

#[test]
fn verify_protocol() {
    // Each side's versions (lowest, highest, spoken), and whether all understand all.
    type Side = &'static [[u8; 3]];
    let cases: [(Side, Side, bool); 5] = [
        (&[[1, 1, 1]], &[[1, 1, 1]], true),
        (&[[1, 1, 1]], &[[1, 2, 1]], true),
        (&[[1, 1, 1]], &[[2, 2, 2]], false),
        (&[[1, 2, 1], [1, 3, 2]], &[[2, 4, 2]], false),
        (&[[1, 4, 3], [1, 3, 1]], &[[1, 3, 2], [1, 6, 1]], true),
    ];
    for (here, there, expected) in cases {
        for (here, there) in [(here, there), (there, here)] {
            for application in [false, true] {
                let verified = exchanged(here, there, application);
                assert_eq!(verified, expected, "{here:?} {there:?} {application}");
            }
        }
    }
}

/// Whether a state with the versions `there` is merged by a node that knows those of `here`.
fn exchanged(here: &[[u8; 3]], there: &[[u8; 3]], application: bool) -> bool {
    use memberlist_proto::wire::push_pull::{self, NodeState};
    let vsn = |[min, max, spoken]: [u8; 3]| {
        if application { [1, 5, 2, min, max, spoken] } else { [min, max, spoken, 0, 0, 0] }
    };
    // This node itself speaks what everybody does.
    let mut config = config();
    config.protocol_version = if application { 2 } else { here[0][2] };
    if application {
        [config.delegate_protocol_min, config.delegate_protocol_max] = [here[0][0], here[0][1]];
        config.delegate_protocol_version = here[0][2];
    }
    let mut one = One::new(config);
    for (index, versions) in here.iter().enumerate() {
        one.alive_with(&format!("here{index}"), 1, &vsn(*versions), b"");
    }
    let mut state = Vec::new();
    push_pull::encode_header(&mut state, false, there.len(), 0);
    for (index, versions) in there.iter().enumerate() {
        let name = format!("there{index}");
        let node = NodeState {
            name: name.as_bytes(),
            addr: Some(&addr(&name)),
            port: 7946,
            meta: None,
            incarnation: 1,
            state: 0,
            vsn: Some(&vsn(*versions)),
        };
        push_pull::encode_state(&mut state, &node);
    }
    let stream = one.node.accept_stream(one.now, address("peer")).expect("room");
    one.node.handle_stream_data(one.now, stream, &state).expect("a good message");
    let merged = one.state("there0").is_some();
    let told = one.events();
    let refused = |event: &Event| matches!(event, Event::ExchangeFailed { .. });
    assert_eq!(merged, !told.iter().any(refused), "{told:?}");
    merged
}

#[test]
fn a_join_that_reaches_nobody_says_why() {
    let mut one = One::new(config());
    one.node.join(one.now, &[address("x").into()]);
    let id = one.stream_ops()[0].id();
    one.node.handle_stream_closed(one.now, id, Some(memberlist_proto::StreamFailure::Refused));
    let told = one.events();
    let Some(Event::Finished { outcome: Outcome::Join(Ok(report)), .. }) = told.last() else {
        panic!("{told:?}")
    };
    assert!(report.joined.is_empty());
    assert!(matches!(report.failed[0].error, JoinError::Exchange(_)));
}
