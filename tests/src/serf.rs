//! Debian's Serf agent.

use std::net::SocketAddr;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;

use crate::loopback::Loopback;
use crate::process::{Process, eventually};

/// A running Serf agent.
#[derive(Debug)]
pub struct Serf {
    name: String,
    args: Vec<String>,
    process: Process,
    loopback: Loopback,
}

impl Serf {
    /// Starts an agent with additional arguments and waits until it answers.
    #[track_caller]
    pub fn start(name: &str, key: Option<&[u8]>, args: &[&str]) -> Self {
        let loopback = Loopback::reserve();
        let mut all = ["agent", "-profile=local", "-log-level=debug"].map(String::from).to_vec();
        all.extend([
            format!("-node={name}"),
            format!("-bind={}", loopback.port(7946)),
            format!("-rpc-addr={}", loopback.port(17373)),
        ]);
        all.extend(key.map(|key| format!("-encrypt={}", BASE64.encode(key))));
        all.extend(args.iter().map(|arg| (*arg).to_owned()));
        let process = Process::spawn(name, Command::new("serf").args(&all));
        let serf = Self { name: name.to_owned(), args: all, process, loopback };
        eventually("serf answers", || serf.members());
        serf
    }

    /// Starts the agent again at the same address, after killing it if it still runs.
    #[track_caller]
    pub fn restart(&mut self) {
        self.process.kill();
        self.process = Process::spawn(&self.name, Command::new("serf").args(&self.args));
        eventually("serf answers", || self.members());
    }

    /// The address on which it listens for members.
    pub fn addr(&self) -> SocketAddr {
        self.loopback.port(7946)
    }

    /// The process itself.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Runs a command of `serf` against this agent and returns what it prints.
    ///
    /// # Errors
    /// The command failed, with this output.
    pub fn run(&self, verb: &str, args: &[&str]) -> Result<String, String> {
        let output = Command::new("serf")
            .arg(verb)
            .arg(format!("-rpc-addr={}", self.loopback.port(17373)))
            .args(args)
            .output()
            .map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(text);
        }
        let stderr = String::from_utf8_lossy(&output.stderr);
        Err(format!("serf {verb}: {text}{stderr}\n{}", self.process.transcript()))
    }

    /// Joins through `peer`.
    #[track_caller]
    pub fn join(&self, peer: SocketAddr) {
        self.run("join", &[&peer.to_string()]).expect("serf join");
    }

    /// The members as `serf members` shows them: objects with `name`, `addr`, `status`, `tags`.
    ///
    /// # Errors
    /// The command failed, or printed something else: this.
    pub fn members(&self) -> Result<Vec<Value>, String> {
        let text = self.run("members", &["-format=json"])?;
        let listing: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        listing["members"].as_array().cloned().ok_or_else(|| format!("no members in {text}"))
    }

    /// Waits until a member has this status: `alive`, `leaving`, `left` or `failed`.
    #[track_caller]
    pub fn until_member(&self, name: &str, status: &str, fits: impl Fn(&Value) -> bool) -> Value {
        eventually(&format!("serf shows {name} {status}"), || {
            let members = self.members()?;
            let member = members.iter().find(|member| member["name"] == name);
            match member {
                Some(member) if member["status"] == status && fits(member) => Ok(member.clone()),
                _ => Err(format!("{members:?}\n{}", self.process.transcript())),
            }
        })
    }
}
