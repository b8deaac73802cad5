//! The sidecar for service discovery, asked over HTTP.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::Instant;

use serde_json::{Value, json};

use super::*;

const OLD: &str = "AAECAwQFBgcICQoLDA0ODw==";
const NEW: &str = "AAECAwQFBgcICQoLDA0ODwABAgMEBQYHCAkKCwwNDg8=";

/// One that runs, with the addresses of its node and of its answers.
struct Sidecar {
    program: Example,
    node: String,
    http: String,
    file: PathBuf,
}

impl Sidecar {
    fn start(name: &str, port: u16, seeds: &[&str]) -> Self {
        let file = format!("memberlist-service-{}-{name}.toml", std::process::id());
        let file = std::env::temp_dir().join(file);
        let text = format!(
            r#"
            http = "127.0.0.1:0"
            service = {{ role = "web", port = {port} }}
            [node]
            name = "{name}"
            bind_addr = "127.0.0.1"
            bind_port = 0
            gossip_interval = "20ms"
            probe_interval = "200ms"
            probe_timeout = "100ms"
            secret_keys = ["{OLD}"]
            seeds = {seeds:?}
            "#
        );
        std::fs::write(&file, text).expect("written");
        let mut program = Example::start("service", &[file.to_str().expect("text")]);
        let (node, http) = program.until(|line| {
            let (node, http) = line.strip_prefix("node ")?.split_once(" http ")?;
            Some((node.to_owned(), http.to_owned()))
        });
        Self { program, node, http, file }
    }

    /// The status and the body of the answer.
    fn ask(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.http).expect("connected");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n", self.http);
        let kind = if method == "PUT" { "application/json" } else { "text/plain" };
        let length = body.len();
        let _ = write!(request, "content-type: {kind}\r\ncontent-length: {length}\r\n");
        request += "connection: close\r\n\r\n";
        stream.write_all((request + body).as_bytes()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        let status = head.split(' ').nth(1).and_then(|it| it.parse().ok()).expect("a status");
        (status, body.to_owned())
    }

    fn json(&self, path: &str) -> Value {
        let (status, body) = self.ask("GET", path, "");
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).expect("JSON")
    }

    /// The names of the members, each with its service's port.
    fn members(&self) -> Vec<(String, u64)> {
        let mut members: Vec<_> = self
            .json("/members")
            .as_array()
            .expect("a list")
            .iter()
            .map(|it| {
                assert_eq!(
                    (&it["state"], &it["service"]["role"]),
                    (&json!("alive"), &json!("web"))
                );
                let name = it["name"].as_str().expect("text").to_owned();
                (name, it["service"]["port"].as_u64().expect("a port"))
            })
            .collect();
        members.sort();
        members
    }

    fn change_key(&self, step: &str, key: &str) {
        let (status, body) = self.ask("POST", &format!("/keys/{step}"), key);
        assert_eq!(status, 200, "{step}: {body}");
    }

    /// Stops it as ctrl-c does, and returns what it wrote.
    fn interrupt(mut self) -> Vec<String> {
        let id = self.program.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().expect("kill runs").success());
        let _ = std::fs::remove_file(&self.file);
        let mut lines = Vec::new();
        while let Ok(line) = self.program.lines.recv_timeout(PATIENCE) {
            lines.push(line);
        }
        let status = self.program.child.wait().expect("an exit status");
        assert!(status.success(), "{status} after {lines:?}");
        lines
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.file);
    }
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn service_finds_others_and_shares_what_all_should_know() {
    let one = Sidecar::start("one", 3001, &[]);
    let two = Sidecar::start("two", 3002, &[&one.node]);
    let members = [("one".to_owned(), 3001), ("two".to_owned(), 3002)];
    until("they find each other", || [&one, &two].iter().all(|it| it.members() == members));
    until("it is ready", || two.ask("GET", "/cluster/readyz", "").0 == 200);

    let shared = |it: &Sidecar| it.json("/config")["value"].clone();
    assert_eq!(one.ask("PUT", "/config", r#"{"limit": 5}"#).0, 200);
    until("it is gossiped", || shared(&two) == json!({"limit": 5}));
    let three = Sidecar::start("three", 3003, &[&two.node]);
    until("one that comes later gets it", || shared(&three) == json!({"limit": 5}));
    assert_eq!(two.ask("PUT", "/config", "no JSON").0, 400);

    let all = [&one, &two, &three];
    until("all see all", || all.iter().all(|it| it.members().len() == 3));
    for (step, key) in [("add", NEW), ("use", NEW), ("remove", OLD)] {
        for it in all {
            it.change_key(step, key);
        }
    }
    assert_eq!(one.ask("POST", "/keys/remove", NEW).0, 400, "the one in use stays");
    assert_eq!(one.ask("POST", "/keys/add", "short").0, 400);
    assert_eq!(three.ask("PUT", "/config", r#"{"limit": 6}"#).0, 200);
    until("they speak by the new key", || all.iter().all(|it| shared(it) == json!({"limit": 6})));

    until("figures are published", || {
        one.ask("GET", "/metrics", "").1.contains("memberlist_node_instances")
    });
    assert!(one.ask("GET", "/cluster/", "").1.contains("<!doctype html>"));
    let lines = two.interrupt();
    assert!(lines.iter().any(|line| line.starts_with("joined through ")), "{lines:?}");
    until("the others know that it left", || one.members().len() == 2);
    let lines = one.interrupt();
    assert!(lines.iter().any(|line| line.contains("two") && line.contains("left")), "{lines:?}");
}
