//! What a node announces must fit into a packet, with all that goes around it.

use bytes::Bytes;

use super::*;
use crate::config::ConfigError;
use crate::event::{BroadcastEnd, MetaError, Outcome};
use crate::queues::{BroadcastKind, Priority};
use crate::security::Key;

fn key() -> Key {
    Key::new(&[1; 32]).expect("32 bytes")
}

/// A node with a member that takes 2,000 bytes of metadata.
fn rig() -> Rig {
    let mut config = config();
    config.meta_max_size = 2000;
    let mut rig = Rig::with(config);
    rig.alive("a", 2, 1);
    rig
}

fn set_meta(rig: &mut Rig, len: usize) -> Result<crate::OpId, MetaError> {
    rig.node.set_meta(rig.now, alloc::vec![0; len].into(), Duration::ZERO)
}

/// The most metadata that fits.
fn most(rig: &mut Rig) -> usize {
    (0..=2000).rev().find(|len| set_meta(rig, *len).is_ok()).expect("some length fits")
}

#[test]
fn metadata_that_no_packet_can_carry_is_refused_with_the_sum() {
    let mut rig = rig();
    let before = rig.node.local();
    let error = set_meta(&mut rig, 1400).expect_err("it does not fit");
    let shown = error.to_string();
    assert!(
        shown.starts_with(
            "the announcement fits into no packet: name 2 + metadata 1400 + label 0 + encryption \
             0 + headers "
        ) && shown.contains(" bytes, and at most 1400 fit (`udp_buffer_size`)"),
        "{shown}"
    );
    let MetaError::Oversized(sum) = error else { panic!("{error:?}") };
    assert_eq!((sum.name, sum.beside, sum.limit), (2, 1400, 1400));
    assert_eq!(sum.total(), 1400 + 2 + sum.headers);
    assert_eq!(rig.node.local().incarnation(), before.incarnation(), "nothing has changed");
    assert_eq!(rig.node.local().meta(), before.meta());
    assert_eq!(rig.node.stats().gauges.operations, 0);
}

/// To the byte: what is accepted leaves, in a packet of at most `udp_buffer_size`.
#[test]
fn the_longest_announcement_that_is_accepted_is_gossiped() {
    for (with_key, label) in [(false, ""), (true, ""), (true, "blue")] {
        let mut config = config();
        config.gossip_interval = Duration::from_millis(200);
        config.meta_max_size = 2000;
        config.compression = Compression::None;
        config.label = label.into();
        config.skip_inbound_label_check = !label.is_empty();
        config.gossip_verify_incoming = false;
        if with_key {
            config.secret_keys = alloc::vec![key()];
        }
        let mut rig = Rig::with(config);
        rig.alive("a", 2, 1);
        let most = most(&mut rig);
        assert_eq!(set_meta(&mut rig, most).map(drop), Ok(()));
        // The incarnation that takes the most bytes.
        rig.suspect("me", u32::MAX - 1, "a");
        rig.wait(Duration::from_secs(3));
        let longest = rig.transmits().iter().map(|it| it.payload.len()).max();
        // The room of a checksum is kept; what is sent to a member that takes one uses it.
        assert!(longest.is_some_and(|it| (1390..=1400).contains(&it)), "{longest:?}");
        assert_eq!(rig.queued(), 0);
    }
}

#[test]
fn metadata_that_peers_would_refuse_is_refused() {
    let mut config = config();
    config.meta_max_size = 2000;
    config.differences.received_meta_max = 100;
    let mut rig = Rig::with(config);
    let error = set_meta(&mut rig, 101).expect_err("peers refuse it");
    assert_eq!(
        error.to_string(),
        "the metadata is 101 bytes long, and at most 100 are allowed \
         (`differences.received_meta_max`)"
    );
    assert_eq!(set_meta(&mut rig, 100).map(drop), Ok(()));
}

