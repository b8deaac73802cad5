//! Every seed draws its own cluster, faults and workload; then calm, in which all must agree.

use std::time::Duration;

use memberlist_proto::Key;
use memberlist_sim::{BroadcastKind, Config, Differences, Fault, Link, NodeId, Priority, Sim};

use super::secs;

/// A small generator of its own, so that what a seed draws depends on nothing else.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

fn run(seed: u64) {
    let mut draw = Draw(seed);
    let mut sim = Sim::new(seed);
    let size = 2 + draw.below(7);
    let (key, label, compress) = (draw.chance(40), draw.chance(30), draw.chance(60));
    let nodes: Vec<NodeId> = (0..size)
        .map(|index| {
            let mut config = Config::local(format!("n{index}").as_str());
            config.enable_compression = compress;
            config.dead_node_reclaim_time = secs(1);
            if key {
                config.secret_keys = vec![Key::new(&[9; 16]).unwrap()];
            }
            if label {
                config.label = "swarm".into();
            }
            if draw.chance(25) {
                config.differences = Differences::none();
            }
            config.protocol_version = [1, 2, 5][draw.below(3)].max(if key { 2 } else { 1 });
            if config.protocol_version == 1 {
                config.protocol_version = 2;
            }
            sim.start(config)
        })
        .collect();
    for node in &nodes[1..] {
        sim.join(*node, nodes[0]);
    }
    chaos(&mut sim, &nodes, &mut draw, key);
    calm(&mut sim, &nodes, seed);
}

fn chaos(sim: &mut Sim, nodes: &[NodeId], draw: &mut Draw, key: bool) {
    for _ in 0..8 + draw.below(12) {
        let node = nodes[draw.below(nodes.len())];
        let other = nodes[draw.below(nodes.len())];
        match draw.below(12) {
            0 => sim.network().set_default(Link {
                loss: draw.below(40) as f64 / 100.0,
                duplication: draw.below(20) as f64 / 100.0,
                // Without encryption nothing but UDP's own checksum, which is not simulated, could
                // tell: a changed version byte is believed, and lasts.
                corruption: if key { draw.below(5) as f64 / 100.0 } else { 0.0 },
                refusal: draw.below(20) as f64 / 100.0,
                reset: draw.below(20) as f64 / 100.0,
                chunk: 1 + draw.below(2000),
                latency_max: Duration::from_millis(2 + draw.below(300) as u64),
                ..Link::default()
            }),
            1 => sim.network().cut(node, other),
            2 => {
                let middle = draw.below(nodes.len());
                sim.network().partition(&nodes[..middle], &nodes[middle..]);
            }
            3 => sim.network().heal(),
            4 | 5 if sim.runs(node) => sim.crash(node),
            4 | 5 => {
                sim.restart(node, draw.chance(20));
                sim.join(node, other);
            }
            6 if sim.runs(node) => {
                let fault = [Fault::Frozen, Fault::Held][draw.below(2)];
                sim.set_fault(node, Some(fault));
            }
            7 if sim.runs(node) => sim.set_fault(node, None),
            8 if sim.runs(node) => {
                let meta = format!("meta {}", draw.next());
                sim.operate(node, |node, now| node.set_meta(now, meta.into(), secs(3)).unwrap());
            }
            9 if sim.runs(node) => sim.with(node, |node, now| {
                let kind = BroadcastKind::Unique;
                node.broadcast(now, b"news", kind, Priority::Normal).unwrap();
            }),
            10 if sim.runs(node) && node != other => {
                sim.join(node, other);
            }
            11 => sim.network().set_default(Link { packets: draw.chance(50), ..Link::default() }),
            _ => {}
        }
        sim.run_for(Duration::from_millis(100 + draw.below(6000) as u64));
    }
}

fn calm(sim: &mut Sim, nodes: &[NodeId], seed: u64) {
    sim.network().calm();
    for node in nodes {
        if sim.runs(*node) {
            sim.set_fault(*node, None);
        } else {
            sim.restart(*node, false);
        }
    }
    // Whoever was forgotten in the meantime is found again by joining, as an operator would.
    sim.run_for(secs(30));
    for node in &nodes[1..] {
        sim.join(*node, nodes[0]);
    }
    let agreed = sim.run_until(secs(120), |sim| sim.agreement().is_ok());
    assert!(agreed.is_some(), "seed {seed}: {:?}", sim.agreement());
    sim.run_for(secs(5));
    assert_eq!(sim.agreement(), Ok(()), "seed {seed}");
}

#[test]
fn fixed_seeds_survive_chaos_and_agree() {
    let count = std::env::var("SEEDS").ok().and_then(|it| it.parse().ok()).unwrap_or(60);
    if let Some(seed) = std::env::var("SEED").ok().and_then(|it| it.parse().ok()) {
        return run(seed);
    }
    let first: u64 = std::env::var("FIRST").ok().and_then(|it| it.parse().ok()).unwrap_or(0);
    for seed in first..first + count {
        run(seed);
    }
}
