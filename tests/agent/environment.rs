//! Settings from the environment and from files of keys.

use std::fs;
use std::process::Command;

use memberlist_tests::{Launch, Process, agent_binary, scratch};
use serde_json::{Value, json};

use crate::assert_refused;

/// In base64: sixteen bytes, and sixteen other bytes.
const KEYS: [&str; 2] = ["MDEyMzQ1Njc4OWFiY2RlZg==", "ZmVkY2JhOTg3NjU0MzIxMA=="];

/// An agent without any flags but these.
fn agent(args: &[&str], variables: &[(&str, &str)]) -> Process {
    let mut command = Command::new(agent_binary());
    command.args(["agent", "--json"]).args(args).envs(variables.iter().copied());
    Process::spawn("agent", &mut command)
}

/// What it answers to a command.
fn ask(agent: &Process, line: &str) -> Value {
    agent.write_line(format!("#1 {line}").as_bytes());
    agent.wait_text("\"id\":\"1\"");
    let lines = agent.stdout_from(0);
    let values = lines.iter().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    values.into_iter().find(|value| value["id"] == "1").expect("a reply")
}

#[test]
fn every_setting_may_come_from_a_variable() {
    let seed = Launch::agent("seed").flag("--label", "blue").flag("--key", KEYS[0]).start();
    let keys = KEYS.join(",");
    let join = format!("127.0.0.1:1,{}", seed.addr());
    let variables = [
        ("MEMBERLIST_NAME", "from-a-variable"),
        ("MEMBERLIST_BIND", "127.0.0.1:0"),
        ("MEMBERLIST_CONTROL", "none"),
        ("MEMBERLIST_KEY", &keys),
        ("MEMBERLIST_LABEL", "green"),
        ("MEMBERLIST_JOIN", &join),
        ("MEMBERLIST_PROFILE", "local"),
        ("MEMBERLIST_META", "role=db"),
        ("MEMBERLIST_EVENTS", "join,joined"),
    ];
    // Flags override variables; the cluster has the other label.
    let two = agent(&["--label", "blue"], &variables);
    assert_eq!(ask(&two, "keys")["keys"], json!(KEYS));
    let joined = seed.expect_node("joined", "from-a-variable");
    assert_eq!(joined["node"]["meta"], "role=db", "{joined}");
}

#[test]
fn keys_may_come_from_a_file() {
    let folder = scratch("keys");
    let path = folder.join("keys");
    let text = format!("# the primary\n{}\n\n  {}  \n", KEYS[0], KEYS[1]);
    fs::write(&path, text).expect("written");
    let one = Launch::agent("one").flag("--key-file", path.display()).start();
    assert_eq!(one.tell("keys list")["keys"], json!(KEYS));
    let other = Launch::agent("two")
        .flag("--key-file", path.display())
        .flag("--key", "YSBzaXh0ZWVuIGIuIGtleQ==")
        .start();
    assert_eq!(other.tell("keys list")["keys"][0], "YSBzaXh0ZWVuIGIuIGtleQ==");

    let missing = folder.join("missing");
    for (text, words) in [
        ("# only a comment\n", &["--key-file", "no key"][..]),
        ("MDEyMzQ1Njc4OWFiY2RlZg==\nc2VjcmV0\n", &["--key-file", "line 2"]),
        (&"#\n".repeat(40_000), &["--key-file", "65536"]),
    ] {
        fs::write(&path, text).expect("written");
        let path = path.to_str().expect("text");
        let args = ["agent", "--bind", "127.0.0.1:0", "--control", "none", "--key-file", path];
        assert_refused(&args, 2, words);
        let output = crate::run(&args, "");
        assert!(!String::from_utf8_lossy(&output.stderr).contains("c2VjcmV0"), "a key is echoed");
    }
    let path = missing.to_str().expect("text");
    assert_refused(&["agent", "--key-file", path], 2, &["--key-file", "missing"]);
    let _ = fs::remove_dir_all(folder);
}

/// A key in a variable shows in no help and no error.
#[test]
fn a_key_in_a_variable_is_not_repeated() {
    for args in [&["agent", "--help"][..], &["agent", "--bind", "127.0.0.1:0"]] {
        let output = Command::new(agent_binary())
            .args(args)
            .env("MEMBERLIST_KEY", "c2VjcmV0IHNlY3JldA==")
            .output()
            .expect("the program runs");
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        text += &String::from_utf8_lossy(&output.stderr);
        assert!(!text.contains("c2VjcmV0"), "{text}");
        assert!(text.contains("--key"), "{text}");
    }
}

/// What was probably meant is part of the error.
#[test]
fn a_mistyped_word_gets_advice() {
    assert_refused(&["membrs"], 2, &["membrs", "'members'"]);
    assert_refused(&["agent", "--lable", "x"], 2, &["--lable", "'--label'"]);
    assert_refused(&["agent", "--profile", "lam"], 2, &["lam", "'lan'"]);
    assert_refused(&["agent", "--events", "joinned"], 2, &["joinned", "`joined`"]);
    assert_refused(&["members", "--status", "ded"], 2, &["ded", "'dead'"]);
}
