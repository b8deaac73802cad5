//! A node under a flood of junk, while its cluster keeps working.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use memberlist_proto::wire::Scratch;
use memberlist_proto::wire::compress::Algorithm;
use memberlist_proto::wire::message::{Ack, Message};
use memberlist_proto::wire::packet::{Sealing, seal};
use memberlist_tests::{Launch, Node};

use crate::alone;

/// Junk packets offered per second.
const RATE: u64 = 100_000;
const SECONDS: u64 = 30;

/// Bytes of memory resident for the process.
fn memory(node: &Node) -> u64 {
    let path = format!("/proc/{}/smaps_rollup", node.process().pid());
    let text = std::fs::read_to_string(path).expect("the process runs");
    let line = text.lines().find(|line| line.starts_with("Rss:")).expect("a line with the size");
    let kib = line.split_whitespace().nth(1).and_then(|it| it.parse::<u64>().ok());
    kib.expect("a number") * 1024
}

/// Junk of `len` bytes, of which no two are equal and none is valid.
fn junk(len: usize) -> impl FnMut(u64) -> Vec<u8> + Send + 'static {
    let mut junk = vec![0x5a; len];
    move |number| {
        junk[1..9].copy_from_slice(&number.to_le_bytes());
        junk.clone()
    }
}

/// An ack with a payload of almost 1 MiB in 1.9 kB: it takes all the work, and nothing is reported.
fn inflating() -> Vec<u8> {
    let mut message = Vec::new();
    Message::Ack(Ack { seq_no: u32::MAX, payload: Some(&vec![b'u'; (1 << 20) - 100]) })
        .encode(&mut message);
    let sealing = Sealing {
        label: b"",
        key: None,
        nonce: [0; 12],
        compress: Some(Algorithm::Lzw),
        compress_min_size: 0,
        checksum: false,
    };
    seal(&message, &sealing, &mut Scratch::new()).to_vec()
}

/// A flood that goes on until it is stopped.
struct Flood {
    stop: Arc<AtomicBool>,
    thread: thread::JoinHandle<u64>,
}

impl Flood {
    /// Offers `rate` packets a second.
    fn begin(
        to: SocketAddr,
        rate: u64,
        packet: impl FnMut(u64) -> Vec<u8> + Send + 'static,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        Self { stop, thread: thread::spawn(move || flood(to, rate, packet, &seen)) }
    }

    /// Ends it; how many packets were offered.
    fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the flood ends")
    }
}

fn flood(
    to: SocketAddr,
    rate: u64,
    mut packet: impl FnMut(u64) -> Vec<u8>,
    stop: &AtomicBool,
) -> u64 {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.connect(to).expect("an address");
    let began = Instant::now();
    let mut sent = 0;
    while !stop.load(Ordering::Relaxed) {
        let due = began.elapsed().as_micros() as u64 * rate / 1_000_000;
        if sent >= due {
            thread::sleep(Duration::from_micros(200));
            continue;
        }
        let burst = (due - sent).min(500);
        for number in sent..sent + burst {
            let _ = socket.send(&packet(number));
        }
        sent += burst;
    }
    sent
}

/// Three members of one cluster.
fn cluster(settings: &[&str]) -> [Node; 3] {
    let launch = |name| settings.iter().fold(Launch::agent(name), |it, set| it.flag("--set", set));
    let nodes = ["one", "two", "three"].map(|name| launch(name).start());
    for node in &nodes[1..] {
        node.join(nodes[0].addr());
    }
    for node in &nodes {
        for other in &nodes {
            node.until_node(other.name(), |record| record["state"] == "alive");
        }
    }
    nodes
}

fn counter(node: &Node, what: &str) -> u64 {
    node.tell("stats")["counters"][what].as_u64().expect("a counter")
}

