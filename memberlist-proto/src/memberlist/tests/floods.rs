//! What strangers can have a node do: so much, and no more.

use super::*;
use crate::Refusal;
use crate::event::ExchangeError;
use crate::transmit::StreamId;
use crate::wire::message::IndirectPing;

fn flooded(change: impl FnOnce(&mut Config)) -> Rig {
    let mut config = config();
    config.limits.share_per_source = 1;
    change(&mut config);
    Rig::with(config)
}

#[test]
fn new_names_come_in_a_burst_and_then_at_their_rate() {
    let mut rig = flooded(|config| {
        config.limits.new_members_burst = 5;
        config.limits.new_members_per_second = 2;
    });
    for number in 0..9 {
        rig.alive(&alloc::format!("n{number}"), 2, 1);
    }
    let counters = rig.node.stats().counters;
    assert_eq!((counters.names_too_fast, counters.alive_refused), (3, 3));
    assert_eq!(rig.node.num_members(), 7, "the burst, the source's share and the node itself");
    assert_eq!(rig.events().pop(), Some("refused n8: too many new names at once".into()));
    rig.alive("n1", 2, 2);
    assert_eq!(rig.state("n1"), (State::Alive, 2), "what is known is not new");
    rig.wait(Duration::from_secs(1));
    for number in 6..12 {
        rig.alive(&alloc::format!("n{number}"), 2, 1);
    }
    assert_eq!(rig.node.num_members(), 10);
}

#[test]
fn reports_are_told_up_to_their_rate_and_counted_all() {
    let mut rig = flooded(|config| config.limits.reports_per_second = 4);
    rig.alive("a", 2, 1);
    rig.events();
    for port in 0..3 {
        rig.alive("a", 10 + port, 5);
        rig.alive_with("b", 3, 1, b"", Some(&[1, 2]));
    }
    let reported = rig.events();
    assert_eq!(reported.len(), 5, "{reported:?}");
    let counters = rig.node.stats().counters;
    assert_eq!((counters.conflicts, counters.alive_refused, counters.reports_dropped), (3, 3, 1));
    rig.wait(Duration::from_secs(1));
    rig.alive("a", 10, 5);
    assert_eq!(rig.events(), ["conflict a 10"]);
}

#[test]
fn failures_of_accepted_streams_are_told_up_to_the_rate() {
    let mut rig = flooded(|config| config.limits.reports_per_second = 2);
    for _ in 0..5 {
        let id = rig.node.accept_stream(rig.now, address(40)).expect("room");
        let result = rig.node.handle_stream_data(rig.now, id, &[9, 0xc1]);
        assert!(result.is_err(), "the caller hears of each");
        rig.node.handle_stream_closed(rig.now, id, None);
    }
    assert_eq!(rig.events().len(), 3);
    assert_eq!(rig.node.stats().counters.exchanges_failed, 5);
}

fn relay(rig: &mut Rig, source: &[u8]) {
    rig.receive_from(
        address(50),
        &Message::IndirectPing(IndirectPing {
            seq_no: 1,
            target: Some(&[10, 0, 0, 1]),
            port: 2,
            node: b"a",
            nack: false,
            source_addr: None,
            source_port: 0,
            source_node: source,
        }),
    );
}

#[test]
fn relays_are_limited_in_time() {
    let mut rig = flooded(|config| config.limits.relays_per_second = 3);
    rig.alive("a", 2, 1);
    for _ in 0..5 {
        relay(&mut rig, b"x");
        // Each relay ends before the next: only the rate holds them back.
        let sequence = rig.sent()[..].first().map(|sent| sent.text.clone());
        if let Some(number) = sequence.and_then(|it| it.rsplit('#').next()?.parse().ok()) {
            rig.receive(&Message::Ack(Ack { seq_no: number, payload: None }));
        }
        rig.sent();
    }
    let counters = rig.node.stats().counters;
    assert_eq!((counters.relayed, counters.relays_refused), (4, 1));
    rig.wait(Duration::from_secs(1));
    relay(&mut rig, b"x");
    assert_eq!(rig.node.stats().counters.relayed, 5);
}

