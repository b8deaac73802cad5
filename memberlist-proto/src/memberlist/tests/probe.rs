use super::*;
use crate::transmit::StreamOp;
use crate::wire::message::{Ack, Nack};

fn probing() -> Config {
    let differences = Differences { random_phase: false, ..config().differences };
    Config { probe_interval: Duration::from_secs(1), differences, ..config() }
}

/// A node that has just sent the ping of its first probe.
fn pinging(others: &[&str]) -> (Rig, u32) {
    pinging_with(probing(), others)
}

fn pinging_with(config: Config, others: &[&str]) -> (Rig, u32) {
    let mut rig = Rig::with(config);
    for (index, name) in others.iter().enumerate() {
        rig.alive(name, 2 + index as u16, 1);
    }
    rig.events();
    rig.wait(Duration::from_secs(1));
    let sent = rig.sent();
    let ping = sent.iter().find(|it| it.text.starts_with("ping")).expect("a ping");
    let number = ping.text.rsplit('#').next().and_then(|it| it.parse().ok());
    (rig, number.expect("a number"))
}

fn ack(rig: &mut Rig, seq_no: u32) {
    rig.receive(&Message::Ack(Ack { seq_no, payload: Some(b"p") }));
}

#[test]
fn an_ack_in_time_ends_the_probe_and_is_told() {
    let (mut rig, number) = pinging(&["a"]);
    rig.wait(Duration::from_millis(499));
    ack(&mut rig, number);
    assert_eq!(rig.events(), ["pinged a"]);
    rig.wait(Duration::from_millis(500));
    assert_eq!(rig.sent(), []);
    assert_eq!(rig.state("a").0, State::Alive);
    ack(&mut rig, number);
    assert_eq!(rig.node.stats().counters.acks_unknown, 1, "only once");
}

#[test]
fn without_an_ack_others_and_a_stream_are_tried() {
    let (mut rig, number) = pinging(&["a", "b", "c"]);
    let target = rig.node.stats().counters.probes;
    assert_eq!(target, 1);
    rig.wait(Duration::from_millis(500));
    let sent = rig.sent();
    let asked = sent.iter().filter(|it| it.text.ends_with(&alloc::format!("#{number} nack")));
    assert_eq!(asked.count(), 2, "both others: {sent:?}");
    assert!(matches!(rig.node.poll_stream(), Some(StreamOp::Connect { .. })));
    ack(&mut rig, number);
    assert_eq!(rig.events(), [""; 0], "an indirect ack is not reported as a round trip");
    rig.wait(Duration::from_millis(500));
    assert!(rig.events().iter().all(|reported| !reported.starts_with("suspected")));
}

#[test]
fn a_failed_probe_suspects_and_costs_health() {
    let (mut rig, _) = pinging(&["a"]);
    rig.wait(Duration::from_secs(1));
    assert_eq!(rig.events(), ["health 1", "suspected a by me"]);
    assert_eq!(rig.node.stats().counters.probes_failed, 1);
}

#[test]
fn missing_nacks_cost_health_and_nacks_save_it() {
    for (nacks, health) in [(0, 2), (1, 1), (2, 0), (5, 0)] {
        let (mut rig, number) = pinging(&["a", "b", "c"]);
        rig.wait(Duration::from_millis(600));
        for _ in 0..nacks {
            rig.receive(&Message::Nack(Nack { seq_no: number }));
        }
        rig.wait(Duration::from_millis(400));
        assert_eq!(rig.node.health_score(), health, "{nacks} nacks");
        assert_eq!(rig.node.stats().gauges.suspect, 1);
    }
}

#[test]
fn low_health_lengthens_the_deadline() {
    let (mut rig, _) = pinging(&["a"]);
    rig.suspect("me", 1, "b");
    rig.wait(Duration::from_secs(1));
    assert_eq!(rig.node.health_score(), 2);
    // The tick that fell meanwhile is made up for at once, by a probe of three intervals.
    let failed = |rig: &Rig| rig.node.stats().counters.probes_failed;
    rig.wait(Duration::from_millis(2_999));
    assert_eq!(failed(&rig), 1);
    rig.wait(Duration::from_millis(1));
    assert_eq!(failed(&rig), 2);
    assert!(rig.node.stats().counters.probes_degraded >= 1);
}

#[test]
fn a_suspect_is_told_of_it_in_the_probe() {
    let (mut rig, number) = pinging(&["a"]);
    rig.suspect("a", 1, "b");
    ack(&mut rig, number);
    rig.wait(Duration::from_secs(1));
    let sent: Vec<String> = rig.sent().into_iter().map(|it| it.text).collect();
    assert_eq!(sent.len(), 2, "{sent:?}");
    assert!(sent[0].starts_with("ping a"));
    assert_eq!(sent[1], "suspect a 1 by me");
}

