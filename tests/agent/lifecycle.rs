//! How an agent starts and ends.

use std::net::{TcpListener, UdpSocket};

use memberlist_tests::{Launch, Loopback};

use crate::pair;

#[test]
fn a_node_that_left_answers_until_quit() {
    let (one, two) = pair();
    assert_eq!(one.tell("leave 5")["event"], "left");
    let departed = two.expect_node("departed", "one");
    assert_eq!(departed["reason"]["kind"], "left", "{departed}");
    two.until_node("one", |node| node["state"] == "left");
    assert_eq!(one.tell("health")["event"], "health");
    assert!(one.quit().success());
}

#[test]
fn quit_does_not_leave() {
    let (one, two) = pair();
    assert!(one.quit().success());
    let departed = two.expect_node("departed", "one");
    assert_eq!(departed["reason"]["kind"], "failed", "{departed}");
}

#[test]
fn the_end_of_input_does_not_stop_it() {
    let (one, two) = pair();
    one.process().close_stdin();
    assert_eq!(two.tell("ping one")["event"], "pinged");
    two.tell("send one after the end");
    one.expect_message(b"after the end");
    assert!(one.process().exited().is_none());
}

#[test]
fn signals_leave_gracefully() {
    for signal in ["TERM", "INT"] {
        let (one, two) = pair();
        one.process().signal(signal);
        let departed = two.expect_node("departed", "one");
        assert_eq!(departed["reason"]["kind"], "left", "{signal}: {departed}");
        assert_eq!(one.process().wait_exit().code(), Some(0), "{signal}: {}", one.transcript());
    }
}

/// A node ends as soon as its leave is sent: whatever it queued for the other members is sent by then.
#[test]
fn every_agent_that_stays_hears_of_a_signalled_leave() {
    // What is missed stays missed: no peer repeats it, and later none exchanges its state.
    let agent = |name| Launch::agent(name).flag("--set", "differences.repeat_leaves=false");
    let one = agent("one").start();
    let others = ["two", "three", "four"];
    let others = others.map(|name| agent(name).flag("--join", one.addr()).start());
    let mut agents: Vec<_> = [one].into_iter().chain(others).collect();
    for observer in &agents {
        for other in &agents {
            observer.until_node(other.name(), |node| node["state"] == "alive");
        }
    }
    for agent in &agents {
        agent.tell("set push_pull_interval=0");
    }
    while agents.len() > 1 {
        let leaver = agents.pop().expect("one of several");
        leaver.process().signal("TERM");
        for observer in &agents {
            let departed = observer.expect_node("departed", leaver.name());
            assert_eq!(departed["reason"]["kind"], "left", "{}: {departed}", observer.name());
        }
        assert_eq!(leaver.process().wait_exit().code(), Some(0), "{}", leaver.transcript());
    }
}

/// With gossip off, the leave cannot be announced, so the agent waits until the second signal.
#[test]
fn a_second_signal_stops_at_once() {
    let one = Launch::agent("one").flag("--set", "gossip_interval=0").start();
    let two = Launch::agent("two").start();
    two.join(one.addr());
    one.expect_node("joined", "two");
    // No acks either, which could carry the news.
    two.kill();
    one.process().signal("TERM");
    one.expect_node("departed", "one");
    one.process().signal("TERM");
    assert_eq!(one.process().wait_exit().code(), Some(1), "{}", one.transcript());
}

#[test]
fn a_name_comes_back_with_new_metadata() {
    let (one, two) = pair();
    let (addr, _loopback) = two.into_address();
    one.expect_node("departed", "two");
    let two = Launch::agent("two").bind(addr).meta(b"second life").start();
    let mark = one.mark();
    two.join(one.addr());
    one.expect_after(mark, "joined", |event| {
        event["node"]["name"] == "two" && event["node"]["meta"] == "second life"
    });
}

#[test]
fn a_name_that_is_taken_is_a_conflict() {
    let (one, two) = pair();
    let impostor = Launch::agent("two").start();
    impostor.tell(&format!("join {}", one.addr()));
    let conflict = one.expect_node("conflict", "two");
    assert_eq!(conflict["node"]["addr"], two.addr().to_string(), "{conflict}");
    assert_eq!(conflict["other"]["addr"], impostor.addr().to_string(), "{conflict}");
    assert_eq!(conflict["other"]["name"], "two", "{conflict}");
}

#[test]
fn join_keeps_trying_until_the_seed_is_there() {
    let loopback = Loopback::reserve();
    let seed = loopback.port(7946);
    let early = Launch::agent("early").flag("--join", seed).start();
    let failed = early.expect("join", |event| event["joined"] == 0);
    assert_eq!(failed["failed"][0]["peer"], seed.to_string(), "{failed}");
    let late = Launch::agent("late").bind(seed).start();
    late.expect_node("joined", "early");
    early.expect("join", |event| event["joined"] == 1);
}

#[test]
fn join_once_gives_up() {
    let unused = Loopback::reserve().port(7946);
    let once = Launch::agent("once").flag("--join", unused).arg("--join-once").spawn();
    assert_eq!(once.process().wait_exit().code(), Some(1), "{}", once.transcript());
    assert!(once.process().stderr().contains(&unused.to_string()), "{}", once.transcript());
}

