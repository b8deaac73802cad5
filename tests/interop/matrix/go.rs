//! A cell of our agent and our program on the Go library.

use memberlist_tests::matrix::{Cell, Joins, Record, Way};
use memberlist_tests::{Launch, Node, to_hex};

/// Incompressible bytes, for messages whose length matters.
pub(super) fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let step = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    std::iter::repeat_with(step).take(length).collect()
}

const KIB: usize = 1024;

pub(crate) fn walk(cell: Cell, record: &mut Record) {
    let rust = launch(cell, Side::Rust).meta(b"from rust").start();
    let go = launch(cell, Side::Go).meta(b"from go").start();
    // Long enough to be worth compressing.
    rust.tell(&format!("state {}", "rust ".repeat(100)));
    go.tell(&format!("state {}", "go ".repeat(100)));
    match cell.joins {
        Joins::Rust => rust.join(go.addr()),
        Joins::Peer => go.join(rust.addr()),
    }
    record.check("join: address, metadata, incarnation, versions", || joined(cell, &rust, &go));
    let both_ways = |check: fn(&Node, &Node)| {
        check(&rust, &go);
        check(&go, &rust);
    };
    record.check("metadata updates", || both_ways(metadata));
    record.check("broadcasts", || both_ways(broadcasts));
    record.check("best-effort messages", || {
        both_ways(|from, to| messages("send", from, to, &[0, 1, KIB]));
        if cell.way == Way::Udp {
            oversized(&rust, &go);
        }
    });
    record.check("reliable messages", || {
        both_ways(reliable);
    });
    if let Way::Dskit(_) = cell.way {
        record.check("packets of 1 MiB", || {
            both_ways(|from, to| messages("send", from, to, &[60 * KIB, KIB * KIB]));
        });
    }
    record.check("user state", || user_state(&rust, &go, 100 * KIB));
    if let Way::Dskit(_) = cell.way {
        record.check("user state of 5 MiB", || user_state(&rust, &go, 5 * KIB * KIB));
    }
    record.check("ack payloads and round trips", || both_ways(pings));

    let go = record.check("kill -9 of the peer, and its return", || killed(cell, &rust, go));
    let rust = record.check("kill -9 of Rust, and its return", || killed(cell, &go, rust));
    let rust = record.check("Rust leaves and returns elsewhere", || left(cell, &go, &rust));
    record.check("the peer leaves and returns elsewhere", || left(cell, &rust, &go));
}

#[derive(Clone, Copy)]
enum Side {
    Rust,
    Go,
}

fn launch(cell: Cell, side: Side) -> Launch {
    let launch = match side {
        Side::Rust => Launch::agent("rust"),
        Side::Go => Launch::go("go"),
    };
    let launch = launch.key(cell.secret()).compression(cell.compression);
    let launch = launch.flag("--protocol-version", cell.version);
    let Way::Dskit(certificates) = cell.way else { return launch };
    let launch = match side {
        // Without optimisation, encrypting 5 MiB takes longer than the profile's 2 s.
        Side::Rust => launch
            .flag("--framing", "dskit")
            .flag("--set", "tcp_timeout=30s")
            .flag("--set", "udp_buffer_size=10485760"),
        Side::Go => launch.arg("--dskit").flag("--stream-timeout", "30s"),
    };
    let launch = launch.flag("--label", cell.label);
    let Some(folder) = certificates else { return launch };
    let file = |name: &str| format!("{folder}/{name}");
    let launch = launch.flag("--tls-cert", file("node.pem")).flag("--tls-key", file("node.key"));
    launch.flag("--tls-ca", file("ca.pem")).flag("--tls-server-name", "cluster")
}

/// The launch of the same node again, by its name.
fn again(cell: Cell, name: &str) -> Launch {
    launch(cell, if name == "rust" { Side::Rust } else { Side::Go })
}

fn joined(cell: Cell, rust: &Node, go: &Node) {
    for (node, other, meta) in [(rust, go, "from go"), (go, rust, "from rust")] {
        let joined = node.expect_node("joined", other.name());
        assert_eq!(joined["node"]["addr"], other.addr().to_string());
        assert_eq!(joined["node"]["meta"], meta);
        let repeated = format!("{} ", other.name()).repeat(100);
        node.expect("remote_state", |event| {
            event["text"] == repeated.as_str() && event["join"] == true
        });
        assert_eq!(node.member_names(), ["go", "rust"]);
        node.until_node(other.name(), |record| record["state"] == "alive");
    }
    assert_eq!(rust.until_node("go", |_| true)["versions"][2], cell.version);
    assert_eq!(go.until_node("rust", |_| true)["versions"][2], cell.version);
    for name in ["rust", "go"] {
        let ours = rust.until_node(name, |_| true);
        go.until_node(name, |record| record["incarnation"] == ours["incarnation"]);
    }
}

fn metadata(from: &Node, to: &Node) {
    let longest = "m".repeat(512);
    for meta in ["changed once", "", longest.as_str()] {
        let mark = to.mark();
        assert_eq!(from.tell(&format!("meta {meta}"))["event"], "meta");
        to.expect_after(mark, "updated", |event| {
            event["node"]["name"] == from.name() && event["node"]["meta"] == meta
        });
    }
}

