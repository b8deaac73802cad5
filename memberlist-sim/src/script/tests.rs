use super::command::{Stage, is_written};
use super::{CheckError, LANGUAGE, Problem, ScriptError, check, narrate, run};

fn problem(text: &str) -> (usize, Problem) {
    let ScriptError { line, problem } = run(text).expect_err("a mistake");
    (line, problem)
}

#[test]
fn mistakes_are_reported_with_their_line() {
    let node = |it: &str| Problem::Node(it.into());
    assert_eq!(problem("\n# fine\nstart a\ncrash b\n"), (4, node("b")));
    assert_eq!(problem("fly a\n"), (1, Problem::Command("fly".into())));
    assert_eq!(problem("start a\nstart a\n"), (2, Problem::Twice("a".into())));
    assert_eq!(problem("start a\nrestart a\n"), (2, Problem::Runs("a".into())));
    let option = Problem::Value { what: "an option of a restart".into(), text: "key".into() };
    assert_eq!(problem("start a\nrestart a with key=1\n"), (2, option));
    run("start a\nrestart a with label=x accept=-,y\n").expect("it is stopped first");
    assert_eq!(problem("start a\ncrash a\nleave a\n"), (3, Problem::Stopped("a".into())));
    let unmet = Problem::Unmet("a counts 2".into());
    assert_eq!(problem("start a\nuntil a counts 2 within 1s\n"), (2, unmet.clone()));
    assert_eq!(problem("start a\nexpect a counts 2\n"), (2, unmet));
    for line in [
        "start n1..m3",
        "start n1..n99999999",
        "start n3..n1",
        "start a with key=x",
        "start a with loss",
        "start a with label",
        "start a with protocol=9",
        "run 5",
        "run s",
        "run 5h",
        "link loss=2",
        "link loss=NaN",
        "seed",
        "until agree",
        "expect nobody reported nonsense",
        "expect everybody sees",
        "cut from",
        "start a b\nflap a from b every 0s for 5s",
        "start a b\nflap a from b",
        "start a\nslow a",
        "start a\nslow a by much",
        "start a b\nstart c with at=b",
        "start a b\nmove b to-address-of a",
        "start a\nexpect agree among b",
        "expect agree among",
        "join",
        "tolerate",
        "hash all",
        "start a with ip=5",
        "start a with networks=all",
        "start a with limits.cats=1",
        "start a with limits.members=0",
        "start a with rejoin=often",
        "forge a alive b",
        "start a\nforge a alive",
        "start a\nforge a kills b",
        "start a\nforge a alive b address=b",
        "start a\nforge a alive b versions=none",
        "start a\nforge a alive b meta=9999999",
    ] {
        run(line).expect_err(line);
    }
}

#[test]
fn what_happened_before_a_mistake_is_shown() {
    let text = "start a # one\n\nrun 1s\nexpect a counts 2\nrun 1s\n";
    let (happened, result) = narrate(text);
    assert_eq!(result.expect_err("a counts 1").line, 4);
    let expected = "start a # one\n----\n    0.000 a: a (10.0.0.1:7946) joined\n\n\
                    run 1s\nexpect a counts 2\n";
    assert_eq!(happened, expected);
    let (happened, result) = narrate("start a\nexpect a counts 2\n");
    result.expect_err("a counts 1");
    assert!(happened.ends_with("expect a counts 2\n----\n    0.000 a: a (10.0.0.1:7946) joined\n"));
}

#[test]
fn what_happens_is_shown_without_being_asked_for() {
    let (happened, result) = narrate("start a\n\nrun 1s\nshow a\n");
    result.expect("it runs");
    let expected = "start a\n----\n    0.000 a: a (10.0.0.1:7946) joined\n\n\
                    run 1s\nshow a\n----\na: a (10.0.0.1:7946) alive, incarnation 1\n";
    assert_eq!(happened, expected);
    assert_eq!(run("start a\n\nrun 1s\n").unwrap(), "start a\n\nrun 1s\n");
    assert_eq!(run(&happened).unwrap(), happened, "what is shown can be expected");
}

#[test]
fn a_command_right_below_what_happens_is_not_lost() {
    for line in ["crash a", "  run 1s", "# the end"] {
        let (at, found) = problem(&format!("start a\n----\n    0.000 a: joined\n{line}\n"));
        assert_eq!((at, found), (4, Problem::Below(line.trim().to_owned())));
    }
    run("start a with name=run\n----\nrun: joined\n").expect("a name is not a command");
}

#[test]
fn every_command_is_known_and_described() {
    for word in super::command::WORDS {
        let error = Stage::default().line(word);
        assert!(!matches!(error, Err(Problem::Command(_))), "{word}");
        assert!(is_written(word) && LANGUAGE.contains(&format!("`{word}")), "{word}");
    }
}

#[test]
fn a_refused_operation_is_an_error() {
    let long = "x".repeat(600);
    let (line, problem) = problem(&format!("start a\nmeta a {long}\n"));
    assert_eq!(line, 2);
    assert!(matches!(&problem, Problem::Refused(why) if why.contains("600")), "{problem:?}");
    run(&format!("start a\ntry meta a {long}\n")).unwrap();
    run("start a\ntry meta b x\n").expect_err("no node b");
}

#[test]
fn an_address_belongs_to_one_running_node() {
    let taken = Problem::Taken { of: "b".into(), by: "c".into() };
    let moved = "start a b\ncrash b\nstart c with at=b\n";
    assert_eq!(problem(&format!("{moved}restart b\n")), (4, taken.clone()));
    assert_eq!(problem(&format!("{moved}crash a\nmove a to-address-of b\n")), (5, taken));
    run(&format!("{moved}try restart b\ncrash c\nrestart b\n")).expect("it is free again");
}

#[test]
fn stale_output_is_replaced_and_the_rest_stays() {
    let text = "start a # one\n----\nnonsense\nmore\n\n# the end\nshow a\n----\n";
    let expected = "start a # one\n----\n    0.000 a: a (10.0.0.1:7946) joined\n\n# the end\nshow a\n----\n\
                    a: a (10.0.0.1:7946) alive, incarnation 1\n";
    assert_eq!(run(text).unwrap(), expected);
    assert_eq!(run(expected).unwrap(), expected);
}

#[test]
fn a_file_is_compared_and_rewritten() {
    let folder = std::env::temp_dir().join(format!("memberlist-script-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("one.txt");
    std::fs::write(&path, "start a\n----\nsomething else\n").unwrap();
    let error = check(&path, false).unwrap_err();
    assert!(matches!(&error, CheckError::Differs { line: 3, .. }), "{error}");
    check(&path, true).unwrap();
    check(&path, false).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
}
