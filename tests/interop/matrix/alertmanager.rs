//! A cell of our agent and Alertmanager, whose messages and states are about silences. A silence that
//! it did not create itself, it has learned from us.

use std::path::Path;

use memberlist_tests::matrix::{Cell, Joins, Record};
use memberlist_tests::{Alertmanager, Launch, Node, to_hex};
use serde_json::Value;

/// How both are started.
#[derive(Clone, Copy)]
pub(crate) struct Setting<'a> {
    pub(crate) cell: Cell,
    /// The file for TLS between them, if they use it.
    pub(crate) tls: Option<&'a Path>,
}

pub(crate) fn walk(setting: Setting<'_>, record: &mut Record) {
    let rust = launch(setting).start();
    let peer = pair(setting, &rust);
    record.check("join: address, versions", || known(&peer, &rust));
    record.check("metadata updates, from Rust", || {
        rust.tell("meta changed");
        peer.process().wait_text("NotifyUpdate node=rust");
    });
    let silence = record.check("broadcasts", || broadcasts(&peer, &rust));
    record.check("best-effort messages, from Rust", || {
        teach(&peer, &rust, &format!("send-hex {}", peer.name()), &silence, 2);
    });
    record.check("reliable messages", || {
        announced(&peer, &rust, &"too long for a packet ".repeat(100), "stream");
        teach(&peer, &rust, &format!("send-reliable-hex {}", peer.name()), &silence, 3);
    });
    record.check("user state", || user_state(&peer, &rust, &silence.id));
    record.check("round trips", || {
        let reply = rust.tell(&format!("ping {}", peer.name()));
        assert!(reply["rtt_ms"].as_f64().is_some_and(|rtt| rtt > 0.0), "{reply}");
    });
    let rust = record.check("kill -9 of Rust, and its return", || {
        let (addr, loopback) = rust.into_address();
        match setting.tls {
            None => peer.until_peer("rust", false),
            // Over TLS, it suspects the member only if a ping was lost on a connection that still stood.
            // One that it could not send it takes for a failure of its own, and leaves it to others to
            // find the member dead; here there are none.
            Some(_) => peer.process().wait_text("connect: connection refused"),
        }
        returned(&peer, launch(setting).bind(addr).keeping(loopback))
    });
    let rust = record.check("Rust leaves and returns elsewhere", || {
        rust.tell("leave");
        peer.until_peer("rust", false);
        peer.process().wait_text("peer left");
        assert!(rust.quit().success());
        returned(&peer, launch(setting))
    });
    record.check("kill -9 of the peer", || {
        let name = peer.name();
        peer.process().kill();
        rust.expect_node("suspected", &name);
        let departed = rust.expect_node("departed", &name);
        assert_eq!(departed["reason"]["kind"], "failed", "{departed}");
    });
    // It returns under another name, as always.
    let peer = pair(setting, &rust);
    known(&peer, &rust);
    record.check("the peer leaves", || {
        let name = peer.name();
        peer.process().signal("TERM");
        let departed = rust.expect_node("departed", &name);
        assert_eq!(departed["reason"]["kind"], "left", "{departed}");
    });
}

fn launch(Setting { cell, tls }: Setting<'_>) -> Launch {
    let launch = Launch::agent("rust").compression(cell.compression);
    let launch = launch.flag("--protocol-version", cell.version).delegate_version([0, 0, 0]);
    match tls {
        Some(file) => launch.flag("--tls-config", file.display()),
        None => launch,
    }
}

fn pair(Setting { cell, tls }: Setting<'_>, rust: &Node) -> Alertmanager {
    let start = |peer| match tls {
        Some(file) => Alertmanager::over_tls(peer, |_| file.into()),
        None => Alertmanager::start(peer),
    };
    match cell.joins {
        Joins::Rust => {
            let peer = start(None);
            rust.join(peer.addr());
            peer
        }
        Joins::Peer => start(Some(rust.addr())),
    }
}

fn known(peer: &Alertmanager, rust: &Node) {
    peer.until_peer("rust", true);
    let joined = rust.expect_node("joined", &peer.name());
    assert_eq!(joined["node"]["addr"], peer.addr().to_string());
    assert_eq!(joined["node"]["versions"][2], 2);
}

fn returned(peer: &Alertmanager, launch: Launch) -> Node {
    let rust = launch.start();
    rust.join(peer.addr());
    peer.until_peer("rust", true);
    rust
}

/// A silence, with Alertmanager's message about it.
pub(crate) struct Silence {
    pub(crate) id: String,
    pub(crate) hex: String,
}

/// Creates a silence, and waits for Alertmanager's message about it on `channel`.
pub(crate) fn announced(peer: &Alertmanager, rust: &Node, comment: &str, channel: &str) -> Silence {
    let id = peer.create_silence(comment);
    let [part, hex] = [b"sil".as_slice(), id.as_bytes()].map(to_hex);
    let message = rust.expect("message", |event| contains(event, &part) && contains(event, &hex));
    assert_eq!(message["channel"], channel);
    Silence { id, hex: message["hex"].as_str().expect("bytes").to_owned() }
}

pub(crate) fn contains(event: &Value, part: &str) -> bool {
    event["hex"].as_str().is_some_and(|hex| hex.contains(part))
}

fn broadcasts(peer: &Alertmanager, rust: &Node) -> Silence {
    let silence = announced(peer, rust, "quiet", "packet");
    teach(peer, rust, "broadcast-hex", &silence, 1);
    silence
}

/// Sends Alertmanager a silence like this one with an unknown id.
pub(crate) fn teach(peer: &Alertmanager, rust: &Node, how: &str, silence: &Silence, number: u32) {
    let (id, hex) = renamed(&silence.hex, &silence.id, number);
    rust.tell(&format!("{how} {hex}"));
    peer.until_silence(&id);
}

/// The same bytes with another id.
pub(crate) fn renamed(hex: &str, id: &str, number: u32) -> (String, String) {
    let fresh = format!("{number:08}-0000-4000-8000-000000000000");
    assert_eq!(fresh.len(), id.len(), "{id}");
    let replaced = hex.replace(&to_hex(id.as_bytes()), &to_hex(fresh.as_bytes()));
    (fresh, replaced)
}

fn user_state(peer: &Alertmanager, rust: &Node, id: &str) {
    let mark = rust.mark();
    rust.join(peer.addr());
    let hex = to_hex(id.as_bytes());
    let state = rust.expect_after(mark, "remote_state", |event| contains(event, &hex));
    let (fresh, state) = renamed(state["hex"].as_str().expect("bytes"), id, 4);
    rust.tell(&format!("state-hex {state}"));
    rust.join(peer.addr());
    peer.until_silence(&fresh);
}
