//! The subcommands other than `agent`.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use memberlist_tests::{agent_binary, scratch};
use serde_json::Value;

use crate::run;

#[test]
fn demo_plays_every_step_within_a_minute() {
    let began = Instant::now();
    let output = run(&["demo"], "");
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stdout}\n{stderr}");
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    let text = stdout.to_lowercase();
    for word in ["join", "broadcast", "killed", "suspect", "dead", "leaves", "metadata"] {
        assert!(text.contains(word), "no {word:?} in\n{stdout}");
    }
    assert!(!stdout.contains('\u{1b}'), "piped output must be plain:\n{stdout}");
    let table = stdout.lines().rev().take(12).filter(|line| line.split_whitespace().count() > 2);
    assert!(table.count() >= 5, "no table at the end:\n{stdout}");
}

/// Of many nodes the table gives the spread.
#[test]
fn a_large_demo_is_summed_up() {
    let output = run(&["demo", "--nodes", "24"], "");
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stdout}\n{stderr}");
    let rows: Vec<&str> = stdout.lines().rev().take(4).collect();
    for (row, name) in rows.iter().rev().zip(["minimum", "median", "maximum", "of nodes"]) {
        assert!(row.starts_with(name), "{stdout}");
    }
    assert!(rows[0].split_whitespace().nth(2) == Some("24"), "every node sees all: {stdout}");
}

#[test]
fn demo_checks_the_limit_of_open_files() {
    let script = "ulimit -n 256 && exec \"$0\" demo --nodes 1000";
    let program = agent_binary().to_str().expect("text");
    let output = Command::new("sh").args(["-c", script, program]).output().expect("a shell");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("256") && stderr.contains("ulimit -n"), "{stderr}");
    crate::assert_refused(&["demo", "--nodes", "1001"], 2, &["1001"]);
}

#[test]
fn demo_refuses_an_empty_cluster() {
    crate::assert_refused(&["demo", "--nodes", "0"], 2, &["nodes"]);
}

#[test]
fn keygen_prints_a_key() {
    let mut keys = Vec::new();
    for (bits, bytes) in [(None, 32), (Some("128"), 16), (Some("192"), 24), (Some("256"), 32)] {
        let args: Vec<&str> =
            ["keygen"].into_iter().chain(bits.iter().flat_map(|bits| ["--bits", bits])).collect();
        let output = run(&args, "");
        assert_eq!(output.status.code(), Some(0));
        let text = String::from_utf8(output.stdout).expect("text");
        assert_eq!(text.lines().count(), 1, "{text:?}");
        let key = BASE64.decode(text.trim_end()).expect("base64");
        assert_eq!(key.len(), bytes, "{bits:?}");
        assert!(!keys.contains(&key), "the same key twice");
        keys.push(key);
    }
    crate::assert_refused(&["keygen", "--bits", "100"], 2, &["100"]);
}

#[test]
fn simulate_prints_the_script_with_its_events() {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    // Each of its paragraphs that emits events has them below.
    let file = scripts.join("join.txt").to_string_lossy().into_owned();
    let output = run(&["simulate", &file], "");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let expected = fs::read_to_string(&file).expect("a script");
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
    let source = scripts.join("main.rs").to_string_lossy().into_owned();
    crate::assert_refused(&["simulate", &source], 1, &["line 1", "no command"]);
    crate::assert_refused(&["simulate", "nowhere.txt"], 1, &["nowhere.txt"]);
}

/// Without `----` everything is shown, and a script that fails as far as it came.
#[test]
fn simulate_shows_what_happens_without_being_asked() {
    let folder = scratch("scripts");
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).expect("written");
        path.to_str().expect("text").to_owned()
    };
    let joined = "    0.000 a: a (10.0.0.1:7946) joined\n";
    let plain = write("plain.txt", "start a\n\nrun 1s\nexpect a counts 1\n");
    let output = run(&["simulate", &plain], "");
    let shown = format!("start a\n----\n{joined}\nrun 1s\nexpect a counts 1\n");
    assert_eq!(String::from_utf8_lossy(&output.stdout), shown);
    let unmet = write("unmet.txt", "start a\nexpect a counts 2\n");
    for check in [&["simulate", &unmet][..], &["simulate", "--check", &unmet]] {
        let output = run(check, "");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains("line 2") && stderr.contains("a counts 2"), "{stderr}");
        assert!(String::from_utf8_lossy(&output.stdout).ends_with(joined), "{check:?}");
    }
    let lost = write("lost.txt", &format!("start a\n----\n{joined}crash a\n"));
    crate::assert_refused(&["simulate", &lost], 1, &["line 4", "empty line", "crash a"]);
    assert_eq!(run(&["simulate", "--update", &lost], "").status.code(), Some(1));

    let stale = write("stale.txt", "start a\n----\n    0.000 a: something else\n\nrun 1s\n");
    crate::assert_refused(&["simulate", "--check", &plain, &stale], 1, &["stale.txt", "line 3"]);
    let updated = run(&["simulate", "--update", &plain, &stale], "");
    assert_eq!((updated.status.code(), updated.stdout), (Some(0), Vec::new()));
    let text = fs::read_to_string(&stale).expect("written");
    assert_eq!(text, format!("start a\n----\n{joined}\nrun 1s\n"), "the rest is as it was");
    assert_eq!(run(&["simulate", "--check", &plain, &stale], "").status.code(), Some(0));
    let _ = fs::remove_dir_all(folder);
}

