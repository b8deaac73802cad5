//! A running cluster gets a label, and loses it again, as `docs/labels.md` says. Nodes of the Go
//! library take part in the steps that they can take: this release has no labels at all.

use std::net::SocketAddr;

use memberlist_tests::{Launch, Node, eventually};

use crate::live;

/// What a node of ours sends and accepts in each step, as arguments of `--label` and `--set`.
const STEPS: [(&str, &str); 4] = [
    ("", "accept_labels="),
    ("", "accept_labels=blue"),
    ("blue", r#"accept_labels="""#),
    ("blue", "accept_labels="),
];

/// Every node of ours is killed and comes back at its address with what it has in this step; each
/// time, all that are left and `go` have to find it again.
fn restart_all(nodes: &mut Vec<Node>, step: usize, go: Option<&Node>) {
    let (label, accept) = STEPS[step];
    for index in 0..nodes.len() {
        let old = nodes.remove(index);
        let name = old.name().to_owned();
        let (addr, loopback) = old.into_address();
        let launch = Launch::agent(&name).bind(addr).keeping(loopback);
        nodes.insert(index, launch.flag("--label", label).flag("--set", accept).start());
        nodes[index].join(other(nodes, index).addr());
        agree(nodes, go);
    }
    heard(nodes, go);
}

fn other(nodes: &[Node], index: usize) -> &Node {
    &nodes[(index + 1) % nodes.len()]
}

/// Waits until all nodes list exactly each other.
fn agree(nodes: &[Node], go: Option<&Node>) {
    let all: Vec<&Node> = nodes.iter().chain(go).collect();
    let mut names: Vec<&str> = all.iter().map(|node| node.name()).collect();
    names.sort_unstable();
    for node in &all {
        eventually(&format!("the members of {}", node.name()), || {
            let mut members = node.member_names();
            members.sort_unstable();
            if members == names { Ok(()) } else { Err(format!("{members:?}")) }
        });
    }
}

fn pairs<'a>(nodes: &'a [Node], go: Option<&'a Node>) -> Vec<(&'a Node, &'a Node)> {
    let all: Vec<&Node> = nodes.iter().chain(go).collect();
    let others = |from: &'a Node| {
        all.clone().into_iter().filter(move |to| to.name() != from.name()).map(move |to| (from, to))
    };
    all.iter().flat_map(|from| others(from)).collect()
}

/// Packets, streams and probes of each node are understood by every other.
fn heard(nodes: &[Node], go: Option<&Node>) {
    let pairs = pairs(nodes, go);
    let marks: Vec<usize> = pairs.iter().map(|(from, _)| from.mark()).collect();
    for (from, to) in &pairs {
        let packet = format!("by packet from {}", from.name());
        from.tell(&format!("send {} {packet}", to.name()));
        to.expect_message(packet.as_bytes());
        let stream = format!("by stream from {}", from.name());
        from.tell(&format!("send-reliable {} {stream}", to.name()));
        to.expect_message(stream.as_bytes());
    }
    for ((from, to), mark) in pairs.iter().zip(marks) {
        from.expect_after(mark, "pinged", |event| event["node"]["name"] == to.name());
    }
}

fn cannot_join(from: &Node, to: SocketAddr) {
    let reply = from.ask(&format!("join {to}"));
    assert_eq!(reply["joined"], 0, "{reply}");
}

live! {
    /// Through the first step with a Go node, then without; back again, with it from the second step
    /// on.
    fn go_takes_part_in_the_steps_that_send_no_label() {
        let mut nodes: Vec<Node> = ["one", "two"].map(|name| Launch::agent(name).start()).into();
        let go = Launch::go("go").start();
        nodes[1].join(nodes[0].addr());
        go.join(nodes[0].addr());
        agree(&nodes, Some(&go));

        restart_all(&mut nodes, 1, Some(&go));
        go.tell("leave");
        go.quit();
        agree(&nodes, None);
        restart_all(&mut nodes, 2, None);
        restart_all(&mut nodes, 3, None);

        let go = Launch::go("go-again").start();
        cannot_join(&go, nodes[0].addr());
        cannot_join(&nodes[0], go.addr());
        agree(&nodes, None);

        restart_all(&mut nodes, 2, None);
        restart_all(&mut nodes, 1, None);
        go.join(nodes[0].addr());
        agree(&nodes, Some(&go));
        restart_all(&mut nodes, 0, Some(&go));
    }
}
