//! The corpora, and mutations of them that are the same every time.

use std::path::PathBuf;

/// In the order of their names, so that the mutations are the same every time.
pub fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder: PathBuf = [env!("CARGO_MANIFEST_DIR"), "corpus", name].iter().collect();
    let entries = std::fs::read_dir(folder).expect("a corpus");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a file").path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).expect("a readable file")).collect()
}

/// Xorshift: good enough to spoil bytes.
pub struct Random(u64);

impl Random {
    pub fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % n.max(1)
    }

    fn byte(&mut self) -> u8 {
        self.below(256) as u8
    }

    pub fn mutate(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
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
