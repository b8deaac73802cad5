//! What a quiet cluster costs: `steady NODES SECONDS`, everybody knowing everybody from the start;
//! `steady NODES SECONDS off` without full state exchanges, `steady NODES SECONDS plain` without
//! compression. Prints virtual node-seconds per second of the machine's time, and the memory that
//! it took at most.

use std::time::{Duration, Instant};

use memberlist_sim::{Config, Sim};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| args.get(at).map(|arg| arg.parse().expect("a number"));
    let size = number(0).unwrap_or(100) as usize;
    let seconds: u64 = number(1).unwrap_or(60);
    let how = args.get(2).map(String::as_str);
    let mut sim = Sim::new(1);
    sim.check_every(u64::MAX);
    let nodes: Vec<_> = (0..size)
        .map(|index| {
            let mut config = Config::lan(format!("node-{index:06}").as_str());
            match how {
                None => {}
                Some("off") => config.push_pull_interval = Duration::ZERO,
                Some("plain") => config.enable_compression = false,
                Some(other) => panic!("`off` or `plain`, not {other:?}"),
            }
            sim.start(config)
        })
        .collect();
    let everybody: Vec<_> = nodes.iter().map(|node| sim.node(*node).local()).collect();
    for node in &nodes {
        sim.with(*node, |node, now| node.restore(now, everybody.iter().cloned()));
    }
    // Until everybody has told its own announcement as often as it should.
    sim.run_for(Duration::from_secs(10));
    let began = Instant::now();
    sim.run_for(Duration::from_secs(seconds));
    let took = began.elapsed().as_secs_f64();
    let rate = (size as u64 * seconds) as f64 / took;
    println!("{size} nodes, {seconds} virtual s in {took:.2} s: {rate:.0} node-seconds per second");
    // Linux tells the most memory that was resident.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if let Some(peak) = status.lines().find(|line| line.starts_with("VmHWM")) {
        println!("{peak}");
    }
}
