use super::*;
use crate::table::Table;

fn run(parts: &[Part]) -> Report {
    let lifeguard = Selection {
        parts: parts.into(),
        members: vec![4],
        held: vec![secs(2)],
        pauses: vec![secs(20)],
    };
    let options = Options { quick: true, seeds: Some(1), lifeguard, ..Options::default() };
    super::run(&options, &())
}

#[test]
fn a_part_of_the_grid_has_the_cells_that_were_chosen() {
    let report = run(&[Part::Interval]);
    let names: Vec<&str> = report.tables.iter().map(Table::name).collect();
    assert_eq!(names, ["interval-sums", "interval"]);
    // One cell of each configuration.
    assert_eq!(report.tables[1].rows().len(), VARIANTS.len() + FASTER.len());
    for row in report.tables[1].rows() {
        let shown: Vec<String> = row[1..5].iter().map(crate::table::Cell::shown).collect();
        assert_eq!(shown, ["4", "2", "20", "1"]);
    }
}

#[test]
fn everything_is_run_by_default() {
    let options = Options { quick: true, ..Options::default() };
    assert_eq!(intervals(&options).len(), 8);
    assert_eq!(intervals(&Options::default()).len(), 48);
    assert!(
        [Part::Threshold, Part::Sweep, Part::Interval].map(|it| Selection::default().has(it))[..]
            .iter()
            .all(|it| *it)
    );
}
