//! Go: the tests of `state_test.go` about members.

use std::time::Duration;

use memberlist_proto::wire::message::{Alive, Message};
use memberlist_proto::{Config, Event, JoinError, Outcome, State};
use memberlist_sim::rig::{Rig, VSN, addr, address};
use memberlist_sim::{Link, Sim};

use crate::cluster::cluster;
use crate::one::{config, joined, probing, start};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn alive_node_new_node() {
    let mut one = start(config());
    let before = one.queued();
    one.alive("test", 1);
    assert_eq!(one.state("test"), Some((State::Alive, 1)));
    assert_eq!(joined(&mut one), 1);
    assert_eq!(one.queued(), before + 1);
}

#[test]
fn alive_node_suspect_node() {
    let mut one = start(config().with(|it| it.probe_interval = SECOND * 60));
    one.alive("test", 1);
    one.suspect("test", 1, "x");
    one.events();
    let before = one.queued();
    one.alive("test", 1);
    assert_eq!(
        one.state("test"),
        Some((State::Suspect, 1)),
        "the same incarnation does not refute"
    );
    one.alive("test", 2);
    assert_eq!(one.state("test"), Some((State::Alive, 2)));
    assert_eq!(joined(&mut one), 0, "it had not departed");
    assert_eq!(one.queued(), before, "replaces the suspicion");
}

#[test]
fn alive_node_idempotent() {
    let mut one = start(config());
    one.alive("test", 1);
    let since = one.node().member(&"test".into()).expect("known").since();
    one.events();
    one.wait(SECOND);
    one.alive("test", 2);
    let node = one.node().member(&"test".into()).expect("known");
    assert_eq!((node.state(), node.incarnation()), (State::Alive, 2));
    assert_eq!(node.since(), since, "alive without interruption");
    assert!(one.events().is_empty());
}

#[test]
fn alive_node_change_meta() {
    let mut one = start(config());
    one.alive_with("test", 1, &VSN, b"val1");
    one.events();
    one.alive_with("test", 2, &VSN, b"val2");
    assert_eq!(one.node().member(&"test".into()).expect("known").meta(), b"val2");
    let events = one.events();
    assert!(matches!(&events[..], [Event::Updated { change, .. }] if change.meta), "{events:?}");
}

#[test]
fn alive_node_refute() {
    let mut one = start(config());
    let before = one.node().local();
    one.receive(&Message::Alive(Alive {
        incarnation: 2,
        node: b"me",
        addr: Some(&[10, 0, 0, 1]),
        port: 7946,
        meta: Some(b"other"),
        vsn: Some(&VSN),
    }));
    let after = one.node().local();
    assert_eq!((after.state(), after.meta()), (State::Alive, before.meta()));
    assert_eq!(after.incarnation(), 3, "above the claimed incarnation");
    assert_eq!(one.queued(), 1, "one refutation");
}

