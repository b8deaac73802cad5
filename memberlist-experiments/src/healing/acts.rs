//! The disturbances, and how each is carried out.

use std::time::Duration;

use memberlist_sim::{Config, Event, Fault, Link, NodeId, Sim, Spread, State};

use super::tally::Tally;

/// A disturbance of a cluster in which nothing else fails.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    /// Each packet is lost with this probability, for 90 s.
    Loss(f64),
    /// One node receives nothing for 90 s.
    Deaf,
    /// Nothing that one node sends arrives for 90 s.
    Mute,
    /// One node is cut off for 75 s; a minute follows.
    Isolation,
    /// The halves are cut off from each other for 8 s, six times, with 8 s between; half a minute
    /// follows.
    Flapping,
    /// The halves are cut off from each other for 180 s; they get five minutes at most to agree
    /// again.
    Split,
    /// One node is killed.
    Kill { loss: f64 },
    /// Up to four nodes leave, one after the other.
    Leave { loss: f64 },
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The time in which gossip usually brings a leave to every member.
const LEAVE_USUAL: Duration = secs(3);

impl Act {
    pub(super) fn run(self, seed: u64, size: usize, change: &dyn Fn(&mut Config)) -> Tally {
        let lossy = matches!(self, Self::Loss(_) | Self::Kill { .. } | Self::Leave { .. });
        let (mut sim, nodes) = cluster(seed, size, &|config| {
            change(config);
            // A real network that loses packets also loses those of streams; here they arrive.
            config.disable_tcp_pings |= lossy;
        });
        let before = packets(&sim);
        let mut tally = match self {
            Self::Loss(loss) => {
                sim.network().set_default(Link { loss, ..Link::default() });
                watch(&mut sim, &nodes, secs(90), &|_, _| false)
            }
            Self::Deaf => faulty(&mut sim, &nodes, Fault::Deaf),
            Self::Mute => faulty(&mut sim, &nodes, Fault::Mute),
            Self::Isolation => isolation(&mut sim, &nodes),
            Self::Flapping => flapping(&mut sim, &nodes),
            Self::Split => split(&mut sim, &nodes),
            Self::Kill { loss } => kill(&mut sim, &nodes, loss),
            Self::Leave { loss } => leave(&mut sim, &nodes, loss),
        };
        tally.packets = packets(&sim) - before;
        tally
    }
}

/// A cluster in which all nodes have joined and agree.
fn cluster(seed: u64, size: usize, change: &dyn Fn(&mut Config)) -> (Sim, Vec<NodeId>) {
    let mut sim = Sim::new(seed);
    sim.ignore_laws();
    let mut nodes = Vec::new();
    for index in 0..size {
        let mut config = Config::lan(format!("n{index}").as_str());
        change(&mut config);
        nodes.push(sim.start_with(config, Spread::default()));
    }
    for node in &nodes[1..] {
        sim.join(*node, nodes[0]);
    }
    while sim.agreement().is_err() {
        assert!(sim.now().as_nanos() < 300_000_000_000, "{:?}", sim.agreement());
        sim.run_for(secs(1));
    }
    sim.run_for(secs(1));
    (sim, nodes)
}

fn packets(sim: &Sim) -> u64 {
    sim.counters().get("packets_sent").copied().unwrap_or_default()
}

/// Lets time pass, and counts what every node has reported in it.
fn watch(
    sim: &mut Sim,
    nodes: &[NodeId],
    time: Duration,
    cut: &dyn Fn(NodeId, NodeId) -> bool,
) -> Tally {
    let start = sim.now();
    sim.run_for(time);
    let mut tally = Tally::default();
    for node in nodes {
        tally.observe(sim, *node, start, cut);
    }
    tally
}

fn faulty(sim: &mut Sim, nodes: &[NodeId], fault: Fault) -> Tally {
    let odd = nodes[nodes.len() / 2];
    sim.set_fault(odd, Some(fault));
    watch(sim, nodes, secs(90), &|one, other| one == odd || other == odd)
}

fn isolation(sim: &mut Sim, nodes: &[NodeId]) -> Tally {
    let start = sim.now();
    let odd = nodes[nodes.len() / 2];
    let others: Vec<NodeId> = nodes.iter().copied().filter(|node| *node != odd).collect();
    sim.network().partition(&[odd], &others);
    sim.run_for(secs(75));
    sim.network().heal();
    sim.run_for(secs(60));
    let mut tally = Tally::default();
    for node in nodes {
        tally.observe(sim, *node, start, &|one, other| one == odd || other == odd);
    }
    tally
}

