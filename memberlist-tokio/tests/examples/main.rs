//! Runs each example as a program and reads what it shows.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

mod service;

/// For one line, on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn simple_shows_its_members() {
    let mut one = Example::start("simple", &["one"]);
    let address = one.until(|line| Some(line.strip_prefix("one listens on ")?.to_owned()));
    let mut two = Example::start("simple", &["two", &address]);
    two.until(|line| (line.starts_with("one") && line.ends_with("alive")).then_some(()));
    one.until(|line| (line.starts_with("two") && line.ends_with("alive")).then_some(()));
}

#[test]
fn kv_is_read_everywhere_also_after_a_restart() {
    let lines = Example::start("kv", &[]).finish();
    let expected = [
        "a reads color = blue",
        "b reads color = blue",
        "c reads color = blue",
        "b is gone",
        "a reads color = green",
        "b is back",
        "b reads color = green",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn rotate_keys_shuts_nobody_out_but_the_old_key() {
    let lines = Example::start("rotate_keys", &[]).finish();
    assert_eq!(lines.iter().filter(|line| line.starts_with("all hear all")).count(), 8);
    let last = lines.last().expect("a line");
    assert!(last.starts_with("a node with the old key: "), "{last}");
}

#[test]
fn peers_reconnects_and_gives_up() {
    let lines = Example::start("peers", &[]).finish();
    let expected = [
        "a: three peers",
        "a: ready with 3 members",
        "b: heard 100000 bytes",
        "c: heard 100000 bytes",
        "a: c has failed",
        "a: looks for c",
        "a: c is back",
        "a: c has failed",
        "a: c is given up",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn std_loop_needs_no_runtime() {
    let mut lines = Example::start("std_loop", &[]).finish();
    lines.sort();
    assert_eq!(lines, ["one sees one", "one sees two", "two sees one", "two sees two"]);
}

/// The folder of the examples, built by now: cargo does that only before it runs all tests.
fn built() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--package", "memberlist-tokio", "--examples"]);
        cargo.args(["--features", "http,metrics,serde"]);
        if !cfg!(debug_assertions) {
            cargo.arg("--release");
        }
        assert!(cargo.status().expect("cargo runs").success(), "the examples do not build");
        let test = std::env::current_exe().expect("this test's own path");
        test.ancestors().nth(2).expect("the folder of the build").join("examples")
    })
}

struct Example {
    child: Child,
    lines: Receiver<String>,
}

impl Example {
    fn start(name: &str, args: &[&str]) -> Self {
        let path = built().join(name);
        let mut child = Command::new(&path)
            .args(args)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let out = BufReader::new(child.stdout.take().expect("a pipe"));
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { child, lines }
    }

    fn until<T>(&mut self, take: impl Fn(&str) -> Option<T>) -> T {
        loop {
            let line = self.lines.recv_timeout(PATIENCE).expect("one more line");
            if let Some(taken) = take(&line) {
                return taken;
            }
        }
    }

    fn finish(mut self) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => lines.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(error) => panic!("{error} after {lines:?}"),
            }
        }
        let status = self.child.wait().expect("an exit status");
        assert!(status.success(), "{status} after {lines:?}");
        lines
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
