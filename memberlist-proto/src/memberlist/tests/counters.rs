//! Figures of `Stats` on which nothing else depends, and bounds at which the exact value matters.

use bytes::Bytes;

use super::*;
use crate::Key;
use crate::event::{Outcome, SendError};
use crate::memberlist::ticks::next_tick;
use crate::peer::{Peer, Target};
use crate::wire::push_pull::{NodeState, encode_header, encode_state, encode_user};

fn key() -> Key {
    Key::new(&[1; 16]).expect("16 bytes are a key")
}

#[test]
fn each_refused_operation_is_counted() {
    let mut config = config();
    config.limits.operations = 1;
    let mut rig = Rig::with(config);
    rig.alive("a", 2, 1);
    let target = || Target::Member("a".into());
    rig.node.send_reliable(rig.now, target(), b"x").expect("the first");
    for _ in 0..3 {
        let refused = rig.node.send_reliable(rig.now, target(), b"x");
        assert_eq!(refused, Err(SendError::TooMany));
    }
    for _ in 0..2 {
        rig.node.join(rig.now, &[Peer::from(address(3))]);
    }
    for _ in 0..2 {
        rig.node.ping(rig.now, target());
        rig.node.settle(rig.now, Duration::ZERO, Duration::ZERO);
        rig.node.set_meta(rig.now, Bytes::new(), Duration::ZERO).expect("short");
    }
    assert_eq!(rig.node.stats().counters.operations_refused, 11);
}

#[test]
fn packets_and_bytes_are_counted() {
    let mut rig = Rig::new();
    let before = rig.node.stats().counters;
    let packet = [8, b'x', b'y'];
    for _ in 0..3 {
        rig.node.handle_packet(rig.now, address(2), &packet).expect("a message");
    }
    let counters = rig.node.stats().counters;
    assert_eq!(counters.packets_received - before.packets_received, 3);
    assert_eq!(counters.packet_bytes_received - before.packet_bytes_received, 9);
    assert_eq!(counters.messages_received, 3);
}

#[test]
fn messages_and_bytes_of_streams_are_counted() {
    let mut rig = Rig::new();
    rig.alive("a", 2, 1);
    for _ in 0..2 {
        let mut body = Vec::new();
        encode_user(&mut body, b"over a stream");
        let id = rig.node.accept_stream(rig.now, address(9)).expect("room");
        rig.node.handle_stream_data(rig.now, id, &body).expect("a message");
    }
    let counters = rig.node.stats().counters;
    assert_eq!((counters.messages_received, counters.streams_accepted), (2, 2));
    let mut body = Vec::new();
    encode_user(&mut body, b"over a stream");
    assert_eq!(counters.stream_bytes_received, 2 * body.len() as u64);
    rig.node.send_reliable(rig.now, Target::Member("a".into()), b"x").expect("a member");
    let (id, _) = rig.connects()[0];
    rig.node.handle_stream_connected(rig.now, id);
    let Some(StreamOp::Write { data, .. }) = rig.node.poll_stream() else { panic!("nothing") };
    rig.node.handle_stream_written(rig.now, id, 1);
    rig.node.handle_stream_written(rig.now, id, data.len() - 1);
    assert_eq!(rig.node.stats().counters.stream_bytes_sent, data.len() as u64);
}

#[test]
fn what_is_sent_and_what_is_not_is_counted() {
    let mut rig = Rig::new();
    rig.alive("a", 2, 1);
    for _ in 0..3 {
        rig.node.send(rig.now, Target::Member("a".into()), b"x").expect("a member");
    }
    let sent = rig.transmits();
    let counters = rig.node.stats().counters;
    let bytes: usize = sent.iter().map(|it| it.payload.len()).sum();
    assert_eq!((counters.packets_sent, counters.packet_bytes_sent), (3, bytes as u64));
    for transmit in &sent {
        rig.node.handle_transmit_failed(rig.now, transmit);
    }
    assert_eq!(rig.node.stats().counters.packets_unsent, 3);
    for _ in 0..2 {
        rig.node.handle_packet(rig.now, address(2), &[255]).expect_err("no message");
    }
    assert_eq!(rig.node.stats().counters.packets_refused, 2);
}

