//! The key of a cluster is rotated while its members communicate.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use memberlist_tests::{Launch, Node, Serf, to_hex};

use crate::msgpack::{tags, user_event};
use crate::{KEY, live};

const NEW_KEY: &[u8] = b"the new key has thirty-two bytes";

/// The steps of a rotation. Between the steps of the two sides, their keys differ.
const STEPS: [&str; 3] = ["add", "use", "remove"];

fn step(node: &Node, verb: &str) -> String {
    let key = BASE64.encode(if verb == "remove" { KEY } else { NEW_KEY });
    let reply = node.tell(&format!("keys {verb} {key}"));
    reply["keys"].to_string()
}

/// Sends messages in both directions by gossip, by packet and by stream.
fn talk(rust: &Node, go: &Node, about: &str) {
    for (from, to) in [(rust, go), (go, rust)] {
        for how in
            ["broadcast", &format!("send {}", to.name()), &format!("send-reliable {}", to.name())]
        {
            let text = format!("{how} from {} {about}", from.name());
            from.tell(&format!("{how} {text}"));
            to.expect_message(text.as_bytes());
        }
    }
}

/// Rotates the key, with `first` first at every step, so that for a while the two encrypt with
/// different keys.
fn rotate(first: &Node, second: &Node) {
    let (rust, go) = if first.name() == "rust" { (first, second) } else { (second, first) };
    go.join(rust.addr());
    rust.expect_node("joined", "go");
    talk(rust, go, "before");
    for verb in STEPS {
        for node in [first, second] {
            step(node, verb);
            talk(rust, go, &format!("after {} of {}", verb, node.name()));
            // And a full state exchange.
            rust.join(go.addr());
        }
    }
    let only = format!("[\"{}\"]", BASE64.encode(NEW_KEY));
    for node in [rust, go] {
        assert_eq!(node.tell("keys list")["keys"].to_string(), only);
        assert_eq!(node.count("departed", |_| true), 0, "{}", node.transcript());
    }
    assert_eq!(rust.count("suspected", |_| true), 0, "{}", rust.transcript());
}

/// Serf asks every member by a query, which our node does not answer. Serf reports that, and changes
/// its own ring nevertheless.
fn serf_step(serf: &Serf, verb: &str, key: &[u8]) {
    let complaint = serf
        .run("keys", &[&format!("-{verb}={}", BASE64.encode(key))])
        .expect_err("our node is no Serf and does not answer");
    assert!(complaint.contains("1/2"), "{complaint}");
}

fn events(serf: &Serf, rust: &Node, number: u64) {
    let name = format!("from-serf-{number}");
    serf.run("event", &[&name, "x"]).expect("serf event");
    let hex = to_hex(name.as_bytes());
    rust.expect("message", |event| event["hex"].as_str().is_some_and(|all| all.contains(&hex)));
    let name = format!("from-rust-{number}");
    rust.tell(&format!("broadcast-hex {}", to_hex(&user_event(100, &name, b"x"))));
    serf.process().wait_text(&format!("user-event: {name}"));
    rust.join(serf.addr());
}

live! {
    fn rotation_with_go_rust_first() {
        let rust = Launch::agent("rust").key(Some(KEY)).start();
        let go = Launch::go("go").key(Some(KEY)).start();
        rotate(&rust, &go);
    }

    fn rotation_with_go_go_first() {
        let rust = Launch::agent("rust").key(Some(KEY)).start();
        let go = Launch::go("go").key(Some(KEY)).start();
        rotate(&go, &rust);
    }

    fn rotation_with_serf() {
        let serf = Serf::start("s1", Some(KEY), &[]);
        let rust = Launch::agent("rust").key(Some(KEY)).delegate_version([2, 5, 5]);
        let rust = rust.meta(&tags(&[("role", "rust")])).start();
        rust.join(serf.addr());
        serf.until_member("rust", "alive", |_| true);
        events(&serf, &rust, 0);
        for (number, (ours, theirs)) in (1..).zip(STEPS.iter().zip(["install", "use", "remove"])) {
            serf_step(&serf, theirs, if theirs == "remove" { KEY } else { NEW_KEY });
            events(&serf, &rust, 2 * number - 1);
            step(&rust, ours);
            events(&serf, &rust, 2 * number);
        }
        // Both have the new key only.
        let only = format!("[\"{}\"]", BASE64.encode(NEW_KEY));
        assert_eq!(rust.tell("keys list")["keys"].to_string(), only);
        for (key, joined) in [(KEY, 0), (NEW_KEY, 1)] {
            let late = Launch::agent("late").key(Some(key)).delegate_version([2, 5, 5]);
            let reply = late.start().ask(&format!("join {}", serf.addr()));
            assert_eq!(reply["joined"], joined, "{reply}");
        }
        assert_eq!(rust.count("suspected", |_| true), 0, "{}", rust.transcript());
        serf.until_member("rust", "alive", |_| true);
    }
}
