//! What recordings explain, of simulations in which the truth is known.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use memberlist_proto::Key;
use memberlist_record::explain::{AlignedBy, Alignment, Chronicle, Delivery, Place, Said, Why};
use memberlist_record::{Recording, Replay, ReplayOptions};
use memberlist_sim::{NodeId, Sim};
use memberlist_tests::{agent_binary, scratch};
use serde_json::Value;

use crate::{KEY, base64, cluster, replay, secs};

const NAMES: [&str; 4] = ["n1", "n2", "n3", "n4"];

/// Four nodes that know each other, recorded.
fn four(folder: &Path) -> (Sim, Vec<NodeId>) {
    let mut sim = Sim::new(21);
    sim.record(folder).expect("a folder");
    let nodes = cluster(&mut sim, &NAMES);
    sim.run_for(secs(10));
    sim.agreement().expect("four members");
    (sim, nodes)
}

/// Lets time pass until the third node is no member for any other.
fn gone(sim: &mut Sim, nodes: &[NodeId]) {
    let is_gone = |sim: &Sim, it: usize| sim.node(nodes[it]).num_members() == 3;
    for _ in 0..600 {
        if [0, 1, 3].into_iter().all(|it| is_gone(sim, it)) {
            return;
        }
        sim.run_for(Duration::from_millis(100));
    }
    panic!("it is still a member");
}

fn chronicle(path: &Path) -> Chronicle {
    let recording = Recording::open(path).expect("segments");
    let keys = vec![Key::new(&KEY).expect("16 bytes")];
    let options = ReplayOptions { keys, ..ReplayOptions::default() };
    let mut replay = Replay::new(&recording.sessions[0], &options).expect("a checkpoint");
    let (chronicle, end) = Chronicle::read(&mut replay);
    end.expect("whole");
    assert_eq!((chronicle.differs, chronicle.unverified), (0, 0));
    chronicle
}

fn chronicles(folder: &Path) -> Vec<Chronicle> {
    NAMES.iter().map(|name| chronicle(&folder.join(name))).collect()
}

fn paths(folder: &Path) -> Vec<PathBuf> {
    NAMES.iter().map(|name| folder.join(name)).collect()
}

