use super::*;
use crate::queues::{BroadcastKind, Priority};

fn gossiping() -> Config {
    let differences = Differences { random_phase: false, ..config().differences };
    Config { gossip_interval: Duration::from_millis(200), differences, ..config() }
}

fn texts(rig: &mut Rig) -> Vec<String> {
    rig.sent().into_iter().map(|it| it.text).collect()
}

#[test]
fn news_goes_to_a_few_members_as_often_as_the_cluster_is_large() {
    let mut rig = Rig::with(gossiping());
    for index in 0..9_u16 {
        rig.alive(&alloc::format!("n{index}"), 2 + index, 1);
    }
    rig.wait(Duration::from_millis(200));
    let transmits = rig.transmits();
    assert_eq!(transmits.len(), 3);
    let reported: Vec<Sent> = transmits.iter().flat_map(|it| opened(it.to, &it.payload)).collect();
    assert_eq!(reported.len(), 30, "all ten pieces of news fit in each packet");
    rig.wait(Duration::from_secs(10));
    // Ten nodes: two digits, so eight times each.
    assert_eq!(texts(&mut rig).len() + 30, 80);
    assert_eq!(rig.queued(), 0);
}

#[test]
fn a_packet_keeps_to_its_size_whatever_is_around_it() {
    for (label, key) in [("", false), ("label", false), ("", true), ("label", true)] {
        let mut config = gossiping();
        config.label = label.as_bytes().to_vec().into();
        config.compression = Compression::None;
        config.limits.user_broadcasts = 100;
        if key {
            config.secret_keys.push(crate::Key::new(&[1; 16]).expect("a key"));
        }
        let mut rig = Rig::with(config);
        let peer = Config { name: "p".into(), advertise_port: 2, ..super::config() };
        let peer = Memberlist::new(rig.now, peer, None, [1; 32]).expect("a node").local();
        rig.node.restore(rig.now, [peer]);
        for size in (0..60).map(|index| 5 + index * 3) {
            let message = alloc::vec![b'm'; size];
            let kind = BroadcastKind::Unique;
            rig.node.broadcast(rig.now, &message, kind, Priority::Normal).expect("it fits");
        }
        rig.wait(Duration::from_millis(400));
        let sizes: Vec<usize> = rig.transmits().iter().map(|it| it.payload.len()).collect();
        assert!(sizes.iter().all(|size| *size <= 1400), "{sizes:?}");
        assert!(sizes[0] > 1300, "{sizes:?}");
    }
}

#[test]
fn the_longest_broadcast_fits_and_one_byte_more_does_not() {
    let mut rig = Rig::with(gossiping());
    rig.alive("a", 2, 1);
    rig.wait(Duration::from_secs(5));
    rig.sent();
    let limit = rig.node.broadcast_limit();
    let message = alloc::vec![7; limit];
    let now = rig.now;
    let push = |rig: &mut Rig, message: &[u8]| {
        rig.node.broadcast(now, message, BroadcastKind::Unique, Priority::Normal)
    };
    assert!(push(&mut rig, &message).is_ok());
    let too_long = alloc::vec![7; limit + 1];
    let error = push(&mut rig, &too_long).expect_err("too long");
    assert_eq!(error, crate::SendError::TooLong { len: limit + 1, limit });
    rig.wait(Duration::from_millis(200));
    assert!(texts(&mut rig)[0].starts_with("user"));
}

#[test]
fn gossip_reaches_the_dead_for_a_while_and_never_who_left() {
    let mut rig = Rig::with(gossiping());
    rig.alive("dead", 2, 1);
    rig.alive("left", 3, 1);
    rig.dead("left", 1, "left");
    rig.dead("dead", 1, "other");
    rig.wait(Duration::from_secs(5));
    let reached = rig.transmits();
    assert!(reached.iter().any(|it| it.to == address(2)));
    assert!(reached.iter().all(|it| it.to != address(3)));
    rig.wait(Duration::from_secs(30));
    rig.transmits();
    rig.suspect("me", rig.node.local().incarnation(), "x");
    rig.wait(Duration::from_secs(5));
    assert_eq!(rig.transmits().len(), 0, "no member is left");
}

#[test]
fn user_broadcasts_end_exactly_once() {
    use crate::event::BroadcastEnd;
    let mut rig = Rig::with(gossiping());
    rig.alive("a", 2, 1);
    let now = rig.now;
    let named =
        |name: &'static str| BroadcastKind::Named(bytes::Bytes::from_static(name.as_bytes()));
    let one = rig.node.broadcast(now, b"1", named("n"), Priority::High).expect("it fits");
    let two = rig.node.broadcast(now, b"2", named("n"), Priority::High).expect("it fits");
    let three = rig.node.broadcast(now, b"3", BroadcastKind::Unique, Priority::Low).expect("fits");
    rig.wait(Duration::from_secs(5));
    let mut ends = Vec::new();
    while let Some(event) = rig.node.poll_event() {
        if let Event::BroadcastFinished { id, end } = event {
            ends.push((id, end));
        }
    }
    assert_eq!(ends.len(), 3);
    assert!(ends.contains(&(one, BroadcastEnd::Replaced)));
    assert!(ends.contains(&(two, BroadcastEnd::Sent)));
    assert!(ends.contains(&(three, BroadcastEnd::Sent)));
    assert_eq!(rig.node.stats().gauges.user_queue, 0);
}

