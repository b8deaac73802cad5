//! What a quiet cluster costs: `steady NODES SECONDS`, everybody knowing everybody from the start.
//! Prints virtual node-seconds per second of the machine's time.

use std::time::{Duration, Instant};

use memberlist_sim::{Config, Sim};

fn main() {
    let mut args = std::env::args().skip(1).map(|arg| arg.parse().expect("a number"));
    let size = args.next().unwrap_or(100) as usize;
    let seconds: u64 = args.next().unwrap_or(60);
    let mut sim = Sim::new(1);
    sim.check_every(u64::MAX);
    let nodes: Vec<_> = (0..size)
        .map(|index| sim.start(Config::lan(format!("node-{index:06}").as_str())))
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
}