/// News is counted message by message, alone in a packet and beside another message.
#[test]
fn news_that_is_sent_is_counted() {
    let mut config = config();
    config.gossip_interval = Duration::from_millis(200);
    let mut rig = Rig::with(config);
    rig.alive("a", 2, 1);
    rig.wait(Duration::from_millis(400));
    let ping = crate::wire::message::Ping { seq_no: 7, source_node: b"a", ..Default::default() };
    for port in 3..6 {
        rig.alive(&alloc::format!("n{port}"), port, 1);
        rig.receive_from(address(2), &Message::Ping(ping));
    }
    let sent = rig.sent();
    let news = sent.iter().filter(|it| it.text.starts_with("alive")).count();
    assert!(news > 6 && sent.iter().any(|it| it.text == "ack 7"), "{sent:?}");
    assert_eq!(rig.node.stats().counters.broadcasts_sent, news as u64);
}

#[test]
fn streams_that_are_opened_or_refused_and_exchanges_are_counted() {
    let mut config = config();
    config.limits.streams_opened = 2;
    let mut rig = Rig::with(config);
    for port in 2..6 {
        rig.node.join(rig.now, &[Peer::from(address(port))]);
    }
    let mut answer = Vec::new();
    encode_header(&mut answer, false, 0, 0);
    for (id, _) in rig.connects() {
        rig.node.handle_stream_connected(rig.now, id);
        rig.node.handle_stream_data(rig.now, id, &answer).expect("a good state");
    }
    let counters = rig.node.stats().counters;
    assert_eq!((counters.streams_opened, counters.streams_refused), (2, 2));
    assert_eq!(counters.push_pulls_ended, 2);
}

#[test]
fn probes_that_end_are_counted() {
    let mut config = config();
    config.probe_interval = Duration::from_secs(1);
    let mut rig = Rig::with(config);
    rig.answering = true;
    rig.alive("a", 2, 1);
    rig.wait(Duration::from_secs(4));
    let counters = rig.node.stats().counters;
    assert!(counters.probes > 2);
    assert_eq!(counters.probes_ended, counters.probes);
}

#[test]
fn long_messages_that_find_no_room_are_counted() {
    let mut body = Vec::new();
    encode_user(&mut body, &[7; 8000]);
    let len = body.len();
    for (most, bytes, dropped) in
        [(1, 3 * len, 2), (3, len - 1, 3), (3, len, 2), (3, 2 * len, 1), (3, 3 * len, 0)]
    {
        let mut config = config();
        config.compression = Compression::None;
        config.limits.disseminations = most;
        config.limits.dissemination_bytes = bytes;
        let mut rig = Rig::with(config);
        rig.alive("a", 2, 1);
        for _ in 0..3 {
            let _ = rig.node.disseminate(rig.now, &[7; 8000]);
        }
        assert_eq!(rig.node.stats().counters.disseminations_dropped, dropped, "{bytes} bytes");
    }
}

#[test]
fn announcements_and_direct_leaves_are_counted() {
    let mut rig = Rig::with(Config { gossip_interval: Duration::from_millis(200), ..config() });
    assert_eq!(rig.node.stats().decisions.alive_mine_announced, 1);
    for _ in 0..2 {
        rig.node.set_meta(rig.now, Bytes::new(), Duration::ZERO).expect("short");
    }
    assert_eq!(rig.node.stats().decisions.alive_mine_announced, 3);
    rig.alive("a", 2, 1);
    rig.alive("b", 3, 1);
    rig.events();
    assert!(!rig.node.has_left());
    rig.node.leave(rig.now, Duration::from_secs(1));
    assert!(rig.node.has_left());
    rig.wait(Duration::from_secs(2));
    let events = core::iter::from_fn(|| rig.node.poll_event());
    let reports = events.filter_map(|event| match event {
        Event::Finished { outcome: Outcome::Leave(Ok(report)), .. } => Some(report),
        _ => None,
    });
    let sent: Vec<_> = reports.map(|report| (report.members, report.sent_directly)).collect();
    assert_eq!(sent, [(2, 2)]);
}

