//! A node that takes commands as lines and answers with lines of JSON: our agent, or our program on
//! the Go library, which has the same line protocol.

use std::cell::{Cell, RefCell};
use std::fmt::Display;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;

use crate::binary::{agent_binary, go_peer_binary};
use crate::loopback::Loopback;
use crate::network::Namespace;
use crate::process::{PATIENCE, Process, eventually};
use crate::zoned::zoned_peer_binary;

/// The port of every node; each has an address of its own.
const PORT: u16 = 7946;

/// How a node is started. The defaults are the `local` profile, plain text, compression on.
#[derive(Debug)]
pub struct Launch {
    program: Program,
    name: String,
    args: Vec<String>,
    bind: Option<SocketAddr>,
    loopback: Option<Loopback>,
    inside: Option<Command>,
    control: Option<PathBuf>,
}

impl Launch {
    /// Our agent, on the runtime that the environment variable `RUNTIME` names; tokio by default.
    pub fn agent(name: &str) -> Self {
        let mut args = ["agent", "--json", "--profile", "local"].map(String::from).to_vec();
        if let Ok(runtime) = std::env::var("RUNTIME") {
            args.extend(["--runtime".to_owned(), runtime]);
        }
        Self::new(Program::Agent, name, args)
    }

    /// Our program on the Go library.
    pub fn go(name: &str) -> Self {
        let args = ["--profile", "local"].map(String::from).to_vec();
        Self::new(Program::Go, name, args)
    }

    /// Our program on the Go library, into which a hook is compiled by which the program obeys
    /// zones.
    pub fn zoned_go(name: &str) -> Self {
        Self { program: Program::ZonedGo, ..Self::go(name) }
    }

    fn new(program: Program, name: &str, args: Vec<String>) -> Self {
        let name = name.to_owned();
        Self { program, name, args, bind: None, loopback: None, inside: None, control: None }
    }

    /// Listens for clients at this path. By default there is no control socket, because nodes of
    /// tests that run at the same time may have the same name.
    #[must_use]
    pub fn control(mut self, path: impl Into<PathBuf>) -> Self {
        self.control = Some(path.into());
        self
    }

    /// Adds an argument as it is.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds a flag and its value.
    #[must_use]
    pub fn flag(self, flag: &str, value: impl Display) -> Self {
        self.arg(flag).arg(value.to_string())
    }

    /// Listens at `addr` instead of an address of its own, as a restarted node does.
    #[must_use]
    pub fn bind(mut self, addr: SocketAddr) -> Self {
        self.bind = Some(addr);
        self
    }

    /// Runs in a network of its own and listens there.
    #[must_use]
    pub fn inside(mut self, network: &Namespace) -> Self {
        self.inside = Some(network.command(self.program.binary()));
        self.bind(network.addr())
    }

    /// Runs with a disk of its own of this many kilobytes, mounted at `folder`, which must exist.
    /// As long as the node runs, the disk can be read from outside, below `/proc`.
    #[must_use]
    pub fn small_disk(self, folder: &Path, kilobytes: u32) -> Self {
        self.disk(folder, kilobytes, "true")
    }

    /// Runs with such a disk, which a file called `filler` fills.
    #[must_use]
    pub fn full_disk(self, folder: &Path) -> Self {
        self.disk(folder, 4, "head -c 4096 /dev/zero > \"$0\"/filler")
    }

