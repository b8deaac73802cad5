//! Our agent and our program on the Go library, where one pair or one cluster is enough. What must
//! hold in every combination is a check of the matrix.

use memberlist_tests::{Launch, Node};
use serde_json::Value;

use crate::{KEY, live};

const OTHER_KEY: &[u8] = b"another 16b. key";

/// Neither can join the other. Our side reports one of `words`, and both stay alone and healthy.
fn strangers(rust: &Node, go: &Node, words: &[&str]) {
    let reply = rust.ask(&format!("join {}", go.addr()));
    assert_eq!(reply["joined"], 0, "{reply}");
    let error = reply["failed"][0]["error"].as_str().unwrap_or_default();
    assert!(words.iter().any(|word| error.contains(word)), "{reply}");

    let mark = rust.mark();
    let reply = go.ask(&format!("join {}", rust.addr()));
    assert_eq!(reply["joined"], 0, "{reply}");
    let event = rust.expect_after(mark, "exchange_failed", |event| event["exchange"] == "accepted");
    let error = event["message"].as_str().unwrap_or_default();
    assert!(words.iter().any(|word| error.contains(word)), "{event}");
    assert_eq!(rust.member_names(), ["rust"]);
    unharmed(go);
}

/// The Go node has no other member and is healthy.
fn unharmed(go: &Node) {
    assert_eq!(go.member_names(), ["go"]);
    assert_eq!(go.tell("health")["score"], 0);
}

fn about(name: &str) -> impl Fn(&Value) -> bool + '_ {
    move |event| event["node"]["name"] == name
}

/// `thief` claims the name of `owner`, which `witness` knows. The claim is reported and rejected.
fn conflict(owner: &Node, witness: &Node, thief: &Node) {
    owner.join(witness.addr());
    witness.expect_node("joined", "x");
    // Go reports a conflict at the node that is joined, and one about its own name too.
    thief.ask(&format!("join {}", witness.addr()));
    let event = witness.expect("conflict", about("x"));
    assert_eq!(event["node"]["addr"], owner.addr().to_string(), "{event}");
    assert_eq!(event["other"]["addr"], thief.addr().to_string(), "{event}");
    let known = witness.until_node("x", |node| node["state"] == "alive");
    assert_eq!(known["addr"], owner.addr().to_string());
}

/// After the reclaim time of `witness`, the name of a failed node is free for another address.
fn reclaim(witness: &Node, victim: &Node, successor: Launch) {
    victim.join(witness.addr());
    witness.expect_node("joined", "x");
    victim.kill();
    witness.expect_node("departed", "x");
    let successor = successor.start();
    successor.join(witness.addr());
    let addr = successor.addr().to_string();
    witness.expect("joined", |event| about("x")(event) && event["node"]["addr"] == addr.as_str());
}

live! {
    /// A message too long for gossip arrives like any other.
    fn go_receives_disseminated_messages() {
        let (rust, go) = (Launch::agent("rust").start(), Launch::go("go").start());
        rust.join(go.addr());
        rust.tell("disseminate short");
        go.expect_message(b"short");
        let long = "long ".repeat(10_000);
        rust.tell(&format!("disseminate {long}"));
        go.expect_message(long.as_bytes());
        rust.expect("broadcast_finished", |event| event["end"] == "streamed" && event["sent"] == 1);
    }

    /// A wrong key is a clear error on our side and harmless on theirs.
    fn wrong_key() {
        let go = Launch::go("go").key(Some(KEY)).start();
        let rust = Launch::agent("rust").key(Some(OTHER_KEY)).start();
        strangers(&rust, &go, &["key", "decrypt"]);
    }

    /// This release of the library has no labels.
    fn wrong_label() {
        let go = Launch::go("go").start();
        let rust = Launch::agent("rust").flag("--label", "blue").start();
        let reply = rust.ask(&format!("join {}", go.addr()));
        assert_eq!(reply["joined"], 0, "{reply}");
        let error = reply["failed"][0]["error"].as_str().unwrap_or_default();
        assert!(error.contains("label"), "{reply}");
        let mark = rust.mark();
        assert_eq!(go.ask(&format!("join {}", rust.addr()))["joined"], 0);
        let event = rust.expect_after(mark, "exchange_failed", |_| true);
        assert!(event["message"].as_str().is_some_and(|text| text.contains("label")), "{event}");
        assert_eq!(rust.member_names(), ["rust"]);
        unharmed(&go);
    }

    /// Each understands versions 1 to 5, whatever the other speaks.
    fn different_protocol_versions() {
        for (ours, theirs) in [(1, 5), (5, 1)] {
            let rust = Launch::agent("rust").flag("--protocol-version", ours).start();
            let go = Launch::go("go").flag("--protocol-version", theirs).start();
            rust.join(go.addr());
            assert_eq!(rust.expect_node("joined", "go")["node"]["versions"][2], theirs);
            assert_eq!(go.expect_node("joined", "rust")["node"]["versions"][2], ours);
            for (from, to) in [(&rust, &go), (&go, &rust)] {
                to.expect("pinged", about(from.name()));
                from.tell(&format!("send {} in a packet", to.name()));
                to.expect_message(b"in a packet");
                from.tell(&format!("send-reliable {} over a stream", to.name()));
                to.expect_message(b"over a stream");
            }
        }
    }

    fn incompatible_delegate_versions() {
        let go = Launch::go("go").delegate_version([1, 2, 2]).start();
        let rust = Launch::agent("rust").delegate_version([3, 4, 4]).start();
        strangers(&rust, &go, &["version"]);
    }

    fn go_reports_a_name_conflict() {
        let owner = Launch::agent("x").start();
        let witness = Launch::go("witness").start();
        conflict(&owner, &witness, &Launch::agent("x").start());
    }

    fn rust_reports_a_name_conflict() {
        let owner = Launch::go("x").start();
        let witness = Launch::agent("witness").start();
        conflict(&owner, &witness, &Launch::go("x").start());
    }

    fn go_accepts_a_failed_rust_node_at_another_address() {
        let witness = Launch::go("witness").flag("--dead-node-reclaim-time", "1ms").start();
        reclaim(&witness, &Launch::agent("x").start(), Launch::agent("x"));
    }

    fn rust_accepts_a_failed_go_node_at_another_address() {
        let witness = Launch::agent("witness").flag("--set", "dead_node_reclaim_time=1ms").start();
        reclaim(&witness, &Launch::go("x").start(), Launch::go("x"));
    }
}