/// Without a bridge in sight the zones are not heeded, unless the node is alone.
#[test]
fn choices_by_zone_are_counted() {
    for (members, choices, skipped) in [(0, 3, 0), (1, 3, 3)] {
        let mut config = config();
        config.zone = Bytes::from_static(b"east");
        config.push_pull_interval = Duration::from_secs(30);
        let mut rig = Rig::with(config);
        for index in 0..members {
            rig.alive("a", 2 + index, 1);
        }
        let before = rig.node.stats().counters;
        for _ in 0..3 {
            rig.node.push_pull_tick();
        }
        let counters = rig.node.stats().counters;
        assert_eq!(counters.zone_choices - before.zone_choices, choices);
        assert_eq!(counters.zone_choices_skipped - before.zone_choices_skipped, skipped);
    }
    let mut rig = Rig::new();
    rig.alive("a", 2, 1);
    rig.node.push_pull_tick();
    let counters = rig.node.stats().counters;
    assert_eq!((counters.zone_choices, counters.zone_choices_skipped), (0, 0));
}

#[test]
fn records_of_a_state_are_counted_by_their_state() {
    let mut rig = Rig::new();
    for (index, name) in ["a", "b", "c", "d", "e"].iter().enumerate() {
        rig.alive(name, 2 + index as u16, 1);
    }
    let mut body = Vec::new();
    encode_header(&mut body, false, 5, 0);
    // Suspect, suspect, dead, dead, left.
    for (index, state) in [1, 1, 2, 2, 3].into_iter().enumerate() {
        let name = &b"abcde"[index..=index];
        let (addr, port) = (Some(&[10, 0, 0, 1][..]), 2 + index as u16);
        let (meta, incarnation, vsn) = (None, 1, Some(&VSN[..]));
        encode_state(&mut body, &NodeState { name, addr, port, meta, incarnation, state, vsn });
    }
    let id = rig.node.accept_stream(rig.now, address(9)).expect("room");
    rig.node.handle_stream_data(rig.now, id, &body).expect("a good state");
    let decisions = rig.node.stats().decisions;
    let counted = (decisions.merged_suspect, decisions.merged_dead, decisions.merged_left);
    assert_eq!(counted, (2, 2, 1));
}

/// Only what is sent encrypted takes room for encryption.
#[test]
fn room_for_encryption_is_kept_if_this_node_encrypts() {
    let room = |keys: &[Key], outgoing: bool| {
        let mut config = config();
        config.secret_keys = keys.to_vec();
        config.gossip_verify_outgoing = outgoing;
        let rig = Rig::with(config);
        assert_eq!(rig.node.encrypts(), !keys.is_empty() && outgoing);
        rig.node.piggyback_budget(0)
    };
    let plain = room(&[], true);
    assert_eq!(room(&[], false), plain);
    assert_eq!(room(&[key()], false), plain);
    // A version byte, a nonce, a tag.
    assert_eq!(room(&[key()], true), plain - 1 - 12 - 16);
}

#[test]
fn the_room_beside_a_message_is_what_the_packets_layers_leave() {
    for (exact, label, rest) in [(true, "", 1296), (false, "", 1298), (true, "cluster", 1287)] {
        let mut config = config();
        config.udp_buffer_size = 1400;
        config.label = label.as_bytes().to_vec().into();
        config.differences.exact_packet_budget = exact;
        // The type and the number of the parts, their lengths; the label with its type and length.
        assert_eq!(Rig::with(config).node.piggyback_budget(100), rest);
    }
}

/// A delegate that always has messages: one that takes all the room there is, or three of a length.
struct Talker(Option<usize>);

impl crate::Hooks for Talker {
    fn broadcasts(&self, _: &crate::View<'_>, overhead: usize, limit: usize) -> Vec<Bytes> {
        match self.0 {
            None => alloc::vec![alloc::vec![b'x'; limit - overhead].into()],
            Some(len) => alloc::vec![alloc::vec![b'x'; len].into(); 3],
        }
    }
}

