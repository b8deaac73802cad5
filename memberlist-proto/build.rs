//! Names the sources that the core is built from: a recording can only be replayed by the same ones.

use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("src");
    println!("cargo::rerun-if-changed=src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.sort();
    let mut hash = Fnv::default();
    for file in files {
        let path = file.strip_prefix(&root).unwrap_or(&file).to_string_lossy().replace('\\', "/");
        hash.write(path.as_bytes());
        hash.write(&[0]);
        // A checkout may have changed the ends of lines.
        let text = fs::read(&file).unwrap_or_default();
        text.split(|byte| *byte == b'\r').for_each(|part| hash.write(part));
        hash.write(&[0]);
    }
    println!("cargo::rustc-env=MEMBERLIST_CORE_HASH={}", hash.0);
}

/// Every source file but the tests'.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.file_stem().is_some_and(|it| it == "tests") {
            continue;
        }
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|it| it == "rs") {
            files.push(path);
        }
    }
}

/// FNV-1a.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}
