//! No input takes more memory than its target's limits allow, the target's own notes included.

mod inputs;

use allocation_counter::measure;
use inputs::{Random, corpus};
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

/// Mutations of each corpus.
const MUTATIONS: usize = 400;

#[test]
fn every_input_stays_within_its_bound() {
    for (name, target) in TARGETS {
        let corpus = corpus(name);
        let mut random = Random::new();
        let mutations: Vec<_> = (0..MUTATIONS).map(|_| random.mutate(&corpus)).collect();
        // What is initialised once is not counted.
        target(&corpus[0]);
        let mut worst = 0;
        for input in corpus.iter().chain(&mutations) {
            let peak = measure(|| target(input)).bytes_max;
            assert!(peak <= bound(name), "{name}: {peak} bytes for {input:?}");
            worst = worst.max(peak);
        }
        println!("{name}: at most {worst} bytes");
    }
}