/// A node with news and such a delegate, which has gossiped once.
fn gossiped(talker: Talker) -> Rig {
    let mut config = config();
    config.gossip_interval = Duration::from_millis(200);
    config.compression = Compression::None;
    let mut rig = Rig::with_delegate(config, Some(alloc::sync::Arc::new(talker)));
    rig.alive("a", 2, 1);
    rig.wait(Duration::from_millis(200));
    rig
}

/// What fits exactly goes along.
#[test]
fn a_delegates_message_may_take_all_the_room_there_is() {
    let mut rig = gossiped(Talker(None));
    assert_eq!(rig.node.stats().counters.broadcasts_over_limit, 0);
    let longest = rig.transmits().iter().map(|it| it.payload.len()).max();
    assert_eq!(longest, Some(1400));
}

/// Beside the news there is no room for one of them: all wait, until the key leaves them none.
#[test]
fn held_messages_that_a_new_key_makes_too_long_are_counted() {
    let mut rig = gossiped(Talker(Some(Rig::new().node.broadcast_limit())));
    assert_eq!(rig.node.stats().gauges.held_broadcasts, 3);
    assert_eq!(rig.node.stats().counters.broadcasts_dropped, 0);
    rig.node.add_key(rig.now, key()).expect("room");
    assert_eq!(rig.node.stats().gauges.held_broadcasts, 0);
    assert_eq!(rig.node.stats().counters.broadcasts_dropped, 3);
}

/// The name of a member that left is another's now: a peer that still accuses the former one learns
/// of the leave and then of the new one, unless the leave says nothing against the new one.
#[test]
fn the_leave_of_a_former_bearer_goes_before_the_news_of_the_present_one() {
    for (incarnation, leaves) in [(6, 1), (5, 0)] {
        let mut rig = Rig::new();
        rig.alive("m", 3, 1);
        rig.alive("x", 2, 5);
        rig.dead("x", 5, "x");
        rig.alive("x", 9, incarnation);
        assert_eq!(rig.state("x"), (State::Alive, incarnation));
        rig.sent();
        for _ in 0..2 {
            let suspect = Suspect { incarnation: 4, node: b"x", from: b"m" };
            rig.receive_from(address(3), &Message::Suspect(suspect));
            // The next may be sent.
            rig.wait(rig.node.config().probe_interval.max(Duration::from_secs(1)));
        }
        let sent: Vec<_> = rig.sent().into_iter().filter(|sent| sent.to == address(3)).collect();
        let texts: Vec<_> = sent.iter().map(|sent| sent.text.as_str()).collect();
        assert!(!texts.is_empty(), "incarnation {incarnation}");
        let left = texts.iter().filter(|text| text.starts_with("dead x 5 by x")).count();
        assert_eq!(left > 0, leaves > 0, "{texts:?}");
        let counted = rig.node.stats().counters.leaves_repeated;
        assert_eq!(counted, left as u64, "{texts:?}");
    }
}

#[test]
fn missed_ticks_are_one_and_the_phase_stays() {
    let at = Instant::from_nanos;
    let every = Duration::from_nanos(100);
    for (now, next) in [(1000, 1100), (1099, 1100), (1100, 1200), (1250, 1300), (9901, 10_000)] {
        assert_eq!(next_tick(at(now), at(1000), every), at(next), "at {now}");
    }
}

#[test]
fn the_longest_message_that_may_be_disseminated_is_taken() {
    let mut config = config();
    config.limits.stream_bytes = 8192;
    let mut rig = Rig::with(config);
    rig.alive("a", 2, 1);
    let message = |len| alloc::vec![7; len];
    rig.node.disseminate(rig.now, &message(8192)).expect("as long as allowed");
    let refused = rig.node.disseminate(rig.now, &message(8193));
    assert_eq!(refused, Err(SendError::TooLong { len: 8193, limit: 8192 }));
}
