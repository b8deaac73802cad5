//! The flight recorder end to end: agents are recorded, and what they did is replayed byte for
//! byte.

mod bridge;
mod disk;
mod explain;
mod live;
mod partition;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use memberlist_proto::{Config, Key};
use memberlist_sim::{NodeId, Sim};
use memberlist_tests::agent_binary;
use serde_json::Value;

/// The key of the simulated clusters.
const KEY: [u8; 16] = [5; 16];

/// Starts nodes of these names; the others join the first.
fn cluster(sim: &mut Sim, names: &[&str]) -> Vec<NodeId> {
    let start = |name: &&str| {
        let mut config = Config::local(*name);
        config.secret_keys = vec![Key::new(&KEY).expect("16 bytes")];
        sim.start(config)
    };
    let nodes: Vec<NodeId> = names.iter().map(start).collect();
    for node in &nodes[1..] {
        sim.join(*node, nodes[0]);
    }
    nodes
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A key in the form in which the program takes it.
fn base64(key: &[u8]) -> String {
    STANDARD.encode(key)
}

/// Runs `memberlist replay --json`; returns its summary, and its standard error if it failed.
fn replay(path: &Path, keys: &[&[u8]], more: &[&str]) -> (Value, Result<(), String>) {
    let mut command = Command::new(agent_binary());
    command.arg("replay").arg(path).arg("--json").args(more);
    for key in keys {
        command.args(["--key", &base64(key)]);
    }
    let output = command.output().expect("the program runs");
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    let summary = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (summary, if output.status.success() { Ok(()) } else { Err(error) })
}

/// Replays a whole recording, which must be verified; returns its summary.
#[track_caller]
fn verified(path: &Path, keys: &[&[u8]]) -> Value {
    let (summary, result) = replay(path, keys, &[]);
    assert_eq!(result, Ok(()), "{summary}");
    let inputs: u64 =
        summary["inputs"].as_object().expect("counts").values().filter_map(Value::as_u64).sum();
    assert!(inputs > 0, "{summary}");
    assert_eq!(summary["same"].as_u64(), Some(inputs), "{summary}");
    assert_eq!(summary["differs"], 0);
    summary
}
