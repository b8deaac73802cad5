//! The program `memberlist` end to end, as a process: lines in, JSON and exit codes out.

mod clients;
mod commands;
mod control;
mod descriptors;
mod environment;
mod floods;
mod generated;
mod lifecycle;
mod metrics;
mod outputs;
mod page;
mod service;
mod snapshot;
mod terminal;
mod tools;
mod usage;

use std::process::{Command, Output, Stdio};

use memberlist_tests::{Launch, Node, agent_binary};

/// Two agents that know each other.
fn pair() -> (Node, Node) {
    let one = Launch::agent("one").meta(b"first").start();
    let two = Launch::agent("two").flag("--join", one.addr()).start();
    one.expect_node("joined", "two");
    two.expect_node("joined", "one");
    (one, two)
}

/// Runs the program until it exits.
fn run(args: &[&str], input: &str) -> Output {
    use std::io::Write as _;
    let mut child = Command::new(agent_binary())
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("piped");
    // A program that rejects its arguments may exit before it reads anything.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().expect("the program ends")
}

/// Asserts the exit code, and that standard error contains `words`.
#[track_caller]
fn assert_refused(args: &[&str], code: i32, words: &[&str]) {
    let output = run(args, "");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {stderr}");
    assert!(!stderr.contains("panicked"), "{args:?}: {stderr}");
    for word in words {
        assert!(stderr.contains(word), "{args:?}: no {word:?} in {stderr:?}");
    }
}