    fn disk(mut self, folder: &Path, kilobytes: u32, prepare: &str) -> Self {
        let mount = format!("mount -t tmpfs -o size={kilobytes}k none \"$0\"");
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", &format!("{mount} && {prepare} && exec \"$@\"")]);
        command.arg(folder).arg(self.program.binary());
        self.inside = Some(command);
        self
    }

    /// Starts with its standard output or error redirected, as a shell would: `2>/dev/full`.
    #[must_use]
    pub fn redirecting(mut self, redirections: &str) -> Self {
        let redirected = format!("exec \"$0\" \"$@\" {redirections}");
        let mut command = Command::new("sh");
        command.args(["-c", &redirected]).arg(self.program.binary());
        self.inside = Some(command);
        self
    }

    /// Starts with these limits of open files, soft and hard.
    #[must_use]
    pub fn open_files(mut self, soft: u32, hard: u32) -> Self {
        let limited = format!("ulimit -S -n {soft} && ulimit -H -n {hard} && exec \"$@\"");
        let mut command = Command::new("sh");
        command.args(["-c", &limited, "sh"]).arg(self.program.binary());
        self.inside = Some(command);
        self
    }

    /// Takes over the address that a stopped node had reserved.
    #[must_use]
    pub fn keeping(mut self, loopback: Option<Loopback>) -> Self {
        self.loopback = loopback;
        self
    }

    /// Encrypts with this key, if there is one.
    #[must_use]
    pub fn key(self, key: Option<&[u8]>) -> Self {
        match key {
            Some(key) => self.flag("--key", BASE64.encode(key)),
            None => self,
        }
    }

    /// Turns compression of what is sent on or off.
    #[must_use]
    pub fn compression(self, on: bool) -> Self {
        match (on, self.program) {
            (true, _) => self,
            (false, Program::Agent) => self.arg("--no-compression"),
            (false, Program::Go | Program::ZonedGo) => self.arg("--compression=false"),
        }
    }

    /// Gossips each message this many times per decimal digit of the cluster's size.
    #[must_use]
    pub fn retransmit(self, times: u32) -> Self {
        match self.program {
            Program::Agent => self.flag("--set", format!("retransmit_mult={times}")),
            Program::Go | Program::ZonedGo => self.flag("--retransmit-mult", times),
        }
    }

    /// Announces these delegate versions: minimum, maximum, current.
    #[must_use]
    pub fn delegate_version(self, versions: [u8; 3]) -> Self {
        let [min, max, current] = versions;
        self.flag("--delegate-version", format!("{min},{max},{current}"))
    }

    /// Starts with this metadata.
    #[must_use]
    pub fn meta(self, meta: &[u8]) -> Self {
        self.flag("--meta-hex", to_hex(meta))
    }

    /// Starts the node and waits until it listens.
    #[track_caller]
    pub fn start(self) -> Node {
        let node = self.spawn();
        let started = node.expect("started", |_| true);
        assert_eq!(started["node"]["name"], node.name.as_str(), "{started}");
        node
    }

    /// Starts the node without waiting.
    pub fn spawn(self) -> Node {
        let reserve = || self.bind.is_none().then(Loopback::reserve);
        let loopback = self.loopback.or_else(reserve);
        let addr = match (self.bind, &loopback) {
            (Some(bind), _) => bind,
            (None, loopback) => {
                loopback.as_ref().expect("an address was given or reserved").port(PORT)
            }
        };
        let mut command = self.inside.unwrap_or_else(|| Command::new(self.program.binary()));
        command.args(self.args).args(["--name", &self.name]).arg("--bind").arg(addr.to_string());
        if self.program == Program::Agent {
            command.arg("--control").arg(self.control.unwrap_or_else(|| "none".into()));
        }
        let process = Process::spawn(&self.name, &mut command);
        Node {
            name: self.name,
            addr,
            process,
            events: RefCell::default(),
            next_id: Cell::new(1),
            loopback,
        }
    }
}

/// The program that a node runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Program {
    Agent,
    Go,
    ZonedGo,
}

impl Program {
    fn binary(self) -> &'static Path {
        match self {
            Self::Agent => agent_binary(),
            Self::Go => go_peer_binary(),
            Self::ZonedGo => zoned_peer_binary(),
        }
    }
}

/// A running node.
#[derive(Debug)]
pub struct Node {
    name: String,
    addr: SocketAddr,
    process: Process,
    events: RefCell<Vec<Value>>,
    next_id: Cell<u64>,
    loopback: Option<Loopback>,
}

impl Node {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The address on which it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The process itself.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Sends a command and returns its reply, which may be an `error`.
    #[track_caller]
    pub fn ask(&self, command: &str) -> Value {
        let id = self.next_id.replace(self.next_id.get() + 1).to_string();
        let mark = self.mark();
        self.process.write_line(format!("#{id} {command}").as_bytes());
        let shown: String = command.chars().take(80).collect();
        self.find(mark, &format!("a reply to {shown:?}"), |event| event["id"] == id.as_str())
    }

    /// Sends a command that must succeed, and returns its reply.
    #[track_caller]
    pub fn tell(&self, command: &str) -> Value {
        let reply = self.ask(command);
        let shown: String = command.chars().take(80).collect();
        assert_ne!(reply["event"], "error", "{shown:?} failed: {reply}\n{}", self.transcript());
        reply
    }

