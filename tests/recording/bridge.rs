//! A simulation is recorded as live nodes are.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use memberlist_proto::{Event, Key, Target};
use memberlist_record::{Recording, Replay, ReplayOptions, Verdict};
use memberlist_sim::Sim;
use memberlist_tests::{agent_binary, scratch};

use crate::{KEY, base64, cluster, secs, verified};

fn three(sim: &mut Sim) -> Vec<memberlist_sim::NodeId> {
    cluster(sim, &["one", "two", "three"])
}

#[test]
fn every_life_in_a_simulation_replays() {
    let folder = scratch("bridge");
    let mut sim = Sim::new(11);
    sim.record(&folder).expect("a folder");
    let nodes = three(&mut sim);
    sim.run_for(secs(20));
    sim.crash(nodes[2]);
    sim.run_for(secs(20));
    sim.restart(nodes[2], false);
    sim.run_for(secs(20));
    let members = sim.node(nodes[0]).num_members();
    drop(sim);
    for life in ["one", "two", "three", "three.2"] {
        let summary = verified(&folder.join(life), &[&KEY]);
        assert_eq!(summary["from_birth"], true);
        if life == "one" {
            assert_eq!(summary["members"].as_u64(), Some(members as u64));
        }
    }
    let _ = fs::remove_dir_all(folder);
}

/// A broken law ends the simulation by a panic, and the recordings are whole.
#[test]
fn a_simulation_that_fails_leaves_its_recordings() {
    let folder = scratch("failing");
    let path = folder.clone();
    let failed = catch_unwind(AssertUnwindSafe(move || {
        let mut sim = Sim::new(12);
        sim.record(&path).expect("a folder");
        three(&mut sim);
        sim.run_for(secs(5));
        panic!("the law that was broken");
    }));
    assert!(failed.is_err());
    let recording = Recording::open(folder.join("two")).expect("segments");
    let keys = vec![Key::new(&KEY).expect("16 bytes")];
    let options = ReplayOptions { keys, ..ReplayOptions::default() };
    let mut replay = Replay::new(&recording.sessions[0], &options).expect("a checkpoint");
    let mut steps = 0;
    while let Some(step) = replay.step().expect("whole") {
        assert_eq!(step.verdict, Verdict::Same);
        steps += 1;
    }
    assert!(steps > 10, "{steps}");
    assert_eq!(replay.node().num_members(), 3);
    let _ = fs::remove_dir_all(folder);
}

