//! How many pings a node answers per second on each runtime: `echo [SECONDS [DIR]]`. With a
//! directory, the nodes are recorded into it.
//!
//! For each runtime, a plain socket sends pings to a node, with several numbers of them under way
//! at once, and to a bare loop on the same runtime, which waits for packets and answers each,
//! without looking at it, with a prepared ack; the figures are medians of rounds in turns. At last,
//! `Handle::ping` is called from one node to another, one call after the other. The client is part
//! of the same process: what matters is the comparison with the bare loop, or between two builds;
//! on a busy machine, that of processor time.

use std::net::{SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use memberlist_proto::wire::message::{Message, Ping};
use memberlist_proto::{Config, Target};
use memberlist_tests::conformance::Adapter;

use bare::Bare;

mod bare;
#[path = "../../adapters/runtimes.rs"]
#[allow(dead_code)] // A mixed cluster is not measured.
mod runtimes;

/// The numbers of pings that are under way at once.
const WINDOWS: [usize; 3] = [1, 32, 128];
const ROUNDS: usize = 7;

fn main() {
    let seconds = std::env::args().nth(1).map_or(3.0, |text| text.parse().expect("seconds"));
    let time = Duration::from_secs_f64(seconds);
    println!(
        "{:10} {:>8} {:>12} {:>12} {:>12} {:>12} {:>8} {:>8}",
        "runtime", "window", "echoes/s", "CPU us each", "bare loop", "CPU us each", "of it", "CPU"
    );
    measure::<runtimes::Tokio>("tokio", time);
    measure::<runtimes::AsyncStd>("async-std", time);
    measure::<runtimes::Smol>("smol", time);
}

fn measure<A: Adapter + Bare>(name: &str, time: Duration) {
    A::block_on(async {
        let start = async |name: &str| {
            let mut quiet = Config::local(name).with(|it| {
                it.probe_interval = Duration::ZERO;
                it.gossip_interval = Duration::ZERO;
                it.push_pull_interval = Duration::ZERO;
            });
            // The plain socket is not a member.
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
        let bare = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        let plain = bare.local_addr().expect("an address");
        A::serve(bare);
        for window in WINDOWS {
            let (mut ours, mut theirs) = (Vec::new(), Vec::new());
            for _ in 0..ROUNDS {
                theirs.push(answered::<A>(plain, window, time).await);
                ours.push(answered::<A>(one.bound_address(), window, time).await);
            }
            let [ours, theirs] = [ours, theirs].map(median);
            ours.show(name, &window.to_string());
            println!(
                " {:>12.0} {:>12.2} {:>6.0} % {:>6.0} %",
                theirs.rate,
                theirs.micros,
                100.0 * ours.rate / theirs.rate,
                100.0 * theirs.micros / ours.micros,
            );
        }
        let count = Count::new();
        let (mut pings, begun) = (0, Instant::now());
        while begun.elapsed() < time {
            let target = Target::Addr { addr: one.bound_address(), node: None };
            two.ping(target).await.expect("an answer");
            pings += 1;
        }
        count.end(pings).show(name, "ping()");
        println!();
    });
}

/// Runs a client's measurement while the runtime goes on.
async fn answered<A: Adapter>(to: SocketAddr, window: usize, time: Duration) -> Measured {
    let client = thread::spawn(move || echo(to, window, time));
    while !client.is_finished() {
        A::sleep(Duration::from_millis(20)).await;
    }
    client.join().expect("every ping was answered")
}

fn median(mut all: Vec<Measured>) -> Measured {
    all.sort_by(|one, other| one.rate.total_cmp(&other.rate));
    all.swap_remove(all.len() / 2)
}

/// Sends pings, `window` of them under way at a time, and counts the acks.
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
        Self { begun: Instant::now(), cpu: cpu_nanos() }
    }

    fn end(self, times: u32) -> Measured {
        let micros = (cpu_nanos() - self.cpu) as f64 / 1e3 / f64::from(times);
        Measured { rate: f64::from(times) / self.begun.elapsed().as_secs_f64(), micros }
    }
}

impl Measured {
    fn show(&self, name: &str, window: &str) {
        print!("{name:10} {window:>8} {:>12.0} {:>12.2}", self.rate, self.micros);
    }
}

/// The processor time that the threads of this process have used, in nanoseconds.
fn cpu_nanos() -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux");
    let nanos = |task: std::fs::DirEntry| {
        // A thread may have ended meanwhile.
        let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    };
    tasks.flatten().filter_map(nanos).sum()
}
