//! Bad networks: our defaults beside the Go library's behaviour, on the same seeds. A small form of
//! what `memberlist simulate healing` measures.

use std::time::Duration;

use memberlist_experiments::{Harm, Tally};
use memberlist_proto::Differences;
use memberlist_sim::Config;

fn plain(_: &mut Config) {}

fn compare(name: &str, seeds: u64) -> [Tally; 2] {
    let experiment = Harm::named(name).expect("an experiment of this name");
    let [ours, go] = experiment.compare(0..seeds, &plain);
    println!("{name}\n{ours}\n{go}");
    [ours, go]
}

/// No running member is declared dead where it could be reached, and suspicions are fewer and
/// shorter.
#[test]
fn a_bad_network_kills_no_running_member() {
    let (mut deaths_in_go, mut suspected) = (0, [Duration::ZERO; 2]);
    for (name, seeds) in [
        ("12-loss-10", 4),
        ("12-loss-20", 6),
        ("12-loss-25", 16),
        ("12-loss-30", 6),
        ("12-loss-40", 4),
        ("12-deaf", 3),
        ("12-mute", 3),
        ("12-isolation", 6),
        ("12-flapping", 3),
    ] {
        let [ours, go] = compare(name, seeds);
        assert_eq!(ours.false_departures, 0, "{name}");
        assert!(ours.suspected <= go.suspected, "{name}: {ours} {go}");
        suspected[0] += ours.suspected;
        suspected[1] += go.suspected;
        deaths_in_go += go.false_departures;
    }
    assert!(suspected[0] * 2 <= suspected[1], "{suspected:?}");
    assert!(deaths_in_go > 50, "the experiments would harm a cluster: {deaths_in_go}");
}

/// Nor is any member reported as gone more often than with the Go library where a fault lasts, while
/// flapping halves, which find each other again, part again.
#[test]
fn what_cannot_be_reached_is_gone_no_longer_than_in_go() {
    for name in ["12-deaf", "12-mute", "12-isolation", "12-flapping"] {
        let [ours, go] = compare(name, 4);
        assert!(ours.gone.as_secs() * 100 <= go.gone.as_secs() * 102, "{name}: {ours} {go}");
    }
}

/// A member that has really failed is found as soon.
#[test]
fn a_killed_member_is_found_as_soon_as_in_go() {
    for name in ["12-kill", "12-kill-loss-10"] {
        let [ours, go] = compare(name, 40);
        assert_eq!((ours.missed, ours.false_departures), (0, 0), "{name}");
        let mean = |it: &Tally| it.times.iter().sum::<Duration>() / 40;
        // In Go all nodes that start together probe together, and confirm each other sooner.
        assert!(mean(&ours).as_millis() * 10 <= mean(&go).as_millis() * 13, "{ours} {go}");
    }
}

#[test]
fn no_member_misses_a_leave() {
    for name in ["leave", "leave-loss-10"] {
        let [ours, _] = compare(name, 56);
        assert_eq!(ours.missed, 0, "{name}");
        assert_eq!(ours.false_departures, 0, "{name}");
    }
}

/// The `local` preset sends news half as often: in the Go library more members miss a leave, without any
/// loss.
#[test]
fn no_member_of_one_machine_misses_a_leave() {
    let leave = Harm::named("leave").expect("an experiment of this name");
    let local = |config: &mut Config| *config = Config::local(config.name.clone());
    let go = |config: &mut Config| {
        local(config);
        config.differences = Differences::none();
    };
    let run = |change: &dyn Fn(&mut Config)| {
        let mut sum = Tally::default();
        (0..28).for_each(|seed| sum.add(leave.run(seed, change)));
        sum
    };
    let [ours, go] = [run(&local), run(&go)];
    println!("leave, local\n{ours}\n{go}");
    assert_eq!((ours.missed, ours.false_departures), (0, 0));
    assert!(go.missed * 100 >= go.news, "leaves would be missed: {go}");
}
