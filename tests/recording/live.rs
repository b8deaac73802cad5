//! Agents on all runtimes, encrypted, under traffic: one is killed, and the key changes.

use std::fs;
use std::path::{Path, PathBuf};

use memberlist_tests::{Launch, Node, eventually, scratch};

use crate::{base64, replay, verified};

pub(crate) const OLD: &[u8] = &[1; 32];
pub(crate) const NEW: &[u8] = &[2; 32];
const RUNTIMES: [&str; 3] = ["tokio", "async-std", "smol"];

/// Full states are work for other threads, and done in parts, as with thousands of members.
pub(crate) fn launch(name: &str, runtime: &str, folder: &Path) -> Launch {
    Launch::agent(name)
        .key(Some(OLD))
        .flag("--runtime", runtime)
        .flag("--record", folder.display())
        .flag("--set", "limits.records_at_once=1")
        .flag("--set", "limits.bytes_at_once=32")
}

/// One agent on each runtime and another that is recorded until it is killed.
fn cluster(folder: &Path) -> (Vec<Node>, Vec<PathBuf>) {
    let names = ["a", "b", "c", "victim"];
    let folders: Vec<PathBuf> = names.iter().map(|name| folder.join(name)).collect();
    let runtimes = RUNTIMES.into_iter().cycle();
    let nodes: Vec<Node> = names
        .iter()
        .zip(runtimes)
        .zip(&folders)
        .map(|((name, runtime), folder)| {
            launch(name, runtime, folder).flag("--set", "push_pull_interval=1s").start()
        })
        .collect();
    for node in &nodes[1..] {
        node.join(nodes[0].addr());
    }
    for node in &nodes {
        eventually("four members", || match node.member_names().len() {
            4 => Ok(()),
            other => Err(format!("{other}")),
        });
    }
    (nodes, folders)
}

pub(crate) fn size(folder: &Path) -> u64 {
    let files = fs::read_dir(folder).expect("a folder");
    files.map(|it| it.expect("one").metadata().expect("one").len()).sum()
}

/// Messages by packet and by stream. The first sends to the second, and the second pings the third.
pub(crate) fn traffic(nodes: &[Node], text: &str, [second, third]: [&str; 2]) {
    for node in nodes {
        node.tell(&format!("broadcast {text} of {}", node.name()));
    }
    nodes[0].tell(&format!("send-reliable {second} {text} by stream"));
    nodes[1].expect_message(format!("{text} by stream").as_bytes());
    nodes[1].tell(&format!("ping {third}"));
}

/// Every node takes the new key into use and drops the old one.
pub(crate) fn rotate(nodes: &[Node], others: [&str; 2]) {
    for (verb, key) in [("add", NEW), ("use", NEW), ("remove", OLD)] {
        for node in nodes {
            node.tell(&format!("keys {verb} {}", base64(key)));
        }
        traffic(nodes, verb, others);
    }
}

#[test]
fn agents_replay_byte_for_byte_through_a_kill_and_a_key_rotation() {
    let folder = scratch("recording");
    let (nodes, folders) = cluster(&folder);
    traffic(&nodes, "before", ["b", "c"]);
    // A block is written after a second.
    eventually("the victim's records on disk", || {
        traffic(&nodes[..3], "meanwhile", ["b", "c"]);
        let bytes = size(&folders[3]);
        if bytes > 16 << 10 { Ok(()) } else { Err(format!("{bytes} bytes")) }
    });
    nodes[3].kill();
    for node in &nodes[..3] {
        let departed = node.expect_node("departed", "victim");
        assert_eq!(departed["reason"]["kind"], "failed");
    }
    rotate(&nodes[..3], ["b", "c"]);
    for node in &nodes[..3] {
        assert!(node.quit().success());
    }
    for folder in &folders[..3] {
        let summary = verified(folder, &[NEW, OLD]);
        assert_eq!(summary["from_birth"], true);
        assert!(summary["inputs"]["changes of keys"].as_u64() == Some(3), "{summary}");
        assert_eq!(summary["members"], 3, "{summary}");
    }
    // The killed node has lost its last second and has no end, and the rest replays.
    let (summary, result) = replay(&folders[3], &[OLD], &[]);
    assert_eq!(summary["differs"], 0, "{summary} {result:?}");
    assert!(summary["same"].as_u64() > Some(20), "{summary}");
    if let Err(error) = result {
        assert!(error.contains("in the middle of a block"), "{error}");
    }
    without_keys(&folders[0]);
    from_the_middle(&folders[1]);
    harmed(&folders[2]);
    let _ = fs::remove_dir_all(folder);
}