fn under_junk_of(len: usize) {
    let nodes = cluster(&["probe_timeout=500ms", "suspicion_mult=4", "gossip_interval=200ms"]);
    let target = &nodes[0];
    let flood = Flood::begin(target.addr(), RATE, junk(len));
    let began = Instant::now();
    let (received, mut early) = (counter(target, "packets_received"), None);
    let mut changes = 0;
    while began.elapsed() < Duration::from_secs(SECONDS) {
        // The cluster's own traffic: metadata that has to reach the others despite the flood.
        changes += 1;
        let text = format!("round {changes}");
        target.tell(&format!("meta {text}"));
        for other in &nodes[1..] {
            other.until_node("one", |record| record["meta"] == text.as_str());
        }
        if began.elapsed() > Duration::from_secs(5) && early.is_none() {
            early = Some(memory(target));
        }
    }
    let late = memory(target);
    let offered = flood.end();
    let read = counter(target, "packets_received") - received;
    let early = early.expect("measured after five seconds");
    println!(
        "{len} bytes: {offered} offered, {read} read, {} dropped by the kernel or unread; \
         {changes} changes of metadata; {early} bytes of memory, then {late}",
        offered.saturating_sub(read)
    );
    assert!(read > 0 && offered > SECONDS * 1000, "not a flood");
    assert!(late < early + (8 << 20), "memory grows: {early}, then {late}");
    let mut updated = 0;
    for node in &nodes {
        assert_eq!(node.count("suspected", |_| true), 0, "{}", node.transcript());
        assert_eq!(node.count("departed", |_| true), 0, "{}", node.transcript());
        updated += node.count("updated", |event| event["node"]["name"] == "one");
    }
    assert!(updated >= 2 * changes, "{updated} updates reported for {changes} changes");
}

/// Hundredths of a second of processor time that the process has used.
fn processor(node: &Node) -> u64 {
    let path = format!("/proc/{}/stat", node.process().pid());
    let text = std::fs::read_to_string(path).expect("the process runs");
    let fields: Vec<_> = text.rsplit(") ").next().expect("fields").split(' ').collect();
    [11, 12].map(|field: usize| fields[field].parse::<u64>().expect("a number")).iter().sum()
}

/// Counts the probes that a node begins while `rate` packets a second inflate to 1 MiB each, beside
/// those of a node that is left alone.
fn probes_under_packets_that_inflate(rate: u64) {
    const COUNTED: [&str; 4] = ["probes", "probes_failed", "packets_received", "packets_refused"];
    let nodes = cluster(&["probe_interval=500ms", "probe_timeout=200ms"]);
    let counters = |node| COUNTED.map(|what| counter(node, what));
    let before = nodes.each_ref().map(counters);
    let used = processor(&nodes[0]);
    let flood = Flood::begin(nodes[0].addr(), rate, {
        let packet = inflating();
        move |_| packet.clone()
    });
    thread::sleep(Duration::from_secs(SECONDS));
    let after = nodes.each_ref().map(counters);
    let used = processor(&nodes[0]) - used;
    let offered = flood.end();
    let since = |node: usize, what: usize| after[node][what] - before[node][what];
    println!(
        "{rate}/s: {offered} offered, {} read, {} s of processor time; {} probes, {} failed; of \
         another node {}, {} failed",
        since(0, 2),
        used / 100,
        since(0, 0),
        since(0, 1),
        since(1, 0),
        since(1, 1)
    );
    assert!(offered > SECONDS * rate / 2, "not a flood: {offered}");
    assert_eq!(since(0, 3), 0, "every packet is read in full");
    assert!(since(0, 2) > SECONDS * 100, "nearly nothing was read");
    assert!(since(0, 0) * 10 >= since(1, 0) * 9, "probes are lost");
}

alone! {
    /// No member is suspected, no change of a member is lost, and memory stays flat.
    fn junk_of_64_bytes() {
        under_junk_of(64);
    }

    /// The same with full packets.
    fn junk_of_1400_bytes() {
        under_junk_of(1400);
    }

    /// A node goes on probing while it reads what costs it all its time.
    fn packets_that_inflate() {
        probes_under_packets_that_inflate(4000);
    }

    /// The same with more of them than it can read.
    fn more_packets_that_inflate_than_can_be_read() {
        probes_under_packets_that_inflate(40_000);
    }
}
