//! Go: `memberlist_test.go`, `integ_test.go`, `transport_test.go`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use memberlist_proto::{
    Answer, Candidate, Channel, Config, ConfigError, Hooks, Instant, Key, Memberlist, RequestKind,
    Target,
};
use memberlist_sim::rig::{addr, address};
use memberlist_sim::{App, Event, NodeId, Outcome, Sim, State};

use crate::one::{config, probing, start, start_with};

const SECOND: Duration = Duration::from_secs(1);

fn started(sim: &mut Sim, name: &str, change: impl FnOnce(&mut Config)) -> NodeId {
    let mut config = Config::lan(name);
    change(&mut config);
    sim.start(config)
}

fn joined(sim: &mut Sim, who: NodeId, whom: NodeId) -> Result<usize, String> {
    let op = sim.join(who, whom);
    let ended = |sim: &Sim| {
        sim.events(who).iter().rev().find_map(|(_, event)| match event {
            Event::Finished { op: ended, outcome: Outcome::Join(Ok(report)) } if *ended == op => {
                let why = report.failed.first().map(|failure| failure.error.to_string());
                Some(why.map_or(Ok(report.joined.len()), Err))
            }
            _ => None,
        })
    };
    assert!(sim.run_until(SECOND * 30, |sim| ended(sim).is_some()).is_some());
    ended(sim).expect("it has ended")
}

#[test]
fn default_lan_config_protocol_version() {
    for config in [Config::lan("n"), Config::wan("n"), Config::local("n")] {
        assert_eq!(config.protocol_version, 2);
    }
}

#[test]
fn create_protocol_version() {
    for (version, good) in [(1, true), (2, true), (5, true), (0, false), (6, false)] {
        let config = Config::lan("n").with(|it| it.protocol_version = version);
        assert_eq!(config.validate().is_ok(), good, "{version}");
    }
}

#[test]
fn create_secret_key() {
    for (len, good) in [(0, false), (16, true), (24, true), (32, true), (10, false), (38, false)] {
        assert_eq!(Key::new(&vec![0; len]).is_ok(), good, "{len}");
    }
}

#[test]
fn create_secret_key_empty() {
    let one = start(config());
    assert!(one.node().keys().is_empty(), "no key, no encryption");
}

#[test]
fn create_keyring_and_secret_key() {
    let keys = [1, 2, 1].map(|byte| Key::new(&[byte; 16]).expect("a key"));
    let one = start(config().with(|it| it.secret_keys = keys.to_vec()));
    assert_eq!(one.node().keys(), keys[..2], "each once, the first is the primary");
}

#[test]
fn create() {
    let one = start(config());
    assert_eq!(one.node().num_members(), 1);
    assert_eq!(one.node().members().next().expect("itself").name(), one.node().local().name());
    let nameless = Memberlist::new(Instant::from_nanos(1), Config::lan(""), None, [0; 32]);
    assert!(matches!(nameless.err(), Some(ConfigError::Invalid { .. })));
}

#[test]
fn members() {
    let mut one = start(config());
    for name in ["alive", "dead", "left", "suspect"] {
        one.alive(name, 1);
    }
    one.dead("dead", 1, "x");
    one.dead("left", 1, "left");
    let mut names: Vec<String> = one.node().members().map(|node| node.name().to_string()).collect();
    names.sort();
    assert_eq!(names, ["alive", "me", "suspect"]);
    assert_eq!(one.node().num_members(), 3);
}

#[test]
fn join() {
    let mut sim = Sim::new(1);
    let (one, two) = (started(&mut sim, "one", |_| {}), started(&mut sim, "two", |_| {}));
    assert_eq!(joined(&mut sim, two, one), Ok(1));
    assert_eq!(sim.agreement(), Ok(()));
    assert_eq!(sim.node(one).num_members(), 2);
}

#[test]
fn join_with_labels_and_encryption() {
    for key in [false, true] {
        let change = |label: &'static str| {
            move |config: &mut Config| {
                config.label = label.into();
                if key {
                    config.secret_keys = vec![Key::new(&[5; 16]).expect("a key")];
                }
            }
        };
        let mut sim = Sim::new(2);
        sim.tolerate_errors();
        let one = started(&mut sim, "one", change("blah"));
        let two = started(&mut sim, "two", change("blah"));
        assert_eq!(joined(&mut sim, two, one), Ok(1));
        for (name, label) in [("three", ""), ("four", "not-blah")] {
            let stranger = started(&mut sim, name, change(label));
            assert!(joined(&mut sim, stranger, one).is_err(), "{name}");
            assert_eq!(sim.node(stranger).num_members(), 1);
        }
        assert_eq!(sim.node(one).num_members(), 2);
    }
}