/// `memberlist replay` with something to write.
fn write(paths: &[PathBuf], more: &[&str]) -> String {
    let mut command = Command::new(agent_binary());
    command.arg("replay").args(paths).args(more).args(["--key", &base64(&KEY)]);
    let output = command.output().expect("the program runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    String::from_utf8(output.stdout).expect("text")
}

/// A recorded simulation in which the third node is first cut off from the first, then crashes.
fn incident(folder: &Path) -> Vec<PathBuf> {
    let mut sim = Sim::new(13);
    sim.record(folder).expect("a folder");
    let nodes = three(&mut sim);
    sim.run_for(secs(10));
    let to = Target::Member(sim.name(nodes[2]).clone());
    sim.try_operate(nodes[1], |node, now| node.send_reliable(now, to, b"confidential"))
        .expect("a member");
    sim.network().cut(nodes[2], nodes[0]);
    sim.run_for(secs(10));
    sim.network().heal();
    sim.run_for(secs(5));
    sim.crash(nodes[2]);
    for _ in 0..600 {
        if sim.node(nodes[0]).num_members() == 2 && sim.node(nodes[1]).num_members() == 2 {
            drop(sim);
            return ["one", "two", "three"].map(|name| folder.join(name)).to_vec();
        }
        sim.run_for(Duration::from_millis(100));
    }
    panic!("it is still a member");
}

/// A recording becomes a script, of all that was recorded and of one node alone; in the simulator the
/// same happens, and what did not matter for it is left out.
#[test]
fn a_recording_becomes_a_script_that_shows_the_event() {
    let folder = scratch("scenario");
    let paths = incident(&folder);
    let file = folder.join("scenario.txt");
    let out = file.to_str().expect("a path");
    for paths in [&paths[..], &paths[..1]] {
        write(paths, &["--scenario", out, "--event", "failed three"]);
        let text = fs::read_to_string(&file).expect("a script");
        memberlist_sim::script::run(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert!(text.contains("crash three"), "{text}");
        assert!(text.contains("until one reported dead of three"), "{text}");
        assert!(!text.contains("link "), "the cut did not matter: {text}");
    }
    let mut command = Command::new(agent_binary());
    command.arg("replay").args(&paths).args(["--scenario", out, "--event", "left three"]);
    let output = command.args(["--key", &base64(&KEY)]).output().expect("the program runs");
    assert!(String::from_utf8_lossy(&output.stderr).contains("left \"three\" did not happen"));
    let _ = fs::remove_dir_all(folder);
}

/// What is left of a recording for one event replays without a key, and the fuzz target takes it.
#[test]
fn a_recording_becomes_a_short_one_that_shows_the_event() {
    let folder = scratch("short");
    let paths = incident(&folder);
    let file = folder.join("short.mlrec");
    let out = file.to_str().expect("a path");
    let said = write(&paths[..1], &["--fuzz", out, "--event", "failed three"]);
    assert!(said.contains("inputs since the checkpoint are left"), "{said}");
    let recording = Recording::open(&file).expect("a segment");
    let mut replay =
        Replay::new(&recording.sessions[0], &ReplayOptions::default()).expect("a checkpoint");
    let (mut steps, mut failed) = (0, false);
    while let Some(step) = replay.step().expect("whole") {
        assert_eq!(step.verdict, Verdict::Same, "without a key");
        steps += 1;
        failed |=
            step.outputs.events.iter().any(
                |event| matches!(event, Event::Departed { node, .. } if node.name() == "three"),
            );
    }
    assert!(failed && steps < 30, "{steps}");
    let whole = verified(&paths[0], &[&KEY]);
    assert!(whole["same"].as_u64() > Some(100), "{whole}");
    let _ = fs::remove_dir_all(folder);
}

/// Neither names nor addresses nor what belongs to the application is in an explanation.
#[test]
fn an_explanation_can_be_shown_to_others() {
    let folder = scratch("export");
    let paths = incident(&folder);
    let file = folder.join("explanation.jsonl");
    write(&paths, &["--export", file.to_str().expect("a path")]);
    let text = fs::read_to_string(&file).expect("lines");
    for secret in ["\"one\"", "\"two\"", "\"three\"", "10.0.0.", "confidential"] {
        assert!(!text.contains(secret), "{secret}");
    }
    let mut lines = text.lines().map(|line| serde_json::from_str(line).expect("JSON"));
    let head: serde_json::Value = lines.next().expect("the head");
    assert_eq!(head["replayable"], false);
    assert_eq!(head["nodes"].as_array().map(Vec::len), Some(3));
    let moments: Vec<serde_json::Value> = lines.collect();
    assert!(moments.len() > 100, "{}", moments.len());
    // The same name stands for a node wherever it is.
    let third = head["nodes"][2]["node"].as_str().expect("a name");
    let gone = moments.iter().any(|it| {
        let changes = it["changes"].as_array().expect("a list").iter();
        let mut dead = changes.filter(|it| it["after"]["state"] == "dead");
        dead.any(|it| it["node"] == third)
    });
    assert!(gone, "{third}");
    let _ = fs::remove_dir_all(folder);
}

#[test]
fn a_timeline_is_drawn() {
    let folder = scratch("timeline");
    let paths = incident(&folder);
    let file = folder.join("timeline.svg");
    write(&paths[..1], &["--timeline", file.to_str().expect("a path")]);
    let text = fs::read_to_string(&file).expect("a picture");
    assert!(text.starts_with("<svg") && text.trim_end().ends_with("</svg>"));
    for name in ["one", "two", "three", "health score"] {
        assert!(text.contains(name), "{name}");
    }
    // Alive, suspect and dead each have a bar of their color, beside the legend.
    for color in ["#4C995A", "#E69F00", "#CC3D33"] {
        assert!(text.matches(color).count() > 1, "{color}");
    }
    let _ = fs::remove_dir_all(folder);
}