    /// Joins through `peer`; both sides must agree that it worked.
    #[track_caller]
    pub fn join(&self, peer: SocketAddr) {
        let reply = self.tell(&format!("join {peer}"));
        assert_eq!(reply["joined"], 1, "{reply}\n{}", self.transcript());
    }

    /// The current position in the stream of events, for [`Node::expect_after`].
    pub fn mark(&self) -> usize {
        self.pull();
        self.events.borrow().len()
    }

    /// Waits for a matching event since the start of the node.
    #[track_caller]
    pub fn expect(&self, event: &str, fits: impl Fn(&Value) -> bool) -> Value {
        self.expect_after(0, event, fits)
    }

    /// Waits for a matching event after the mark.
    #[track_caller]
    pub fn expect_after(&self, mark: usize, event: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let what = format!("a matching event {event:?}");
        self.find(mark, &what, |value| value["event"] == event && fits(value))
    }

    /// Waits for an event about the node called `name`.
    #[track_caller]
    pub fn expect_node(&self, event: &str, name: &str) -> Value {
        self.expect(event, |value| value["node"]["name"] == name)
    }

    /// Waits for a message with exactly these bytes.
    #[track_caller]
    pub fn expect_message(&self, bytes: &[u8]) -> Value {
        let hex = to_hex(bytes);
        self.expect("message", |value| value["hex"] == hex.as_str())
    }

    /// All events after the mark.
    pub fn events_after(&self, mark: usize) -> Vec<Value> {
        self.pull();
        self.events.borrow()[mark..].to_vec()
    }

    /// How many matching events there have been so far.
    pub fn count(&self, event: &str, fits: impl Fn(&Value) -> bool) -> usize {
        self.pull();
        let events = self.events.borrow();
        events.iter().filter(|value| value["event"] == event && fits(value)).count()
    }

    /// The names of the current members, sorted.
    #[track_caller]
    pub fn member_names(&self) -> Vec<String> {
        let reply = self.tell("members");
        let nodes = reply["nodes"].as_array().expect("an array of nodes");
        let mut names: Vec<String> =
            nodes.iter().map(|node| node["name"].as_str().unwrap_or_default().to_owned()).collect();
        names.sort();
        names
    }

    /// Waits until `nodes`, which also lists the dead, contains a matching record.
    #[track_caller]
    pub fn until_node(&self, name: &str, fits: impl Fn(&Value) -> bool) -> Value {
        eventually(&format!("{}: the record of {name}", self.name), || {
            let reply = self.tell("nodes");
            let nodes = reply["nodes"].as_array().ok_or("no array of nodes")?;
            let node = nodes.iter().find(|node| node["name"] == name);
            let node = node.ok_or_else(|| format!("not in {reply}"))?;
            if fits(node) { Ok(node.clone()) } else { Err(node.to_string()) }
        })
    }

    /// Kills it without warning.
    pub fn kill(&self) {
        self.process.kill();
    }

    /// Stops it by `quit`, without leaving; returns its exit status.
    #[track_caller]
    pub fn quit(&self) -> ExitStatus {
        self.process.write_line(b"quit");
        self.process.wait_exit()
    }

    /// Kills the node; returns its address, still reserved, so that it can come back there.
    pub fn into_address(mut self) -> (SocketAddr, Option<Loopback>) {
        self.process.kill();
        (self.addr, self.loopback.take())
    }

    /// The last output of the process, for failure messages.
    pub fn transcript(&self) -> String {
        self.process.transcript()
    }

    #[track_caller]
    fn find(&self, from: usize, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + PATIENCE;
        let mut next = from;
        loop {
            self.pull();
            let events = self.events.borrow();
            if let Some(found) = events.iter().skip(next).find(|event| fits(event)) {
                return found.clone();
            }
            next = next.max(events.len());
            drop(events);
            let more = self.process.wait_stdout(next, until);
            assert!(more, "{} did not print {what}\n{}", self.name, self.transcript());
        }
    }

    /// Parses the lines received since the last call.
    fn pull(&self) {
        let mut events = self.events.borrow_mut();
        for line in self.process.stdout_from(events.len()) {
            let event: Value = serde_json::from_str(&line)
                .unwrap_or_else(|error| panic!("{}: {error} in {line:?}", self.name));
            assert!(event["event"].is_string(), "{}: no event in {line}", self.name);
            assert!(event["time"].is_string(), "{}: no time in {line}", self.name);
            events.push(event);
        }
    }
}

/// Bytes as lower-case hexadecimal digits.
pub fn to_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
