//! Failing links, in a network of the test's own.

use memberlist_tests::{Launch, Line, Node, eventually};

use crate::alone;

/// `left` and `right`, which reach each other, and `hub` between them.
fn three(line: &Line) -> [Node; 3] {
    three_with(line, 1)
}

/// The same, with this many helpers per probe.
fn three_with(line: &Line, helpers: u8) -> [Node; 3] {
    line.forward(true);
    let place = [("left", &line.left), ("hub", &line.hub), ("right", &line.right)];
    let nodes = place.map(|(name, place)| {
        let helpers = format!("indirect_checks={helpers}");
        // Otherwise a refutation lost to the fault would have to wait for a full state exchange.
        Launch::agent(name).retransmit(12).flag("--set", helpers).inside(place).start()
    });
    for end in [&nodes[0], &nodes[2]] {
        end.join(nodes[1].addr());
    }
    nodes[0].expect_node("joined", "right");
    nodes[2].expect_node("joined", "left");
    nodes
}

fn counter(node: &Node, name: &str) -> u64 {
    node.tell("stats")["counters"][name].as_u64().expect("a counter")
}

/// Waits until a counter has grown by `by`.
fn grows(node: &Node, name: &str, by: u64) {
    let before = counter(node, name);
    eventually(name, || {
        let now = counter(node, name);
        if now >= before + by { Ok(()) } else { Err(format!("{before}, then {now}")) }
    });
}

fn all_alive(nodes: &[Node]) {
    for node in nodes {
        for other in nodes {
            node.until_node(other.name(), |record| record["state"] == "alive");
        }
    }
}

alone! {
    /// The interface is down until the node is suspected; it refutes as soon as the interface is up.
    fn an_interface_returns_before_the_suspicion_ends() {
        let line = Line::start();
        let nodes = three(&line);
        let [left, hub, _] = &nodes;
        line.disconnect(&line.left);
        left.process().wait_text("Network is unreachable");
        hub.expect_node("suspected", "left");
        line.connect(&line.left);
        all_alive(&nodes);
        assert!(counter(left, "packets_unsent") > 0, "unsent packets must be counted");
    }

    /// The interface is down until each side considers the other dead; a join reunites them.
    fn an_interface_returns_after_both_sides_are_declared_dead() {
        let line = Line::start();
        let nodes = three(&line);
        let [left, hub, right] = &nodes;
        line.disconnect(&line.left);
        for (node, other) in [(left, "hub"), (left, "right"), (hub, "left"), (right, "left")] {
            node.expect_node("departed", other);
        }
        let refused = left.ask(&format!("join {}", hub.addr()));
        assert_eq!(refused["joined"], 0, "{refused}");
        let error = refused["failed"][0]["error"].as_str().unwrap_or_default();
        assert!(error.contains("unreachable"), "{refused}");
        line.connect(&line.left);
        left.join(hub.addr());
        all_alive(&nodes);
    }

    /// Packets are lost, streams are not: probes use streams, which is reported, and no member is
    /// suspected; afterwards probes use packets again.
    fn a_link_without_packets_recovers() {
        let line = Line::start();
        // With helpers, the hub would relay the probes.
        let nodes = three_with(&line, 0);
        let [left, _, right] = &nodes;
        line.lose_packets();
        left.expect_node("only_by_stream", "right");
        right.expect_node("only_by_stream", "left");
        left.tell("send-reliable right by stream");
        right.expect_message(b"by stream");
        line.lose_nothing();
        let mark = left.mark();
        left.expect_after(mark, "pinged", |event| event["node"]["name"] == "right");
        for node in &nodes {
            assert_eq!(node.count("departed", |_| true), 0, "{}", node.transcript());
        }
    }

    /// Streams are lost, packets are not: all remain members, messages by stream fail with the
    /// reason, and are delivered again afterwards.
    fn a_link_without_streams_recovers() {
        let line = Line::start();
        let nodes = three(&line);
        let [left, _, right] = &nodes;
        line.lose_streams();
        let refused = left.ask("send-reliable right by stream");
        assert_eq!(refused["event"], "error", "{refused}");
        let message = refused["message"].as_str().unwrap_or_default();
        assert!(message.contains("connecting"), "{refused}");
        let mark = left.mark();
        left.expect_after(mark, "pinged", |event| event["node"]["name"] == "right");
        line.lose_nothing();
        left.tell("send-reliable right again by stream");
        right.expect_message(b"again by stream");
        for node in &nodes {
            assert_eq!(node.count("suspected", |_| true), 0, "{}", node.transcript());
        }
    }

    /// A link so slow that the socket's send buffer stays full: packets are dropped and counted, and
    /// the node keeps reading and answering commands; afterwards all works as before.
    fn a_send_buffer_is_full() {
        let line = Line::start();
        let nodes = three(&line);
        let [left, hub, right] = &nodes;
        line.left.run("tc qdisc add dev eth0 root tbf rate 8kbit burst 1600 limit 100000000");
        let filler = "x".repeat(1300);
        eventually("a full send buffer", || {
            for _ in 0..50 {
                left.tell(&format!("send right {filler}"));
            }
            if counter(left, "packets_unsent") > 0 { Ok(()) } else { Err("not yet".into()) }
        });
        left.process().wait_text("sending to");
        // It still reads what the others send.
        hub.tell("send left still there?");
        left.expect_message(b"still there?");
        line.left.run("tc qdisc del dev eth0 root");
        all_alive(&nodes);
        grows(left, "probes", 3);
        left.tell("send right through again");
        right.expect_message(b"through again");
    }

    /// An address of a family without a route is an error with its reason, for streams and for
    /// packets, and affects nothing else.
    fn an_address_family_is_unreachable() {
        let line = Line::start();
        let nodes = three(&line);
        let left = &nodes[0];
        let refused = left.ask("join [2001:db8::1]:7946");
        assert_eq!(refused["joined"], 0, "{refused}");
        let error = refused["failed"][0]["error"].as_str().unwrap_or_default();
        assert!(error.contains("unreachable"), "{refused}");
        grows(left, "probes", 2);
        all_alive(&nodes);
        assert_eq!(left.count("suspected", |_| true), 0, "{}", left.transcript());
    }
}
