use std::time::Duration;

use memberlist_proto::wire::message::{Message, Ping};
use memberlist_proto::{Config, Event, Instant, Key, State, Target};

use super::{Rig, Watch, Wires, address, stranger};

fn config(name: &str) -> Config {
    let mut config = Config::lan(name);
    config.advertise_addr = [10, 0, 0, 1].into();
    config
}

#[test]
fn peers_that_answer_stay_members() {
    let mut rig = Rig::new(config("me"));
    rig.answer_from_now_on();
    rig.silence("mute");
    rig.alive("well", 1);
    rig.alive("mute", 1);
    let suspected = |rig: &mut Rig| rig.state("mute") == Some((State::Suspect, 1));
    assert!(rig.wait_until(rig.now() + Duration::from_secs(30), suspected));
    assert_eq!(rig.state("well"), Some((State::Alive, 1)));
    assert!(rig.heard_of("ping mute"));
    let sent = rig.sent();
    assert!(sent.iter().any(|sent| sent.to == address("well") && sent.words[0] == "ping well"));
    assert!(!rig.heard_of("ping mute"), "it was taken");
}

/// A clock that has gone wrong is ignored, by the rig as by the node.
#[test]
fn time_has_a_latest_moment() {
    let mut rig = Rig::new(config("me"));
    let before = rig.now();
    rig.fire(Instant::FAR_FUTURE);
    assert_eq!(rig.now(), before);
    let due = rig.node().poll_timeout().expect("it gossips");
    rig.fire(due);
    assert_eq!(rig.now(), due);
}

/// It departs only once.
#[test]
fn a_leave_may_be_learnt_after_a_death() {
    let mut config = config("me");
    config.differences.doubt_verdicts = false;
    let mut rig = Rig::new(config);
    rig.alive("x", 1);
    rig.dead("x", 1, "y");
    assert_eq!(rig.state("x"), Some((State::Dead, 1)));
    rig.events();
    rig.dead("x", 1, "x");
    assert_eq!(rig.state("x"), Some((State::Left, 1)));
    let events: Vec<String> = rig.events().iter().map(ToString::to_string).collect();
    assert_eq!(events, ["x had left, and not failed (reported by 192.0.2.1:7946)"]);
}

/// Also where packets are encrypted and labelled.
#[test]
fn what_is_sent_is_opened() {
    let mut config = config("me");
    config.label = "blue".into();
    config.secret_keys = vec![Key::new(&[1; 16]).expect("16 bytes")];
    let mut rig = Rig::new(config);
    rig.begin(|node, now| node.ping(now, Target::Addr { addr: address("x"), node: None }));
    assert_eq!(rig.sent()[0].words, ["ping ", "alive me 1"], "and its own news with it");
}

#[test]
fn a_node_without_laws_is_asked_itself() {
    let mut rig = Rig::with(config("me"), None, Watch::Nothing);
    rig.alive("x", 1);
    assert!(matches!(&rig.events()[..], [Event::Joined { .. }]));
    rig.receive(&Message::Ping(Ping { node: b"me", ..Ping::default() }));
    assert_eq!(rig.packets().len(), 1);
    assert_eq!(rig.packets().len(), 0);
}

#[test]
#[should_panic(expected = "completion: operation 1 ended, but was not begun")]
fn a_broken_law_panics() {
    let mut rig = Rig::with(config("me"), None, Watch::Complete);
    rig.call(|node, now| node.ping(now, Target::Member("missing".into())));
}

#[test]
fn wires_join_two_nodes() {
    let start = |name: &str, last: u8| {
        let mut config = config(name);
        config.advertise_addr = [10, 0, 0, last].into();
        Rig::with(config, None, Watch::Complete)
    };
    let mut rigs = [start("one", 1), start("two", 2)];
    let mut wires = Wires::default();
    let two = std::net::SocketAddr::from(([10, 0, 0, 2], 7946));
    rigs[0].begin(|node, now| node.join(now, &[two.into(), address("gone").into()]));
    for _ in 0..10 {
        for who in 0..2 {
            for op in rigs[who].stream_ops() {
                let reached = |to| (to == two).then_some(1);
                wires.carry_out(&mut rigs, who, stranger(1), op, reached);
            }
        }
    }
    assert_eq!((rigs[0].node().num_members(), rigs[1].node().num_members()), (2, 2));
    let ended = rigs[0].events();
    let Some(Event::Finished { outcome, .. }) = ended.last() else { panic!("{ended:?}") };
    let text = outcome.to_string();
    assert!(text.contains("10.0.0.2:7946; ") && text.ends_with("refused"), "{text}");
}
