//! A cell of our agent and Serf. Serf's agent cannot be made to send arbitrary messages, so its own
//! stand for them: tags for metadata, user events for broadcasts, the acks of queries for best-effort
//! messages, coordinates for ack payloads.

use memberlist_tests::matrix::{Cell, Joins, Record};
use memberlist_tests::{Launch, Node, Serf, to_hex};
use serde_json::Value;

use crate::msgpack::{leave_intent, query, tags, user_event};

/// The delegate versions that Serf announces with its newest protocol.
const VERSIONS: [u8; 3] = [2, 5, 5];

pub(super) fn walk(cell: Cell, record: &mut Record) {
    let mut args = vec!["-tag", "role=seed"];
    if !cell.compression {
        args.push("-disable-compression");
    }
    let mut serf = Serf::start("s1", cell.secret(), &args);
    let rust = launch(cell).start();
    match cell.joins {
        Joins::Rust => rust.join(serf.addr()),
        Joins::Peer => serf.join(rust.addr()),
    }
    record.check("join: address, metadata, versions", || joined(&serf, &rust));
    record.check("metadata updates", || retag(&serf, &rust));
    record.check("broadcasts", || broadcasts(&serf, &rust));
    record.check("best-effort messages", || best_effort(&serf, &rust));
    record.check("reliable messages, from Rust", || {
        deliver_event(&serf, &rust, "send-reliable-hex s1", "reliable");
    });
    record.check("user state", || user_state(&serf, &rust));
    record.check("ack payloads and round trips", || coordinates(&serf, &rust));
    record.check("kill -9 of the peer, and its return", || serf_killed(&mut serf, &rust));
    let rust = record.check("kill -9 of Rust, and its return", || rust_killed(cell, &serf, rust));
    let rust = record.check("Rust leaves and returns elsewhere", || {
        // Serf distinguishes leaving from failing by a message of its own, not sent here.
        rust.tell("leave");
        serf.until_member("rust", "failed", |_| true);
        assert!(rust.quit().success());
        returned(&serf, launch(cell))
    });
    record.check("Rust leaves with Serf's intent", || leave_with_intent(&serf, &rust));
    let rust = returned(&serf, launch(cell));
    record.check("the peer leaves", || {
        let mark = rust.mark();
        serf.run("leave", &[]).expect("serf leave");
        let departed = rust.expect_after(mark, "departed", about_serf);
        assert_eq!(departed["reason"]["kind"], "left", "{departed}");
        rust.until_node("s1", |node| node["state"] == "left");
    });
}

fn launch(cell: Cell) -> Launch {
    let launch = Launch::agent("rust").key(cell.secret()).compression(cell.compression);
    let launch = launch.flag("--protocol-version", cell.version);
    launch.delegate_version(VERSIONS).meta(&tags(&[("role", "rust")]))
}

fn about_serf(event: &Value) -> bool {
    event["node"]["name"] == "s1"
}

fn joined(serf: &Serf, rust: &Node) {
    until_alive(serf, rust);
    let joined = rust.expect_node("joined", "s1");
    assert_eq!(joined["node"]["addr"], serf.addr().to_string());
    assert_eq!(joined["node"]["meta_hex"], to_hex(&tags(&[("role", "seed")])).as_str());
    assert_eq!(joined["node"]["versions"], serde_json::json!([1, 5, 2, 2, 5, 5]));
}

fn until_alive(serf: &Serf, rust: &Node) {
    let addr = rust.addr().to_string();
    serf.until_member("rust", "alive", |member| {
        member["addr"] == addr.as_str() && member["tags"]["role"] == "rust"
    });
}

fn retag(serf: &Serf, rust: &Node) {
    for role in ["changed", "rust"] {
        rust.tell(&format!("meta-hex {}", to_hex(&tags(&[("role", role)]))));
        serf.until_member("rust", "alive", |member| member["tags"]["role"] == role);
    }
    serf.run("tags", &["-set", "role=moved"]).expect("serf tags");
    let meta = to_hex(&tags(&[("role", "moved")]));
    rust.expect("updated", |event| about_serf(event) && event["node"]["meta_hex"] == meta.as_str());
}

