//! The whole of an incident, live: an encrypted cluster on all runtimes, with traffic, of which one is
//! killed, the key changes, and one is cut off. What each recording says of it is compared with what
//! happened.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use memberlist_tests::{Launch, Line, Node, agent_binary, eventually, scratch};
use serde_json::Value;

use crate::live::{NEW, OLD, launch, rotate, size};
use crate::{base64, replay, verified};

const KEYS: &[&[u8]] = &[NEW, OLD];

/// `left`, `hub` and `right` on three runtimes, and another at the hub, which will be killed. What
/// `hub` keeps is small: its ring loses its beginning.
fn cluster(line: &Line, folder: &Path) -> Vec<Node> {
    line.forward(true);
    let mut other = line.hub.addr();
    other.set_port(7947);
    let places = [("left", &line.left), ("hub", &line.hub), ("right", &line.right)];
    let runtimes = ["tokio", "async-std", "smol"];
    let mut nodes: Vec<Node> = places
        .iter()
        .zip(runtimes)
        .map(|((name, place), runtime)| {
            let mut launch = launch(name, runtime, &folder.join(name)).retransmit(12);
            if *name == "hub" {
                launch = launch.flag("--record-max", "1MiB");
            }
            launch.inside(place).start()
        })
        .collect();
    let victim: Launch = launch("victim", "tokio", &folder.join("victim")).retransmit(12);
    nodes.push(victim.inside(&line.hub).bind(other).start());
    for node in [&nodes[0], &nodes[2], &nodes[3]] {
        node.join(line.hub.addr());
    }
    for node in &nodes {
        eventually("four members", || match node.member_names().len() {
            4 => Ok(()),
            other => Err(format!("{other}")),
        });
    }
    nodes
}

/// More than the ring of the second can hold, of letters that do not compress well.
fn fill(nodes: &[Node]) {
    let mut state = 1_u32;
    let mut letter = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b'a' + (state >> 16) as u8 % 26)
    };
    for _ in 0..1500 {
        let text: String = (0..1000).map(|_| letter()).collect();
        nodes[0].tell(&format!("send hub {text}"));
        nodes[2].tell(&format!("send hub {text}"));
    }
}

/// Everything that leaves the right end is lost there, silently, and what is sent to it arrives.
fn mute(line: &Line) {
    line.right.run("tc qdisc add dev eth0 root tbf rate 8bit burst 10b limit 10b");
}

/// `memberlist replay` of several recordings.
fn together(paths: &[PathBuf], more: &[&str]) -> Value {
    let mut command = Command::new(agent_binary());
    command.arg("replay").args(paths).arg("--json").args(more);
    for key in KEYS {
        command.args(["--key", &base64(key)]);
    }
    let output = command.output().expect("the program runs");
    let error = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{error}"))
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().expect("a list").iter().filter_map(Value::as_str).collect()
}

/// What an observer's account in `--why` says is what its event said.
#[track_caller]
fn agrees(account: &Value, departed: &Value) {
    assert_eq!(account["state"], "dead", "{account}");
    let reason = &departed["reason"];
    assert_eq!(reason["kind"], "failed", "{departed}");
    let departure = account["departure"].as_str().unwrap_or_default();
    if reason["declared"] == true {
        let by = reason["by"].as_str().expect("a name");
        assert_eq!(departure, format!("declared dead by {by}"), "{account}");
    } else {
        assert_eq!(names(&account["accusers"]), names(&reason["accusers"]), "{account} {departed}");
        assert!(departure.starts_with("its suspicion ran out"), "{account}");
    }
}

/// What was lost between the members, by the names of the sender and the receiver.
fn lost<'a>(why: &'a Value, from: &str, to: &str) -> Vec<&'a str> {
    let all = why["lost"].as_array().expect("a list").iter();
    let between = all.filter(|it| it["from"] == from && it["to"] == to);
    between.filter_map(|it| it["message"].as_str()).collect()
}

