//! A simulation is recorded as live nodes are.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use memberlist_proto::{Config, Key};
use memberlist_record::{Recording, Replay, ReplayOptions, Verdict};
use memberlist_sim::Sim;
use memberlist_tests::scratch;

use crate::verified;

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const KEY: [u8; 16] = [5; 16];

fn three(sim: &mut Sim) -> Vec<memberlist_sim::NodeId> {
    let nodes: Vec<_> = ["one", "two", "three"]
        .into_iter()
        .map(|name| {
            let mut config = Config::local(name);
            config.secret_keys = vec![Key::new(&KEY).expect("16 bytes")];
            sim.start(config)
        })
        .collect();
    for node in &nodes[1..] {
        sim.join(*node, nodes[0]);
    }
    nodes
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