/// Runs `memberlist replay` over all four.
fn together(folder: &Path, more: &[&str]) -> Value {
    let mut command = Command::new(agent_binary());
    command.arg("replay").args(paths(folder)).args(["--json", "--key", &base64(&KEY)]).args(more);
    let output = command.output().expect("the program runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The virtual clocks of a simulation are one: what the messages say of them is right to the longest
/// time that a packet was under way.
#[test]
fn simulated_nodes_are_aligned_and_nothing_is_lost() {
    let folder = scratch("aligned");
    let (sim, _) = four(&folder);
    drop(sim);
    let all = chronicles(&folder);
    let alignment = Alignment::of(&all);
    assert_eq!(alignment.drift(), None);
    let mut received = 0;
    for (node, chronicle) in all.iter().enumerate() {
        let expected = if node == 0 { AlignedBy::Reference } else { AlignedBy::Messages };
        assert_eq!(alignment.aligned_by(node), expected);
        let same = alignment.time(node, all[0].born_at());
        assert!(same.abs() < 5_000_000, "{}: {same} ns", chronicle.node);
        for (moment, it) in chronicle.moments.iter().enumerate() {
            for sent in 0..it.sent.len() {
                let place = Place { node, moment, sent };
                if let Delivery::Received { node: to, moment } = alignment.delivery(place) {
                    let sent = alignment.time(node, it.at);
                    let arrived = alignment.time(to, all[to].moments[moment].at);
                    assert!(arrived >= sent, "{sent} {arrived}");
                    received += 1;
                }
            }
        }
    }
    assert!(received > 50, "{received}");
    let lost: u64 = alignment.losses().iter().map(|link| link.lost).sum();
    assert_eq!(lost, 0, "{:?}", alignment.losses());
    assert_eq!(alignment.losses().len(), 12, "each to each");
    let _ = fs::remove_dir_all(folder);
}

/// Only what the third node sends to the first is lost: its acks. The first learns through helpers that
/// it lives, and afterwards, cut from all, it is considered dead.
#[test]
fn the_acks_of_a_partition_are_found_at_both_ends() {
    let folder = scratch("partition");
    let (mut sim, nodes) = four(&folder);
    sim.network().cut(nodes[2], nodes[0]);
    sim.run_for(secs(15));
    for other in [0, 1, 3] {
        sim.network().cut(nodes[2], nodes[other]);
    }
    gone(&mut sim, &nodes);
    drop(sim);

    let all = chronicles(&folder);
    let alignment = Alignment::of(&all);
    let why = Why::of(&all, &alignment, "n3", None, &|at| at.to_string());
    for account in why.accounts.iter().filter(|it| it.observer != "n3") {
        let row = account.row.as_ref().expect("known");
        assert_eq!(row.state.to_string(), "dead");
        let reason = row.departure.as_ref().expect("it departed").to_string();
        let all: Vec<&str> = account.accusers.iter().map(String::as_str).collect();
        assert!(!all.is_empty() && all.iter().all(|it| ["n1", "n2", "n4"].contains(it)), "{all:?}");
        let ran_out = format!("its suspicion ran out, accused by {}", all.join(", "));
        let declared = ["n1", "n2", "n4"].map(|it| format!("declared dead by {it}"));
        assert!(reason == ran_out || declared.contains(&reason), "{reason}, {all:?}");
        assert!(!account.unanswered.is_empty());
        assert!(account.missing.iter().any(|it| it.contains("no refutation")), "{account:?}");
    }
    // Whatever the accounts say was lost was sent by the third node, received by no node, and is an
    // ack or its refutation; and each ack of an unanswered probe is among it.
    assert!(why.lost.iter().all(|lost| lost.from == "n3"), "{:?}", why.lost);
    let first = &why.accounts[0];
    for probe in &first.unanswered {
        let ack = format!("ack {}", probe.seq);
        let found = why.lost.iter().any(|lost| lost.message == ack && lost.to == "n1");
        assert!(found, "{ack} in {:?}", why.lost);
    }
    let said =
        |text: &str| why.lines.iter().any(|line| line.node == "n1" && line.text.contains(text));
    assert!(said("n3 sent its ack at") && said("n1 never received it"), "{:#?}", why.lines);
    assert!(said("answered by a nack"), "{:#?}", why.lines);
    for link in alignment.losses() {
        assert_eq!(link.lost > 0, link.from == 2, "{link:?}");
    }

    let json = together(&folder, &["--why", "n3"]);
    let lost = json["lost"].as_array().expect("a list");
    assert_eq!(lost.len(), why.lost.len());
    let json = together(&folder, &[]);
    assert_eq!(json["nodes"][1]["aligned_by"], "messages");
    assert_eq!(json["nodes"][1]["members"], 3);
    let _ = fs::remove_dir_all(folder);
}

#[test]
fn a_killed_node_has_its_accusers_and_its_recording_ends() {
    let folder = scratch("killed");
    let (mut sim, nodes) = four(&folder);
    sim.crash(nodes[2]);
    gone(&mut sim, &nodes);
    drop(sim);
    let all = chronicles(&folder);
    let alignment = Alignment::of(&all);
    let why = Why::of(&all, &alignment, "n3", None, &|at| at.to_string());
    assert!(why.lost.is_empty(), "{:?}", why.lost);
    let first = &why.accounts[0];
    assert_eq!(first.row.as_ref().map(|row| row.state.to_string()).as_deref(), Some("dead"));
    let departure = first.row.as_ref().and_then(|row| row.departure.as_ref());
    let departure = departure.expect("it departed").to_string();
    let accusers = first.accusers.join(", ");
    assert_eq!(departure, format!("its suspicion ran out, accused by {accusers}"));
    // The third node itself says nothing of it, and where the others' pings went is known.
    let ended = |text: &str| text.contains("the recording of n3 had ended");
    assert!(why.lines.iter().any(|line| line.node == "n1" && ended(&line.text)));
    // In the middle of it, it is suspected and no more.
    let since = first.since.expect("during the recording");
    let before =
        since.saturating_duration_since(all[0].born_at()).saturating_sub(Duration::from_millis(10));
    let until = format!("{}ms", before.as_millis());
    let key: &[&[u8]] = &[&KEY];
    let (json, result) = replay(&folder.join("n1"), key, &["--why", "n3", "--until", &until]);
    assert_eq!(result, Ok(()));
    assert_eq!(json["observers"][0]["state"], "suspect", "{json}");
    let (json, result) = replay(&folder.join("n1"), key, &["--diff", &until, "60s"]);
    assert_eq!(result, Ok(()));
    assert_eq!(json["changes"].as_array().map(Vec::len), Some(1), "{json}");
    assert_eq!(json["changes"][0]["before"]["state"], "suspect");
    assert_eq!(json["changes"][0]["after"]["state"], "dead");
    let (_, result) = replay(&folder.join("n1"), key, &["--why", "stranger"]);
    assert!(result.expect_err("unknown").contains("no recorded node ever knew \"stranger\""));
    let _ = fs::remove_dir_all(folder);
}

/// The words that drive `--step`, and what each shows.
#[test]
fn a_recording_is_stepped_through_by_lines() {
    let folder = scratch("steps");
    let (mut sim, nodes) = four(&folder);
    sim.crash(nodes[2]);
    gone(&mut sim, &nodes);
    drop(sim);
    let show = |commands: &str| {
        let mut command = Command::new(agent_binary());
        command.arg("replay").arg(folder.join("n1")).args(["--step", "--key", &base64(&KEY)]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the program runs");
        let mut stdin = child.stdin.take().expect("piped");
        std::io::Write::write_all(&mut stdin, commands.as_bytes()).expect("read");
        drop(stdin);
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success());
        String::from_utf8(output.stdout).expect("text")
    };
    let first = show("q\n");
    assert!(first.starts_with("#0 "), "{first}");
    assert_eq!(show(""), first);
    let two = show("\n");
    assert!(two.starts_with(&first) && two.contains("\n#1 "), "{two}");
    assert!(show("\n\nb\nf\n").ends_with(&first));
    let joined = show("c\n");
    assert!(joined.contains("    table   ") && joined.contains(": new, alive"), "{joined}");
    let suspected = show("w alive → suspect\nm\n");
    assert!(suspected.contains("n3: alive → suspect"), "{suspected}");
    assert!(suspected.contains(": suspect, incarnation 1, accused by"), "{suspected}");
    assert!(show("w no such thing\n").ends_with("the end of the recording\n"));
    assert!(show("?\n").contains("an empty line"));
    let _ = fs::remove_dir_all(folder);
}

/// A number of a lost ack, to be sure that the messages are read at all.
#[test]
fn messages_of_both_directions_are_read() {
    let folder = scratch("read");
    let (sim, _) = four(&folder);
    drop(sim);
    let one = chronicle(&folder.join("n1"));
    let heard = |kind: &str| {
        one.moments.iter().flat_map(|it| &it.heard).filter(|it| it.kind() == kind).count()
    };
    let sent = |kind: &str| {
        let sent = one.moments.iter().flat_map(|it| &it.sent);
        sent.flat_map(|it| &it.said).filter(|it| it.kind() == kind).count()
    };
    for kind in ["ping", "ack", "alive", "push/pull"] {
        assert!(heard(kind) > 0 && sent(kind) > 0, "{kind}");
    }
    let named = |said: &Said| matches!(said, Said::Ping { node, by, .. } if node == "n1" && NAMES.contains(&by.as_str()));
    assert!(one.moments.iter().flat_map(|it| &it.heard).any(named));
    let _ = fs::remove_dir_all(folder);
}