#[test]
fn an_experiment_writes_its_tables_plots_and_page() {
    let folder = scratch("experiment");
    let out = folder.join("out");
    let args = ["simulate", "serf", "--quick", "--seeds", "3", "--check", "--out"];
    let output = run(&[&args[..], &[out.to_str().expect("text")]].concat(), "");
    let (stdout, stderr) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{stdout}{stderr}");
    assert!(stdout.contains("cargo run --release -- simulate serf --quick --seeds 3"), "{stdout}");
    assert!(stdout.contains("| 30 | 0.5 | "), "{stdout}");
    for file in ["serf.html", "convergence.csv", "curve-30.svg", "curve-100.svg", "results.md"] {
        let text = fs::read_to_string(out.join(file)).expect("written");
        assert!(text.len() > 100, "{file}: {text}");
    }
    let _ = fs::remove_dir_all(folder);
    for (args, word) in [
        (&["simulate", "what-if", "--goal", "detcet<5s"][..], "detect-p99"),
        (&["simulate", "what-if", "--set", "probe_intervall=2s"], "probe_interval"),
        (&["simulate", "what-if", "--set", "probe_interval=1ms"], "probe_timeout"),
        (&["simulate", "what-if", "--loss", "100%"], "0% to 95%"),
        (&["simulate", "large", "--nodes", "1"], "4 to 100000"),
    ] {
        crate::assert_refused(args, 2, &[word]);
    }
}

#[test]
fn the_help_of_simulate_lists_the_language() {
    let output = run(&["simulate", "--help"], "");
    let help = String::from_utf8_lossy(&output.stdout);
    for word in ["until CONDITION within TIME", "flap NAMES", "rejoin=on|off|TIME", "--update"] {
        assert!(help.contains(word), "no {word:?} in\n{help}");
    }
}

/// Packets of the vectors, from an argument and from standard input.
#[test]
fn decode_opens_a_recorded_packet() {
    let mut tried = 0;
    for case in cases("messages.jsonl").iter().filter(|case| case["type"] == "ping").take(3) {
        let hex = case["hex"].as_str().expect("hex");
        let output = run(&["decode", hex], "");
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{hex}: {stdout}");
        assert!(stdout.contains("ping"), "{hex}: {stdout}");
        for value in stdout_values(&stdout) {
            assert!(value.is_object() || value.is_array(), "{value}");
        }
        // The same bytes from standard input, with white space.
        let spaced = format!("{}\n {}\n", &hex[..2], &hex[2..]);
        let piped = run(&["decode", "-"], &spaced);
        assert_eq!(piped.stdout, output.stdout, "{hex}");
        tried += 1;
    }
    assert_eq!(tried, 3, "the vectors have pings");
}

#[test]
fn decode_reports_where_it_failed() {
    for (args, word) in [
        (&["decode", "ff00"][..], "255"),
        (&["decode", "0701"], "compound"),
        (&["decode", "0c00000000"], "checksum"),
        (&["decode", "--key", "MDEyMzQ1Njc4OWFiY2RlZg==", "0100112233"], "decrypt"),
        (&["decode", "--label", "blue", "00"], "label"),
    ] {
        let output = run(args, "");
        let mut text = String::from_utf8_lossy(&output.stdout).to_lowercase();
        text += &String::from_utf8_lossy(&output.stderr).to_lowercase();
        assert_eq!(output.status.code(), Some(1), "{args:?}: {text}");
        assert!(text.contains(word), "{args:?}: no {word:?} in {text}");
        assert!(!text.contains("panicked"), "{args:?}: {text}");
    }
    crate::assert_refused(&["decode", "0g"], 2, &[]);
}

/// The JSON values in the output, in one document or several.
fn stdout_values(stdout: &str) -> Vec<Value> {
    serde_json::Deserializer::from_str(stdout)
        .into_iter()
        .collect::<Result<_, _>>()
        .unwrap_or_else(|error| panic!("{error} in {stdout}"))
}

fn cases(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/vectors").join(file);
    let text =
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{error}: {}", path.display()));
    text.lines().map(|line| serde_json::from_str(line).expect("a case a line")).collect()
}
