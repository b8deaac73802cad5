//! Every history up to a certain depth, beginning at a moment at which much is under way.

use std::collections::HashSet;

use crate::group::{Action, Group};

const CHOICES: [Action; 6] = [
    Action::Tick,
    Action::Deliver(0),
    Action::Deliver(1),
    Action::Repeat(0),
    Action::Lose(0),
    Action::Restart(1),
];

#[test]
fn every_order_of_what_two_nodes_say_about_a_suspicion() {
    let explored = explore(6, &suspicion(2));
    assert!(explored.states > 1000, "{explored:?}");
    assert!(explored.leaves > 100, "{explored:?}");
}

#[test]
fn every_order_of_what_three_nodes_say_about_a_suspicion() {
    let explored = explore(5, &suspicion(3));
    assert!(explored.states > 500, "{explored:?}");
    assert!(explored.leaves > 100, "{explored:?}");
}

/// How far an exploration has got.
#[derive(Debug, Default)]
struct Explored {
    states: usize,
    leaves: usize,
}

/// The beginning: the nodes know each other; one is cut off until another suspects it, and then all
/// reach each other again.
fn suspicion(size: usize) -> impl Fn() -> Group {
    move || {
        let mut group = Group::new(size);
        for other in 1..size {
            group.act(Action::Cut { from: 0, to: other });
        }
        let suspected = |group: &Group| group.events().contains_key("suspected");
        while !suspected(&group) {
            group.act(Action::Tick);
            while group.under_way() > 0 && !suspected(&group) {
                group.act(Action::Deliver(0));
            }
        }
        group.act(Action::Mend);
        group
    }
}

/// Replays every sequence of choices, shortest first, except beyond states that were seen before.
/// The laws are checked at each step; from the ends on the nodes must find each other.
fn explore(depth: usize, start: &impl Fn() -> Group) -> Explored {
    let mut explored = Explored::default();
    let mut seen = HashSet::new();
    let mut level: Vec<Vec<Action>> = vec![Vec::new()];
    for step in 0..=depth {
        let mut next = Vec::new();
        for path in level {
            let mut group = start();
            for action in &path {
                group.act(*action);
            }
            if !seen.insert(group.hash()) {
                continue;
            }
            explored.states += 1;
            if step == depth {
                explored.leaves += 1;
                group.converge();
                continue;
            }
            for choice in CHOICES {
                next.push(path.iter().copied().chain([choice]).collect());
            }
        }
        level = next;
    }
    explored
}
