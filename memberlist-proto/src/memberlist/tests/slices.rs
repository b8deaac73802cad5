//! No call takes long, however much is due or however many members there are.

use super::*;

/// A node that suspects so many members, and the time when every suspicion has ended.
fn suspecting(members: usize) -> (Rig, Instant) {
    let mut config = config();
    config.probe_interval = Duration::from_secs(1);
    let mut rig = Rig::with(config);
    rig.restore(members as u16);
    for index in 0..members {
        rig.suspect(&alloc::format!("n{index}"), 1, &alloc::format!("n{}", (index + 1) % members));
    }
    rig.events();
    let end = rig.now + Duration::from_secs(3600);
    (rig, end)
}

#[test]
fn timers_that_are_due_together_are_handled_in_parts() {
    const MOST: usize = Memberlist::TIMERS_AT_ONCE;
    let (mut rig, end) = suspecting(3 * MOST);
    let mut dead = 0;
    let mut calls = 0;
    while rig.node.poll_timeout().is_some_and(|due| due <= end) {
        rig.node.handle_timeout(end);
        while rig.node.poll_transmit().is_some() {}
        let now_dead = rig.node.stats().gauges.dead as usize;
        assert!(now_dead - dead <= MOST, "{now_dead} after {dead}");
        (dead, calls) = (now_dead, calls + 1);
        rig.node.check_invariants().expect("invariants");
    }
    // The timer of probes is among them.
    assert_eq!((dead, calls), (3 * MOST, 4));
}

#[test]
fn what_arrives_between_two_parts_counts() {
    const MOST: usize = Memberlist::TIMERS_AT_ONCE;
    let (mut rig, end) = suspecting(2 * MOST);
    rig.node.handle_timeout(end);
    rig.now = end;
    // The process stood still; the refutations of all are in its socket.
    for index in 0..2 * MOST {
        let name = alloc::format!("n{index}");
        if rig.state(&name).0 == State::Suspect {
            rig.alive(&name, 2 + index as u16, 2);
        }
    }
    while rig.node.poll_timeout().is_some_and(|due| due <= end) {
        rig.node.handle_timeout(end);
    }
    let gauges = rig.node.stats().gauges;
    assert!(gauges.dead as usize <= MOST && gauges.suspect == 0, "{gauges:?}");
    assert!(gauges.alive as usize > MOST, "{gauges:?}");
}