fn flapping(sim: &mut Sim, nodes: &[NodeId]) -> Tally {
    let start = sim.now();
    let (one, other) = nodes.split_at(nodes.len() / 2);
    for _ in 0..6 {
        sim.network().partition(one, other);
        sim.run_for(secs(8));
        sim.network().heal();
        sim.run_for(secs(8));
    }
    sim.run_for(secs(30));
    let mut tally = Tally::default();
    for node in nodes {
        tally.observe(sim, *node, start, &|a, b| one.contains(&a) != one.contains(&b));
    }
    tally
}

/// Splits the cluster, and measures how long the halves take to agree again.
fn split(sim: &mut Sim, nodes: &[NodeId]) -> Tally {
    let (one, other) = nodes.split_at(nodes.len() / 2);
    sim.network().partition(one, other);
    sim.run_for(secs(180));
    sim.network().heal();
    let healed = (0..300).find(|_| {
        let agreed = sim.agreement().is_ok();
        if !agreed {
            sim.run_for(secs(1));
        }
        agreed
    });
    Tally {
        news: 1,
        missed: u64::from(healed.is_none()),
        times: healed.map(secs).into_iter().collect(),
        ..Tally::default()
    }
}

/// Kills one node once the loss has lasted for 10 s.
fn kill(sim: &mut Sim, nodes: &[NodeId], loss: f64) -> Tally {
    sim.network().set_default(Link { loss, ..Link::default() });
    sim.run_for(secs(10));
    let odd = nodes[nodes.len() / 2];
    let others: Vec<NodeId> = nodes.iter().copied().filter(|node| *node != odd).collect();
    let (name, start) = (sim.name(odd).clone(), sim.now());
    sim.crash(odd);
    let gone = |sim: &Sim, observer: &NodeId| {
        let member = sim.node(*observer).member(&name);
        member.is_none_or(|node| !node.state().is_live())
    };
    let known = sim.run_until(secs(120), |sim| others.iter().all(|node| gone(sim, node)));
    let mut all = Tally::default();
    for node in &others {
        all.observe(sim, *node, start, &|_, other| other == odd);
    }
    Tally {
        false_departures: all.false_departures,
        news: others.len() as u64,
        missed: others.iter().filter(|node| !gone(sim, node)).count() as u64,
        times: known.into_iter().collect(),
        ..Tally::default()
    }
}

/// Lets nodes leave; the process of each ends once its leave has finished.
fn leave(sim: &mut Sim, nodes: &[NodeId], loss: f64) -> Tally {
    sim.network().set_default(Link { loss, ..Link::default() });
    let mut tally = Tally::default();
    let leavers = nodes.len().saturating_sub(1).min(4);
    let (leaving, staying) = nodes.split_at(leavers);
    for (index, leaver) in leaving.iter().enumerate() {
        let others: Vec<NodeId> = leaving[index + 1..].iter().chain(staying).copied().collect();
        one_leaves(sim, *leaver, &others, &mut tally);
    }
    tally
}

fn one_leaves(sim: &mut Sim, leaver: NodeId, others: &[NodeId], tally: &mut Tally) {
    let (name, start) = (sim.name(leaver).clone(), sim.now());
    let done = sim.operate(leaver, |node, now| node.leave(now, secs(5)));
    let finished = sim.run_until(secs(6), |sim| {
        let ended = |event: &Event| matches!(event, Event::Finished { op, .. } if *op == done);
        sim.events(leaver).iter().rev().any(|(_, event)| ended(event))
    });
    assert!(finished.is_some(), "leave does not return");
    sim.crash(leaver);
    let left = |sim: &Sim, observer: &NodeId| {
        let member = sim.node(*observer).member(&name);
        member.is_none_or(|node| node.state() == State::Left)
    };
    let usual = start + LEAVE_USUAL;
    sim.run_for(usual.saturating_duration_since(sim.now()));
    let missing = others.iter().filter(|node| !left(sim, node)).count();
    tally.news += others.len() as u64;
    tally.missed += missing as u64;
    if missing > 0 {
        let healed = sim.run_until(secs(150), |sim| others.iter().all(|node| left(sim, node)));
        tally.times.push(healed.map_or(secs(150), |time| time + LEAVE_USUAL));
    }
    let mut all = Tally::default();
    for node in others {
        all.observe(sim, *node, start, &|_, other| other == leaver);
    }
    tally.false_departures += all.false_departures;
}
