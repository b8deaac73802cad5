//! Members that are searched for: asked for their names, found elsewhere, forgotten.

use core::time::Duration;

use super::rejoin::{
    INTERVAL, PUSH_PULL, asks_for_the_name_first, bury, connected, next_connect, seeking,
};
use super::{Rig, address, config};
use crate::config::Config;

/// Another cluster's node may have the address of a member that an earlier life knew. Where the name is
/// not known, the address alone counts, as with a seed.
#[test]
fn a_recalled_member_is_asked_for_its_name_before_states_are_exchanged() {
    let recalling = |peer: &str| {
        let mut rig = seeking(&[]);
        rig.node.recall(rig.now, [peer.parse().expect("a peer")]);
        rig
    };
    asks_for_the_name_first(&mut recalling("a/10.0.0.1:2"), "a");

    let mut rig = recalling("10.0.0.1:2");
    let (id, to) = next_connect(&mut rig);
    assert_eq!(to, address(2));
    assert_eq!(connected(&mut rig, id)[0], PUSH_PULL, "as docs/healing.md says");
}

/// A lost member that comes back anywhere is not searched for where it was: its record may be gone, or
/// its name free for another address.
#[test]
fn one_that_is_a_member_elsewhere_is_not_searched() {
    for reaped in [true, false] {
        let mut rig = seeking(&[]);
        rig.alive("b", 3, 1);
        let mut timing = rig.node.config().timing();
        timing.dead_node_reclaim_time = Duration::from_secs(1);
        timing.gossip_to_the_dead_time = Duration::from_secs(if reaped { 1 } else { 3600 });
        timing.probe_interval = Duration::from_secs(1);
        rig.node.reconfigure(rig.now, timing).expect("valid");
        rig.answering = true;
        rig.dead("b", 1, "other");
        rig.wait(Duration::from_secs(10));
        assert_eq!(rig.knows("b"), !reaped);
        assert_eq!(rig.node.stats().gauges.lost_members, 1);
        rig.alive("b", 60, 2);
        assert_eq!(rig.member("b").port(), 60);
        assert_eq!(rig.node.stats().gauges.lost_members, 0);
        rig.connects();
        rig.wait(40 * INTERVAL);
        assert_eq!(rig.connects(), []);
    }
}

/// The others have a record of it, and a search of their own: to them it has left.
#[test]
fn other_members_are_informed_of_one_that_is_forgotten() {
    let config = config();
    let mut rig = Rig::with(Config { gossip_interval: Duration::from_millis(200), ..config });
    rig.alive("m", 3, 1);
    bury(&mut rig, "a", 2);
    rig.wait(Duration::from_secs(5));
    assert_eq!(rig.queued(), 0);
    rig.sent();
    rig.node.forget(rig.now, &"a".into()).expect("it is dead");
    rig.wait(Duration::from_secs(5));
    let sent = rig.sent();
    assert!(!sent.is_empty());
    assert!(sent.iter().all(|it| it.to == address(3) && it.text == "dead a 1 by a"), "{sent:?}");
}
