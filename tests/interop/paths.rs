//! Three nodes, not all of which can reach each other. Each test creates a network of its own, in
//! which the ends are connected only through the hub.

use std::net::SocketAddr;

use memberlist_tests::{Launch, Line, Node, eventually};
use serde_json::Value;

use crate::live;

/// How often an end probes each helper on average while it is observed, and so the other end.
const ROUNDS: usize = 4;

/// Both libraries choose helpers by at most 3 × n random draws. With one helper among three nodes,
/// one probe in forty would find none; with three among five, one in a million.
const HELPERS: u16 = 3;

type Start = fn(&str) -> Launch;

fn about(name: &str) -> impl Fn(&Value) -> bool + '_ {
    move |event| event["node"]["name"] == name
}

fn incarnation(node: &Node, name: &str) -> u64 {
    node.until_node(name, |_| true)["incarnation"].as_u64().expect("a number")
}

/// Two ends that are connected through the hub only.
fn line_of(line: &Line, left: Launch, hub: Launch, right: Launch) -> [Node; 3] {
    let hub = hub.inside(&line.hub).start();
    let left = left.inside(&line.left).start();
    let right = right.inside(&line.right).start();
    for end in [&left, &right] {
        end.join(hub.addr());
    }
    left.expect_node("joined", "right");
    right.expect_node("joined", "left");
    [left, hub, right]
}

/// Waits until each node has received `times` more acks.
fn until_pinged(nodes: [&Node; 2], times: usize) {
    let marks = nodes.map(Node::mark);
    for (node, mut mark) in nodes.into_iter().zip(marks) {
        for _ in 0..times {
            node.expect_after(mark, "pinged", |_| true);
            let pinged = |event: &Value| event["event"] == "pinged";
            mark += 1 + node.events_after(mark).iter().position(pinged).expect("it just came");
        }
    }
}

/// The ends cannot reach each other, yet neither suspects the other, because helpers at the hub relay
/// the probes. Once the helpers are gone, they do.
fn indirect_probes(left: Start, helper: Start, right: Start) {
    let line = Line::start();
    let [left, first, right] = line_of(&line, left("left"), helper("helper-0"), right("right"));
    let mut helpers = vec![first];
    for number in 1..HELPERS {
        let addr = SocketAddr::new(line.hub.addr().ip(), line.hub.addr().port() + number);
        let more = helper(&format!("helper-{number}")).inside(&line.hub).bind(addr).start();
        more.join(helpers[0].addr());
        // Gossip may miss an end, and so may the next full state exchanges.
        for end in [&left, &right] {
            end.join(more.addr());
        }
        helpers.push(more);
    }
    until_pinged([&left, &right], ROUNDS * helpers.len());
    for (node, other) in [(&left, &right), (&right, &left)] {
        let transcript = [&left, &right].map(Node::transcript).concat();
        assert_eq!(
            node.count("pinged", about(other.name())),
            0,
            "the direct path must be closed\n{transcript}"
        );
        assert_eq!(node.count("suspected", |_| true), 0, "{transcript}");
        // A suspect would have refuted with a higher incarnation.
        assert_eq!(incarnation(node, node.name()), 1, "{transcript}");
        assert_eq!(node.member_names(), ["helper-0", "helper-1", "helper-2", "left", "right"]);
    }
    helpers.iter().for_each(Node::kill);
    for (node, other) in [(&left, "right"), (&right, "left")] {
        node.until_node(other, |record| record["state"] != "alive");
    }
}

/// An end without helpers suspects the other end. The suspicion reaches it through the hub, and so
/// does the refutation on its way back.
fn refutation(left: Launch, hub: Start, right: Start) {
    let line = Line::start();
    let [left, hub, right] = line_of(&line, left, hub("hub"), right("right"));
    let refuted = right.until_node("right", |node| node["incarnation"].as_u64() >= Some(2));
    let least = refuted["incarnation"].as_u64();
    for node in [&hub, &left] {
        node.until_node("right", |node| node["incarnation"].as_u64() >= least);
        assert_eq!(node.count("departed", |_| true), 0, "{}", node.transcript());
    }
    left.until_node("right", |node| node["state"] == "alive");
}

live! {
    fn a_go_helper_probes_for_both() {
        indirect_probes(Launch::agent, Launch::go, Launch::go);
    }

    fn a_rust_helper_probes_for_both() {
        indirect_probes(Launch::go, Launch::agent, Launch::agent);
    }

    fn rust_suspects_and_rust_refutes_through_go() {
        let left = Launch::agent("left").flag("--set", "indirect_checks=0");
        refutation(left, Launch::go, Launch::agent);
    }

    fn rust_suspects_and_go_refutes_through_go() {
        let left = Launch::agent("left").flag("--set", "indirect_checks=0");
        refutation(left, Launch::go, Launch::go);
    }

    fn go_suspects_and_rust_refutes_through_rust() {
        let left = Launch::go("left").flag("--indirect-checks", 0);
        refutation(left, Launch::agent, Launch::agent);
    }

    /// Packets are lost, streams are not: both sides continue over streams, without a suspicion.
    fn packets_are_lost_and_streams_are_not() {
        let line = Line::start();
        line.forward(true);
        let rust = Launch::agent("rust").inside(&line.left).start();
        let go = Launch::go("go").inside(&line.right).start();
        rust.join(go.addr());
        go.expect_node("joined", "rust");
        until_pinged([&rust, &go], 1);

        line.lose_packets();
        rust.expect_node("only_by_stream", "go");
        go.process().wait_text("but other probes failed");
        // From now on every probe needs the stream: wait for longer than a suspicion would take.
        eventually("probes by streams", || {
            let probes = rust.tell("stats")["counters"]["probes_by_stream"].as_u64();
            if probes >= Some(6) { Ok(()) } else { Err(format!("{probes:?}")) }
        });
        for (from, to) in [(&rust, &go), (&go, &rust)] {
            from.tell(&format!("send-reliable {} by stream", to.name()));
            to.expect_message(b"by stream");
            assert_eq!(from.count("suspected", |_| true), 0, "{}", from.transcript());
            assert_eq!(from.count("departed", |_| true), 0, "{}", from.transcript());
            assert_eq!(incarnation(from, from.name()), 1, "{}", from.transcript());
        }

        line.forward(false);
        rust.expect_node("departed", "go");
        go.expect_node("departed", "rust");
    }
}
