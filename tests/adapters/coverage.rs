//! The suite leaves nothing out.

use std::fs::{read_dir, read_to_string};
use std::path::Path;

#[test]
fn every_method_of_a_handle_is_called() {
    let files = ["handle.rs", "handle/reads.rs"];
    let files = files.map(|file| read(&root().join("memberlist-driver/src").join(file)));
    let handle = files.concat();
    let suite: String = scenarios().into_iter().map(|(_, text)| text).collect();
    let methods: Vec<_> = handle.lines().filter_map(|line| named(line, "    pub fn ")).collect();
    assert!(methods.len() > 20, "{methods:?}");
    for method in methods {
        assert!(suite.contains(&format!(".{method}(")), "no scenario calls `Handle::{method}`");
    }
}

#[test]
fn every_scenario_is_a_test() {
    let list = read(&root().join("tests/src/conformance.rs"));
    for (subject, text) in scenarios() {
        let written: Vec<_> =
            text.lines().filter_map(|line| named(line, "pub async fn ")).collect();
        assert!(!written.is_empty(), "{subject}");
        let listed = list.split(&format!("            {subject} {{")).nth(1);
        // Those for every transport, and those for sockets.
        let listed: String = listed.unwrap_or_default().split('}').take(2).collect();
        for scenario in written {
            let found = listed.split_whitespace().any(|entry| entry == scenario);
            assert!(found, "{subject}::{scenario} is not in the list of `conformance!`");
        }
    }
}

/// The name of what a line defines, if it begins so.
fn named<'a>(line: &'a str, beginning: &str) -> Option<&'a str> {
    line.strip_prefix(beginning)?.split(['(', '<']).next()
}

/// Each subject with its text.
fn scenarios() -> Vec<(String, String)> {
    let folder = root().join("tests/src/conformance");
    let files = read_dir(&folder).expect("the folder of the scenarios");
    let paths = files.map(|file| file.expect("a file").path());
    // It has a process of its own.
    let paths = paths.filter(|path| !path.ends_with("resources.rs"));
    let subject = |path: &Path| path.file_stem().expect("a name").to_string_lossy().into_owned();
    paths.map(|path| (subject(&path), read(&path))).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository")
}

fn read(path: &Path) -> String {
    read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
