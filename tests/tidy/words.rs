//! Phrases that have confused readers do not come back.
//!
//! To extend the check, add a path to [`PATHS`]. To keep a phrase somewhere, add it to
//! [`EXCEPTIONS`] with the reason; the list may only shrink.

use crate::source::{File, files};

/// The files and folders that are checked.
const PATHS: [&str; 33] = [
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "README.md",
    "SECURITY.md",
    "docs/",
    "fuzz/README.md",
    "fuzz/src/",
    "memberlist-async-std/",
    "memberlist-cli/src/",
    "memberlist-driver/",
    "memberlist-experiments/",
    "memberlist-http/",
    "memberlist-proto/",
    "memberlist-sim/",
    "memberlist-smol/",
    "memberlist-tokio/",
    "tests/adapters/",
    "tests/agent/",
    "tests/browser/",
    "tests/examples/",
    "tests/faults/",
    "tests/histories/",
    "tests/hostile/",
    "tests/interop/",
    "tests/nostd/",
    "tests/parity/",
    "tests/planted/",
    "tests/scenarios/",
    "tests/src/",
    "tests/swarm/",
    "tests/tidy/",
    "tests/vectors/",
];

/// What of it is not checked yet.
const UNCHECKED: [&str; 6] = [
    "docs/simulation.md",
    "memberlist-cli/src/agent/event",
    "memberlist-cli/src/agent/settings",
    // The words of its language.
    "memberlist-sim/src/script",
    "tests/hostile/rig.rs",
    "tests/parity/one.rs",
];

/// Phrases in lower case, each with a replacement.
const PHRASES: [(&str, &str); 23] = [
    ("anybody", "any peer, any host"),
    ("as often as it should", "as often as the retransmit limit says"),
    ("comes to rest", "is stable"),
    ("differs from go: there", "differs from Go: in Go"),
    ("everybody", "every member, all nodes"),
    ("figure there", "metric at this address"),
    ("for ever", "forever"),
    ("held for dead", "considered dead"),
    ("hold for dead", "consider dead"),
    ("itself for dead", "itself dead"),
    ("holds it for", "considers it"),
    ("` is no ", "is not a valid"),
    ("} is no ", "is not a valid"),
    ("nobody", "no peer, no one"),
    ("somebody", "a peer, another process"),
    ("such lines before", "lines suppressed"),
    ("tell prometheus", "serve to Prometheus"),
    ("tells it", "reports it"),
    ("tells of", "reports, contains"),
    ("told", "reported, emitted, informed, set"),
    ("what nobody knows", "what is unknown"),
    ("whoever", "any peer that"),
    ("without a word", "silently"),
];

/// Where a phrase may stay: the file, the phrase, and the reason.
const EXCEPTIONS: [(&str, &str, &str); 3] = [
    ("CHANGELOG.md", "nobody", "a word of the script language"),
    ("CHANGELOG.md", "told", "a former word of the script language"),
    ("tests/swarm/draw.rs", "somebody", "a word of the script language"),
];

#[test]
fn confusing_phrases_are_gone() {
    let mut wrong = Vec::new();
    for file in checked() {
        for (line, phrase, better) in found(&file.text) {
            if !EXCEPTIONS.iter().any(|it| (it.0, it.1) == (file.path.as_str(), phrase)) {
                wrong.push(format!("{}:{line}: {phrase:?}, better: {better}", file.path));
            }
        }
    }
    assert!(wrong.is_empty(), "say these in other words:\n{}", wrong.join("\n"));
}

#[test]
fn exceptions_are_still_used() {
    let all = checked();
    for (path, phrase, reason) in EXCEPTIONS {
        let file = all.iter().find(|file| file.path == path);
        let used = file.is_some_and(|file| found(&file.text).iter().any(|it| it.1 == phrase));
        assert!(used, "{path} no longer says {phrase:?} and needs no exception ({reason})");
    }
    let all = files(".", &[".rs", ".md"]);
    for path in PATHS.iter().chain(&UNCHECKED) {
        let exists = all.iter().any(|file| file.path.starts_with(path));
        assert!(exists, "nothing is at {path}");
    }
}

#[test]
fn phrases_are_found_across_lines_and_as_whole_words() {
    let text = "/// A node that is held\n/// for dead, Told so: `x` is no y.\nfn told_dead() {}\n";
    let found: Vec<_> = found(text).into_iter().map(|(line, phrase, _)| (line, phrase)).collect();
    assert_eq!(found, [(1, "held for dead"), (2, "` is no "), (2, "told")]);
}

fn checked() -> Vec<File> {
    let starts = |file: &File, paths: &[&str]| paths.iter().any(|path| file.path.starts_with(path));
    let mut files = files(".", &[".rs", ".md"]);
    // This file names the phrases.
    files.retain(|file| !file.path.ends_with("tidy/words.rs"));
    files.retain(|file| starts(file, &PATHS) && !starts(file, &UNCHECKED));
    files
}

/// Every phrase in a text, with its line and what is better.
fn found(text: &str) -> Vec<(usize, &'static str, &'static str)> {
    // The lines joined, so that a phrase may wrap, and where each of them starts.
    let (mut joined, mut starts) = (String::new(), Vec::new());
    for line in text.lines() {
        starts.push(joined.len());
        joined += &line.trim().trim_start_matches(['/', '!', '*']).trim_start().to_lowercase();
        joined.push(' ');
    }
    let mut found = Vec::new();
    for (phrase, better) in PHRASES {
        for (at, _) in joined.match_indices(phrase) {
            if is_apart(&joined, at, phrase) {
                let line = starts.partition_point(|start| *start <= at);
                found.push((line, phrase, better));
            }
        }
    }
    found.sort_unstable();
    found
}

/// Whether the phrase at this place is not part of a longer word or name.
fn is_apart(text: &str, at: usize, phrase: &str) -> bool {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
    let before = text[..at].chars().next_back();
    let after = text[at + phrase.len()..].chars().next();
    let begins = !phrase.starts_with(is_part) || !before.is_some_and(is_part);
    let ends = !phrase.ends_with(is_part) || !after.is_some_and(is_part);
    begins && ends
}