#[test]
fn what_a_delegate_returns_beyond_its_limit_waits() {
    struct Greedy;
    impl crate::Hooks for Greedy {
        fn broadcasts(&self, _: &crate::View<'_>, _: usize, limit: usize) -> Vec<bytes::Bytes> {
            alloc::vec![
                alloc::vec![b'x'; limit * 2 / 3].into(),
                alloc::vec![b'y'; limit / 2].into()
            ]
        }
    }
    let mut config = gossiping();
    config.compression = Compression::None;
    let mut rig = Rig::with_delegate(config, Some(alloc::sync::Arc::new(Greedy)));
    rig.alive("a", 2, 1);
    rig.wait(Duration::from_millis(200));
    let transmits = rig.transmits();
    assert!(transmits.iter().all(|it| it.payload.len() <= 1400));
    assert!(rig.node.stats().counters.broadcasts_over_limit > 0);
    assert!(rig.node.stats().gauges.held_broadcasts > 0);
    rig.wait(Duration::from_millis(200));
    assert!(texts(&mut rig).iter().any(|text| text.starts_with("user yyy")));
}

#[test]
fn a_time_that_never_comes_stops_nothing() {
    let mut config = config();
    config.gossip_interval = Duration::from_millis(200);
    let mut rig = Rig::with(config);
    rig.alive("a", 2, 1);
    for never in [Instant::FAR_FUTURE, Instant::from_nanos(u64::MAX / 2 + 1)] {
        rig.node.handle_timeout(never);
        rig.node.check_invariants().expect("invariants");
        let message = b"on";
        let (kind, priority) = (BroadcastKind::Plain, Priority::High);
        rig.node.broadcast(never, message, kind, priority).expect("short enough");
        rig.wait(Duration::from_millis(200));
        assert!(texts(&mut rig).iter().any(|text| text == "user on"));
    }
    // The latest time that counts; what is due by then happens, and so does what is due later.
    rig.node.handle_timeout(Instant::from_nanos(u64::MAX / 2));
    let due = rig.node.poll_timeout().expect("gossip goes on");
    assert!(due > Instant::from_nanos(u64::MAX / 2) && due < Instant::FAR_FUTURE);
}

/// What the first packet of a node with more news than fits carries, of `len` bytes of a user
/// broadcast (none for 0) and of the news.
fn first_packet_amid_churn(percent: u32, len: usize) -> (usize, usize) {
    let mut config = gossiping();
    config.compression = Compression::None;
    config.differences.user_share_percent = percent;
    let mut rig = Rig::with(config);
    for index in 0..40_u16 {
        let name = alloc::format!("n{index:02}");
        rig.alive_with(&name, 2 + index, 1, &[b'm'; 150], Some(&[1, 5, 5, 0, 0, 0]));
    }
    if len > 0 {
        let (message, kind) = (alloc::vec![b'u'; len], BroadcastKind::Unique);
        rig.node.broadcast(rig.now, &message, kind, Priority::Low).expect("it fits");
    }
    rig.wait(Duration::from_millis(200));
    let first = rig.transmits().remove(0);
    assert!(first.payload.len() <= 1400);
    let reported = opened(first.to, &first.payload);
    let user = reported.iter().filter(|it| it.text.starts_with("user")).count();
    (user, reported.len() - user)
}

#[test]
fn churn_leaves_user_broadcasts_their_share_and_no_more() {
    let (_, full) = first_packet_amid_churn(0, 0);
    assert_eq!(first_packet_amid_churn(0, 300), (0, full), "as in the Go library");
    let (user, news) = first_packet_amid_churn(25, 300);
    assert_eq!(user, 1);
    assert!(news >= full / 2, "{news} of {full}");
    assert_eq!(first_packet_amid_churn(25, 0), (0, full), "what is not needed is not kept free");
    assert_eq!(first_packet_amid_churn(25, 600), (0, full), "too long for the share");
}

/// Counts how often it is asked for broadcasts, of which it has none.
struct Asked(core::sync::atomic::AtomicUsize);

impl crate::Hooks for Asked {
    fn broadcasts(&self, _: &crate::View<'_>, _: usize, _: usize) -> Vec<bytes::Bytes> {
        self.0.fetch_add(1, core::sync::atomic::Ordering::Relaxed);
        Vec::new()
    }
}

/// As in Go: a tick with nothing to say to its first target has nothing to say to the others.
#[test]
fn a_tick_without_news_asks_the_delegate_once() {
    let asked = alloc::sync::Arc::new(Asked(0.into()));
    let mut rig = Rig::with_delegate(gossiping(), Some(asked.clone()));
    for port in 2..6 {
        rig.alive(&alloc::format!("m{port}"), port, 1);
    }
    rig.wait(Duration::from_secs(60));
    assert_eq!(rig.queued(), 0);
    let before = asked.0.load(core::sync::atomic::Ordering::Relaxed);
    rig.sent();
    rig.wait(Duration::from_millis(200));
    assert_eq!(asked.0.load(core::sync::atomic::Ordering::Relaxed), before + 1);
    assert_eq!(rig.sent(), []);
}

/// A delegate that never has broadcasts does not keep a node awake.
#[test]
fn without_questions_for_broadcasts_a_node_with_a_delegate_sleeps() {
    let asked = alloc::sync::Arc::new(Asked(0.into()));
    let config = Config { ask_broadcasts: false, ..gossiping() };
    let mut rig = Rig::with_delegate(config, Some(asked.clone()));
    rig.alive("m", 2, 1);
    rig.wait(Duration::from_secs(60));
    assert_eq!(asked.0.load(core::sync::atomic::Ordering::Relaxed), 0);
    assert_eq!(rig.queued(), 0);
    let until = rig.now + Duration::from_secs(10);
    assert!(rig.node.poll_timeout().is_none_or(|due| due > until), "gossip wakes the node");
}
