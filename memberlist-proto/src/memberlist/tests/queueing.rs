use super::*;
use crate::BroadcastId;
use crate::event::BroadcastEnd;
use crate::queues::{BroadcastKind, Priority};

/// A node that gossips to one member, with nothing left to say.
fn gossiping() -> Rig {
    let mut config = config();
    config.gossip_interval = Duration::from_millis(200);
    let mut rig = Rig::with(config);
    rig.alive("a", 2, 1);
    rig.wait(Duration::from_secs(5));
    rig.events();
    rig.sent();
    assert_eq!(rig.queued(), 0);
    rig
}

fn push(rig: &mut Rig, message: &str, kind: BroadcastKind, priority: Priority) -> BroadcastId {
    rig.node.broadcast(rig.now, message.as_bytes(), kind, priority).expect("it fits")
}

/// How broadcasts have ended since the last call.
fn ends(rig: &mut Rig) -> Vec<(BroadcastId, BroadcastEnd)> {
    let events = core::iter::from_fn(|| rig.node.poll_event());
    let ends = events.filter_map(|event| match event {
        Event::BroadcastFinished { id, end } => Some((id, end)),
        _ => None,
    });
    ends.collect()
}

#[test]
fn news_of_a_member_replaces_older_news_of_it_alone() {
    let mut rig = gossiping();
    // A suspicion is to last.
    rig.node.config.probe_interval = Duration::from_secs(60);
    rig.alive("a", 2, 2);
    rig.alive("b", 3, 1);
    assert_eq!(rig.queued(), 2);
    rig.suspect("a", 2, "b");
    rig.alive("b", 3, 2);
    assert_eq!(rig.queued(), 2);
    rig.wait(Duration::from_millis(200));
    let mut reported: Vec<String> = rig.sent().into_iter().map(|it| it.text).collect();
    reported.sort();
    reported.dedup();
    assert_eq!(reported, ["alive b 2", "suspect a 2 by b"]);
}

#[test]
fn a_plain_message_replaces_its_equal_and_a_unique_one_nothing() {
    let mut rig = gossiping();
    let normal = Priority::Normal;
    let first = push(&mut rig, "same", BroadcastKind::Plain, normal);
    let other = push(&mut rig, "other", BroadcastKind::Plain, normal);
    let unique = push(&mut rig, "same", BroadcastKind::Unique, normal);
    let again = push(&mut rig, "same", BroadcastKind::Plain, normal);
    let twin = push(&mut rig, "same", BroadcastKind::Unique, normal);
    assert_eq!(rig.node.stats().gauges.user_queue, 4);
    assert_eq!(ends(&mut rig), [(first, BroadcastEnd::Replaced)]);
    rig.wait(Duration::from_secs(5));
    let mut sent = ends(&mut rig);
    sent.sort_by_key(|(id, _)| *id);
    let expected = [other, unique, again, twin].map(|id| (id, BroadcastEnd::Sent));
    assert_eq!(sent, expected, "each under its own number");
}

#[test]
fn the_more_urgent_goes_first_and_all_share_one_packet() {
    let mut rig = gossiping();
    let long = |letter: &str| letter.repeat(500);
    push(&mut rig, &long("l"), BroadcastKind::Unique, Priority::Low);
    push(&mut rig, &long("n"), BroadcastKind::Unique, Priority::Normal);
    push(&mut rig, &long("h"), BroadcastKind::Unique, Priority::High);
    rig.node.config.compression = Compression::None;
    rig.wait(Duration::from_millis(200));
    let transmits = rig.transmits();
    let first = transmits.first().expect("a packet");
    assert!(first.payload.len() <= 1400);
    let reported = opened(first.to, &first.payload);
    let letters: Vec<&str> = reported.iter().map(|it| &it.text[5..6]).collect();
    assert_eq!(letters, ["h", "n"], "the third does not fit");
}

#[test]
fn how_often_news_is_told_can_change() {
    let mut rig = gossiping();
    let mut timing = rig.node.config.timing();
    timing.retransmit_mult = 9;
    rig.node.reconfigure(rig.now, timing).expect("a valid timing");
    push(&mut rig, "news", BroadcastKind::Unique, Priority::Normal);
    rig.alive("a", 2, 2);
    rig.wait(Duration::from_secs(10));
    // Two nodes: one digit.
    let sent = rig.sent();
    assert_eq!(sent.iter().filter(|it| it.text == "user news").count(), 9);
    assert_eq!(sent.iter().filter(|it| it.text == "alive a 2").count(), 9);
}

#[test]
fn a_delegates_messages_wait_in_order_up_to_a_number() {
    /// Returns 2,000 messages of half a packet at once, and then no more.
    struct Flood(core::sync::atomic::AtomicBool);
    impl crate::Hooks for Flood {
        fn broadcasts(&self, _: &crate::View<'_>, _: usize, _: usize) -> Vec<bytes::Bytes> {
            if self.0.swap(true, core::sync::atomic::Ordering::Relaxed) {
                return Vec::new();
            }
            (0..2000_u32).map(|index| alloc::format!("{index:<700}").into()).collect()
        }
    }
    let mut config = config();
    config.gossip_interval = Duration::from_millis(200);
    let mut rig = Rig::with_delegate(config, Some(alloc::sync::Arc::new(Flood(false.into()))));
    rig.alive("a", 2, 1);
    rig.sent();
    rig.wait(Duration::from_millis(200));
    let held = rig.node.stats().gauges.held_broadcasts;
    let dropped = rig.node.stats().counters.broadcasts_dropped;
    assert!((1..2000).contains(&held), "{held}");
    assert!(dropped > 0);
    rig.wait(Duration::from_secs(600));
    let reported = rig.sent();
    let numbers: Vec<u32> = reported
        .iter()
        .filter_map(|it| it.text.strip_prefix("user ")?.trim().parse().ok())
        .collect();
    assert_eq!(numbers.len() as u64, 2000 - dropped);
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
    assert_eq!(rig.node.stats().gauges.held_broadcasts, 0);
}

#[test]
fn gauges_count_what_is_under_way() {
    let mut rig = Rig::new();
    let gauges = |rig: &Rig| {
        let gauges = rig.node.stats().gauges;
        (gauges.acks_awaited, gauges.suspicions, gauges.operations)
    };
    assert_eq!(gauges(&rig), (0, 0, 0));
    rig.node.config.probe_interval = Duration::from_secs(3600);
    for (index, name) in ["a", "b", "c"].into_iter().enumerate() {
        rig.alive(name, 2 + index as u16, 1);
        rig.suspect(name, 1, "x");
    }
    assert_eq!(gauges(&rig), (0, 3, 0));
    rig.alive("b", 3, 2);
    assert_eq!(gauges(&rig), (0, 2, 0));
    for index in 0..2 {
        let target = crate::Target::Addr { addr: address(20 + index), node: None };
        rig.node.ping(rig.now, target);
    }
    assert_eq!(gauges(&rig), (2, 2, 2));
}