#[test]
fn join_different_networks() {
    // Go: `JoinDifferentNetworksUniqueMask` and `…MultiMasks`.
    let mut sim = Sim::new(3);
    sim.tolerate_errors();
    let only = |networks: &[&str]| {
        let networks = networks.iter().map(|it| it.parse().expect("a network")).collect();
        move |config: &mut Config| config.cidrs_allowed = Some(networks)
    };
    // The simulator's addresses are 10.0.0.1, 10.0.0.2, …
    let one = started(&mut sim, "one", only(&["10.0.0.1/32", "10.0.0.2/32"]));
    let two = started(&mut sim, "two", |_| {});
    let three = started(&mut sim, "three", |_| {});
    assert_eq!(joined(&mut sim, two, one), Ok(1));
    assert!(joined(&mut sim, three, two).is_ok());
    sim.run_for(SECOND * 60);
    let names = |sim: &Sim, id| sim.node(id).num_members();
    assert_eq!(names(&sim, two), 3);
    assert_eq!(names(&sim, one), 2, "the third is outside the allowed networks");
}

/// Refuses every merge.
struct Veto;

impl App for Veto {
    fn request(&mut self, _: Instant, request: &RequestKind) -> Option<Answer> {
        Some(match request {
            RequestKind::AdmitMerge { .. } => Answer::AdmitMerge(Err("not wanted".into())),
            RequestKind::LocalState { .. } => Answer::LocalState(Bytes::new()),
        })
    }
}

#[test]
fn join_cancel() {
    let mut sim = Sim::new(4);
    let guarded = |name: &str| {
        let mut config = Config::lan(name);
        config.ask_admit_merge = true;
        config
    };
    let one = sim.start_with(guarded("one"), Veto);
    let two = sim.start_with(guarded("two"), Veto);
    let why = joined(&mut sim, two, one).expect_err("vetoed");
    assert!(why.contains("not wanted"), "{why}");
    assert_eq!((sim.node(one).num_members(), sim.node(two).num_members()), (1, 1));
}

#[test]
fn join_cancel_passive() {
    struct Refuse(AtomicUsize);
    impl Hooks for Refuse {
        fn admit(&self, candidate: &Candidate<'_>) -> Result<(), String> {
            if candidate.name.as_bytes() == b"me" {
                return Ok(());
            }
            self.0.fetch_add(1, Ordering::Relaxed);
            Err("custom".into())
        }
    }
    let delegate = Arc::new(Refuse(AtomicUsize::new(0)));
    let mut one = start_with(config(), Some(Arc::clone(&delegate) as Arc<dyn Hooks>));
    one.alive("test", 1);
    assert_eq!(one.node().num_members(), 1);
    assert_eq!(delegate.0.load(Ordering::Relaxed), 1, "the delegate must be asked");
}

#[test]
fn join_protocol_versions() {
    for (one, two) in [(1, 2), (2, 1), (1, 5), (5, 2)] {
        let mut sim = Sim::new(5);
        let version = |it| move |config: &mut Config| config.protocol_version = it;
        let one = started(&mut sim, "one", version(one));
        let two = started(&mut sim, "two", version(two));
        assert_eq!(joined(&mut sim, two, one), Ok(1));
        sim.run_for(SECOND * 10);
        assert_eq!(sim.agreement(), Ok(()));
    }
}

#[test]
fn join_protocol_compatibility() {
    // Application versions that do not overlap prevent a join.
    let mut sim = Sim::new(6);
    sim.tolerate_errors();
    let speaks = |min, max, now| {
        move |config: &mut Config| {
            config.delegate_protocol_min = min;
            config.delegate_protocol_max = max;
            config.delegate_protocol_version = now;
        }
    };
    let one = started(&mut sim, "one", speaks(1, 2, 2));
    let two = started(&mut sim, "two", speaks(2, 3, 2));
    let three = started(&mut sim, "three", speaks(3, 3, 3));
    assert_eq!(joined(&mut sim, two, one), Ok(1));
    let why = joined(&mut sim, three, one).expect_err("no member understands its version");
    assert!(why.contains("version"), "{why}");
}

#[test]
fn leave() {
    let mut sim = Sim::new(7);
    let (one, two) = (started(&mut sim, "one", |_| {}), started(&mut sim, "two", |_| {}));
    joined(&mut sim, two, one).expect("both nodes run");
    sim.operate(one, |node, now| node.leave(now, SECOND * 5));
    sim.run_for(SECOND * 10);
    assert_eq!(sim.node(two).num_members(), 1);
    let known = sim.node(two).member(&"one".into()).expect("not yet forgotten");
    assert_eq!(known.state(), State::Left);
}

