//! Proof that the tests of the core can fail: bugs are planted one at a time, and some test has to
//! catch each. `bugs.txt` lists the bugs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The tests that may catch a bug, the quickest first.
const CHECKS: [&[&str]; 6] = [
    &["-p", "memberlist-proto", "--all-features", "--lib"],
    &["-p", "memberlist-tests", "--test", "vectors"],
    &["-p", "memberlist-tests", "--test", "scenarios"],
    &["-p", "memberlist-tests", "--test", "hostile"],
    &["-p", "memberlist-tests", "--test", "histories"],
    &["-p", "memberlist-tests", "--test", "scripts"],
];

/// One bug: `before` occurs once in `file`, and is replaced.
struct Bug {
    name: String,
    file: PathBuf,
    before: String,
    after: String,
}

#[test]
fn every_bug_can_be_planted() {
    let bugs = bugs();
    assert!(bugs.len() >= 20, "only {} bugs", bugs.len());
    for bug in &bugs {
        let source = fs::read_to_string(workspace().join(&bug.file)).expect("a source file");
        let count = source.matches(&bug.before).count();
        assert_eq!(count, 1, "{}: `{}` in {}", bug.name, bug.before, bug.file.display());
        assert_ne!(bug.before, bug.after, "{}", bug.name);
    }
}

#[test]
#[ignore = "builds the core once for each bug, a quarter of an hour in all: run with --nocapture, BUG=words or FIRST=n for some"]
fn every_planted_bug_is_caught() {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join("planted");
    copy(&workspace(), &scratch);
    let missing: Vec<String> = CHECKS.iter().filter_map(|check| failure(&scratch, check)).collect();
    assert!(missing.is_empty(), "these fail without any bug: {missing:?}");
    let mut survivors = Vec::new();
    let only = std::env::var("BUG").unwrap_or_default();
    let first = std::env::var("FIRST").map_or(1, |first| first.parse().expect("a number"));
    for bug in bugs().into_iter().skip(first - 1).filter(|bug| bug.name.contains(&only)) {
        let path = scratch.join(&bug.file);
        let source = fs::read_to_string(&path).expect("a source file");
        fs::write(&path, source.replacen(&bug.before, &bug.after, 1)).expect("a scratch file");
        compiles(&scratch, &bug.name);
        match CHECKS.iter().find_map(|check| failure(&scratch, check)) {
            Some(test) => println!("| {} | `{test}` |", bug.name),
            None => survivors.push(bug.name),
        }
        fs::write(&path, source).expect("a scratch file");
    }
    assert!(survivors.is_empty(), "no test catches these: {survivors:#?}");
}

/// A bug that does not compile would count as caught.
fn compiles(scratch: &Path, name: &str) {
    let output = cargo(scratch, &["build", "-p", "memberlist-proto"], &[]);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} does not compile: {complaint}");
}

/// The first failing test of a check, or the check itself if it fails as a whole.
fn failure(scratch: &Path, check: &[&str]) -> Option<String> {
    let output = cargo(scratch, &["test"], check);
    if output.status.success() {
        return None;
    }
    let said = String::from_utf8_lossy(&output.stdout);
    let failed =
        said.lines().find_map(|line| line.strip_prefix("test ")?.strip_suffix("... FAILED"));
    let test = failed.map_or_else(|| check.join(" "), |name| name.trim().to_owned());
    Some(test)
}

fn cargo(scratch: &Path, command: &[&str], check: &[&str]) -> Output {
    Command::new(env!("CARGO"))
        .args(command)
        .arg("--locked")
        .args(check)
        .current_dir(scratch)
        .env("CARGO_TARGET_DIR", scratch.join("target"))
        .env("RUSTFLAGS", "--cap-lints=warn")
        .output()
        .expect("cargo")
}

fn bugs() -> Vec<Bug> {
    let text = include_str!("bugs.txt");
    let blocks = text.split("\n\n").filter(|block| !block.starts_with('#'));
    blocks.map(|block| parse(block).unwrap_or_else(|| panic!("not a bug: {block}"))).collect()
}

fn parse(block: &str) -> Option<Bug> {
    let mut lines = block.lines();
    let (name, file) = (lines.next()?, lines.next()?);
    let (before, after) = (lines.next()?.strip_prefix("- ")?, lines.next()?.strip_prefix("+ ")?);
    lines.next().is_none().then(|| Bug {
        name: name.to_owned(),
        file: Path::new("memberlist-proto/src").join(file),
        before: before.to_owned(),
        after: after.to_owned(),
    })
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

/// Copies the sources, but not what builds have produced.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a scratch folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let name = entry.file_name();
        let made = name.to_string_lossy().starts_with('.') || name == "target" || name == "fuzz";
        let kind = entry.file_type().expect("a kind of file");
        if kind.is_dir() && !made {
            copy(&entry.path(), &to.join(&name));
        } else if kind.is_file() {
            fs::copy(entry.path(), to.join(&name)).expect("a copied file");
        }
    }
}
