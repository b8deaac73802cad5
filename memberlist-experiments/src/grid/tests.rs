use super::{Grid, Options};

#[test]
fn outcomes_are_in_order_however_many_run_at_a_time() {
    let grid = Grid::new(["a", "b", "c"], 5..9);
    assert_eq!(grid.runs(), 12);
    for jobs in [1, 3, 20] {
        let options = Options { jobs, ..Options::default() };
        let outcomes = grid.run(&options, &(), |cell, seed| format!("{cell}{seed}"));
        let expected = ["a", "b", "c"].map(|cell| [5, 6, 7, 8].map(|seed| format!("{cell}{seed}")));
        for ((_, outcomes), expected) in outcomes.iter().zip(expected) {
            assert_eq!(*outcomes, expected);
        }
    }
}

#[test]
fn seeds_follow_the_options() {
    let options = Options { quick: true, seed: 7, ..Options::default() };
    assert_eq!(options.seeds(100, 3), 7..10);
    assert_eq!(Options { seeds: Some(9), ..options }.seeds(100, 3), 7..16);
}
