//! The verbs of the core call down: their calls form no cycle.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{files, mask};

const VERBS: &str = "memberlist-proto/src/memberlist";

/// Calls that close a cycle and stay, each with its reason: caller, callee. What must follow elsewhere
/// is better left as a value in `Follows`.
const KEPT: [(&str, &str, &str); 0] = [];

#[test]
fn calls_between_verbs_form_no_cycle() {
    let calls = calls(&sources());
    assert!(calls.len() > 20, "cannot parse the calls: {calls:?}");
    let mut open: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (from, to) in calls.keys() {
        if !KEPT.iter().any(|(caller, callee, _)| caller == from && callee == to) {
            open.entry(from).or_default().insert(to);
        }
    }
    // A file that calls none of the remaining files cannot be part of a cycle.
    loop {
        let done: Vec<&str> = open
            .iter()
            .filter(|(_, to)| to.iter().all(|callee| !open.contains_key(callee)))
            .map(|(from, _)| *from)
            .collect();
        if done.is_empty() {
            break;
        }
        open.retain(|from, _| !done.contains(from));
    }
    let cycle: Vec<String> = calls
        .iter()
        .filter(|((from, to), _)| open.contains_key(&**from) && open.contains_key(&**to))
        .map(|((from, to), names)| format!("{from} → {to}: {names:?}"))
        .collect();
    assert!(cycle.is_empty(), "remove some of these calls:\n{}", cycle.join("\n"));
}

#[test]
fn kept_calls_are_still_made() {
    let calls = calls(&sources());
    for (from, to, reason) in KEPT {
        let made = calls.contains_key(&(from.to_owned(), to.to_owned()));
        assert!(made, "{from} no longer calls {to}; it was kept because {reason}");
    }
}

/// The files of the verbs by name, masked.
fn sources() -> BTreeMap<String, String> {
    let own = files(VERBS, &[".rs"]).into_iter().filter_map(|file| {
        let name = file.path.strip_prefix(VERBS)?.trim_start_matches('/').strip_suffix(".rs")?;
        let verb = !name.contains('/') && name != "tests";
        verb.then(|| (name.to_owned(), mask(&file.text)))
    });
    own.collect()
}

/// Which file calls methods of which other file, and which methods.
fn calls(sources: &BTreeMap<String, String>) -> BTreeMap<(String, String), BTreeSet<String>> {
    let mut defined: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (file, text) in sources {
        for (at, _) in text.match_indices("fn ") {
            defined.entry(word(&text[at + 3..])).or_default().push(file);
        }
    }
    let mut calls: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for (file, text) in sources {
        // Closures passed to `step` call the node by another name.
        for receiver in ["self.", "self\n", "node."] {
            for (at, found) in text.match_indices(receiver) {
                let rest = text[at + found.len()..].trim_start().trim_start_matches('.');
                let name = word(rest);
                if !rest[name.len()..].starts_with('(') {
                    continue;
                }
                for owner in defined.get(&name).into_iter().flatten().filter(|it| *it != file) {
                    let edge = (file.clone(), (*owner).to_owned());
                    calls.entry(edge).or_default().insert(name.clone());
                }
            }
        }
    }
    calls
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

#[test]
fn calls_are_understood() {
    let source = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    let sources = BTreeMap::from([
        source("a", "fn one() { self.two(); self\n    .three(); self.field.two; }"),
        source("b", "fn two() {} fn three() { node.one() }"),
    ]);
    let calls = calls(&sources);
    let names = |from: &str, to: &str| calls[&(from.to_owned(), to.to_owned())].clone();
    assert_eq!(names("a", "b"), BTreeSet::from(["two".to_owned(), "three".to_owned()]));
    assert_eq!(names("b", "a"), BTreeSet::from(["one".to_owned()]));
}
