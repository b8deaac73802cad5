//! Looking for members, waiting for rest, and telling how things stand.

use std::time::Duration;

use memberlist_proto::{JoinPolicy, Memberlist, Peer, Retry, Trouble};

use super::World;
use super::operate::{peer, timeout};
use crate::input::Input;

impl World {
    pub(super) fn search(&mut self, input: &mut Input<'_>) {
        let now = self.now;
        match input.below(8) {
            0..=2 => {
                let peers: Vec<Peer> = (0..input.below(4)).map(|_| peer(input)).collect();
                let policy = policy(input);
                let op = self.node.join_with(now, &peers, policy);
                let tireless = policy.retry.is_some() && policy.give_up_after.is_zero();
                self.watch.began(op, tireless);
                self.tireless.extend(tireless.then_some(op));
            }
            3 | 4 => {
                let (quiet, limit) = (timeout(input), timeout(input));
                let op = self.node.settle(now, quiet, limit);
                // Joins that retry for ever never let it rest.
                self.watch.began(op, limit.is_zero());
            }
            5 => {
                let peers: Vec<Peer> = (0..input.below(6)).map(|_| peer(input)).collect();
                self.node.recall(now, peers);
            }
            6 => {
                let known: Vec<Peer> = self.node.snapshot().collect();
                let lost = self.node.stats().gauges.lost_members;
                self.node.recall(now, known);
                let still = self.node.stats().gauges.lost_members;
                assert_eq!(still, lost, "whoever is there is not looked for");
            }
            _ => status(&self.node, self),
        }
    }
}

/// What is told agrees with what is known.
fn status(node: &Memberlist, world: &World) {
    let status = node.status(world.now);
    let limits = &node.config().limits;
    assert_eq!(status.left, node.has_left());
    assert_eq!(status.stats, node.stats());
    assert_eq!(status.lost.len() as u64, status.stats.gauges.lost_members);
    assert!(status.lost.len() <= limits.lost_members && status.refused.len() <= 32);
    assert_eq!(status.seeds.len(), node.config().seeds.len());
    assert_eq!(status.nodes.len(), node.nodes().count());
    assert!(status.nodes.is_sorted_by(|a, b| a.name < b.name), "each once, by name");
    for told in &status.nodes {
        let known = node.member(&told.name).expect("a node that is known");
        assert_eq!(told.state, known.state());
        assert_eq!(
            (told.addr, told.incarnation),
            (known.identity().socket_addr(), known.incarnation())
        );
        match &told.why {
            Some(Trouble::Suspected { by, .. }) => {
                assert!(!by.is_empty() && told.state == memberlist_proto::State::Suspect);
            }
            Some(Trouble::Departed(_)) => assert!(!told.state.is_live()),
            Some(_) => panic!("another trouble: {told:?}"),
            None => {}
        }
    }
}

fn policy(input: &mut Input<'_>) -> JoinPolicy {
    let millis = |input: &mut Input<'_>| Duration::from_millis(u64::from(input.byte()) * 64);
    let retry = input.flag().then(|| Retry { first: millis(input), longest: millis(input) });
    let enough = [usize::MAX, 0, 1, 2][input.below(4)];
    JoinPolicy { enough, retry, give_up_after: millis(input) }
}
