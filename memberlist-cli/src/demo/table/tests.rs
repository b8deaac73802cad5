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
