use alloc::string::ToString;
use alloc::vec::Vec;
use core::time::Duration;

use super::{Rig, address, config};
use crate::event::Departure;
use crate::node::State;
use crate::status::Trouble;
use crate::transmit::{StreamFailure, StreamOp};

#[test]
fn it_says_who_is_what_since_when_and_why() {
    let mut config = config();
    config.probe_interval = Duration::from_secs(100);
    let mut rig = Rig::with(config);
    for (name, port) in [("a", 2), ("b", 3), ("c", 4), ("d", 5)] {
        rig.alive(name, port, 1);
    }
    rig.suspect("b", 1, "a");
    rig.dead("c", 1, "a");
    rig.dead("d", 1, "d");
    rig.wait(Duration::from_millis(1500));
    let status = rig.node.status(rig.now);
    let reported: Vec<_> =
        status.nodes.iter().map(|it| (it.name.to_string(), it.state, it.age_ms)).collect();
    let expected = [
        ("a", State::Alive),
        ("b", State::Suspect),
        ("c", State::Dead),
        ("d", State::Left),
        ("me", State::Alive),
    ];
    assert_eq!(reported, expected.map(|(name, state)| (name.to_string(), state, 1500)));
    assert_eq!(status.nodes[0].why, None);
    // Five nodes: 24 intervals without a confirmation.
    let by = alloc::vec!["a".into()];
    assert_eq!(status.nodes[1].why, Some(Trouble::Suspected { by, left_ms: 2_398_500 }));
    let declared = Departure::Declared { by: "a".into() };
    assert_eq!(status.nodes[2].why, Some(Trouble::Departed(declared)));
    assert_eq!(status.nodes[3].why, Some(Trouble::Departed(Departure::Left)));
    assert_eq!(status.stats, rig.node.stats());
    assert_eq!((status.addr, status.left, status.keys), (address(1), false, 0));
    assert_eq!(status.lost.len(), 0, "no one is searched for");

    rig.alive("c", 4, 2);
    let status = rig.node.status(rig.now);
    assert_eq!((status.nodes[2].state, &status.nodes[2].why), (State::Alive, &None));
}

#[test]
fn it_says_what_was_refused_lately() {
    let mut rig = Rig::new();
    for port in 1..100 {
        rig.alive_with(&port.to_string(), port, 1, b"", None);
        rig.wait(Duration::from_millis(100));
    }
    let refused = rig.node.status(rig.now).refused;
    assert_eq!(refused.len(), 32);
    let last = refused.last().expect("the latest");
    assert_eq!((last.name.to_string(), last.age_ms, last.from), ("99".into(), 100, address(9)));
    assert_eq!(last.reason, "unusable protocol versions");
    assert_eq!(refused[0].name, "68");
}

#[test]
fn it_says_how_the_search_for_seeds_goes() {
    let mut config = config();
    config.rejoin.interval = Duration::from_secs(30);
    config.seeds =
        ["10.0.0.1:2", "10.0.0.1:3", "n/db.example"].map(|it| it.parse().expect("a peer")).into();
    let mut rig = Rig::with(config);
    rig.alive("a", 2, 1);
    rig.dead("x", 1, "a");
    rig.alive("x", 9, 1);
    rig.dead("x", 1, "a");
    while rig.node.status(rig.now).seeds[1].error.is_none() {
        let due = rig.node.poll_timeout().expect("a search");
        rig.wait(due.saturating_duration_since(rig.now));
        while let Some(op) = rig.node.poll_stream() {
            if let StreamOp::Connect { id, .. } = op {
                rig.node.handle_stream_closed(rig.now, id, Some(StreamFailure::Refused));
            }
        }
    }
    rig.wait(Duration::from_secs(1));
    let status = rig.node.status(rig.now);
    let seed = |index: usize| &status.seeds[index];
    assert!(seed(0).live && seed(0).error.is_none() && seed(0).tried_ms.is_none());
    assert!(!seed(1).live);
    assert_eq!(seed(1).error.as_deref(), Some("connection refused"));
    assert_eq!(seed(2).peer, "n/db.example");
    assert!(!seed(2).live && seed(2).addresses.is_empty());
    assert_eq!(seed(2).error.as_deref(), Some("the name server did not answer"));
    assert_eq!(status.lost[0].name, Some("x".into()));
    assert_eq!(status.lost[0].addr, address(9));
}

#[test]
fn a_seed_shows_its_last_attempt_whichever_that_was() {
    let mut config = config();
    config.rejoin.interval = Duration::from_secs(30);
    config.seeds = ["10.0.0.1:2", "db.example:3"].map(|it| it.parse().expect("a peer")).into();
    let mut rig = Rig::with(config);
    let seed = |rig: &Rig, index: usize| {
        let seed = rig.node.status(rig.now).seeds.remove(index);
        (seed.tried_ms, seed.error)
    };
    assert_eq!(seed(&rig, 0), (None, None));
    // A join tries the same address.
    rig.node.join(rig.now, &[address(2).into()]);
    let id = rig.connects().remove(0).0;
    rig.node.handle_stream_closed(rig.now, id, Some(StreamFailure::Refused));
    rig.wait(Duration::from_millis(100));
    assert_eq!(seed(&rig, 0), (Some(100), Some("connection refused".to_string())));
    // A name that was not found, and is found later.
    let lookup = |rig: &mut Rig| loop {
        if let Some(lookup) = rig.node.poll_lookup() {
            return lookup.id;
        }
        for (id, _) in rig.connects() {
            rig.node.handle_stream_closed(rig.now, id, Some(StreamFailure::TimedOut));
        }
        let due = rig.node.poll_timeout().expect("a search");
        rig.wait(due.saturating_duration_since(rig.now));
    };
    let first = lookup(&mut rig);
    rig.node.handle_lookup(rig.now, first, Err(crate::LookupFailure::NotFound));
    assert_eq!(seed(&rig, 1).1.as_deref(), Some("no such host"));
    rig.alive("db", 3, 1);
    rig.alive("a", 2, 1);
    let second = lookup(&mut rig);
    rig.node.handle_lookup(rig.now, second, Ok(&[[10, 0, 0, 1].into()]));
    assert_eq!(seed(&rig, 1), (None, None), "live, and nothing to try");
}