fn broadcasts(from: &Node, to: &Node) {
    for length in [1, 20, 1000] {
        let bytes = noise(length, length as u64);
        delivers(to, &bytes, || drop(from.tell(&format!("broadcast-hex {}", to_hex(&bytes)))));
    }
}

fn messages(how: &str, from: &Node, to: &Node, lengths: &[usize]) {
    for length in lengths {
        let bytes = noise(*length, 7);
        let event = delivers(to, &bytes, || {
            let reply = from.tell(&format!("{how}-hex {} {}", to.name(), to_hex(&bytes)));
            assert_eq!(reply["bytes"], *length);
        });
        if to.name() == "rust" {
            let channel = if how == "send" { "packet" } else { "stream" };
            assert_eq!(event["channel"], channel);
        }
    }
}

/// An empty message is accepted and sent, but not delivered, as in the Go library.
fn reliable(from: &Node, to: &Node) {
    let empty = || to.count("message", |event| event["hex"] == "");
    let before = empty();
    let reply = from.tell(&format!("send-reliable {} ", to.name()));
    assert_eq!(reply["bytes"], 0);
    messages("send-reliable", from, to, &[1, 64 * KIB, KIB * KIB]);
    assert_eq!(empty(), before, "{}", to.transcript());
}

/// We refuse to send what does not fit into a packet; the Go library sends it, and we receive it.
fn oversized(rust: &Node, go: &Node) {
    messages("send", go, rust, &[60 * KIB]);
    let bytes = to_hex(&noise(64 * KIB, 9));
    let reply = rust.ask(&format!("send-hex go {bytes}"));
    let message = reply["message"].as_str().unwrap_or_default();
    assert!(message.contains("65536 bytes long, and at most"), "{reply}");
}

/// Runs `send` and waits until `to` receives these bytes; returns the event.
fn delivers(to: &Node, bytes: &[u8], send: impl FnOnce()) -> serde_json::Value {
    let mark = to.mark();
    send();
    let hex = to_hex(bytes);
    to.expect_after(mark, "message", |event| event["hex"] == hex.as_str())
}

fn user_state(rust: &Node, go: &Node, length: usize) {
    let marks = [rust.mark(), go.mark()];
    let states = [1, 2].map(|seed| to_hex(&noise(length, seed)));
    rust.tell(&format!("state-hex {}", states[0]));
    go.tell(&format!("state-hex {}", states[1]));
    rust.join(go.addr());
    rust.expect_after(marks[0], "remote_state", |event| event["hex"] == states[1].as_str());
    go.expect_after(marks[1], "remote_state", |event| event["hex"] == states[0].as_str());
}

fn pings(from: &Node, to: &Node) {
    let payload = to_hex(&noise(200, 3));
    from.tell(&format!("ack-payload-hex {payload}"));
    let pinged = to.expect("pinged", |event| event["payload_hex"] == payload.as_str());
    assert_eq!(pinged["node"]["name"], from.name());
    let reply = to.tell(&format!("ping {}", from.name()));
    assert_eq!(reply["event"], "pinged");
    // The Go library starts its clock after sending, and on a busy machine even after the answer.
    let least = if to.name() == "rust" { 0.0 } else { -500.0 };
    assert!(reply["rtt_ms"].as_f64().is_some_and(|rtt| rtt > least && rtt < 500.0), "{reply}");
}

/// Kills `victim`: `witness` reports it as failed, and accepts it back at the same address.
fn killed(cell: Cell, witness: &Node, victim: Node) -> Node {
    let name = victim.name().to_owned();
    let mark = witness.mark();
    let about = |event: &serde_json::Value| event["node"]["name"] == name.as_str();
    let (addr, loopback) = victim.into_address();
    if witness.name() == "rust" {
        let suspected = witness.expect_after(mark, "suspected", about);
        assert_eq!(suspected["node"]["state"], "suspect");
    }
    let departed = witness.expect_after(mark, "departed", about);
    assert_eq!(departed["reason"]["kind"], "failed", "{departed}");
    assert_eq!(witness.member_names(), [witness.name()]);
    witness.until_node(&name, |record| record["state"] == "dead");

    let mark = witness.mark();
    let returned = again(cell, &name).bind(addr).keeping(loopback).start();
    returned.join(witness.addr());
    witness.expect_after(mark, "joined", about);
    returned.expect_node("joined", witness.name());
    returned
}

/// `leaver` leaves: `witness` reports it as left, not failed, and accepts it back at another address.
fn left(cell: Cell, witness: &Node, leaver: &Node) -> Node {
    let name = leaver.name().to_owned();
    let mark = witness.mark();
    let about = |event: &serde_json::Value| event["node"]["name"] == name.as_str();
    let suspected = witness.count("suspected", about);
    assert_eq!(leaver.tell("leave")["event"], "left");
    let departed = witness.expect_after(mark, "departed", about);
    assert_eq!(departed["reason"]["kind"], "left", "{departed}");
    witness.until_node(&name, |record| record["state"] == "left");
    assert_eq!(witness.count("suspected", about), suspected, "{}", witness.transcript());
    assert!(leaver.quit().success());

    let mark = witness.mark();
    let returned = again(cell, &name).start();
    assert_ne!(returned.addr(), leaver.addr());
    returned.join(witness.addr());
    let addr = returned.addr().to_string();
    witness.expect_after(mark, "joined", |event| {
        about(event) && event["node"]["addr"] == addr.as_str()
    });
    returned
}