fn broadcasts(serf: &Serf, rust: &Node) {
    serf.run("event", &["hello", "x"]).expect("serf event");
    let name = to_hex(b"hello");
    rust.expect("message", |event| {
        event["hex"].as_str().is_some_and(|hex| hex.starts_with("03") && hex.contains(&name))
    });
    deliver_event(serf, rust, "broadcast-hex", "from-rust");
}

/// Serf accepts a user event that is sent to it in this way.
fn deliver_event(serf: &Serf, rust: &Node, how: &str, name: &str) {
    rust.tell(&format!("{how} {}", to_hex(&user_event(10, name, b"payload"))));
    serf.process().wait_text(&format!("user-event: {name}"));
}

/// Towards Serf any message will do; from Serf, the ack of a query goes directly to its sender.
fn best_effort(serf: &Serf, rust: &Node) {
    deliver_event(serf, rust, "send-hex s1", "best-effort");
    let mark = rust.mark();
    rust.tell(&format!("send-hex s1 {}", to_hex(&query(77, rust.addr(), "rust", "who"))));
    let ack = rust.expect_after(mark, "message", |event| {
        event["hex"].as_str().is_some_and(|hex| hex.starts_with("05"))
    });
    assert_eq!(ack["channel"], "packet");
    assert_eq!(ack["from"], serf.addr().to_string());
}

/// Serf's state contains its event `hello`. Ours is the same with another name, and so contains an
/// event that is new to Serf.
fn user_state(serf: &Serf, rust: &Node) {
    let mark = rust.mark();
    rust.join(serf.addr());
    let [hello, fresh] = [b"hello", b"fresh"].map(|name| to_hex(name));
    let state = rust.expect_after(mark, "remote_state", |event| {
        event["hex"].as_str().is_some_and(|hex| hex.starts_with("02") && hex.contains(&hello))
    });
    let state = state["hex"].as_str().expect("bytes").replace(&hello, &fresh);
    rust.tell(&format!("state-hex {state}"));
    rust.join(serf.addr());
    serf.process().wait_text("user-event: fresh");
}

/// Serf's acks carry its network coordinate; once ours do too, Serf can estimate the distance.
fn coordinates(serf: &Serf, rust: &Node) {
    assert!(serf.run("rtt", &["rust"]).is_err(), "Serf does not have our coordinate yet");
    let pinged = rust.expect("pinged", |event| {
        about_serf(event) && event["payload_hex"].as_str().is_some_and(|hex| hex.starts_with("01"))
    });
    let coordinate = pinged["payload_hex"].as_str().expect("bytes");
    rust.tell(&format!("ack-payload-hex {coordinate}"));
    memberlist_tests::eventually("serf has our coordinate", || {
        let output = serf.run("rtt", &["rust"])?;
        output.contains("Estimated").then_some(()).ok_or(output)
    });
    let reply = rust.tell("ping s1");
    assert!(reply["rtt_ms"].as_f64().is_some_and(|rtt| rtt > 0.0), "{reply}");
}

fn serf_killed(serf: &mut Serf, rust: &Node) {
    let mark = rust.mark();
    serf.process().kill();
    rust.expect_after(mark, "suspected", about_serf);
    let departed = rust.expect_after(mark, "departed", about_serf);
    assert_eq!(departed["reason"]["kind"], "failed", "{departed}");
    let mark = rust.mark();
    serf.restart();
    serf.join(rust.addr());
    rust.expect_after(mark, "joined", about_serf);
    until_alive(serf, rust);
}

fn rust_killed(cell: Cell, serf: &Serf, rust: Node) -> Node {
    let (addr, loopback) = rust.into_address();
    serf.until_member("rust", "failed", |_| true);
    returned(serf, launch(cell).bind(addr).keeping(loopback))
}

fn leave_with_intent(serf: &Serf, rust: &Node) {
    rust.tell(&format!("broadcast-hex {}", to_hex(&leave_intent(100, "rust"))));
    serf.until_member("rust", "leaving", |_| true);
    rust.tell("leave");
    serf.until_member("rust", "left", |_| true);
    assert!(rust.quit().success());
}

fn returned(serf: &Serf, launch: Launch) -> Node {
    let rust = launch.start();
    rust.join(serf.addr());
    until_alive(serf, &rust);
    rust
}