#[test]
fn join_shutdown() {
    let mut sim = Sim::new(8);
    let (one, two) = (started(&mut sim, "one", |_| {}), started(&mut sim, "two", |_| {}));
    joined(&mut sim, two, one).expect("both nodes run");
    sim.crash(one);
    let noticed = sim.run_until(SECOND * 60, |sim| sim.node(two).num_members() == 1);
    assert!(noticed.is_some());
}

#[test]
fn delegate_meta() {
    let mut sim = Sim::new(9);
    let one = started(&mut sim, "one", |config| config.meta = "web".into());
    let two = started(&mut sim, "two", |config| config.meta = "lb".into());
    joined(&mut sim, two, one).expect("both nodes run");
    let meta =
        |sim: &Sim, at, of: &str| sim.node(at).member(&of.into()).map(|node| node.meta().to_vec());
    assert_eq!(meta(&sim, two, "one").as_deref(), Some(&b"web"[..]));
    assert_eq!(meta(&sim, one, "two").as_deref(), Some(&b"lb"[..]));
    // Go: `delegateMeta_Update`.
    for (node, text) in [(one, "api"), (two, "db")] {
        sim.operate(node, |node, now| node.set_meta(now, text.into(), SECOND).expect("short"));
    }
    sim.run_for(SECOND * 5);
    assert_eq!(meta(&sim, two, "one").as_deref(), Some(&b"api"[..]));
    assert_eq!(meta(&sim, one, "two").as_deref(), Some(&b"db"[..]));
}

