use std::time::Duration;

use memberlist_proto::{ExchangeKind, JoinFailure};

use super::*;

fn failure(peer: &str, error: JoinError) -> JoinFailure {
    JoinFailure { peer: peer.parse().unwrap(), address: None, error }
}

fn taken(port: u16) -> ExchangeError {
    ExchangeError::NameTaken { holder: ([10, 0, 0, 1], port).into() }
}

#[test]
fn reasons_are_listed_up_to_a_limit() {
    let report = |peers: &[&str]| {
        let failed = peers.iter().map(|peer| failure(peer, JoinError::TimedOut)).collect();
        JoinReport { failed, ..JoinReport::default() }
    };
    assert_eq!(
        why(&"n".into(), &report(&["a:1", "b"])),
        "no node could be joined: a:1 failed: the join ran out of time; \
         b failed: the join ran out of time"
    );
    assert!(why(&"n".into(), &report(&["a"; 7])).ends_with("; and 2 more"));
}

#[test]
fn a_name_that_is_taken_is_the_reason_and_said_once() {
    let name = NodeName::from("n\n1");
    let text = |port| Some(format!("not in this cluster: n\\n1 is held by 10.0.0.1:{port}"));
    let failed = vec![failure("a", JoinError::TimedOut), failure("b", taken(7).into())];
    let report = JoinReport { failed, ..JoinReport::default() };
    assert_eq!(Some(why(&name, &report)), text(7));

    let mut holders = Holders::default();
    let exchange = ExchangeKind::Rejoin;
    let failed = |error| Event::ExchangeFailed { peer: ([10, 0, 0, 2], 1).into(), exchange, error };
    assert_eq!(holders.note(&name, &failed(ExchangeError::Closed)), None);
    assert_eq!(holders.note(&name, &failed(taken(7))), text(7));
    assert_eq!(holders.note(&name, &failed(taken(7))), None);
    assert_eq!(holders.note(&name, &failed(taken(8))), text(8));
    assert_eq!(holders.note(&name, &Event::Health { score: Duration::ZERO.subsec_nanos() }), None);
}
