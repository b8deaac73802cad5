//! Checkpoints whose parts do not fit together are refused.

use super::*;
use crate::memberlist::Timer;
use crate::{CORE_HASH, CheckpointError, Key, Restoring};

fn restored(rig: &Rig) -> Result<Memberlist, CheckpointError> {
    let mut bytes = Vec::new();
    rig.node.checkpoint(&mut bytes);
    Memberlist::restore_checkpoint(&bytes, &Restoring::default())
}

/// A node with a suspect, changed where no node changes itself.
#[track_caller]
fn refused(tamper: impl FnOnce(&mut Rig)) {
    let mut rig = Rig::with(Config { probe_interval: Duration::from_secs(1), ..config() });
    for port in 2..6 {
        rig.alive(&alloc::format!("n{port}"), port, 1);
    }
    rig.suspect("n2", 1, "n3");
    rig.suspect("n3", 1, "n2");
    restored(&rig).expect("as it is");
    tamper(&mut rig);
    let error = restored(&rig).err();
    assert!(matches!(error, Some(CheckpointError::Inconsistent(_))), "{error:?}");
}

#[test]
fn what_a_node_cannot_be() {
    refused(|rig| rig.node.me.name = "other".into());
    refused(|rig| rig.node.config.zone = bytes::Bytes::from_static(b"east"));
    refused(|rig| rig.node.now = Instant::from_nanos(Instant::LATEST.as_nanos() + 1));
    // A member that only a larger cluster has.
    let mut larger = Rig::new();
    for port in 2..20 {
        larger.alive(&alloc::format!("n{port}"), port, 1);
    }
    let id = larger.node.members.get(b"n19").expect("a member");
    refused(|rig| {
        rig.node.departures.insert(id, crate::Departure::Left);
    });
    refused(|rig| rig.node.flaps.came_back(id, rig.now, rig.node.config.probe_interval));
    refused(|rig| rig.node.counters.probes = (1 << 56) + 1);
    refused(|rig| rig.node.decisions.alive_new = u64::MAX);
}

/// A count may be as high as it can be without overflowing soon; a clock as late as there are times.
#[test]
fn what_a_node_can_just_be() {
    let mut rig = Rig::new();
    rig.node.counters.probes = 1 << 56;
    rig.node.now = Instant::LATEST;
    restored(&rig).expect("within the bounds");
}

#[test]
fn a_suspicion_without_its_timer_and_a_timer_without_a_suspicion() {
    let slot = |rig: &Rig, name: &[u8]| {
        let id = rig.node.members.get(name).expect("a member");
        (id, rig.node.members.record(id).suspicion().expect("it is suspected"))
    };
    refused(|rig| {
        let (_, slot) = slot(rig, b"n2");
        let timer = rig.node.suspects.get(slot).expect("a suspect").timer();
        rig.node.timers.cancel(timer);
    });
    refused(|rig| {
        let (_, shared) = slot(rig, b"n2");
        let (other, _) = slot(rig, b"n3");
        rig.node.members.set_suspicion(other, Some(shared));
    });
    refused(|rig| {
        let (id, _) = slot(rig, b"n2");
        rig.node.timers.insert(rig.now, Timer::Suspicion(id));
    });
}

#[test]
fn the_core_is_known_by_the_hash_of_its_sources() {
    assert_eq!(CORE_HASH.to_string(), env!("MEMBERLIST_CORE_HASH"));
}

#[test]
fn keys_that_are_missing_are_named() {
    let ids = [1, 2].map(|byte| Key::new(&[byte; 16]).expect("a key").id());
    let text = CheckpointError::MissingKeys(ids.to_vec()).to_string();
    let expected = alloc::format!("keys of the checkpoint were not given: {}, {}", ids[0], ids[1]);
    assert_eq!(text, expected);
}
