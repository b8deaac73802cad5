use super::{Cell, Table, figure};
use crate::summary::Estimate;

#[test]
fn figures_are_short() {
    for (number, text) in [
        (0.0, "0"),
        (0.012_345, "0.01235"),
        (1.579_9, "1.58"),
        (12.345, "12.35"),
        (123.45, "123.5"),
        (1234.5, "1,234"),
        (1_234_567.0, "1,234,567"),
        (-0.5, "-0.5"),
    ] {
        assert_eq!(figure(number), text);
    }
}

#[test]
fn an_estimate_takes_three_columns_of_a_file() {
    let mut table = Table::new("t", "T", &["what", "time, s"]);
    table.row(["a, b".into(), Estimate { value: 1.5, low: 1.0, high: 2.25 }.into()]);
    table.row(["c".into(), Cell::None]);
    assert_eq!(
        table.csv(),
        "what,\"time, s\",\"time, s: low\",\"time, s: high\"\n\"a, b\",1.5,1,2.25\nc,,,\n"
    );
    let markdown = "| what | time, s |\n|---|---:|\n| a, b | 1.5 (1 to 2.25) |\n| c | – |\n";
    assert_eq!(table.markdown(), markdown);
}

#[test]
#[should_panic(expected = "t")]
fn a_row_has_a_cell_for_each_column() {
    Table::new("t", "T", &["one", "two"]).row(["a".into()]);
}
