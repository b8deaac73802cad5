use serde_json::json;

use super::*;

#[test]
fn columns_are_as_wide_as_their_cells() {
    let mut table = Table::new(&["NAME", "STATE"]);
    table.row(vec!["a-long-name".to_owned(), "alive".to_owned()]);
    table.row(vec!["ü".to_owned(), "dead".to_owned()]);
    let expected = "NAME         STATE\na-long-name  alive\nü            dead\n";
    assert_eq!(table.to_text(false), expected);
    assert_eq!(Table::new(&["A", "B"]).to_text(false), "A  B\n");
}

#[test]
fn long_cells_are_cut_on_a_terminal_only() {
    let mut table = Table::new(&["META"]);
    table.row(vec!["x".repeat(500)]);
    assert_eq!(table.to_text(false).lines().last().map(str::len), Some(500));
    let text = table.to_text(true);
    assert_eq!(text.lines().last().map(|line| line.chars().count()), Some(CELL_MAX));
    assert!(text.ends_with("…\n"), "{text}");
}

#[test]
fn what_others_choose_cannot_control_the_terminal() {
    assert_eq!(plain(&json!("\u{1b}[2J\n")), "\\u{1b}[2J\\n");
    assert_eq!(plain(&json!("it's \"plain\"")), "it's \"plain\"");
    assert_eq!(plain(&json!(["a", "b"])), "a, b");
    assert_eq!(plain(&Value::Null), "-");
}

#[test]
fn ages_are_given_in_units_that_fit() {
    for (ms, text) in [
        (json!(12), "12 ms"),
        (json!(3_456), "3.4 s"),
        (json!(75_000), "1 min 15 s"),
        (json!(7_380_000), "2 h 3 min"),
        (json!(183_600_000), "2 d 3 h"),
        (Value::Null, "-"),
    ] {
        assert_eq!(age(&ms), text);
    }
}
