//! Replays the corpora on any compiler, and some thousand mutations of them that are the same
//! every time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

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
fn machine() {
    replay("machine");
}

#[test]
fn pair() {
    replay("pair");
}

#[test]
fn every_target_is_replayed() {
    let names = TARGETS.map(|(name, _)| name);
    let replayed =
        ["packet", "stream", "roundtrip", "lzw", "label", "keyring", "config", "machine", "pair"];
    assert_eq!(names, replayed);
}

fn replay(name: &str) {
    let (_, target) = TARGETS.into_iter().find(|(known, _)| *known == name).expect("a target");
    let corpus = corpus(name);
    assert!(!corpus.is_empty(), "{name} has no corpus");
    for input in &corpus {
        run(name, target, input);
    }
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
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

/// In the order of their names, so that the mutations are the same every time.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder: PathBuf = [env!("CARGO_MANIFEST_DIR"), "corpus", name].iter().collect();
    let entries = std::fs::read_dir(folder).expect("a corpus");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a file").path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).expect("a readable file")).collect()
}

/// Xorshift: good enough to spoil bytes.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % n.max(1)
    }

    fn byte(&mut self) -> u8 {
        self.below(256) as u8
    }

    fn mutate(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut data = corpus[self.below(corpus.len())].clone();
        for _ in 0..=self.below(6) {
            let at = self.below(data.len() + 1);
            match self.below(6) {
                0 => data.truncate(at),
                1 => {
                    let other = &corpus[self.below(corpus.len())];
                    let from = self.below(other.len() + 1);
                    data.truncate(at);
                    data.extend_from_slice(&other[from..]);
                }
                2 => data.insert(at, self.byte()),
                3 => {
                    let more = self.below(40);
                    let more: Vec<u8> = (0..more).map(|_| self.byte()).collect();
                    data.splice(at..at, more);
                }
                _ => {
                    if let Some(byte) = data.get_mut(at) {
                        *byte = self.byte();
                    }
                }
            }
        }
        data.truncate(8 << 10);
        data
    }
}
