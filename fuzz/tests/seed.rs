//! Makes the first corpora: of the vectors, and of noise for what is driven by choices.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// Writes the seeds that are missing. What fuzzing added stays.
#[test]
#[ignore = "writes into the repository"]
fn seed() {
    for (file, every) in [("frames.jsonl", 18), ("messages.jsonl", 25), ("tolerance.jsonl", 60)] {
        for (number, hex) in hex(file).iter().enumerate().step_by(every) {
            let name = format!("{}-{number}", file.trim_end_matches(".jsonl"));
            keep("packet", &name, hex);
            for choice in [0_u8, 4, 28] {
                if number % 3 == usize::from(choice) / 12 {
                    keep("stream", &name, &[&[choice, 3, 1, 9, 200], &hex[..]].concat());
                }
            }
        }
    }
    for (number, hex) in hex("lzw.jsonl").iter().enumerate() {
        keep("lzw", &format!("lzw-{number}"), hex);
    }
    for (target, count, len) in [("roundtrip", 8, 200), ("machine", 24, 900), ("pair", 12, 700)] {
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        for number in 0..count {
            let noise: Vec<u8> = (0..len)
                .map(|_| {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    (state >> 24) as u8
                })
                .collect();
            keep(target, &format!("noise-{number}"), &noise);
        }
    }
}

/// The bytes of a fixture's cases.
fn hex(file: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/vectors");
    let text = std::fs::read_to_string(folder.join(file)).expect("a fixture");
    let cases = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    cases
        .filter_map(|case| ["hex", "lzw_hex"].iter().find_map(|field| unhex(&case[field])))
        .collect()
}

fn unhex(value: &Value) -> Option<Vec<u8>> {
    let hex = value.as_str()?;
    let digits = |at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
    (0..hex.len()).step_by(2).map(digits).collect()
}

fn keep(target: &str, name: &str, data: &[u8]) {
    if data.len() > 4 << 10 {
        return;
    }
    let folder: PathBuf = [env!("CARGO_MANIFEST_DIR"), "corpus", target].iter().collect();
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join(name), data).expect("a file");
}
