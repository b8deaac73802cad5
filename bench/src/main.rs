//! What the core costs, beside its peers on the same work: `cargo run --release` measures every
//! workload, prints the table and writes it to `docs/performance.md`; with words, such as
//! `codec`, `packets`, `exchange`, `memory` or `steady`, only those workloads are measured and
//! nothing is written. `large` adds the simulation of 10,000 nodes, which takes some 6 GB.

mod codec;
mod document;
mod exchange;
mod measure;
mod ours;
mod packets;
mod pair;
mod peer;
mod plots;
mod report;
mod steady;
mod workloads;
mod world;

use report::Row;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let large = words.iter().any(|word| word == "large");
    let groups: Vec<&str> = words.iter().map(String::as_str).filter(|it| *it != "large").collect();
    let wanted = |group: &str| groups.is_empty() || groups.contains(&group);
    let mut rows: Vec<Row> = Vec::new();
    if wanted("codec") {
        codec::run(&mut rows);
    }
    if wanted("packets") {
        packets::run(&mut rows);
    }
    if wanted("exchange") {
        exchange::run(&mut rows);
    }
    if wanted("memory") {
        steady::memory(&mut rows);
    }
    if wanted("steady") {
        steady::run(&mut rows, large);
    }
    let table = report::table(&rows);
    println!("{table}");
    if groups.is_empty() {
        document::write(&rows)?;
    }
    Ok(())
}
