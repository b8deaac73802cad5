//! Three nodes of the Go library and three of ours in one cluster.
//!
//! `SOAK_SECONDS` and `CHURN_SECONDS` set the duration of the long tests.

mod churn;
pub(crate) mod soak;

use std::collections::BTreeMap;
use std::time::Duration;

use memberlist_tests::{Launch, Node, eventually_within};
use serde_json::Value;

use crate::live;

/// What a node knows of each member: address, state, incarnation and metadata by name.
type View = BTreeMap<String, [String; 4]>;

/// A change that gossip misses arrives with one of the next full state exchanges; each node starts
/// one every 15 seconds.
const AGREEMENT: Duration = Duration::from_secs(120);

const NAMES: [&str; 6] = ["go-1", "go-2", "go-3", "rust-1", "rust-2", "rust-3"];

fn launch(name: &str) -> Launch {
    match name {
        "rust-3" if std::env::var_os("RUNTIME").is_none() => {
            Launch::agent(name).flag("--runtime", "async-std")
        }
        name if name.starts_with("go") => Launch::go(name),
        name => Launch::agent(name),
    }
}

/// How long a long test lasts.
fn duration(variable: &str, seconds: u64) -> Duration {
    let seconds = std::env::var(variable).map_or(seconds, |text| text.parse().expect("seconds"));
    Duration::from_secs(seconds)
}

/// Six nodes, each with metadata of its own, joined through the first.
fn cluster(launch: impl Fn(&str) -> Launch) -> Vec<Node> {
    let start = |name: &&str| launch(name).meta(format!("of {name}").as_bytes()).start();
    let nodes: Vec<Node> = NAMES.iter().map(start).collect();
    for node in &nodes[1..] {
        node.join(nodes[0].addr());
    }
    agree(&nodes, "members", NAMES.len());
    nodes
}

/// Waits until all `nodes` have the same view of `count` nodes, in which each of them is alive at
/// its own address and with its own incarnation; returns the view.
#[track_caller]
fn agree(nodes: &[Node], command: &str, count: usize) -> View {
    eventually_within(AGREEMENT, "all nodes have the same view", || {
        let views: Vec<View> = nodes.iter().map(|node| view(node, command)).collect();
        for (node, seen) in nodes.iter().zip(&views) {
            let own = views[0].get(node.name());
            let right = own.is_some_and(|[addr, state, ..]| {
                *addr == node.addr().to_string() && state == "alive"
            });
            if *seen != views[0] || seen.len() != count || !right {
                return Err(format!(
                    "{}: {seen:?}\n{}: {:?}",
                    node.name(),
                    nodes[0].name(),
                    views[0]
                ));
            }
        }
        Ok(views[0].clone())
    })
}

fn view(node: &Node, command: &str) -> View {
    let reply = node.tell(command);
    let nodes = reply["nodes"].as_array().expect("an array of nodes");
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let row = |node: &Value| {
        let columns = ["addr", "state", "incarnation", "meta"].map(|column| text(&node[column]));
        (text(&node["name"]), columns)
    };
    nodes.iter().map(row).collect()
}

live! {
    /// Name, address, state, incarnation and metadata of live, left and failed members.
    fn all_members_agree() {
        // Our agent would remove dead nodes after 15 seconds; our Go program lists all that it ever
        // knew.
        let mut nodes = cluster(|name| match launch(name) {
            go if name.starts_with("go") => go,
            rust => rust.flag("--set", "gossip_to_the_dead_time=120s"),
        });
        for node in &nodes {
            node.tell(&format!("meta changed by {}", node.name()));
        }
        let before = agree(&nodes, "members", NAMES.len());
        for name in NAMES {
            assert_eq!(before[name][2..], ["2".to_owned(), format!("changed by {name}")]);
        }

        let gone: Vec<Node> = ["rust-3", "rust-2", "go-3", "go-2"]
            .iter()
            .map(|name| nodes.remove(NAMES.iter().position(|other| other == name).expect("one")))
            .collect();
        let [failing_rust, leaving_rust, failing_go, leaving_go] = &gone[..] else { unreachable!() };
        failing_rust.kill();
        failing_go.kill();
        leaving_rust.tell("leave");
        leaving_go.tell("leave");
        agree(&nodes, "members", 2);
        let after = agree(&nodes, "nodes", NAMES.len());
        for (node, state) in gone.iter().zip(["dead", "left", "dead", "left"]) {
            let mut expected = before[node.name()].clone();
            state.clone_into(&mut expected[1]);
            assert_eq!(after[node.name()], expected);
        }
    }
}
