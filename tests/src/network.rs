//! A network for one test: two ends that reach each other only through a hub.

use std::ffi::OsStr;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::{Command, Output};

use crate::process::Process;

const NEEDS: &str = "a network of its own needs root and Debian's iproute2";

/// A network namespace of Linux. It ends with the last process in it.
#[derive(Debug)]
pub struct Namespace {
    ip: IpAddr,
    /// Keeps the namespace alive.
    holder: Process,
}

impl Namespace {
    /// Creates a namespace with only a loopback interface.
    #[track_caller]
    pub fn alone(name: &str) -> Self {
        Self::start(name, 1)
    }

    #[track_caller]
    fn start(name: &str, host: u8) -> Self {
        let mut command = Command::new("unshare");
        // `cat` ends with the test, however the test ends.
        command.args(["--net", "sh", "-c", "ip link set lo up && echo ready && exec cat"]);
        let holder = Process::spawn(name, &mut command);
        holder.wait_text("ready");
        Self { ip: IpAddr::V4(Ipv4Addr::new(10, 0, 0, host)), holder }
    }

    /// The address of a node in it.
    pub fn addr(&self) -> SocketAddr {
        SocketAddr::new(self.ip, 7946)
    }

    fn pid(&self) -> u32 {
        self.holder.pid()
    }

    /// A command, still without arguments, that runs a program inside.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", self.pid())).arg(program);
        command
    }

    /// Runs a program inside; words are separated by single spaces.
    #[track_caller]
    pub fn run(&self, line: &str) {
        let mut words = line.split(' ');
        let output = self.command(words.next().expect("a program")).args(words).output();
        self.succeeded(line, output);
    }

    /// Writes a kernel setting of this namespace.
    #[track_caller]
    fn set(&self, file: &str, value: &str) {
        let line = format!("echo {value} > {file}");
        let output = self.command("sh").args(["-c", &line]).output();
        self.succeeded(&line, output);
    }

    #[track_caller]
    fn succeeded(&self, line: &str, output: io::Result<Output>) {
        let output = output.expect("util-linux is installed");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line} at {}: {stderr}\n{NEEDS}", self.ip);
    }
}

/// A network of three namespaces: `left` – `hub` – `right`. The ends reach the hub, and each other
/// once the hub forwards. What the hub does not forward is lost silently.
#[derive(Debug)]
pub struct Line {
    /// One end.
    pub left: Namespace,
    /// The middle.
    pub hub: Namespace,
    /// The other end.
    pub right: Namespace,
}

impl Line {
    /// Creates the network. Nothing is forwarded yet.
    #[track_caller]
    pub fn start() -> Self {
        let left = Namespace::start("left", 1);
        let hub = Namespace::start("hub", 2);
        let right = Namespace::start("right", 3);
        hub.run(&format!("ip addr add {}/32 dev lo", hub.ip));
        for (end, link) in [(&left, "to-left"), (&right, "to-right")] {
            hub.run(&format!("ip link add {link} type veth peer name eth0 netns {}", end.pid()));
            hub.run(&format!("ip link set {link} up"));
            hub.run(&format!("ip route add {}/32 dev {link} src {}", end.ip, hub.ip));
            end.run(&format!("ip addr add {}/32 dev eth0", end.ip));
        }
        let line = Self { left, hub, right };
        line.connect(&line.left);
        line.connect(&line.right);
        line
    }

    /// Sets the interface of an end up, with its routes, which are lost when it goes down.
    #[track_caller]
    pub fn connect(&self, end: &Namespace) {
        end.run("ip link set eth0 up");
        end.run(&format!("ip route add {}/32 dev eth0", self.hub.ip));
        end.run(&format!("ip route add default via {}", self.hub.ip));
    }

    /// Sets the interface of an end down.
    #[track_caller]
    pub fn disconnect(&self, end: &Namespace) {
        end.run("ip link set eth0 down");
    }

    /// From now on, streams between the ends are lost, but not packets.
    #[track_caller]
    pub fn lose_streams(&self) {
        self.lose("tcp");
    }

    /// Sets whether the hub forwards, so that the ends reach each other.
    #[track_caller]
    pub fn forward(&self, on: bool) {
        self.hub.set("/proc/sys/net/ipv4/ip_forward", if on { "1" } else { "0" });
    }

    /// From now on, packets between the ends are lost, but not streams.
    #[track_caller]
    pub fn lose_packets(&self) {
        self.lose("udp");
    }

    /// Ends the losses of streams or packets.
    #[track_caller]
    pub fn lose_nothing(&self) {
        self.hub.run("ip rule del pref 5");
        self.hub.run("ip rule del pref 5");
    }

    fn lose(&self, protocol: &str) {
        for (from, to) in [(&self.left, &self.right), (&self.right, &self.left)] {
            let (from, to) = (from.ip, to.ip);
            let what = format!("ipproto {protocol} from {from} to {to}");
            self.hub.run(&format!("ip rule add pref 5 {what} blackhole"));
        }
    }
}
