//! Replays the corpora on any compiler, and some thousand mutations of them that are the same
//! every time.

mod inputs;

use std::panic::{AssertUnwindSafe, catch_unwind};

use inputs::{Random, corpus};
use memberlist_fuzz::{TARGETS, Target};

/// Mutations of each target's corpus: some seconds for all of them.
const MUTATIONS: usize = 3000;

#[test]
fn packet() {
    replay("packet");
}

#[test]
fn stream() {
    replay("stream");
}

#[test]
fn roundtrip() {
    replay("roundtrip");
}

#[test]
fn lzw() {
    replay("lzw");
}

#[test]
fn snappy() {
    replay("snappy");
}

#[test]
fn label() {
    replay("label");
}

#[test]
fn keyring() {
    replay("keyring");
}

#[test]
fn config() {
    replay("config");
}

#[test]
fn inputs() {
    replay("inputs");
}

#[test]
fn machine() {
    replay("machine");
}

#[test]
fn pair() {
    replay("pair");
}

#[test]
fn recording() {
    replay("recording");
}

#[test]
fn frames() {
    replay("frames");
}

#[test]
fn pool() {
    replay("pool");
}

#[test]
fn every_target_is_replayed() {
    let names = TARGETS.map(|(name, _)| name);
    let replayed = [
        "packet",
        "stream",
        "roundtrip",
        "lzw",
        "snappy",
        "label",
        "keyring",
        "config",
        "inputs",
        "machine",
        "pair",
        "recording",
        "frames",
        "pool",
    ];
    assert_eq!(names, replayed);
}

fn replay(name: &str) {
    let (_, target) = TARGETS.into_iter().find(|(known, _)| *known == name).expect("a target");
    let corpus = corpus(name);
    assert!(!corpus.is_empty(), "{name} has no corpus");
    for input in &corpus {
        run(name, target, input);
    }
    let mut random = Random::new();
    let count = std::env::var("FUZZ_MUTATIONS").ok().and_then(|it| it.parse().ok());
    for _ in 0..count.unwrap_or(MUTATIONS) {
        run(name, target, &random.mutate(&corpus));
    }
}

/// Prints the input that fails, so that it can be kept.
fn run(name: &str, target: Target, input: &[u8]) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(input))) {
        let path = std::env::temp_dir().join(format!("{name}.crash"));
        std::fs::write(&path, input).expect("a temporary file");
        eprintln!("{name} fails for the {} bytes in {}", input.len(), path.display());
        std::panic::resume_unwind(panic);
    }
}

/// The target passes over lines that are not inputs; those of the corpus by hand are all inputs.
#[test]
fn recorded_inputs_can_be_read() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/inputs/a_life");
    let text = std::fs::read_to_string(path).expect("the corpus");
    for line in text.lines() {
        let read = serde_json::from_str::<(u16, memberlist_proto::Input<'static>)>(line);
        assert!(read.is_ok(), "{line}: {read:?}");
    }
}