#[test]
fn alive_node_conflict() {
    let reclaim = config().with(|it| it.dead_node_reclaim_time = SECOND);
    let mut one = start(reclaim);
    let elsewhere = |one: &mut Rig, incarnation| {
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
    let events = one.events();
    assert!(matches!(&events[..], [Event::Conflict { .. }]), "{events:?}");
    let known = |one: &Rig| one.node().member(&"test".into()).expect("known");
    assert_eq!(known(&one).address(), Some(address("test")));
    assert_eq!(known(&one).incarnation(), 1);
    // A dead node loses its name after `dead_node_reclaim_time`.
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
    let mut one = start(config());
    let before = one.queued();
    one.suspect("test", 1, "x");
    assert_eq!((one.state("test"), one.queued()), (None, before));
}

#[test]
fn suspect_node() {
    let mut one = start(config().with(|it| it.probe_interval = Duration::from_millis(501)));
    one.silence("test");
    one.alive("test", 1);
    one.suspect("test", 1, "x");
    assert_eq!(one.state("test"), Some((State::Suspect, 1)));
    let events = one.events();
    assert!(events.iter().any(|event| matches!(event, Event::Suspected { .. })));
    one.wait(SECOND * 30);
    assert!(
        matches!(one.state("test"), None | Some((State::Dead, 1))),
        "the suspicion must have run out"
    );
    let events = one.events();
    let departed = events.iter().filter(|event| matches!(event, Event::Departed { .. }));
    assert_eq!(departed.count(), 1);
}

#[test]
fn suspect_node_double_suspect() {
    let mut one = start(config().with(|it| it.probe_interval = SECOND * 60));
    one.alive("test", 1);
    one.suspect("test", 1, "x");
    let since = one.node().member(&"test".into()).expect("known").since();
    let before = one.queued();
    one.events();
    one.wait(Duration::from_millis(10));
    one.suspect("test", 1, "x");
    assert_eq!(one.node().member(&"test".into()).expect("known").since(), since);
    assert_eq!((one.queued(), one.events().len()), (before, 0));
}

#[test]
fn suspect_node_old_suspect() {
    let mut one = start(config());
    one.alive("test", 10);
    let before = one.queued();
    one.suspect("test", 1, "x");
    assert_eq!((one.state("test"), one.queued()), (Some((State::Alive, 10)), before));
}

#[test]
fn suspect_node_refute() {
    let mut one = start(config());
    one.suspect("me", 1, "x");
    assert_eq!(one.node().local().state(), State::Alive);
    assert_eq!(one.node().local().incarnation(), 2);
    assert_eq!(one.queued(), 1);
    assert_eq!(one.node().health_score(), 1, "an accusation costs health");
}

#[test]
fn dead_node_no_node() {
    let mut one = start(config());
    let before = one.queued();
    one.dead("test", 1, "x");
    assert_eq!((one.state("test"), one.queued()), (None, before));
}

#[test]
fn dead_node_left() {
    let mut one = start(config());
    one.alive("test", 1);
    one.events();
    one.dead("test", 1, "test");
    assert_eq!(one.state("test"), Some((State::Left, 1)));
    let events = one.events();
    assert!(matches!(&events[..], [Event::Departed { .. }]), "{events:?}");
    // A node that left may come back at once, at another address.
    one.receive(&Message::Alive(Alive {
        incarnation: 3,
        node: b"test",
        addr: Some(&[10, 2, 2, 2]),
        port: 1,
        meta: None,
        vsn: Some(&VSN),
    }));
    assert_eq!(one.state("test"), Some((State::Alive, 3)));
    assert_eq!(joined(&mut one), 1);
}

#[test]
fn dead_node() {
    let mut one = start(config());
    one.alive("test", 1);
    one.events();
    let before = one.queued();
    one.dead("test", 1, "x");
    assert_eq!(one.state("test"), Some((State::Dead, 1)));
    assert_eq!(one.queued(), before, "replaces the announcement");
    let events = one.events();
    assert!(matches!(&events[..], [Event::Departed { .. }]), "{events:?}");
}

#[test]
fn dead_node_double() {
    let mut one = start(config());
    one.alive("test", 1);
    one.dead("test", 1, "x");
    one.events();
    let before = one.queued();
    one.dead("test", 2, "x");
    assert_eq!((one.events().len(), one.queued()), (0, before));
}

#[test]
fn dead_node_old_dead() {
    let mut one = start(config());
    one.alive("test", 10);
    one.dead("test", 1, "x");
    assert_eq!(one.state("test"), Some((State::Alive, 10)));
}

#[test]
fn dead_node_alive_replay() {
    let mut one = start(config());
    one.alive("test", 10);
    one.dead("test", 10, "x");
    one.alive("test", 10);
    assert_eq!(
        one.state("test"),
        Some((State::Dead, 10)),
        "an old announcement must not revive it"
    );
}

#[test]
fn dead_node_refute() {
    let mut one = start(config());
    one.dead("me", 1, "x");
    assert_eq!(one.node().local().state(), State::Alive);
    assert_eq!(one.node().local().incarnation(), 2);
    assert_eq!(one.queued(), 1);
    assert_eq!(one.node().health_score(), 1);
}

#[test]
fn merge_state() {
    use memberlist_proto::wire::push_pull::{self, NodeState};
    let mut one = start(config().with(|it| it.probe_interval = SECOND * 60));
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
    let stream = one.accept(address("peer")).expect("room");
    one.data(stream, &state).expect("a good state");
    assert_eq!(one.state("test1"), Some((State::Alive, 2)));
    assert_eq!(one.state("test2"), Some((State::Suspect, 1)));
    assert_eq!(
        one.state("test3"),
        Some((State::Suspect, 1)),
        "a dead record only makes it suspect"
    );
    assert_eq!(one.state("test4"), Some((State::Alive, 2)));
    assert_eq!(joined(&mut one), 1, "only the new one joins");
}

#[test]
fn gossip() {
    let (mut sim, nodes) = cluster(3, |_| {});
    // The change spreads by gossip alone.
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
    let gossiping = config().with(|it| {
        it.gossip_interval = Duration::from_millis(200);
        it.gossip_to_the_dead_time = SECOND * 2;
    });
    let mut one = start(gossiping);
    one.alive("dead", 1);
    one.wait(SECOND * 5);
    one.dead("dead", 1, "x");
    one.sent();
    one.wait(SECOND);
    assert!(
        one.sent().iter().any(|sent| sent.to == address("dead")),
        "gossip to the dead continues for a while"
    );
    one.wait(SECOND * 2);
    one.sent();
    one.alive("other", 1);
    one.wait(SECOND * 5);
    let sent = one.sent();
    assert!(sent.iter().any(|sent| sent.to == address("other")));
    assert!(sent.iter().all(|sent| sent.to != address("dead")), "and then ends");
}

#[test]
fn failed_remote() {
    // An unsent ping says nothing about the target: helpers are asked at once.
    let mut one = start(probing().with(|it| it.disable_tcp_pings = true));
    one.alive("target", 1);
    one.wait(Duration::from_millis(900));
    one.alive("helper", 1);
    one.sent();
    let ping = loop {
        let due = one.node().poll_timeout().expect("a probe");
        one.fire(due);
        if let Some(transmit) = one.packets().pop() {
            break transmit;
        }
    };
    one.call(|node, now| node.handle_transmit_failed(now, &ping));
    let asked = one.sent();
    assert!(asked.iter().any(|sent| sent.words[0].starts_with("indirect")), "{asked:?}");
}

#[test]
fn push_pull() {
    let (mut sim, nodes) = cluster(2, |config| config.push_pull_interval = SECOND * 10);
    let late = sim.start(Config::lan("late"));
    sim.join(late, nodes[1]);
    // Packets are lost: only a full state exchange can bring the third to the first.
    sim.network().set_default(Link { packets: false, ..Link::default() });
    let heard = sim.run_until(SECOND * 60, |sim| sim.node(nodes[0]).num_members() == 3);
    assert!(heard.is_some());
}

#[test]
fn verify_protocol() {
    // Each side's versions (lowest, highest, spoken), and whether they are compatible.
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

/// Whether a node that knows records with the versions `here` merges a state with those of `there`.
fn exchanged(here: &[[u8; 3]], there: &[[u8; 3]], application: bool) -> bool {
    use memberlist_proto::wire::push_pull::{self, NodeState};
    let vsn = |[min, max, spoken]: [u8; 3]| {
        if application { [1, 5, 2, min, max, spoken] } else { [min, max, spoken, 0, 0, 0] }
    };
    // The node itself must be compatible too.
    let mut config = config();
    config.protocol_version = if application { 2 } else { here[0][2] };
    if application {
        [config.delegate_protocol_min, config.delegate_protocol_max] = [here[0][0], here[0][1]];
        config.delegate_protocol_version = here[0][2];
    }
    let mut one = start(config);
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
    let stream = one.accept(address("peer")).expect("room");
    let taken = one.data(stream, &state);
    let merged = one.state("there0").is_some();
    assert_eq!(merged, taken.is_ok(), "{taken:?}");
    let events = one.events();
    let refused = |event: &Event| matches!(event, Event::ExchangeFailed { .. });
    assert_eq!(merged, !events.iter().any(refused), "{events:?}");
    merged
}

#[test]
fn a_failed_join_reports_why() {
    let mut one = start(config());
    one.begin(|node, now| node.join(now, &[address("x").into()]));
    let id = one.stream_ops()[0].id();
    one.closed(id, Some(memberlist_proto::StreamFailure::Refused));
    let events = one.events();
    let Some(Event::Finished { outcome: Outcome::Join(Ok(report)), .. }) = events.last() else {
        panic!("{events:?}")
    };
    assert!(report.joined.is_empty());
    assert!(matches!(report.failed[0].error, JoinError::Exchange(_)));
}
