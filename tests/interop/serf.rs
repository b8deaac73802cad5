//! Our agent in a cluster of Serf.

use std::net::SocketAddr;

use memberlist_tests::{Launch, Node, Serf, to_hex};

use crate::msgpack::{leave_intent, tags, user_event};
use crate::{KEY, live};

/// The newest protocol of Serf, with what the agent announces for it.
const VERSIONS: [u8; 3] = [2, 5, 5];

fn agent(key: Option<&[u8]>) -> Launch {
    let meta = tags(&[("role", "rust")]);
    Launch::agent("rust").delegate_version(VERSIONS).meta(&meta).key(key)
}

fn joined(serf: &Serf, key: Option<&[u8]>) -> Node {
    let rust = agent(key).flag("--join", serf.addr()).start();
    until_joined(serf, &rust);
    rust
}

fn until_joined(serf: &Serf, rust: &Node) {
    let addr = rust.addr().to_string();
    serf.until_member("rust", "alive", |member| {
        member["addr"] == addr.as_str() && member["tags"]["role"] == "rust"
    });
    rust.expect_node("joined", "s1");
}

fn events_in_both_directions(serf: &Serf, rust: &Node) {
    serf.run("event", &["hello", "x"]).expect("serf event");
    let name = to_hex(b"hello");
    rust.expect("message", |event| {
        event["hex"].as_str().is_some_and(|hex| hex.starts_with("03") && hex.contains(&name))
    });
    let event = user_event(10, "from-rust", b"payload");
    rust.tell(&format!("broadcast-hex {}", to_hex(&event)));
    serf.process().wait_text("user-event: from-rust");
}

fn restart_at(addr: SocketAddr) -> Node {
    agent(None).bind(addr).start()
}

live! {
    fn rust_joins() {
        let serf = Serf::start("s1", None, &[]);
        let rust = joined(&serf, None);
        events_in_both_directions(&serf, &rust);
        // Serf's own push/pull state begins with its message type.
        rust.expect("remote_state", |event| {
            event["hex"].as_str().is_some_and(|hex| hex.starts_with("02"))
        });
        // Serf's acks carry its network coordinate.
        rust.expect("pinged", |event| {
            event["node"]["name"] == "s1"
                && event["payload_hex"].as_str().is_some_and(|hex| hex.starts_with("01"))
        });
    }

    fn serf_joins() {
        let serf = Serf::start("s1", None, &["-tag", "role=seed"]);
        let rust = agent(None).start();
        serf.join(rust.addr());
        until_joined(&serf, &rust);
        assert_eq!(
            rust.until_node("s1", |_| true)["meta_hex"],
            to_hex(&tags(&[("role", "seed")])).as_str()
        );
        events_in_both_directions(&serf, &rust);
    }

    fn rust_joins_encrypted() {
        let serf = Serf::start("s1", Some(KEY), &[]);
        let rust = joined(&serf, Some(KEY));
        events_in_both_directions(&serf, &rust);
    }

    fn serf_joins_encrypted() {
        let serf = Serf::start("s1", Some(KEY), &[]);
        let rust = agent(Some(KEY)).start();
        serf.join(rust.addr());
        until_joined(&serf, &rust);
        events_in_both_directions(&serf, &rust);
    }

    fn tags_of_both_change() {
        let serf = Serf::start("s1", None, &["-tag", "role=seed"]);
        let rust = joined(&serf, None);
        rust.tell(&format!("meta-hex {}", to_hex(&tags(&[("role", "changed")]))));
        serf.until_member("rust", "alive", |member| member["tags"]["role"] == "changed");
        serf.run("tags", &["-set", "role=moved"]).expect("serf tags");
        let meta = to_hex(&tags(&[("role", "moved")]));
        rust.expect("updated", |event| {
            event["node"]["name"] == "s1" && event["node"]["meta_hex"] == meta.as_str()
        });
    }

    fn serf_notices_a_killed_rust_and_its_return() {
        let serf = Serf::start("s1", None, &[]);
        let (addr, _loopback) = joined(&serf, None).into_address();
        serf.until_member("rust", "failed", |_| true);
        let rust = restart_at(addr);
        rust.join(serf.addr());
        until_joined(&serf, &rust);
    }

    fn rust_notices_a_killed_serf() {
        let serf = Serf::start("s1", None, &[]);
        let rust = joined(&serf, None);
        serf.process().kill();
        rust.expect_node("suspected", "s1");
        let departed = rust.expect_node("departed", "s1");
        assert_eq!(departed["reason"]["kind"], "failed", "{departed}");
    }

    /// Serf tells leaving from failing by its own message, which the application sends.
    fn rust_leaves_with_its_intent() {
        let serf = Serf::start("s1", None, &[]);
        let rust = joined(&serf, None);
        rust.tell(&format!("broadcast-hex {}", to_hex(&leave_intent(20, "rust"))));
        serf.until_member("rust", "leaving", |_| true);
        rust.tell("leave");
        serf.until_member("rust", "left", |_| true);
        assert!(rust.quit().success());
    }

    fn rust_leaves_without_its_intent() {
        let serf = Serf::start("s1", None, &[]);
        let rust = joined(&serf, None);
        rust.tell("leave");
        serf.until_member("rust", "failed", |_| true);
    }

    fn serf_leaves() {
        let serf = Serf::start("s1", None, &[]);
        let rust = joined(&serf, None);
        serf.run("leave", &[]).expect("serf leave");
        let departed = rust.expect_node("departed", "s1");
        assert_eq!(departed["reason"]["kind"], "left", "{departed}");
    }

    /// Without delegate versions both sides refuse, and ours says why.
    fn delegate_versions_do_not_match() {
        let serf = Serf::start("s1", None, &[]);
        let rust = Launch::agent("rust").start();
        let reply = rust.ask(&format!("join {}", serf.addr()));
        assert_eq!(reply["joined"], 0, "{reply}");
        let error = reply["failed"][0]["error"].as_str().unwrap_or_default();
        assert!(error.contains("version"), "{reply}");
        assert_eq!(rust.member_names(), ["rust"]);
        let members = serf.members().expect("serf answers");
        assert_eq!(members.len(), 1, "{members:?}");
    }
}
