//! Any history of three nodes keeps the laws, and ends in agreement once the network is perfect.

use proptest::prelude::*;

use crate::group::{Action, Group};

fn action() -> impl Strategy<Value = Action> {
    let node = 0..3_usize;
    let packet = 0..48_usize;
    prop_oneof![
        8 => Just(Action::Tick),
        3 => (node.clone(), any::<u16>())
            .prop_map(|(node, millis)| Action::Wait { node, millis: millis % 3000 }),
        10 => packet.clone().prop_map(Action::Deliver),
        2 => packet.clone().prop_map(Action::Repeat),
        2 => packet.prop_map(Action::Lose),
        1 => Just(Action::LoseAll),
        2 => (node.clone(), node.clone()).prop_map(|(from, to)| Action::Cut { from, to }),
        1 => Just(Action::Mend),
        1 => (node.clone(), node.clone()).prop_map(|(node, peer)| Action::Join { node, peer }),
        1 => (node.clone(), any::<u8>()).prop_map(|(node, meta)| Action::Meta { node, meta }),
        1 => node.clone().prop_map(Action::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn any_history_keeps_the_laws_and_ends_in_agreement(
        actions in prop::collection::vec(action(), 0..250),
    ) {
        let mut group = Group::new(3);
        for action in actions {
            group.act(action);
        }
        group.converge();
    }

    #[test]
    fn any_history_with_a_leave_keeps_the_laws(
        before in prop::collection::vec(action(), 0..80),
        leaver in 0..3_usize,
        after in prop::collection::vec(action(), 0..80),
    ) {
        let mut group = Group::new(3);
        let leave = [Action::Leave(leaver)];
        for action in before.into_iter().chain(leave).chain(after) {
            group.act(action);
        }
    }
}

/// The histories are meaningful only if something happens in them.
#[test]
fn histories_reach_every_kind_of_change() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let mut seen = std::collections::BTreeMap::new();
    for _ in 0..24 {
        let actions = prop::collection::vec(action(), 150..250).new_tree(&mut runner);
        let mut group = Group::new(3);
        for action in actions.expect("a history").current() {
            group.act(action);
        }
        group.converge();
        for (kind, count) in group.events() {
            *seen.entry(*kind).or_insert(0) += count;
        }
    }
    for kind in ["joined", "departed", "suspected", "refuted", "updated"] {
        assert!(seen.get(kind).is_some_and(|count| *count >= 10), "{kind}: {seen:?}");
    }
}
