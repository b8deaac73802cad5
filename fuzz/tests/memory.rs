//! No input takes more memory than its target's limits allow, the target's own notes included.

use std::path::PathBuf;

use allocation_counter::measure;
use memberlist_fuzz::TARGETS;

/// The limits in each target add up to less.
fn bound(target: &str) -> u64 {
    match target {
        // Nodes and what is between them: nine user broadcasts of 64 KiB are most of it.
        "machine" | "pair" => 2 << 20,
        // Decompression to 64 KiB, and dictionaries.
        _ => 512 << 10,
    }
}

#[test]
fn corpora_stay_within_their_bounds() {
    for (name, target) in TARGETS {
        let folder: PathBuf = [env!("CARGO_MANIFEST_DIR"), "corpus", name].iter().collect();
        let mut worst = 0;
        for entry in std::fs::read_dir(folder).expect("a corpus") {
            let path = entry.expect("a file").path();
            let input = std::fs::read(&path).expect("a readable file");
            // What is initialised once is not counted.
            target(&input);
            let peak = measure(|| target(&input)).bytes_max;
            assert!(peak <= bound(name), "{name}: {peak} bytes for {}", path.display());
            worst = worst.max(peak);
        }
        println!("{name}: at most {worst} bytes");
    }
}