/// Sends this state in every full state exchange.
struct Says(&'static str);

impl App for Says {
    fn request(&mut self, _: Instant, request: &RequestKind) -> Option<Answer> {
        Some(match request {
            RequestKind::LocalState { .. } => Answer::LocalState(self.0.into()),
            RequestKind::AdmitMerge { .. } => Answer::AdmitMerge(Ok(())),
        })
    }
}

#[test]
fn user_data() {
    let mut sim = Sim::new(10);
    let asking = |name: &str| Config::lan(name).with(|it| it.ask_local_state = true);
    let one = sim.start_with(asking("one"), Says("something"));
    let two = sim.start_with(asking("two"), Says("my state"));
    joined(&mut sim, two, one).expect("both nodes run");
    sim.with(one, |node, now| {
        let (kind, priority) =
            (memberlist_sim::BroadcastKind::Unique, memberlist_sim::Priority::Normal);
        node.broadcast(now, b"test", kind, priority).expect("short");
    });
    sim.run_for(SECOND * 2);
    let states = |sim: &Sim, id| -> Vec<Bytes> {
        let events = sim.events(id).iter();
        let states = events.filter_map(|(_, event)| match event {
            Event::RemoteState { state, join: true, .. } => Some(state.clone()),
            _ => None,
        });
        states.collect()
    };
    assert_eq!(states(&sim, one), ["my state"]);
    assert_eq!(states(&sim, two), ["something"]);
    let heard = sim
        .events(two)
        .iter()
        .any(|(_, event)| matches!(event, Event::Message { payload, .. } if payload == "test"));
    assert!(heard);
}

#[test]
fn send_to() {
    let mut sim = Sim::new(11);
    let (one, two) = (started(&mut sim, "one", |_| {}), started(&mut sim, "two", |_| {}));
    joined(&mut sim, two, one).expect("both nodes run");
    let to_two = || Target::Member("two".into());
    let addr = sim.address(one);
    sim.with(one, |node, now| node.send(now, to_two(), b"ping").expect("short"));
    sim.operate(one, |node, now| node.send_reliable(now, to_two(), b"over stream").expect("short"));
    sim.with(two, |node, now| {
        node.send(now, Target::Addr { addr, node: None }, b"pong").expect("short");
    });
    sim.run_for(SECOND);
    let heard = |id| -> Vec<(Bytes, Channel)> {
        let events = sim.events(id).iter();
        let heard = events.filter_map(|(_, event)| match event {
            Event::Message { payload, channel, .. } => Some((payload.clone(), *channel)),
            _ => None,
        });
        heard.collect()
    };
    assert_eq!(heard(one), [("pong".into(), Channel::Packet)]);
    let mut to_two = heard(two);
    to_two.sort_by_key(|(payload, _)| payload.clone());
    let expected = [("over stream".into(), Channel::Stream), ("ping".into(), Channel::Packet)];
    assert_eq!(to_two, expected);
}

#[test]
fn join_dead_node() {
    let mut one = start(config());
    one.begin(|node, now| node.join(now, &[address("dead").into()]));
    let id = one.stream_ops()[0].id();
    one.connected(id);
    // The peer accepts the connection and never sends anything.
    one.wait(SECOND * 11);
    let ended = one.events().into_iter().find_map(|event| match event {
        Event::Finished { outcome: Outcome::Join(Ok(report)), .. } => Some(report),
        _ => None,
    });
    let report = ended.expect("the join must end");
    assert!(report.joined.is_empty() && report.failed.len() == 1);
}

#[test]
fn advertise_addr() {
    let config = config().with(|it| {
        it.advertise_addr = [10, 7, 7, 7].into();
        it.advertise_port = 23;
        it.bind_port = 7946;
    });
    let one = start(config);
    assert_eq!(one.node().local().address(), Some(([10, 7, 7, 7], 23).into()));
}

#[test]
fn conflict_delegate() {
    let mut sim = Sim::new(12);
    let one = started(&mut sim, "same", |_| {});
    let other = started(&mut sim, "other", |_| {});
    joined(&mut sim, other, one).expect("both nodes run");
    let two = started(&mut sim, "same", |_| {});
    sim.tolerate_errors();
    sim.join(two, other);
    sim.run_for(SECOND * 5);
    let conflict = |event: &Event| matches!(event, Event::Conflict { .. });
    assert!(sim.events(other).iter().any(|(_, event)| conflict(event)));
    let known = sim.node(other).member(&"same".into()).expect("known");
    assert_eq!(known.address(), Some(sim.address(one)), "the first keeps the name");
}

#[test]
fn ping_delegate() {
    struct Payload;
    impl Hooks for Payload {
        fn ack_payload(&self) -> Option<Bytes> {
            Some("whatever".into())
        }
    }
    use memberlist_proto::wire::message::{Message, Ping};
    let mut one = start_with(config(), Some(Arc::new(Payload)));
    one.receive(&Message::Ping(Ping {
        seq_no: 9,
        node: b"me",
        source_addr: Some(&addr("peer")),
        source_port: 7946,
        source_node: b"peer",
    }));
    let ack = one.packets().pop().expect("an ack").payload;
    let mut asking = start(probing());
    asking.silence("other");
    asking.alive("other", 1);
    let end = asking.now() + SECOND * 3;
    assert!(asking.wait_until(end, |it| it.node().stats().counters.probes == 1));
    let number = asking.last_number().to_be_bytes();
    // The same ack with the sequence number that the other node waits for.
    let at = ack.windows(5).position(|key| key == b"SeqNo").expect("a number") + 5;
    let mut answer = ack[..at].to_vec();
    answer.push(0xce);
    answer.extend_from_slice(&number);
    answer.extend_from_slice(&ack[at + 1..]);
    asking.packet(address("other"), &answer).expect("a good ack");
    let pinged =
        |event: &Event| matches!(event, Event::Pinged { payload, .. } if payload == "whatever");
    assert!(asking.events().iter().any(pinged));
}

type Step = fn(&mut Memberlist, Instant);

#[test]
fn encrypted_gossip_transition() {
    let mut sim = Sim::new(13);
    sim.tolerate_errors();
    let nodes: Vec<NodeId> = ["a", "b", "c"].map(|name| started(&mut sim, name, |_| {})).into();
    for node in &nodes[1..] {
        joined(&mut sim, *node, nodes[0]).expect("both nodes run");
    }
    // After each step on each node, all nodes still agree.
    let steps: [Step; 4] = [
        |node, now| node.set_verify(now, false, false),
        |node, now| {
            let key = Key::new(&[0x48; 16]).expect("a key");
            node.add_key(now, key).expect("room for encryption");
        },
        |node, now| node.set_verify(now, false, true),
        |node, now| node.set_verify(now, true, true),
    ];
    for step in steps {
        for node in &nodes {
            sim.with(*node, step);
            sim.run_for(SECOND * 5);
            assert_eq!(sim.agreement(), Ok(()));
        }
    }
    let plain = started(&mut sim, "plain", |_| {});
    assert!(joined(&mut sim, plain, nodes[0]).is_err());
    let failed = |event: &Event| matches!(event, Event::Suspected { .. } | Event::Departed { .. });
    for node in &nodes {
        assert!(!sim.events(*node).iter().any(|(_, event)| failed(event)));
    }
}

#[test]
fn integ() {
    // Twelve nodes join at once, three of them crash, and the others agree on the remaining members.
    let mut sim = Sim::new(14);
    let nodes: Vec<NodeId> =
        (0..12).map(|index| started(&mut sim, &format!("n{index}"), |_| {})).collect();
    for node in &nodes[1..] {
        sim.join(*node, nodes[0]);
    }
    assert!(sim.run_until(SECOND * 60, |sim| sim.agreement().is_ok()).is_some());
    for node in &nodes[9..] {
        sim.crash(*node);
    }
    assert!(sim.run_until(SECOND * 120, |sim| sim.agreement().is_ok()).is_some());
}