/// The third received the pings of an unanswered probe, and its acks are known to be lost.
fn acks_are_lost(why: &Value, observer: usize) {
    let account = &why["observers"][observer];
    let name = account["observer"].as_str().expect("a name");
    let lost = lost(why, "right", name);
    let unanswered = account["unanswered"].as_array().expect("a list");
    assert!(!unanswered.is_empty(), "{account}");
    let found =
        unanswered.iter().filter(|it| lost.contains(&format!("ack {}", it["seq"]).as_str()));
    // Later ones may not have reached it: without its answers its neighbors forget where it is.
    assert!(found.count() > 0, "{unanswered:?} {lost:?}");
    let lines = why["lines"].as_array().expect("a list").iter();
    let text = "right sent its ack at";
    let never = format!("{name} never received it");
    let said = lines.filter(|it| it["node"] == name).filter_map(|it| it["text"].as_str());
    assert!(said.clone().any(|it| it.contains(text) && it.contains(&never)), "{why}");
}

#[test]
#[ignore = "needs root and a quiet machine: cargo nextest run -p memberlist-tests \
            --run-ignored only --test recording; CI runs this"]
fn an_incident_is_explained_by_what_was_recorded_of_it() {
    let folder = scratch("incident");
    let line = Line::start();
    let nodes = cluster(&line, &folder);
    let paths: Vec<PathBuf> =
        ["left", "hub", "right", "victim"].iter().map(|name| folder.join(name)).collect();
    fill(&nodes);
    eventually("the victim's records on disk", || {
        let bytes = size(&paths[3]);
        if bytes > 8 << 10 { Ok(()) } else { Err(format!("{bytes} bytes")) }
    });
    nodes[3].kill();
    let killed: Vec<Value> =
        nodes[..3].iter().map(|node| node.expect_node("departed", "victim")).collect();
    rotate(&nodes[..3], ["hub", "right"]);
    mute(&line);
    let cut: Vec<Value> =
        nodes[..2].iter().map(|node| node.expect_node("departed", "right")).collect();
    // A block is written after a second, and the end when it quits.
    for node in &nodes[..3] {
        assert!(node.quit().success());
    }

    let from_birth: Vec<bool> = paths[..3]
        .iter()
        .map(|path| verified(path, KEYS)["from_birth"].as_bool().expect("a flag"))
        .collect();
    assert_eq!(from_birth, [true, false, true], "the ring of the second has lost its beginning");
    let (summary, _) = replay(&paths[3], KEYS, &[]);
    assert_eq!(summary["differs"], 0, "{summary}");

    // Each for itself, as its own event had it; also from the middle.
    for (path, departed) in paths.iter().zip(&killed) {
        let (why, result) = replay(path, KEYS, &["--why", "victim"]);
        assert_eq!(result, Ok(()), "{why}");
        agrees(&why["observers"][0], departed);
    }
    for (path, departed) in paths.iter().zip(&cut) {
        let since = {
            let (why, _) = replay(path, KEYS, &["--why", "right"]);
            agrees(&why["observers"][0], departed);
            why["observers"][0]["since_ms"].as_i64().expect("during the recording")
        };
        let from = format!("{}ms", since - 8000);
        let (why, result) = replay(path, KEYS, &["--why", "right", "--from", &from]);
        assert_eq!(result, Ok(()), "{why}");
        agrees(&why["observers"][0], departed);
    }

    let why = together(&paths[..3], &["--why", "right"]);
    acks_are_lost(&why, 0);
    acks_are_lost(&why, 1);
    for link in why["links"].as_array().expect("a list") {
        let lost = link["lost"].as_u64().expect("a count");
        if link["from"] == "right" {
            assert!(lost > 0, "{link}");
        }
        // What the others sent to each other has arrived.
        if link["from"] != "right" && link["to"] != "right" {
            assert_eq!(lost, 0, "{link}");
        }
    }
    let why = together(&paths, &["--why", "victim"]);
    for (account, departed) in why["observers"].as_array().expect("a list").iter().zip(&killed) {
        agrees(account, departed);
    }
    let _ = fs::remove_dir_all(folder);
}
