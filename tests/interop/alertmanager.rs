//! Our agent in a cluster of Alertmanager, which has no encryption of this kind.

use memberlist_tests::{Alertmanager, Launch, Node, to_hex};

use crate::live;

fn agent() -> Launch {
    Launch::agent("rust").delegate_version([0, 0, 0])
}

fn joined() -> (Alertmanager, Node) {
    let alertmanager = Alertmanager::start(None);
    let rust = agent().flag("--join", alertmanager.addr()).start();
    alertmanager.until_peer("rust", true);
    rust.expect_node("joined", &alertmanager.name());
    (alertmanager, rust)
}

fn hears_of_silences(alertmanager: &Alertmanager, rust: &Node) {
    for comment in ["quiet".to_owned(), "too long for a packet ".repeat(100)] {
        let id = to_hex(alertmanager.create_silence(&comment).as_bytes());
        let part = to_hex(b"sil");
        rust.expect("message", |event| {
            let hex = event["hex"].as_str().unwrap_or_default();
            hex.contains(&part) && hex.contains(&id)
        });
    }
}

live! {
    fn rust_joins() {
        let (alertmanager, rust) = joined();
        hears_of_silences(&alertmanager, &rust);
        // Its state is a protobuf of two parts: notifications and silences.
        let part = to_hex(b"sil");
        rust.expect("remote_state", |event| {
            event["hex"].as_str().is_some_and(|hex| hex.contains(&part))
        });
    }

    fn alertmanager_joins() {
        let rust = agent().start();
        let alertmanager = Alertmanager::start(Some(rust.addr()));
        alertmanager.until_peer("rust", true);
        rust.expect_node("joined", &alertmanager.name());
        hears_of_silences(&alertmanager, &rust);
    }

    /// What one Alertmanager knows reaches another through our node alone: it passes on the
    /// state it was given.
    fn a_silence_is_learnt_from_our_state() {
        let (alertmanager, rust) = joined();
        let id = alertmanager.create_silence("handed on");
        let other = Launch::agent("other").delegate_version([0, 0, 0]).start();
        other.join(alertmanager.addr());
        let hex = to_hex(id.as_bytes());
        let state = other.expect("remote_state", |event| {
            event["hex"].as_str().is_some_and(|state| state.contains(&hex))
        });
        drop((alertmanager, rust));

        let state = state["hex"].as_str().expect("bytes");
        other.tell(&format!("state-hex {state}"));
        let fresh = Alertmanager::start(Some(other.addr()));
        fresh.until_silence(&id);
    }

    fn alertmanager_notices_a_killed_rust() {
        let (alertmanager, rust) = joined();
        rust.kill();
        alertmanager.until_peer("rust", false);
    }

    fn rust_notices_a_killed_alertmanager() {
        let (alertmanager, rust) = joined();
        let name = alertmanager.name();
        alertmanager.process().kill();
        let departed = rust.expect_node("departed", &name);
        assert_eq!(departed["reason"]["kind"], "failed", "{departed}");
    }

    fn rust_leaves() {
        let (alertmanager, rust) = joined();
        rust.tell("leave");
        alertmanager.until_peer("rust", false);
        alertmanager.process().wait_text("peer left");
    }

    fn alertmanager_leaves() {
        let (alertmanager, rust) = joined();
        let name = alertmanager.name();
        alertmanager.process().signal("TERM");
        let departed = rust.expect_node("departed", &name);
        assert_eq!(departed["reason"]["kind"], "left", "{departed}");
    }
}