#[test]
fn a_key_that_leaves_no_room_for_the_announcement_is_refused() {
    let mut rig = rig();
    let len = most(&mut rig);
    let error = rig.node.add_key(rig.now, key()).expect_err("no room");
    assert_eq!((error.beside, error.encryption), (len, 29));
    assert!(rig.node.keys().is_empty(), "nothing has changed");
    set_meta(&mut rig, len - 29).expect("short enough");
    rig.node.add_key(rig.now, key()).expect("room");
    assert_eq!(rig.node.keys().len(), 1);
}

#[test]
fn the_zone_in_front_of_the_metadata_leaves_less_room_for_a_key() {
    let mut config = config();
    config.meta_max_size = 2000;
    config.zone = Bytes::from_static(b"eu-west-1a");
    let mut rig = Rig::with(config);
    rig.alive("a", 2, 1);
    let len = most(&mut rig);
    set_meta(&mut rig, len - 28).expect("short enough");
    rig.node.add_key(rig.now, key()).expect_err("a byte too much");
    set_meta(&mut rig, len - 29).expect("short enough");
    rig.node.add_key(rig.now, key()).expect("room");
}

#[test]
fn a_node_with_an_announcement_that_fits_nowhere_does_not_start() {
    let mut config = config();
    config.meta_max_size = 1400;
    config.meta = alloc::vec![0; 1400].into();
    let error = Memberlist::new(Instant::ORIGIN, config, None, [7; 32]).expect_err("too long");
    assert!(matches!(error, ConfigError::Oversized(_)), "{error}");
}

#[test]
fn a_broadcast_that_no_longer_fits_ends_as_that() {
    let mut rig = rig();
    let limit = rig.node.broadcast_limit();
    let push = |rig: &mut Rig, len: usize| {
        let message = alloc::vec![len as u8; len];
        let kind = BroadcastKind::Plain;
        rig.node.broadcast(rig.now, &message, kind, Priority::Normal).expect("it fits")
    };
    let (long, short) = (push(&mut rig, limit), push(&mut rig, limit - 29));
    rig.node.add_key(rig.now, key()).expect("room");
    let ends: Vec<_> = core::iter::from_fn(|| rig.node.poll_event())
        .filter_map(|event| match event {
            Event::BroadcastFinished { id, end } => Some((id, end)),
            _ => None,
        })
        .collect();
    assert_eq!(ends, [(long, BroadcastEnd::TooLong)], "and {short:?} still waits");
    assert_eq!(rig.node.broadcast_limit(), limit - 29);
    assert_eq!(rig.node.stats().gauges.user_queue, 1);
}

/// A peer with larger packets announces what this node believes and cannot pass on.
#[test]
fn news_that_no_packet_can_carry_is_not_queued() {
    let mut rig = rig();
    let before = rig.queued();
    rig.alive_with("long", 3, 1, &[1; 2000], Some(&VSN));
    assert_eq!(rig.member("long").meta().len(), 2000);
    assert_eq!(rig.queued(), before);
    assert_eq!(rig.node.stats().counters.news_too_long, 1);
    // What fitted before is dropped when a key comes.
    let fits = rig.node.gossip_limit() - 60;
    rig.alive_with("fits", 4, 1, &alloc::vec![1; fits - 20], Some(&VSN));
    assert_eq!(rig.queued(), before + 1);
    rig.node.add_key(rig.now, key()).expect("room");
    assert_eq!(rig.queued(), before);
    assert_eq!(rig.node.stats().counters.news_too_long, 2);
}

/// Newer news that fits nowhere still ends what it makes obsolete, and a wait for that.
#[test]
fn a_wait_ends_when_its_news_is_dropped() {
    let mut rig = rig();
    let op = set_meta(&mut rig, 1200).expect("it fits");
    rig.node.queues.set_longest(100);
    rig.wait(Duration::ZERO);
    let outcomes: Vec<_> = core::iter::from_fn(|| rig.node.poll_event())
        .filter_map(|event| match event {
            Event::Finished { op: ended, outcome: Outcome::SetMeta(result) } => {
                Some((ended, result))
            }
            _ => None,
        })
        .collect();
    assert_eq!(outcomes, [(op, Err(crate::WaitError::TooLong))]);
}
