use super::{Malformed, compare};

const BEFORE: &str = "PING steady 1000 1000 200000\nJOIN other 1 1000 5000000\n";
const NOTHING: &str = "# no rise\ncommit 0123456\n";

fn with(ping: &str, join: &str) -> String {
    format!("PING {ping}\nJOIN {join}\n")
}

#[test]
fn what_costs_the_same_or_less_passes() {
    for ping in ["steady 1000 1000 200000", "steady 1000 0 100000", "steady 1000 1009 209900"] {
        let after = with(ping, "other 1 1049 5240000");
        assert!(compare(BEFORE, &after, NOTHING).expect("understood").passed, "{ping}");
    }
}

#[test]
fn a_rise_of_instructions_fails_and_says_which_and_how_to_accept_it() {
    let after = with("steady 1000 1000 212600", "other 1 1000 5000000");
    let found = compare(BEFORE, &after, NOTHING).expect("understood");
    assert!(!found.passed);
    assert!(found.text.contains(
        "PING: 212.6 instructions in each call instead of 200.0: 6.3 % more, and 5 % is allowed"
    ));
    assert!(found.text.contains("\n    PING instructions 7%\n"), "{}", found.text);
    assert!(!found.text.contains("JOIN:"), "{}", found.text);
    let accepted = format!("{NOTHING}PING instructions 7% # for a reason\n");
    assert!(compare(BEFORE, &after, &accepted).expect("understood").passed);
}

#[test]
fn an_allocation_on_a_steady_path_fails_and_elsewhere_one_in_twenty_does() {
    let after = with("steady 1000 2000 200000", "other 1 1000 5000000");
    let found = compare(BEFORE, &after, NOTHING).expect("understood");
    assert!(!found.passed);
    assert!(found.text.contains(
        "PING: 2.00 allocations in each call instead of 1.00, on a path that runs all the time"
    ));
    let accepted = format!("{NOTHING}PING allocations 1\n");
    assert!(compare(BEFORE, &after, &accepted).expect("understood").passed);

    let after = with("steady 1000 1000 200000", "other 1 1051 5000000");
    let found = compare(BEFORE, &after, NOTHING).expect("understood");
    assert!(!found.passed && found.text.contains("\n    JOIN allocations 51.00\n"));
}

#[test]
fn a_workload_that_is_gone_or_unknown_fails_and_a_new_one_does_not() {
    let after = "PING steady 1000 1000 200000\n";
    assert!(!compare(BEFORE, after, NOTHING).expect("understood").passed);
    assert!(compare(after, BEFORE, NOTHING).expect("understood").passed);
    let unknown = format!("{NOTHING}PONG instructions 9%\n");
    let found = compare(BEFORE, BEFORE, &unknown).expect("understood");
    assert!(!found.passed && found.text.contains("PONG: named in bench/guard/base"));
}

#[test]
fn what_is_malformed_or_counted_nothing_is_an_error() {
    for after in ["PING steady 1000 1000 0", "PING steady 0 0 7", "PING", "PING steady 1 x 7"] {
        assert_eq!(
            compare(BEFORE, after, NOTHING).err(),
            Some(Malformed(after.to_owned())),
            "{after}"
        );
    }
    for line in ["PING instructions 6", "PING allocations many", "PING", "PING time 6%"] {
        assert!(compare(BEFORE, BEFORE, line).is_err(), "{line}");
    }
}
