//! Wrong flags and settings: one line on standard error, and exit code 2.

use std::fs;

use memberlist_tests::{Launch, scratch};

use crate::assert_refused;

#[test]
fn wrong_flags_are_named() {
    let long_label = "l".repeat(256);
    let long_meta = "00".repeat(600);
    let cases: &[(&[&str], &[&str])] = &[
        (&["--no-such-flag"], &["--no-such-flag"]),
        (&["--bind", "nowhere"], &["nowhere"]),
        (&["--bind", "127.0.0.1:99999"], &["99999"]),
        (&["--advertise", "300.0.0.1"], &["300.0.0.1"]),
        (&["--profile", "moon"], &["moon"]),
        (&["--key", "AAAA"], &["key"]),
        (&["--key", "not base64!"], &["key"]),
        (&["--label", &long_label], &["label", "255"]),
        (&["--meta-hex", "0"], &["meta"]),
        (&["--meta-hex", &long_meta], &["meta", "512"]),
        (&["--delegate-version", "1,2"], &["1,2"]),
        (&["--protocol-version", "9"], &["protocol", "9"]),
        (&["--set", "probe_interval=soon"], &["probe_interval", "soon"]),
        (&["--set", "no_such_field=1"], &["no_such_field"]),
        (&["--set", "probe_interval"], &["probe_interval"]),
        (&["--config", "/nonexistent/memberlist.toml"], &["/nonexistent/memberlist.toml"]),
        (&["--join", "10.0.0.1/24"], &["10.0.0.1/24", "network", "address"]),
        (&["--set", "seeds=n1/10.0.0.2,10.0.0.1/24"], &["seeds", "10.0.0.1/24", "network"]),
        (&["--join", "http://db1:8080"], &["http://db1:8080", "host"]),
        // Must be below the probe interval.
        (&["--set", "probe_timeout=10s"], &["probe_timeout"]),
    ];
    for (args, words) in cases {
        let bound = if args[0] == "--bind" { None } else { Some(["--bind", "127.0.0.1:0"]) };
        let mut all = vec!["agent", "--json"];
        all.extend(bound.iter().flatten());
        all.extend_from_slice(args);
        assert_refused(&all, 2, words);
    }
    assert_refused(&["no-such-command"], 2, &["no-such-command"]);
}

/// Keys are secrets: an error about a wrong key does not echo it.
#[test]
fn a_wrong_key_is_not_repeated() {
    let output =
        crate::run(&["agent", "--bind", "127.0.0.1:0", "--key", "c2VjcmV0IHNlY3JldA=="], "");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(!stderr.contains("c2VjcmV0"), "{stderr}");
}

/// Profile, then file, then `--set`: the last one wins.
#[test]
fn later_settings_override_earlier_ones() {
    let folder = scratch("config");
    let file = folder.join("memberlist.toml");
    fs::write(&file, "push_pull_interval = \"1h\"\ngossip_interval = \"50ms\"\n").expect("written");
    let one = Launch::agent("one")
        .flag("--config", file.display())
        .flag("--set", "push_pull_interval=2s")
        .start();
    one.tell("state periodic");
    let two = Launch::agent("two").start();
    two.join(one.addr());
    // Neither the profile's 15 s nor the file's hour: the next exchange after the join comes soon.
    one.tell("health");
    two.tell("state of two");
    one.expect("remote_state", |event| event["join"] == false && event["text"] == "of two");

    for wrong in ["push_pull_interval = \"soon\"\n", "no_such_field = 1\n", "= nonsense"] {
        fs::write(&file, wrong).expect("written");
        let path = file.to_str().expect("the target folder's path is text");
        let args = ["agent", "--bind", "127.0.0.1:0", "--config", path];
        assert_refused(&args, 2, &["memberlist.toml"]);
    }
    let _ = fs::remove_dir_all(folder);
}
