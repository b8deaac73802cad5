//! A network that is split for longer than either half remembers the other.

use std::net::SocketAddr;
use std::time::Duration;

use memberlist_tests::{Launch, Line, Namespace, Node, eventually_within};

use crate::alone;

/// Suspicions of up to 18 s, and 3 s until the dead are removed, with a margin.
const SPLIT: Duration = Duration::from_secs(90);
/// The search waits at most 4 s, and accusations from the other half have to be refuted.
const HEALING: Duration = Duration::from_secs(90);

/// Three nodes at each end, on neighbouring ports, all joined.
fn six(line: &Line, port: u16, launch: impl Fn(&str) -> Launch, names: [&str; 6]) -> Vec<Node> {
    let start = |place: &Namespace, port: u16, name: &str| {
        let address = SocketAddr::new(place.addr().ip(), port);
        launch(name).retransmit(12).inside(place).bind(address).start()
    };
    let nodes: Vec<Node> = (port..)
        .zip(names)
        .map(|(port, name)| {
            let place = if (port % 10) < 3 { &line.left } else { &line.right };
            start(place, port, name)
        })
        .collect();
    for node in &nodes[1..] {
        node.join(nodes[0].addr());
    }
    eventually_within(HEALING, "six members", || knows_all(&nodes, &names));
    nodes
}

fn knows_all(nodes: &[Node], names: &[&str]) -> Result<(), String> {
    let mut names: Vec<_> = names.iter().map(ToString::to_string).collect();
    names.sort();
    for node in nodes {
        let members = node.member_names();
        if members != names {
            return Err(format!("{} knows {members:?}", node.name()));
        }
        let suspects = count(node, "members", "suspect");
        if suspects > 0 {
            return Err(format!("{} suspects {suspects}", node.name()));
        }
    }
    Ok(())
}

/// How many nodes of a list are in a state.
fn count(node: &Node, command: &str, state: &str) -> usize {
    let reply = node.tell(command);
    let nodes = reply["nodes"].as_array().expect("a list");
    nodes.iter().filter(|node| node["state"] == state).count()
}

/// Waits until no node of either half has a record of a node of the other.
fn forgotten(nodes: &[Node], names: [&str; 6]) {
    eventually_within(SPLIT, "both halves forget each other", || {
        for (half, others) in [(&nodes[..3], &names[3..]), (&nodes[3..], &names[..3])] {
            for node in half {
                // Our Go program never removes a node from its list `nodes`.
                let command = if node.name().starts_with("go") { "members" } else { "nodes" };
                let known = node.tell(command).to_string();
                if let Some(other) = others.iter().find(|name| known.contains(**name)) {
                    return Err(format!("{} remembers {other}", node.name()));
                }
            }
        }
        Ok(())
    });
}

fn ours(name: &str) -> Launch {
    Launch::agent(name)
        .flag("--set", "gossip_to_the_dead_time=3s")
        .flag("--set", "rejoin.interval=2s")
        .flag("--set", "push_pull_interval=1s")
}

fn rejoined(nodes: &[Node]) -> usize {
    nodes.iter().map(|node| node.count("rejoined", |_| true)).sum()
}

alone! {
    /// Two clusters on one network that is split: the one with `rejoin` heals by itself, the other,
    /// which behaves as the Go library does, stays split.
    fn split_halves_rejoin_unless_rejoin_is_off() {
        let line = Line::start();
        line.forward(true);
        let names = ["a", "b", "c", "d", "e", "f"].map(|name| format!("searching-{name}"));
        let names = names.each_ref().map(String::as_str);
        let searching = six(&line, 7000, ours, names);
        let others = ["a", "b", "c", "d", "e", "f"].map(|name| format!("resting-{name}"));
        let others = others.each_ref().map(String::as_str);
        let off = |name: &str| ours(name).flag("--set", "differences.rejoin=false");
        let resting = six(&line, 7100, off, others);

        line.forward(false);
        forgotten(&searching, names);
        forgotten(&resting, others);
        assert_eq!(searching[0].member_names(), names[..3]);
        assert_eq!(rejoined(&searching), 0, "the other half is unreachable");

        line.forward(true);
        eventually_within(HEALING, "the halves are one", || knows_all(&searching, &names));
        assert!(rejoined(&searching) > 0);
        // Enough full state exchanges to have informed every node many times.
        let exchanges = |node: &Node| node.tell("stats")["counters"]["push_pulls"].as_u64().unwrap();
        let before: Vec<_> = resting.iter().map(exchanges).collect();
        eventually_within(HEALING, "full state exchanges", || {
            let enough = |(node, before)| exchanges(node) >= before + 5;
            if resting.iter().zip(&before).all(enough) { Ok(()) } else { Err("too few".to_owned()) }
        });
        for (half, known) in [(&resting[..3], &others[..3]), (&resting[3..], &others[3..])] {
            for node in half {
                assert_eq!(node.member_names(), known, "{}", node.transcript());
            }
        }
        assert_eq!(rejoined(&resting), 0);
    }

    /// Nodes of the Go library, one in each half, are healed as well.
    fn our_nodes_heal_a_mixed_cluster() {
        let line = Line::start();
        line.forward(true);
        let names = ["rust-a", "go-b", "rust-c", "rust-d", "go-e", "rust-f"];
        let launch = |name: &str| {
            if name.starts_with("go") {
                Launch::go(name).flag("--gossip-to-the-dead-time", "3s")
            } else {
                ours(name)
            }
        };
        let nodes = six(&line, 7000, launch, names);
        line.forward(false);
        forgotten(&nodes, names);
        line.forward(true);
        eventually_within(HEALING, "the halves are one", || knows_all(&nodes, &names));
    }
}
