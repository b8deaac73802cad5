use super::*;
use crate::event::{MetaError, Outcome, PingError, SendError, WaitError};
use crate::peer::Target;
use crate::wire::message::Ack;

fn outcome(rig: &mut Rig) -> Option<Outcome> {
    while let Some(event) = rig.node.poll_event() {
        if let Event::Finished { outcome, .. } = event {
            return Some(outcome);
        }
    }
    None
}

fn member(name: &str) -> Target {
    Target::Member(NodeName::from(name))
}

#[test]
fn a_ping_of_the_application_is_answered_or_not() {
    let mut rig = Rig::new();
    rig.alive("a", 2, 1);
    rig.node.ping(rig.now, member("a"));
    let sent = rig.sent();
    let number = sent[0].text.rsplit('#').next().and_then(|it| it.parse().ok()).expect("number");
    rig.wait(Duration::from_millis(20));
    rig.receive(&Message::Ack(Ack { seq_no: number, payload: Some(b"load") }));
    let Some(Outcome::Ping(Ok(pong))) = outcome(&mut rig) else { panic!("no pong") };
    assert_eq!(pong.rtt, Duration::from_millis(20));
    assert_eq!(&pong.payload[..], b"load");

    rig.node.ping(rig.now, member("a"));
    rig.wait(Duration::from_millis(500));
    assert!(matches!(outcome(&mut rig), Some(Outcome::Ping(Err(PingError::NoResponse)))));
    rig.node.ping(rig.now, member("unknown"));
    let unknown = PingError::Send(SendError::UnknownMember);
    assert!(matches!(outcome(&mut rig), Some(Outcome::Ping(Err(error))) if error == unknown));
    assert_eq!(rig.state("a").0, State::Alive, "no effect on membership");
    assert_eq!(rig.node.stats().gauges.operations, 0);
}

#[test]
fn a_cancelled_ping_ends_at_once() {
    let mut rig = Rig::new();
    rig.alive("a", 2, 1);
    let op = rig.node.ping(rig.now, member("a"));
    rig.node.cancel(rig.now, op);
    assert!(matches!(outcome(&mut rig), Some(Outcome::Ping(Err(PingError::Cancelled)))));
    rig.node.cancel(rig.now, op);
    assert!(outcome(&mut rig).is_none());
    assert_eq!(rig.node.poll_timeout(), None);
}

#[test]
fn a_message_goes_by_packet_with_a_checksum_where_it_is_understood() {
    let mut rig = Rig::new();
    rig.alive("new", 2, 1);
    rig.alive_with("old", 3, 1, b"", Some(&[1, 4, 2, 0, 0, 0]));
    rig.node.send(rig.now, member("new"), b"hello").expect("sent");
    rig.node.send(rig.now, member("old"), b"hello").expect("sent");
    let target = Target::Addr { addr: address(2), node: None };
    rig.node.send(rig.now, target, b"hello").expect("sent");
    let first: Vec<u8> = rig.transmits().iter().map(|it| it.payload[0]).collect();
    assert_eq!(first, [12, 8, 8]);
    let limit = rig.node.message_limit();
    let long = alloc::vec![0; limit + 1];
    let error = rig.node.send(rig.now, member("new"), &long).expect_err("too long");
    assert_eq!(error, SendError::TooLong { len: limit + 1, limit });
}

#[test]
fn metadata_is_announced_and_waited_for() {
    let mut rig = Rig::new();
    rig.node.set_meta(rig.now, "alone".into(), Duration::ZERO).expect("short enough");
    assert!(matches!(outcome(&mut rig), Some(Outcome::SetMeta(Ok(())))), "no member to inform");
    assert_eq!(rig.node.local().meta(), b"alone");
    assert_eq!(rig.node.local().incarnation(), 2);
    rig.alive("a", 2, 1);
    rig.node.set_meta(rig.now, "late".into(), Duration::from_secs(1)).expect("short enough");
    rig.wait(Duration::from_secs(1));
    let timed_out = Some(Outcome::SetMeta(Err(WaitError::TimedOut)));
    assert_eq!(alloc::format!("{:?}", outcome(&mut rig)), alloc::format!("{timed_out:?}"));
    assert_eq!(rig.node.local().meta(), b"late", "the announcement itself goes on");
    let long = alloc::vec![0; 513];
    let error = rig.node.set_meta(rig.now, long.into(), Duration::ZERO).expect_err("too long");
    assert_eq!(error, MetaError::TooLong { len: 513, limit: 512, field: "meta_max_size" });
}