/// A name that the cluster knows at another address is said once, whether the agent goes on or not.
#[test]
fn a_name_that_is_taken_is_said() {
    let loopback = Loopback::reserve();
    let seed = loopback.port(7946);
    let first = Launch::agent("taken").bind(seed).start();
    let said = format!("memberlist: not in this cluster: taken is held by {seed}");
    let launch = || Launch::agent("taken").bind(loopback.port(7947)).flag("--join", seed);
    let once = launch().arg("--join-once").spawn();
    assert_eq!(once.process().wait_exit().code(), Some(1), "{}", once.transcript());
    let times = |text: &str| text.lines().filter(|line| *line == said).count();
    assert_eq!(times(&once.process().stderr()), 1, "{}", once.transcript());

    let patient = launch().start();
    patient.process().wait_text(&said);
    for _ in 0..2 {
        patient.expect_after(patient.mark(), "join", |event| event["joined"] == 0);
    }
    assert_eq!(times(&patient.process().stderr()), 1, "{}", patient.transcript());
    drop(first);
}

#[test]
fn a_listening_port_in_use_is_reported() {
    let loopback = Loopback::reserve();
    let taken = TcpListener::bind(loopback.port(7946)).expect("a reserved address");
    let addr = taken.local_addr().expect("bound");
    let agent = Launch::agent("agent").bind(addr).spawn();
    assert_eq!(agent.process().wait_exit().code(), Some(1), "{}", agent.transcript());
    let stderr = agent.process().stderr();
    assert!(stderr.contains(&addr.to_string()), "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.contains(&format!("TCP {addr}: Address already in use")), "{stderr}");

    let taken = UdpSocket::bind(loopback.port(7947)).expect("the address is ours");
    let addr = taken.local_addr().expect("bound");
    let agent = Launch::agent("agent").bind(addr).spawn();
    assert_eq!(agent.process().wait_exit().code(), Some(1), "{}", agent.transcript());
    let stderr = agent.process().stderr();
    assert!(stderr.contains(&format!("UDP {addr}: Address already in use")), "{stderr}");
}

/// A public address without a key is rarely meant; with one it is nothing to speak of.
#[test]
fn a_public_address_in_clear_is_warned_of() {
    let public = || Launch::agent("one").flag("--advertise", "203.0.113.5:7946");
    let clear = public().start();
    clear.process().wait_text("announcing the public address 203.0.113.5:7946 without encryption");
    let secret = public().key(Some(b"a sixteen b. key")).start();
    secret.tell("health");
    assert!(!secret.process().stderr().contains("public"), "{}", secret.transcript());
}

/// A node that announces an address where nothing listens hears nothing, and says so. An address
/// that is not one host's is refused.
#[test]
fn a_wrong_advertised_address_is_reported() {
    let one = Launch::agent("one").start();
    let wrong = Loopback::reserve().port(7946);
    let two = Launch::agent("two").flag("--advertise", wrong).start();
    two.join(one.addr());
    let report = two.expect("nothing_received", |_| true);
    assert_eq!(report["announced"], wrong.to_string());
    two.process().wait_text(&format!("is UDP blocked, or {wrong}, which this node announces"));
    let many = Launch::agent("many").flag("--advertise", "255.255.255.255:7946").spawn();
    assert!(!many.process().wait_exit().success());
    assert!(many.process().stderr().contains("255.255.255.255"), "{}", many.transcript());
}

/// The port is free for UDP and TCP, and `started` reports it.
#[test]
fn port_zero_picks_a_free_port() {
    let loopback = Loopback::reserve();
    let one = Launch::agent("one").bind(loopback.port(0)).start();
    let started = one.expect("started", |_| true);
    let addr = started["node"]["addr"].as_str().expect("an address").to_owned();
    assert!(!addr.ends_with(":0"), "{started}");
    let two = Launch::agent("two").start();
    two.join(addr.parse().expect("an address with a port"));
    assert_eq!(two.tell("ping one")["event"], "pinged");
}

#[test]
fn a_cluster_over_ipv6() {
    if UdpSocket::bind("[::1]:0").is_err() {
        eprintln!("this machine has no IPv6: nothing is tested");
        return;
    }
    let one = Launch::agent("one").bind("[::1]:0".parse().expect("an address")).start();
    let started = one.expect("started", |_| true);
    let addr = started["node"]["addr"].as_str().expect("an address").to_owned();
    assert!(addr.starts_with("[::1]:"), "{started}");
    let two = Launch::agent("two").bind("[::1]:0".parse().expect("an address")).start();
    two.join(addr.parse().expect("an address with a port"));
    one.expect_node("joined", "two");
}

/// A stranger without the key or the label cannot join, and both sides continue.
#[test]
fn keys_and_labels_keep_strangers_out() {
    let secret = Launch::agent("secret").key(Some(b"a sixteen b. key")).start();
    let labelled = Launch::agent("labelled").flag("--label", "blue").start();
    let stranger = Launch::agent("stranger").start();
    for node in [&secret, &labelled] {
        let reply = stranger.tell(&format!("join {}", node.addr()));
        assert_eq!(reply["joined"], 0, "{reply}");
        assert_eq!(node.member_names(), [node.name()]);
    }
    let friend = Launch::agent("friend").flag("--label", "blue").start();
    friend.join(labelled.addr());
    labelled.expect_node("joined", "friend");
}
