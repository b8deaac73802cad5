//! Members that have been dead for long are forgotten, few of them in one call.

use super::*;

/// A node that knows so many members which died at the same time, and three that live.
fn bereaved(dead: u32, probes: bool) -> Rig {
    let mut config = config();
    config.gossip_to_the_dead_time = Duration::from_secs(30);
    config.differences.reap_without_probes = !probes;
    if probes {
        config.probe_interval = Duration::from_secs(1);
    }
    let mut rig = Rig::with(config);
    rig.answering = true;
    for index in 0..3 {
        rig.alive(&alloc::format!("live{index}"), 2 + index, 1);
    }
    let template = rig.member("live0");
    for index in 0..dead {
        let identity = crate::Identity::new(crate::IdentityParts {
            name: &index.to_be_bytes(),
            ..template.identity().parts()
        });
        let (order, now) = (&mut rig.node.rng.probe_order, rig.now);
        rig.node.members.insert(identity.expect("short"), 1, State::Dead, now, order);
    }
    rig
}

/// However many there are, a node answers and probes between two parts.
#[test]
fn a_wave_of_dead_is_forgotten_in_parts() {
    for (probes, dead) in [(true, 20_000), (false, 60_000)] {
        let mut rig = bereaved(dead, probes);
        rig.events();
        let before = rig.node.stats().counters;
        let (mut parts, mut first) = (Vec::new(), None);
        while rig.node.members.len() > 4 {
            let known = rig.node.members.len();
            rig.now = rig.node.poll_timeout().expect("it goes on");
            rig.node.handle_timeout(rig.now);
            rig.answer_pings();
            let part = known - rig.node.members.len();
            if part > 0 {
                first.get_or_insert(rig.now);
                parts.push(part);
            }
        }
        assert!(parts.iter().all(|part| *part <= 4096), "{parts:?}");
        assert_eq!(parts.len(), dead.div_ceil(4096) as usize);
        let took = rig.now.saturating_duration_since(first.expect("there are parts"));
        assert_eq!(took.as_millis(), parts.len() as u128 - 1, "nothing else comes between them");
        assert_eq!(rig.node.stats().counters.reaped - before.reaped, u64::from(dead));
        assert_eq!(rig.node.members.num_live(), 4);
        rig.node.check_invariants().expect("invariants");
        // Then all is as it was before they were known.
        rig.wait(Duration::from_secs(5));
        assert!(rig.node.periodic.reap_rest.is_none());
        assert_eq!(rig.node.periodic.probe.is_some(), probes);
        let events = rig.events();
        assert!(events.iter().all(|it| it.starts_with("pinged live")), "{events:?}");
    }
}

/// One call is enough for few, and nothing is left to do.
#[test]
fn a_few_are_forgotten_at_once() {
    let mut rig = bereaved(4095, false);
    rig.wait(Duration::from_secs(29));
    assert_eq!(rig.node.members.len(), 4 + 4095);
    let due = rig.node.poll_timeout().expect("the timer of the reaping");
    rig.now = due;
    rig.node.handle_timeout(due);
    while rig.node.members.len() > 4 {
        let next = rig.node.poll_timeout().expect("it goes on");
        assert!(next.saturating_duration_since(rig.now) > Duration::from_secs(1));
        rig.now = next;
        rig.node.handle_timeout(next);
    }
}

#[test]
fn news_that_is_forgotten_with_its_name_was_not_too_long() {
    let mut rig = Rig::with(config().with(|it| {
        it.gossip_to_the_dead_time = Duration::from_secs(30);
        it.differences.reap_without_probes = true;
    }));
    rig.alive("a", 2, 1);
    rig.dead("a", 1, "b");
    let queued = rig.queued();
    rig.wait(Duration::from_secs(90));
    assert_eq!(rig.node.nodes().count(), 1);
    assert_eq!(rig.queued(), queued - 1);
    assert_eq!(rig.node.stats().counters.news_too_long, 0);
}
