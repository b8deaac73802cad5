use super::*;

#[test]
fn the_language_is_readable_on_a_terminal() {
    let text = help();
    for line in
        ["  crash NAMES, restart NAMES", "  expect CONDITION", "        fails unless it holds now"]
    {
        assert!(text.lines().any(|it| it == line), "no {line:?} in\n{text}");
    }
    for mark in [
        "](", "`", "|---", "
| ",
    ] {
        assert!(!text.contains(mark), "{mark:?} in\n{text}");
    }
}
