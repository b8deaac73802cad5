//! The address that a node announces when it listens on every one, in a network of the test's own.

use memberlist_tests::{Launch, Namespace};

use crate::alone;

/// A machine without any address; its interfaces are `e0` and `e1`.
fn machine() -> Namespace {
    let machine = Namespace::alone("machine");
    for interface in ["e0", "e1"] {
        machine.run(&format!("ip link add {interface} type veth peer name {interface}p"));
        for end in [interface, &format!("{interface}p")] {
            machine.run(&format!("ip link set {end} up"));
        }
    }
    machine
}

/// An agent on that machine, with the log as it is by default.
fn agent(machine: &Namespace, bind: &str) -> Launch {
    Launch::agent("x").inside(machine).bind(format!("{bind}:7946").parse().expect("an address"))
}

/// Starts an agent and asserts what it announces, and that the log says so and why.
#[track_caller]
fn announces(machine: &Namespace, bind: &str, address: &str, why: &str) {
    let node = agent(machine, bind).start();
    let started = node.expect("started", |_| true);
    assert_eq!(started["node"]["addr"], address, "{started}");
    node.process().wait_text(&format!("announcing {address}: "));
    let stderr = node.process().stderr();
    let line = stderr.lines().find(|line| line.contains(&format!("announcing {address}: ")));
    assert!(line.is_some_and(|line| line.contains(why)), "{why}: {stderr}");
}

/// The error of an agent that cannot start.
#[track_caller]
fn refusal(machine: &Namespace, bind: &str) -> String {
    let node = agent(machine, bind).spawn();
    assert_eq!(node.process().wait_exit().code(), Some(1), "{}", node.transcript());
    node.process().stderr()
}

alone! {
    /// Without a default route, beside a public default route, and beside a unique local address:
    /// each time the private IPv4 address is announced.
    fn a_private_address_needs_no_default_route() {
        let machine = machine();
        machine.run("ip addr add 10.7.7.7/24 dev e0");
        announces(&machine, "0.0.0.0", "10.7.7.7:7946", "no default route");

        machine.run("ip addr add 203.0.113.5/24 dev e1");
        machine.run("ip route add default via 203.0.113.1");
        announces(&machine, "0.0.0.0", "10.7.7.7:7946", "through e1, by 203.0.113.5");

        machine.run("ip addr add fd00:7::7/64 dev e0 nodad");
        announces(&machine, "[::]", "10.7.7.7:7946", "the others: fd00:7::7 of e0");
    }

    /// Of two private addresses, the one on the default route's interface is announced. An interface
    /// that is down does not count.
    fn the_default_route_decides_and_interfaces_that_are_down_do_not_count() {
        let machine = machine();
        machine.run("ip addr add 10.7.7.7/24 dev e0");
        machine.run("ip addr add 192.168.7.7/24 dev e1");
        announces(&machine, "0.0.0.0", "10.7.7.7:7946", "WARN");
        machine.run("ip route add default via 192.168.7.1");
        let why = "of e1; the default route leads through the same interface";
        announces(&machine, "0.0.0.0", "192.168.7.7:7946", why);
        machine.run("ip link set e1 down");
        announces(&machine, "0.0.0.0", "10.7.7.7:7946", "the only private address, of e0");
    }

    /// A machine with IPv6 only gets an error of its own, and announces its unique local address.
    fn a_machine_with_ipv6_only_is_recognised() {
        let machine = machine();
        let nothing = refusal(&machine, "0.0.0.0");
        assert!(nothing.contains("no interface"), "{nothing}");

        machine.run("ip addr add 2001:db8::7/64 dev e0 nodad");
        let global = refusal(&machine, "[::]");
        assert!(global.contains("none of them unique local"), "{global}");
        assert!(global.contains("2001:db8::7 of e0"), "{global}");

        machine.run("ip addr add fd00:7::7/64 dev e0 nodad");
        let four = refusal(&machine, "0.0.0.0");
        assert!(four.contains("IPv6 addresses only") && four.contains("bind to [::]"), "{four}");
        announces(&machine, "[::]", "[fd00:7::7]:7946", "of e0");
    }
}
