//! What a quiet cluster costs: `steady NODES SECONDS`, every node knowing every other from the start;
//! `steady NODES SECONDS off` without full state exchanges, `steady NODES SECONDS plain` without
//! compression. All nodes exchange their state in the same 30 s of their interval, which grows with
//! the cluster (90 s for 100 nodes, 180 s for 1,000, 300 s for 10,000): only a whole interval shows
//! what a node costs on average. Prints virtual node-seconds per second of processor time, and the memory that it
//! took at most. Linux only, where the system reports both.

use std::time::Duration;

use memberlist_sim::{Compression, Config, Sim};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| args.get(at).map(|arg| arg.parse().expect("a number"));
    let size = number(0).unwrap_or(100) as usize;
    let seconds: u64 = number(1).unwrap_or(60);
    let how = args.get(2).map(String::as_str);
    let mut sim = Sim::new(1);
    sim.ignore_laws();
    let nodes: Vec<_> = (0..size)
        .map(|index| {
            let mut config = Config::lan(format!("node-{index:06}").as_str());
            match how {
                None => {}
                Some("off") => config.push_pull_interval = Duration::ZERO,
                Some("plain") => config.compression = Compression::None,
                Some(other) => panic!("`off` or `plain`, not {other:?}"),
            }
            sim.start(config)
        })
        .collect();
    let records: Vec<_> = nodes.iter().map(|node| sim.node(*node).local()).collect();
    for node in &nodes {
        sim.with(*node, |node, now| node.restore(now, records.iter().cloned()));
    }
    println!("{size} nodes set up in {:.2} s", processor_seconds());
    // Until every announcement has been sent as often as it is.
    sim.run_for(Duration::from_secs(10));
    let exchanges = |sim: &Sim| sim.counters()["push_pulls"];
    let (began, before) = (processor_seconds(), exchanges(&sim));
    sim.run_for(Duration::from_secs(seconds));
    let (took, exchanges) = (processor_seconds() - began, exchanges(&sim) - before);
    let rate = (size as u64 * seconds) as f64 / took;
    println!("{seconds} virtual s in {took:.2} s: {rate:.0} node-seconds per second");
    println!("{exchanges} full state exchanges");
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    println!("at most {} of memory", peak.expect("the most memory that was resident").trim());
}

/// What this process has used so far, of user and system time.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let (_, after_name) = stat.rsplit_once(')').expect("the name in parentheses");
    let ticks = after_name.split_whitespace().skip(11).take(2);
    // A tick is a hundredth of a second on every Linux.
    ticks.map(|it| it.parse::<f64>().expect("a number")).sum::<f64>() / 100.0
}