#[test]
fn a_strangers_relay_carries_no_gossip() {
    let mut rig = Rig::new();
    rig.alive("a", 2, 1);
    rig.alive("asker", 50, 1);
    assert!(rig.queued() > 1);
    relay(&mut rig, b"stranger");
    assert_eq!(rig.sent().len(), 1, "the ping alone");
    relay(&mut rig, b"asker");
    assert!(rig.sent().len() > 1, "a member's relay carries gossip");
}

#[test]
fn who_cannot_be_probed_is_refused() {
    let nowhere: [&[u8]; 9] = [
        &[0; 4],
        &[0; 16],
        &[224, 0, 0, 1],
        &[255; 4],
        &[0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 239, 1, 2, 3],
        &[10, 0, 0],
        &[],
        &[10; 17],
    ];
    let mut rig = Rig::new();
    for addr in nowhere {
        let alive = |incarnation| {
            Message::Alive(Alive {
                incarnation,
                node: b"x",
                addr: Some(addr),
                port: 7,
                meta: None,
                vsn: Some(&VSN),
            })
        };
        rig.receive(&alive(1));
        assert!(!rig.knows("x"), "{addr:?}");
        let reported = core::iter::from_fn(|| rig.node.poll_event()).last();
        let refused = Event::Refused {
            node: NodeName::from("x"),
            from: Some(address(9)),
            reason: Refusal::Address,
        };
        assert_eq!(
            alloc::format!("{:?}", reported.expect("reported")),
            alloc::format!("{refused:?}")
        );
    }
}

#[test]
fn departures_tell_where_the_news_came_from() {
    let mut rig = Rig::new();
    rig.alive("a", 2, 1);
    rig.alive("b", 3, 1);
    rig.events();
    rig.receive_from(address(66), &Message::Dead(Dead { incarnation: 1, node: b"a", from: b"a" }));
    let Some(Event::Departed { node, from, .. }) = rig.node.poll_event() else { panic!("no word") };
    assert_eq!((node.state(), from), (State::Left, Some(address(66))));
    rig.receive_from(address(67), &Message::Dead(Dead { incarnation: 1, node: b"b", from: b"x" }));
    let Some(Event::Departed { node, from, .. }) = rig.node.poll_event() else { panic!("no word") };
    assert_eq!((node.state(), from), (State::Dead, Some(address(67))));
}

/// A push/pull of which `len` bytes of records have come and the end has not.
fn half(rig: &mut Rig, port: u16, len: usize) -> Result<StreamId, ExchangeError> {
    use crate::wire::push_pull::{NodeState, encode_header, encode_state};
    let mut out = Vec::new();
    encode_header(&mut out, false, 1 << 20, 0);
    while out.len() < len {
        encode_state(&mut out, &NodeState { name: &[b'x'; 200], ..NodeState::default() });
    }
    let id = rig.node.accept_stream(rig.now, address(port)).expect("room");
    let result = rig.node.handle_stream_data(rig.now, id, &out);
    rig.node.check_invariants().expect("invariants");
    result.map(|()| id)
}

#[test]
fn half_sent_streams_share_a_bounded_memory() {
    let mut rig = flooded(|config| config.limits.stream_memory_per_source = 100_000);
    let kept = half(&mut rig, 60, 60_000).expect("within the bound");
    let held = rig.node.stats().gauges.stream_memory;
    assert!((60_000..100_000).contains(&held), "{held}");
    assert_eq!(half(&mut rig, 61, 60_000).err(), Some(ExchangeError::TooManyBytes));
    let stats = rig.node.stats();
    assert_eq!((stats.gauges.stream_memory, stats.counters.streams_over_memory), (held, 1));
    rig.node.handle_stream_closed(rig.now, kept, None);
    assert_eq!(rig.node.stats().gauges.stream_memory, 0);
    half(&mut rig, 62, 60_000).expect("there is room again");

    let mut rig = flooded(|config| config.limits.stream_memory = 100_000);
    half(&mut rig, 60, 60_000).expect("within the bound");
    assert_eq!(half(&mut rig, 61, 60_000).err(), Some(ExchangeError::TooManyBytes));
    rig.wait(Duration::from_secs(30));
    assert_eq!(rig.node.stats().gauges.stream_memory, 0, "time ends what stands still");
}
