//! The subcommands other than `agent`.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
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
    let file = scripts.join("kill.txt").to_string_lossy().into_owned();
    let output = run(&["simulate", &file], "");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let expected = fs::read_to_string(&file).expect("a script");
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
    let source = scripts.join("main.rs").to_string_lossy().into_owned();
    crate::assert_refused(&["simulate", &source], 1, &["line 1", "no command"]);
    crate::assert_refused(&["simulate", "nowhere.txt"], 1, &["nowhere.txt"]);
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
