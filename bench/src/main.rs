//! The costs of the core, and of its peers on the same work. `cargo run --release` measures every
//! workload, prints the table and writes it to `docs/performance.md`. With arguments, such as
//! `codec`, `packets`, `exchange`, `memory`, `steady` or `faulty`, only those workloads are
//! measured and nothing is written; with `go` among them, Go is measured, too. `large` alone
//! measures clusters of 10,000 nodes, which takes half an hour and up to 16 GB, and writes
//! `docs/performance/large.md`; `joined` alone measures the part of it that is about the memory of
//! nodes that joined by themselves.

mod al8n;
mod codec;
mod document;
mod exchange;
mod faulty;
mod golang;
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
    let wanted = |group: &str| words.is_empty() || words.iter().any(|it| it == group);
    // The commit and date are those of the beginning of the measurement.
    let measured = document::measured()?;
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
        steady::run(&mut rows);
    }
    if wanted("faulty") {
        faulty::run(&mut rows);
    }
    if words == ["large"] {
        faulty::large(&mut rows);
    }
    if words == ["joined"] {
        faulty::joined(&mut rows);
    }
    if wanted("codec") {
        report::enter(&mut rows, report::AL8N, &al8n::run());
    }
    if wanted("go") {
        match golang::run() {
            Ok(figures) => report::enter(&mut rows, report::GO, &figures),
            Err(error) => eprintln!("nothing beside Go: {error}"),
        }
    }
    let table = report::table(&rows);
    println!("{table}");
    if words.is_empty() {
        document::write(&rows, &measured)?;
    } else if words == ["large"] {
        document::write_large(&rows, &measured)?;
    }
    Ok(())
}
