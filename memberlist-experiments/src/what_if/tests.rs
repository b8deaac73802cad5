use super::{Goal, GoalError, WhatIf, poisson};
use crate::grid::Options;
use memberlist_proto::Config;

#[test]
fn a_goal_is_a_list_of_limits() {
    let goal: Goal = "detect<5s, false<1/day,traffic<2kB/s".parse().unwrap();
    assert_eq!(goal.to_string(), "detect<5s, false<1/day,traffic<2kB/s");
    for (text, error) in [
        ("detect", "`detect` has no `<`, as in `detect<5s`"),
        ("detcet<5s", "there is no figure `detcet`, only detect, detect-p99"),
        ("detect<5", "the limit `5` of `detect` is not a time such as 5s"),
        ("false<many/day", "the limit `many/day` of `false` is not a rate such as 1/day"),
        ("all<-3s", "the limit `-3s` of `all` is not a time such as 5s"),
    ] {
        let found: GoalError = text.parse::<Goal>().unwrap_err();
        assert!(found.to_string().starts_with(error), "{found}");
    }
}

#[test]
fn counts_have_the_interval_of_poisson() {
    // Exact: 0 to 3.69, 0.025 to 5.57, 4.80 to 18.39.
    for (count, low, high) in [(0, 0.0, 3.69), (1, 0.025, 5.57), (10, 4.80, 18.39)] {
        let found = poisson(count);
        assert!((found.low - low).abs() < 0.02 && (found.high - high).abs() < 0.04, "{found:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_answer() {
    let config = Config::lan("n").with(|it| it.suspicion_mult = 2);
    let settings = vec!["suspicion_mult=2".into()];
    let question = WhatIf { nodes: 8, loss: 0.01, config, settings, goal: None, each: false };
    let options = Options { quick: true, seeds: Some(2), jobs: 2, ..Options::default() };
    let [one, other] = [1, 2].map(|jobs| {
        let report = question.run(&Options { jobs, ..options.clone() }, &());
        assert!(report.failed().next().is_none(), "{:?}", report.expectations);
        // All but the processor time.
        report.tables[0].rows().iter().map(|row| row[..8].to_vec()).collect::<Vec<_>>()
    });
    assert_eq!(one, other);
    assert_eq!(one.len(), 2);
    assert_ne!(one[0][1], one[1][1], "a shorter suspicion detects sooner");
}
