use std::time::Duration;

use super::*;

#[test]
fn cells_line_up_with_their_titles() {
    let names = ["node1".to_owned(), "node2".to_owned()];
    let columns = [
        Column::new("broadcast", vec![None, Some(Duration::from_millis(42))]),
        Column::new("dead", vec![Some(Duration::from_millis(2340)), None]),
    ];
    let text = table(&names, &columns, |index| if index == 0 { "sent" } else { "" });
    let expected = "\
node      broadcast       dead
node1             -     2.34 s  sent
node2         42 ms          -
";
    assert_eq!(text, expected);
}

#[test]
fn many_nodes_are_summed_up() {
    let names: Vec<String> = (0..30).map(|number| format!("node{number}")).collect();
    let times = |count: u64| {
        let time = |number| (number < count).then(|| Duration::from_millis(number + 1));
        (0..30).rev().map(time).collect()
    };
    let columns = [
        Column::new("sees all", times(30)),
        Column::new("left", times(1)),
        Column::new("back", times(0)),
    ];
    let expected = "\
\x20          sees all       left       back
minimum        1 ms       1 ms          -
median        16 ms       1 ms          -
maximum       30 ms       1 ms          -
of nodes         30          1          0
";
    assert_eq!(table(&names, &columns, |_| ""), expected);
}
