use super::*;
use crate::wire::message::{Ack, IndirectPing};

fn asked(rig: &mut Rig, node: &str, port: u16, nack: bool) {
    rig.receive(&Message::IndirectPing(IndirectPing {
        seq_no: 42,
        target: Some(&[10, 0, 0, 1]),
        port,
        node: node.as_bytes(),
        nack,
        source_addr: Some(&[10, 0, 0, 1]),
        source_port: 9,
        source_node: b"asker",
    }));
}

fn number(sent: &[Sent]) -> u32 {
    let ping = sent.iter().find(|it| it.text.starts_with("ping")).expect("a ping");
    ping.text.rsplit('#').next().and_then(|it| it.parse().ok()).expect("a number")
}

#[test]
fn a_relayed_ack_goes_back_to_who_asked() {
    let mut rig = Rig::new();
    rig.alive("a", 2, 1);
    asked(&mut rig, "a", 2, true);
    let sent = rig.sent();
    assert_eq!(sent[0].to, address(2));
    let number = number(&sent);
    assert_ne!(number, 42, "a number of its own");
    rig.receive(&Message::Ack(Ack { seq_no: number, payload: Some(b"dropped") }));
    assert_eq!(rig.sent(), [Sent { to: address(9), text: "ack 42".into() }]);
    assert_eq!(rig.node.stats().gauges.timers, 0, "nothing is left to wait for");
    rig.wait(Duration::from_secs(1));
    assert_eq!(rig.sent(), [], "no nack after an ack");
    assert_eq!(rig.node.stats().gauges.acks_awaited, 0);
}

#[test]
fn a_silent_target_is_nacked_in_time_for_the_requester() {
    for (percent, wait) in [(80, 400), (100, 500)] {
        let mut config = config();
        config.differences.nack_after_percent = percent;
        let mut rig = Rig::with(config);
        rig.alive("a", 2, 1);
        asked(&mut rig, "a", 2, true);
        rig.sent();
        rig.wait(Duration::from_millis(wait - 1));
        assert_eq!(rig.sent(), []);
        rig.wait(Duration::from_millis(1));
        assert_eq!(rig.sent(), [Sent { to: address(9), text: "nack 42".into() }]);
        rig.wait(Duration::from_secs(1));
        assert_eq!(rig.node.stats().gauges.acks_awaited, 0);
    }
}

#[test]
fn an_ack_after_the_nack_still_goes_back() {
    let mut rig = Rig::new();
    rig.alive("a", 2, 1);
    asked(&mut rig, "a", 2, true);
    let number = number(&rig.sent());
    rig.wait(Duration::from_millis(450));
    rig.receive(&Message::Ack(Ack { seq_no: number, payload: None }));
    let back: Vec<String> = rig.sent().into_iter().map(|it| it.text).collect();
    assert_eq!(back, ["nack 42", "ack 42"]);
}

#[test]
fn no_nack_is_sent_unless_asked_for() {
    let mut rig = Rig::new();
    rig.alive("a", 2, 1);
    asked(&mut rig, "a", 2, false);
    rig.sent();
    rig.wait(Duration::from_secs(1));
    assert_eq!(rig.sent(), []);
}

#[test]
fn only_members_at_their_address_are_pinged_for_others() {
    let mut rig = Rig::new();
    rig.alive("a", 2, 1);
    asked(&mut rig, "stranger", 2, true);
    asked(&mut rig, "a", 3, true);
    assert_eq!(rig.sent(), []);
    assert_eq!(rig.node.stats().counters.relays_refused, 2);
    let mut config = config();
    config.differences.relay_to_members_only = false;
    let mut rig = Rig::with(config);
    asked(&mut rig, "stranger", 2, true);
    assert!(!rig.sent().is_empty());
}

#[test]
fn relays_are_bounded() {
    let mut config = config();
    config.limits.relays = 3;
    let mut rig = Rig::with(config);
    rig.alive("a", 2, 1);
    for _ in 0..5 {
        asked(&mut rig, "a", 2, true);
    }
    assert_eq!(rig.node.stats().counters.relayed, 3);
    rig.wait(Duration::from_secs(1));
    asked(&mut rig, "a", 2, true);
    assert_eq!(rig.node.stats().counters.relayed, 4);
}