/// What is not encrypted is stepped through all the same, and what is missing is named.
fn without_keys(folder: &Path) {
    let (summary, result) = replay(folder, &[], &[]);
    assert_eq!(result, Ok(()), "{summary}");
    assert!(summary["unverified"].as_u64() > Some(0), "{summary}");
    assert!(summary["same"].as_u64() > Some(0), "{summary}");
    assert_eq!(summary["missing_keys"].as_array().map(Vec::len), Some(2), "{summary}");
}

/// Up to a moment, the victim is a member; and there is only one checkpoint to begin with.
fn from_the_middle(folder: &Path) {
    let all = verified(folder, &[NEW, OLD]);
    let half = all["to_ms"].as_u64().expect("milliseconds") / 2;
    let half = format!("{half}ms");
    let (first, result) = replay(folder, &[NEW, OLD], &["--from", &half, "--until", &half]);
    assert_eq!(result, Ok(()), "{first}");
    assert!(first["same"].as_u64() < all["same"].as_u64(), "{first}");
}

fn harmed(folder: &Path) {
    let file = fs::read_dir(folder).expect("a folder").next().expect("one").expect("one").path();
    let whole = fs::read(&file).expect("a segment");
    let keys: &[&[u8]] = &[NEW, OLD];
    let all = verified(folder, keys)["same"].as_u64();

    fs::write(&file, &whole[..whole.len() * 3 / 4]).expect("written");
    let (summary, result) = replay(&file, keys, &[]);
    assert!(result.expect_err("cut").contains("ends in the middle of a block"));
    assert!(summary["same"].as_u64() > Some(0) && summary["same"].as_u64() < all, "{summary}");
    explained_as_far_as_possible(&file, "ends in the middle of a block");

    let mut damaged = whole.clone();
    damaged[whole.len() * 3 / 4] ^= 1;
    fs::write(&file, &damaged).expect("written");
    let (summary, result) = replay(&file, keys, &[]);
    assert!(result.expect_err("damaged").contains("is damaged at byte"));
    assert!(summary["same"].as_u64() > Some(0) && summary["same"].as_u64() < all, "{summary}");
    explained_as_far_as_possible(&file, "is damaged at byte");

    fs::write(&file, b"something else").expect("written");
    for more in [&[][..], &["--why", "a"], &["--diff", "0s", "1h"]] {
        let (_, result) = replay(&file, keys, more);
        assert!(result.expect_err("foreign").contains("this is not a recording"));
    }
}

/// What explains a recording shows what can be read, and then fails with what is wrong.
fn explained_as_far_as_possible(file: &Path, wrong: &str) {
    let keys: &[&[u8]] = &[NEW, OLD];
    for more in [&["--why", "a"][..], &["--diff", "0s", "1h"]] {
        let (shown, result) = replay(file, keys, more);
        let error = result.expect_err("damaged");
        assert!(error.contains(wrong), "{error}");
        assert!(shown.is_object(), "{more:?}: {shown}");
    }
    let (explained, _) = replay(file, keys, &["--why", "a"]);
    assert_eq!(explained["observers"][0]["state"], "alive", "{explained}");
}

/// The smallest ring that the program takes, filled several times over.
#[test]
fn an_agent_replays_from_what_its_ring_has_left() {
    let folder = scratch("ring");
    let one = launch("one", "smol", &folder).flag("--record-max", "1MiB").start();
    let two = Launch::agent("two").key(Some(OLD)).start();
    two.join(one.addr());
    let text = "x".repeat(1000);
    for _ in 0..3000 {
        one.tell(&format!("send two {text}"));
        two.tell(&format!("send one {text}"));
    }
    assert!(one.quit().success());
    let bytes = size(&folder);
    assert!(bytes <= 1 << 20, "{bytes}");
    let summary = verified(&folder, &[OLD]);
    assert_eq!(summary["from_birth"], false, "{summary}");
    assert!(summary["checkpoints"].as_u64() > Some(3), "{summary}");
    let _ = fs::remove_dir_all(folder);
}
