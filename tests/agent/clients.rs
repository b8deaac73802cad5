//! The commands that ask a running agent.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use memberlist_tests::{Launch, Node, agent_binary};
use serde_json::{Value, json};

/// A runtime directory, so short that paths of sockets fit, and the agents in it.
struct Host {
    folder: PathBuf,
}

impl Host {
    fn new(what: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("ml-{}-{what}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("the temporary folder is writable");
        Self { folder }
    }

    /// Starts an agent whose socket is where clients look for it.
    fn agent(&self, name: &str) -> Launch {
        let folder = self.folder.join("memberlist");
        fs::create_dir_all(&folder).expect("writable");
        Launch::agent(name).control(folder.join(format!("{name}.sock")))
    }

    /// Two agents that know each other.
    fn pair(&self) -> (Node, Node) {
        let one = self.agent("one").start();
        let two = self.agent("two").meta(b"role=db").start();
        two.join(one.addr());
        one.expect_node("joined", "two");
        (one, two)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(agent_binary());
        command.args(args).stdin(Stdio::null()).env_remove("MEMBERLIST_CONTROL");
        command.env("XDG_RUNTIME_DIR", &self.folder);
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("the program runs")
    }

    /// What a command prints that must succeed.
    #[track_caller]
    fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {stderr}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// The same as JSON.
    #[track_caller]
    fn json(&self, args: &[&str]) -> Value {
        let text = self.ok(&[args, &["--format", "json"]].concat());
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{args:?}: {error} in {text}"))
    }

    #[track_caller]
    fn refused(&self, args: &[&str], code: i32, words: &[&str]) {
        let output = self.run(args);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{args:?}: {stderr}");
        for word in words {
            assert!(stderr.contains(word), "{args:?}: no {word:?} in {stderr:?}");
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn members_are_a_table_or_json() {
    let host = Host::new("members");
    let (one, two) = host.pair();
    let table = host.ok(&["members", "--agent", "one"]);
    let rows: Vec<Vec<&str>> =
        table.lines().map(|line| line.split_whitespace().collect()).collect();
    let (one_addr, two_addr) = (one.addr().to_string(), two.addr().to_string());
    assert_eq!(rows[0], ["NAME", "ADDRESS", "STATE", "INCARNATION", "META"]);
    assert_eq!(rows[1][..3], ["one", &one_addr, "alive"]);
    assert_eq!((&rows[2][..3], rows[2][4]), (&["two", &two_addr, "alive"][..], "role=db"));
    assert_eq!(rows.len(), 3);
    assert!(!table.contains('\u{1b}'), "no colours but on a terminal: {table:?}");
    let names = |value: &Value| -> Vec<Value> {
        value.as_array().expect("an array").iter().map(|node| node["name"].clone()).collect()
    };
    assert_eq!(names(&host.json(&["members", "--agent", "one"])), ["one", "two"]);
    two.kill();
    one.expect_node("departed", "two");
    assert_eq!(names(&host.json(&["members"])), ["one"], "one live socket is left");
    assert_eq!(names(&host.json(&["nodes"])), ["one", "two"]);
    assert_eq!(names(&host.json(&["members", "--status", "dead,left"])), ["two"]);
    assert_eq!(names(&host.json(&["members", "--status", "suspect"])), [(); 0].map(|()| ""));
    let status = host.ok(&["status"]);
    assert!(status.contains("1 alive, 0 suspect, 1 dead, 0 left"), "{status}");
    assert!(status.contains("Searched for"), "{status}");
    assert_eq!(host.json(&["status"])["lost"][0]["name"], "two");
    assert!(host.ok(&["forget", "two"]).contains("two"));
    assert_eq!(names(&host.json(&["nodes"])), ["one"]);
    host.refused(&["forget", "two"], 1, &["forget"]);
}

#[test]
fn the_agent_is_found_or_must_be_named() {
    let host = Host::new("found");
    host.refused(&["members"], 3, &["no agent", "memberlist agent", "MEMBERLIST_CONTROL"]);
    let one = host.agent("one").start();
    assert_eq!(host.json(&["info"])["node"]["name"], "one");
    let two = host.agent("two").start();
    host.refused(&["info"], 3, &["2 agents", "one.sock", "two.sock", "--agent"]);
    assert_eq!(host.json(&["info", "--agent", "two"])["node"]["name"], "two");
    let path = host.folder.join("memberlist/one.sock").display().to_string();
    assert_eq!(host.json(&["info", "--control", &path])["node"]["name"], "one");
    let by_variable =
        host.command(&["info"]).env("MEMBERLIST_CONTROL", &path).output().expect("it runs");
    assert!(String::from_utf8_lossy(&by_variable.stdout).contains("one ("));
    two.kill();
    assert_eq!(host.json(&["info"])["node"]["name"], "one", "a dead socket does not count");
    host.refused(&["info", "--agent", "two"], 3, &["two.sock", "has ended"]);
    host.refused(&["info", "--agent", "three"], 3, &["three.sock"]);
    drop(one);
    // Others could have put a socket there.
    let folder = host.folder.join("memberlist");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).expect("ours");
    host.refused(&["members"], 3, &["others may write"]);
}

/// Without flags, an agent's socket is where its clients look.
#[test]
fn two_agents_need_nothing_but_their_names() {
    let host = Host::new("plain");
    let agent = |name: &str| {
        let mut command = host.command(&["agent", "--name", name, "--bind", "127.0.0.1:0"]);
        memberlist_tests::Process::spawn(name, &mut command)
    };
    let (one, two) = (agent("one"), agent("two"));
    for process in [&one, &two] {
        process.wait_text("started");
    }
    let folder = host.folder.join("memberlist");
    let mode = |path: &Path| fs::metadata(path).expect("made").permissions().mode() & 0o777;
    assert_eq!((mode(&folder), mode(&folder.join("one.sock"))), (0o700, 0o600));
    let seed = host.json(&["info", "--agent", "one"])["bind"].as_str().expect("text").to_owned();
    assert!(host.ok(&["join", &seed, "--agent", "two"]).contains("joined through 1"));
    assert_eq!(host.json(&["info", "--agent", "one"])["nodes"]["alive"], 2);
    host.refused(&["agent", "--name", "one", "--bind", "127.0.0.1:0"], 1, &["another agent"]);
    assert!(host.ok(&["leave", "--agent", "two", "--quit"]).contains("ended"));
    assert!(two.wait_exit().success());
    host.ok(&["leave"]);
    assert_eq!(host.json(&["info"])["left"], true, "without --quit it runs on");
    host.refused(&["join", &seed], 1, &["join"]);
}

/// An agent that has no directory for its socket runs without, and says so.
#[test]
fn without_a_directory_an_agent_runs_without_a_socket() {
    let host = Host::new("without");
    fs::write(host.folder.join("memberlist"), "in the way").expect("written");
    let mut command = host.command(&["agent", "--name", "one", "--bind", "127.0.0.1:0"]);
    let agent = memberlist_tests::Process::spawn("one", &mut command);
    agent.wait_text("started");
    agent.wait_text("no control socket");
}

#[test]
fn messages_round_trips_keys_and_settings() {
    let host = Host::new("send");
    let key = "MDEyMzQ1Njc4OWFiY2RlZg==";
    let one = host.agent("one").flag("--key", key).start();
    let two = Launch::agent("two").flag("--key", key).start();
    two.join(one.addr());
    one.expect_node("joined", "two");
    host.ok(&["broadcast", "two\nlines"]);
    two.expect_message(b"two\nlines");
    host.ok(&["broadcast", "--any-size", &"long ".repeat(1000)]);
    two.expect("message", |event| event["channel"] == "stream");
    host.ok(&["send", "two", "--hex", "00ff"]);
    two.expect_message(&[0, 255]);
    host.ok(&["send", "two", "--reliable", " spaces "]);
    two.expect_message(b" spaces ");
    host.refused(&["send", "no-one", "x"], 1, &["send: "]);
    host.refused(&["send", "a b", "x"], 2, &["white space"]);
    host.refused(&["send", "two", "--hex", "0"], 2, &["odd"]);
    host.refused(&["broadcast", &"x".repeat(5000)], 1, &["broadcast: "]);

    assert!(host.ok(&["ping", "two"]).contains(" ms"));
    host.refused(&["ping", "no-one"], 1, &["ping: no member"]);
    let trips = host.json(&["rtt", "--count", "2"]);
    assert_eq!((&trips[0]["name"], &trips[0]["answered"]), (&json!("two"), &json!(2)), "{trips}");
    assert!(trips[0]["median_ms"].as_f64().is_some_and(|time| time > 0.0), "{trips}");
    assert!(host.ok(&["rtt"]).contains("3 of 3"));
    host.refused(&["rtt", "two", "no-one"], 1, &["1 of 2 members", "no-one"]);

    assert_eq!(host.json(&["keys"])["keys"], json!([key]));
    let new = "ZmVkY2JhOTg3NjU0MzIxMA==";
    assert!(host.ok(&["keys", "add", new]).contains(new));
    assert_eq!(host.json(&["keys", "use", new])["keys"], json!([new, key]));
    host.refused(&["keys", "remove", new], 1, &["keys: ", "primary"]);
    host.refused(&["keys", "add", "c2VjcmV0"], 1, &["keys: "]);
    assert!(host.ok(&["set", "probe_interval=2s", "gossip_nodes=4"]).contains("gossip_nodes = 4"));
    host.refused(&["set", "probe_intervall=2s"], 1, &["did you mean `probe_interval`"]);
    host.refused(&["join", "127.0.0.1:1"], 1, &["join"]);
}

#[test]
fn watch_shows_events_until_the_agent_ends() {
    let host = Host::new("watch");
    let one = host.agent("one").start();
    let mut command = host.command(&["watch", "--events", "joined,departed,message"]);
    let watch = memberlist_tests::Process::spawn("watch", &mut command);
    let mut json = host.command(&["watch", "--count", "1", "--format", "json"]);
    let first = memberlist_tests::Process::spawn("watch once", &mut json);
    let two = Launch::agent("two").start();
    // Both may connect after any event that comes only once.
    memberlist_tests::eventually("both watch", || {
        two.join(one.addr());
        two.tell("send one \u{1b}[2J");
        let both = watch.stdout_len() > 0 && first.stdout_len() > 0;
        if both { Ok(()) } else { Err("no event yet".to_owned()) }
    });
    assert!(first.wait_exit().success(), "it ends after one event");
    let event: Value = serde_json::from_str(&first.stdout_from(0)[0]).expect("JSON");
    assert!(event["event"].is_string() && event["summary"].is_string(), "{event}");
    two.tell("leave");
    watch.wait_text("two left");
    assert!(one.quit().success());
    assert_eq!(watch.wait_exit().code(), Some(3));
    assert!(watch.stderr().contains("ended"), "{}", watch.transcript());
    let lines = watch.stdout_from(0).join("\n");
    assert!(!lines.contains('\u{1b}') && !lines.contains("answered a probe"), "{lines}");
}
