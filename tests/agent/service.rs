//! The agent under a service manager.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use memberlist_tests::{Launch, Loopback, Process, agent_binary};

/// Where a service manager listens.
struct Manager {
    path: PathBuf,
    socket: UnixDatagram,
}

impl Manager {
    fn new(what: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ml-{}-{what}", std::process::id()));
        let _ = fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path).expect("the temporary folder is writable");
        socket.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
        Self { path, socket }
    }

    fn agent(&self, args: &[&str]) -> Process {
        let mut command = Command::new(agent_binary());
        command.args(["agent", "--profile", "local", "--control", "none", "--bind", "127.0.0.1:0"]);
        command.args(args).env("NOTIFY_SOCKET", &self.path);
        Process::spawn("agent", &mut command)
    }

    /// The next notification.
    fn heard(&self) -> Vec<String> {
        let mut bytes = [0; 4096];
        let length = self.socket.recv(&mut bytes).expect("a notification in time");
        String::from_utf8_lossy(&bytes[..length]).lines().map(str::to_owned).collect()
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

#[test]
fn readiness_and_the_end_are_notified() {
    let manager = Manager::new("alone");
    let agent = manager.agent(&["--name", "one"]);
    assert_eq!(manager.heard(), ["READY=1", "STATUS=1 members"]);
    agent.signal("TERM");
    assert_eq!(manager.heard()[0], "STOPPING=1");
    assert!(agent.wait_exit().success());
}

/// With seeds, the agent is ready once it has joined one and the membership has settled.
#[test]
fn an_agent_with_seeds_is_ready_once_it_has_joined() {
    let manager = Manager::new("seeds");
    let loopback = Loopback::reserve();
    let seed = loopback.port(7946);
    let agent = manager.agent(&["--name", "one", "--join", &seed.to_string()]);
    assert_eq!(manager.heard(), ["STATUS=joining"]);
    agent.wait_text("connection refused");
    let seed = Launch::agent("seed").bind(seed).start();
    seed.expect_node("joined", "one");
    assert_eq!(manager.heard(), ["READY=1", "STATUS=2 members"]);
}

/// A manager that has gone costs a warning.
#[test]
fn a_missing_service_manager_does_no_harm() {
    let manager = Manager::new("gone");
    fs::remove_file(&manager.path).expect("it exists");
    let agent = manager.agent(&["--name", "one"]);
    agent.wait_text("cannot notify the service manager");
    agent.write_line(b"quit");
    assert!(agent.wait_exit().success());
}
