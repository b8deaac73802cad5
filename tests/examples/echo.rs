//! How many echoes a node answers in a second, on each runtime: `echo [SECONDS [DIR]]`. With a directory
//! the nodes are recorded into it.
//!
//! Three figures for each runtime: pings that a plain socket sends to a node, with so many of them
//! under way at once; and, last, `Handle::ping` from one node to another, one after the other. The
//! client is a part of the same process, so that what matters is the comparison of two builds.

use std::net::{SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use memberlist_proto::wire::message::{Message, Ping};
use memberlist_proto::{Config, Target};
use memberlist_tests::conformance::Adapter;

#[path = "../adapters/runtimes.rs"]
#[allow(dead_code)] // A mixed cluster is not measured.
mod runtimes;

/// Pings under way at once.
const WINDOWS: [usize; 3] = [1, 32, 128];

fn main() {
    let seconds = std::env::args().nth(1).map_or(3, |text| text.parse().expect("seconds"));
    let time = Duration::from_secs(seconds);
    println!("{:10} {:>8} {:>12} {:>12}", "runtime", "window", "echoes/s", "CPU us each");
    measure::<runtimes::Tokio>("tokio", time);
    measure::<runtimes::AsyncStd>("async-std", time);
    measure::<runtimes::Smol>("smol", time);
}

fn measure<A: Adapter>(name: &str, time: Duration) {
    A::block_on(async {
        let start = async |name: &str| {
            let mut quiet = Config::local(name).with(|it| {
                it.probe_interval = Duration::ZERO;
                it.gossip_interval = Duration::ZERO;
                it.push_pull_interval = Duration::ZERO;
            });
            // The plain socket is no member.
            quiet.limits.replies_per_second = 1_000_000;
            let options = memberlist_driver::bind::Options::bind(([127, 0, 0, 1], 0));
            let options = match std::env::args().nth(2) {
                Some(folder) => {
                    let folder = std::path::Path::new(&folder).join(name);
                    options.record_to(folder, memberlist_driver::RecordOptions::default())
                }
                None => options,
            };
            A::start(quiet, options).await.expect("a free port")
        };
        let (one, _events) = start("one").await;
        let (two, _events) = start("two").await;
        for window in WINDOWS {
            let to = one.bound_address();
            let client = thread::spawn(move || echo(to, window, time));
            while !client.is_finished() {
                A::sleep(Duration::from_millis(20)).await;
            }
            client.join().expect("every ping was answered").show(name, &window.to_string());
        }
        let count = Count::new();
        let (mut pings, begun) = (0, Instant::now());
        while begun.elapsed() < time {
            let target = Target::Addr { addr: one.bound_address(), node: None };
            two.ping(target).await.expect("an answer");
            pings += 1;
        }
        count.end(pings).show(name, "ping()");
    });
}

/// Sends pings and counts the acks, `window` of them under way.
fn echo(to: SocketAddr, window: usize, time: Duration) -> Measured {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    socket.connect(to).expect("an address");
    socket.set_read_timeout(Some(Duration::from_secs(5))).expect("a socket");
    let mut ping = Vec::new();
    Message::Ping(Ping { seq_no: 7, node: b"one", ..Ping::default() }).encode(&mut ping);
    let count = Count::new();
    for _ in 0..window {
        socket.send(&ping).expect("sent");
    }
    let (mut acks, begun, mut buffer) = (0, Instant::now(), [0; 2048]);
    while begun.elapsed() < time {
        socket.recv(&mut buffer).expect("an ack");
        acks += 1;
        socket.send(&ping).expect("sent");
    }
    count.end(acks)
}

struct Count {
    begun: Instant,
    cpu: u64,
}

struct Measured {
    rate: f64,
    micros: f64,
}

impl Count {
    fn new() -> Self {
        Self { begun: Instant::now(), cpu: cpu_ticks() }
    }

    fn end(self, times: u32) -> Measured {
        let cpu = (cpu_ticks() - self.cpu) * 10_000;
        let micros = Duration::from_micros(cpu).as_secs_f64() * 1e6 / f64::from(times);
        Measured { rate: f64::from(times) / self.begun.elapsed().as_secs_f64(), micros }
    }
}

impl Measured {
    fn show(&self, name: &str, window: &str) {
        println!("{name:10} {window:>8} {:>12.0} {:>12.2}", self.rate, self.micros);
    }
}

/// Hundredths of a second of processor time that this process has used.
fn cpu_ticks() -> u64 {
    let text = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<_> = text.rsplit(") ").next().expect("fields").split(' ').collect();
    let ticks = |field: usize| fields[field].parse::<u64>().expect("a number");
    ticks(11) + ticks(12)
}
