//! Our agent beside our program on the Go library.

use memberlist_tests::{Launch, Node, to_hex};

use crate::{KEY, live};

/// One column of the matrix: how a cluster of two comes to be.
#[derive(Clone, Copy)]
struct Case {
    joins: Joins,
    key: Option<&'static [u8]>,
    compression: bool,
}

#[derive(Clone, Copy)]
enum Joins {
    Rust,
    Go,
}

impl Case {
    const fn new(joins: Joins, key: Option<&'static [u8]>) -> Self {
        Self { joins, key, compression: true }
    }

    /// Two nodes that know each other.
    fn cluster(self) -> (Node, Node) {
        let common = |launch: Launch| launch.key(self.key).compression(self.compression);
        let rust = common(Launch::agent("rust")).meta(b"from rust").start();
        let go = common(Launch::go("go")).meta(b"from go").start();
        // Long enough to be worth compressing.
        rust.tell(&format!("state {}", "rust ".repeat(100)));
        go.tell(&format!("state {}", "go ".repeat(100)));
        match self.joins {
            Joins::Rust => rust.join(go.addr()),
            Joins::Go => go.join(rust.addr()),
        }
        (rust, go)
    }
}

fn join(case: Case) {
    let (rust, go) = case.cluster();
    for (node, other, meta) in [(&rust, &go, "from go"), (&go, &rust, "from rust")] {
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
    // Both count the same incarnations.
    for name in ["rust", "go"] {
        let ours = rust.until_node(name, |_| true);
        go.until_node(name, |record| record["incarnation"] == ours["incarnation"]);
    }
}

fn metadata(case: Case) {
    let (rust, go) = case.cluster();
    go.expect_node("joined", "rust");
    let longest = "m".repeat(512);
    for meta in ["changed once", "", longest.as_str()] {
        for (from, to) in [(&rust, &go), (&go, &rust)] {
            let mark = to.mark();
            assert_eq!(from.tell(&format!("meta {meta}"))["event"], "meta");
            to.expect_after(mark, "updated", |event| {
                event["node"]["name"] == from.name() && event["node"]["meta"] == meta
            });
        }
    }
}

fn messages(case: Case) {
    let (rust, go) = case.cluster();
    go.expect_node("joined", "rust");
    let long = "abcdefg ".repeat(8 * 1024);
    for (from, to) in [(&rust, &go), (&go, &rust)] {
        let (from_name, to_name) = (from.name(), to.name());
        let told = format!("broadcast of {from_name}");
        from.tell(&format!("broadcast {told}"));
        to.expect_message(told.as_bytes());

        let sent = format!("best effort of {from_name}");
        assert_eq!(from.tell(&format!("send {to_name} {sent}"))["bytes"], sent.len());
        to.expect_message(sent.as_bytes());

        for reliable in [format!("reliable of {from_name}"), format!("{from_name} {long}")] {
            let reply = from.tell(&format!("send-reliable {to_name} {reliable}"));
            assert_eq!(reply["bytes"], reliable.len());
            to.expect_message(reliable.as_bytes());
        }
        from.tell(&format!("send-reliable-hex {to_name} 00ff80"));
        to.expect_message(&[0x00, 0xff, 0x80]);
    }
}

fn pings(case: Case) {
    let (rust, go) = case.cluster();
    go.expect_node("joined", "rust");
    for (from, to) in [(&rust, &go), (&go, &rust)] {
        let payload = format!("coordinate of {}", from.name());
        from.tell(&format!("ack-payload {payload}"));
        let hex = to_hex(payload.as_bytes());
        let pinged = to.expect("pinged", |event| event["payload_hex"] == hex.as_str());
        assert_eq!(pinged["node"]["name"], from.name());
        let reply = to.tell(&format!("ping {}", from.name()));
        assert_eq!(reply["event"], "pinged");
        assert!(reply["rtt_ms"].as_f64().is_some_and(|rtt| rtt > 0.0 && rtt < 500.0), "{reply}");
    }
}

fn kill_rust(case: Case) {
    let (rust, go) = case.cluster();
    go.expect_node("joined", "rust");
    rust.kill();
    assert_eq!(go.expect_node("departed", "rust")["reason"]["kind"], "failed");
    assert_eq!(go.member_names(), ["go"]);
}

fn kill_go(case: Case) {
    let (rust, go) = case.cluster();
    go.expect_node("joined", "rust");
    go.kill();
    assert_eq!(rust.expect_node("suspected", "go")["node"]["state"], "suspect");
    let departed = rust.expect_node("departed", "go");
    assert_eq!(departed["reason"]["kind"], "failed", "{departed}");
    assert_eq!(departed["reason"]["by"], "rust", "{departed}");
    assert_eq!(rust.member_names(), ["rust"]);
    rust.until_node("go", |record| record["state"] == "dead");
}

fn leave_rust(case: Case) {
    let (rust, go) = case.cluster();
    go.expect_node("joined", "rust");
    assert_eq!(rust.tell("leave")["event"], "left");
    assert_eq!(go.expect_node("departed", "rust")["reason"]["kind"], "left");
    go.until_node("rust", |record| record["state"] == "left");
    assert!(rust.quit().success());
}

fn leave_go(case: Case) {
    let (rust, go) = case.cluster();
    go.expect_node("joined", "rust");
    assert_eq!(go.tell("leave")["event"], "left");
    let departed = rust.expect_node("departed", "go");
    assert_eq!(departed["reason"]["kind"], "left", "{departed}");
    rust.until_node("go", |record| record["state"] == "left");
    assert_eq!(rust.count("suspected", |_| true), 0, "{}", rust.transcript());
}

/// A module for every column, with a test for every row.
macro_rules! matrix {
    ($($name:ident: $case:expr;)+) => {
        $(
            mod $name {
                use super::*;
                live! {
                    fn join() { super::join($case); }
                    fn metadata() { super::metadata($case); }
                    fn messages() { super::messages($case); }
                    fn pings() { super::pings($case); }
                    fn kill_rust() { super::kill_rust($case); }
                    fn kill_go() { super::kill_go($case); }
                    fn leave_rust() { super::leave_rust($case); }
                    fn leave_go() { super::leave_go($case); }
                }
            }
        )+
    };
}

matrix! {
    rust_joins_plain: Case::new(Joins::Rust, None);
    go_joins_plain: Case::new(Joins::Go, None);
    rust_joins_encrypted: Case::new(Joins::Rust, Some(KEY));
    go_joins_encrypted: Case::new(Joins::Go, Some(KEY));
}

live! {
    /// A wrong key is a clear error on our side and no harm on theirs.
    fn wrong_key() {
        let go = Launch::go("go").key(Some(KEY)).start();
        let rust = Launch::agent("rust").key(Some(b"another 16b. key")).start();
        let reply = rust.ask(&format!("join {}", go.addr()));
        assert_eq!(reply["joined"], 0, "{reply}");
        let error = reply["failed"][0]["error"].as_str().unwrap_or_default();
        assert!(error.contains("key") || error.contains("decrypt"), "{reply}");
        assert_eq!(go.member_names(), ["go"]);
        assert_eq!(rust.member_names(), ["rust"]);
    }
}
