//! Looking for members, waiting for rest, and the status.

use std::time::Duration;

use memberlist_proto::{Instant, JoinPolicy, Memberlist, Peer, Retry, Trouble};

use super::World;
use super::operate::{peer, timeout};
use crate::input::Input;

impl World {
    pub(super) fn search(&mut self, input: &mut Input<'_>) {
        match input.below(8) {
            0..=2 => {
                let peers: Vec<Peer> = (0..input.below(4)).map(|_| peer(input)).collect();
                let policy = policy(input);
                let tireless = policy.retry.is_some() && policy.give_up_after.is_zero();
                let op = self.begin(tireless, |node, now| node.join_with(now, &peers, policy));
                self.tireless.extend(tireless.then_some(op));
            }
            3 | 4 => {
                let (quiet, limit) = (timeout(input), timeout(input));
                // Joins that retry forever never let it rest.
                self.begin(limit.is_zero(), |node, now| node.settle(now, quiet, limit));
            }
            5 => {
                let peers: Vec<Peer> = (0..input.below(6)).map(|_| peer(input)).collect();
                self.rig.call(|node, now| node.recall(now, peers));
            }
            6 => {
                let known: Vec<Peer> = self.rig.node().snapshot().collect();
                let lost = self.rig.node().stats().gauges.lost_members;
                self.rig.call(|node, now| node.recall(now, known));
                let still = self.rig.node().stats().gauges.lost_members;
                assert_eq!(still, lost, "members are not looked for");
            }
            _ => status(self.rig.node(), self.rig.now()),
        }
    }
}

/// The status agrees with what is known.
fn status(node: &Memberlist, now: Instant) {
    let status = node.status(now);
    let limits = &node.config().limits;
    assert_eq!(status.left, node.has_left());
    assert_eq!(status.stats, node.stats());
    assert_eq!(status.lost.len() as u64, status.stats.gauges.lost_members);
    assert!(status.lost.len() <= limits.lost_members && status.refused.len() <= 32);
    assert_eq!(status.seeds.len(), node.config().seeds.len());
    assert_eq!(status.nodes.len(), node.nodes().count());
    assert!(status.nodes.is_sorted_by(|a, b| a.name < b.name), "each once, by name");
    for shown in &status.nodes {
        let known = node.member(&shown.name).expect("a node that is known");
        assert_eq!(shown.state, known.state());
        assert_eq!(
            (shown.addr, shown.incarnation),
            (known.identity().socket_addr(), known.incarnation())
        );
        match &shown.why {
            Some(Trouble::Suspected { by, .. }) => {
                assert!(!by.is_empty() && shown.state == memberlist_proto::State::Suspect);
            }
            Some(Trouble::Departed(_)) => assert!(!shown.state.is_live()),
            Some(_) => panic!("another trouble: {shown:?}"),
            None => {}
        }
    }
}

fn policy(input: &mut Input<'_>) -> JoinPolicy {
    let millis = |input: &mut Input<'_>| Duration::from_millis(u64::from(input.byte()) * 64);
    let retry = input.flag().then(|| Retry::new(millis(input), millis(input)));
    let enough = [usize::MAX, 0, 1, 2][input.below(4)];
    let give_up_after = millis(input);
    JoinPolicy::default().with(|it| {
        it.enough = enough;
        it.retry = retry;
        it.give_up_after = give_up_after;
    })
}