#[test]
fn a_refutation_carries_the_newest_metadata() {
    let mut config = config();
    config.gossip_interval = Duration::from_millis(200);
    let mut rig = Rig::with(config);
    rig.alive("a", 2, 1);
    rig.node.set_meta(rig.now, "new".into(), Duration::ZERO).expect("short enough");
    rig.suspect("me", 2, "b");
    assert_eq!(rig.node.local().incarnation(), 3);
    assert_eq!(rig.node.local().meta(), b"new");
    // The waiter is released: its announcement was replaced by a newer one.
    assert!(matches!(outcome(&mut rig), Some(Outcome::SetMeta(Ok(())))));
}

#[test]
fn leaving_waits_until_everybody_was_told_and_is_final() {
    let mut config = config();
    config.gossip_interval = Duration::from_millis(200);
    let mut rig = Rig::with(config);
    rig.alive("a", 2, 1);
    rig.events();
    rig.node.leave(rig.now, Duration::from_secs(60));
    assert_eq!(rig.node.local().state(), State::Left);
    rig.wait(Duration::from_secs(5));
    assert!(matches!(outcome(&mut rig), Some(Outcome::Leave(Ok(_)))));
    assert_eq!(rig.node.stats().gauges.timers, 0, "nothing is left to do");
    let reported: Vec<String> = rig.sent().into_iter().map(|it| it.text).collect();
    assert!(reported.iter().any(|text| text == "dead me 1 by me"), "{reported:?}");
    rig.node.leave(rig.now, Duration::ZERO);
    assert!(matches!(outcome(&mut rig), Some(Outcome::Leave(Ok(_)))));
    rig.node.join(rig.now, &["10.0.0.1:2".parse().expect("a peer")]);
    let left = crate::JoinRefused::Left;
    assert!(matches!(outcome(&mut rig), Some(Outcome::Join(Err(refused))) if refused == left));
    rig.node.set_meta(rig.now, "x".into(), Duration::ZERO).expect("short enough");
    assert!(matches!(outcome(&mut rig), Some(Outcome::SetMeta(Err(WaitError::Left)))));
}

#[test]
fn a_reliable_message_may_be_as_long_as_its_limit() {
    let mut config = config();
    config.limits.stream_bytes = 4096;
    let mut rig = Rig::with(config);
    rig.alive("a", 2, 1);
    let limit = 4096;
    rig.node.send_reliable(rig.now, member("a"), &alloc::vec![7; limit]).expect("as long");
    let error = rig.node.send_reliable(rig.now, member("a"), &alloc::vec![7; limit + 1]);
    assert_eq!(error.expect_err("longer"), SendError::TooLong { len: limit + 1, limit });
    assert_eq!(rig.connects().len(), 1);
}

#[test]
fn a_target_needs_an_address_and_a_port() {
    let mut rig = Rig::new();
    for (target, usable) in [
        ("10.0.0.1:2", true),
        ("10.0.0.1:0", false),
        ("0.0.0.0:2", false),
        ("[::]:2", false),
        ("0.0.0.0:0", false),
    ] {
        let target = Target::Addr { addr: target.parse().expect("an address"), node: None };
        let sent = rig.node.send(rig.now, target, b"x");
        assert_eq!(sent, if usable { Ok(()) } else { Err(SendError::UnusableAddress) });
    }
}
