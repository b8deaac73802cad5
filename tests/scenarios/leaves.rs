//! Leaves that some member misses: that it hears of them all the same, and how soon.

use std::ops::RangeInclusive;
use std::time::Duration;

use memberlist_sim::{NodeId, Sim, State, script};

use super::{cluster, secs, state};

/// Runs the commands of a script with each of these seeds; its conditions have to hold.
fn hold(text: &str, seeds: RangeInclusive<u64>) {
    let (commands, _) = text.split_once("----").expect("what happens");
    for seed in seeds {
        let commands = commands.replacen("\nseed 1\n", &format!("\nseed {seed}\n"), 1);
        assert!(commands.contains(&format!("\nseed {seed}\n")), "{commands}");
        if let Err(error) = script::play(&commands) {
            panic!("seed {seed}: {error}");
        }
    }
}

#[test]
fn a_leave_that_one_observer_misses_frees_the_name_with_every_seed() {
    hold(include_str!("../scripts/missed_leave.txt"), 1..=10);
}

#[test]
fn the_only_survivor_hears_a_leave_with_every_seed() {
    hold(include_str!("../scripts/leave_after_mass_kill.txt"), 1..=200);
}

/// How long an observer needs to learn of a leave that it missed, because it heard nothing for the second
/// that the leave took.
fn learnt_after(seed: u64, size: usize, repeat_leaves: bool) -> Option<Duration> {
    let (mut sim, nodes) = cluster(seed, size, |_, config| {
        config.differences.repeat_leaves = repeat_leaves;
        config.probe_interval = secs(1);
    });
    let (leaver, observer) = (nodes[1], nodes[size - 1]);
    let others: Vec<NodeId> = nodes.iter().copied().filter(|node| *node != observer).collect();
    sim.network().partition(&[observer], &others);
    sim.operate(leaver, |node, now| node.leave(now, secs(5)));
    sim.run_for(secs(1));
    sim.crash(leaver);
    sim.network().heal();
    let left = |sim: &Sim| state(sim, observer, leaver) == Some(State::Left);
    for other in others.iter().filter(|node| **node != leaver) {
        assert_eq!(state(&sim, *other, leaver), Some(State::Left), "{other:?}");
    }
    assert!(!left(&sim), "it has missed nothing");
    sim.run_until(secs(100), left)
}

/// In two rounds the observer probes the leaver at least once, and the members that it then asks to probe
/// it repeat the leave. Of two nodes that which stays has no other to ask.
#[test]
fn a_missed_leave_is_learnt_within_two_rounds_of_probes() {
    for size in [3, 4, 5, 6, 8, 9, 12, 16, 24, 32, 50] {
        let bound = secs(2 * (size as u64 - 1));
        for seed in 0..if size > 16 { 2 } else { 6 } {
            let took = learnt_after(seed, size, true);
            assert!(took.is_some_and(|it| it <= bound), "{size} nodes, seed {seed}: {took:?}");
            // Where a round is short, no exchange of full states comes first.
            if size < 10 && seed < 2 {
                let took = learnt_after(seed, size, false);
                assert!(took.is_none_or(|it| it > bound), "{size} nodes, seed {seed}: {took:?}");
            }
        }
    }
}