#[test]
fn a_failed_send_asks_others_at_once() {
    let mut rig = Rig::with(probing());
    for (name, port) in [("a", 2), ("b", 3)] {
        rig.alive(name, port, 1);
    }
    rig.wait(Duration::from_secs(1));
    let transmits = rig.transmits();
    rig.node.handle_transmit_failed(rig.now, &transmits[0]);
    let asked = rig.sent();
    assert!(asked.iter().any(|it| it.text.starts_with("indirect")), "{asked:?}");
}

#[test]
fn a_name_that_is_not_ours_is_not_answered() {
    use crate::wire::message::Ping;
    let mut rig = Rig::new();
    let ping = |node: &'static [u8]| {
        Message::Ping(Ping {
            seq_no: 7,
            node,
            source_addr: Some(&[10, 0, 0, 1]),
            source_port: 5,
            source_node: b"x",
        })
    };
    rig.receive(&ping(b"other"));
    assert_eq!(rig.sent(), []);
    rig.receive(&ping(b"me"));
    rig.receive(&ping(b""));
    let answers: Vec<Sent> = rig.sent();
    let expected = Sent { to: address(5), text: "ack 7".into() };
    assert_eq!(answers, [expected.clone(), expected], "nothing is piggybacked to strangers");
}

#[test]
fn without_a_usable_source_the_ack_goes_to_where_the_ping_came_from() {
    use crate::wire::message::Ping;
    let mut rig = Rig::new();
    for (addr, port) in [(&[0; 4][..], 5), (&[10, 0, 0, 1], 0), (&[1, 2, 3], 5), (b"", 5)] {
        rig.receive(&Message::Ping(Ping {
            seq_no: 7,
            node: b"me",
            source_addr: Some(addr),
            source_port: port,
            source_node: b"",
        }));
        assert_eq!(rig.sent(), [Sent { to: address(9), text: "ack 7".into() }]);
    }
}

#[test]
fn an_ack_to_a_member_carries_gossip() {
    use crate::wire::message::Ping;
    let mut rig = Rig::new();
    rig.alive("x", 5, 1);
    rig.receive(&Message::Ping(Ping {
        seq_no: 7,
        node: b"me",
        source_addr: Some(&[10, 0, 0, 1]),
        source_port: 5,
        source_node: b"x",
    }));
    let answers: Vec<String> = rig.sent().into_iter().map(|it| it.text).collect();
    assert_eq!(answers[0], "ack 7");
    assert_eq!(answers.len(), 3, "{answers:?}");
}

#[test]
fn a_node_that_left_still_answers_but_does_not_refute() {
    let mut rig = Rig::new();
    rig.alive("a", 2, 1);
    rig.node.leave(rig.now, Duration::ZERO);
    rig.events();
    rig.suspect("me", 1, "b");
    rig.dead("me", 1, "b");
    rig.alive("me", 1, 9);
    assert_eq!(rig.node.local().state(), State::Left);
    assert_eq!(rig.node.local().incarnation(), 1);
    assert_eq!(rig.events(), [""; 0]);
}

#[test]
fn without_suspicion_a_failed_probe_kills() {
    let (mut rig, _) = pinging_with(Config { suspicion: false, ..probing() }, &["a"]);
    rig.wait(Duration::from_secs(1));
    assert_eq!(rig.state("a").0, State::Dead);
}

#[test]
fn every_member_is_probed_once_in_a_round() {
    let mut rig = Rig::with(probing());
    rig.answering = true;
    for index in 0..20_u16 {
        rig.alive(&alloc::format!("n{index}"), 2 + index, 1);
    }
    rig.wait(Duration::from_secs(21));
    let mut reported: Vec<String> =
        rig.events().into_iter().filter(|reported| reported.starts_with("pinged")).collect();
    assert!(reported.len() >= 20, "{}", reported.len());
    reported.truncate(20);
    reported.sort();
    reported.dedup();
    assert_eq!(reported.len(), 20);
}

#[test]
fn the_dead_are_forgotten_after_their_time() {
    let mut config = probing();
    config.gossip_to_the_dead_time = Duration::from_secs(5);
    let mut rig = Rig::with(config);
    rig.answering = true;
    rig.alive("a", 2, 1);
    rig.alive("b", 3, 1);
    rig.dead("a", 1, "b");
    rig.wait(Duration::from_secs(4));
    assert!(rig.knows("a"));
    rig.wait(Duration::from_secs(4));
    assert!(!rig.knows("a"));
    assert_eq!(rig.node.stats().counters.reaped, 1);
}
