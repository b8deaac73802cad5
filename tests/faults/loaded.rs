//! A node under a flood of junk, while its cluster keeps working.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

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

/// Sends junk of `len` bytes at `RATE` until `stop` is set; returns the number of packets.
fn flood(to: SocketAddr, len: usize, stop: &AtomicBool) -> u64 {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.connect(to).expect("an address");
    let mut junk = vec![0x5a; len];
    let began = Instant::now();
    let mut sent = 0;
    while !stop.load(Ordering::Relaxed) {
        let due = began.elapsed().as_micros() as u64 * RATE / 1_000_000;
        if sent >= due {
            thread::sleep(Duration::from_micros(200));
            continue;
        }
        let burst = (due - sent).min(500);
        for number in sent..sent + burst {
            // All packets differ, and none is valid.
            junk[1..9].copy_from_slice(&number.to_le_bytes());
            let _ = socket.send(&junk);
        }
        sent += burst;
    }
    sent
}

fn under_junk_of(len: usize) {
    let lan = ["probe_timeout=500ms", "suspicion_mult=4", "gossip_interval=200ms"];
    let nodes = ["one", "two", "three"]
        .map(|name| lan.iter().fold(Launch::agent(name), |it, set| it.flag("--set", set)).start());
    for node in &nodes[1..] {
        node.join(nodes[0].addr());
    }
    for node in &nodes {
        for other in &nodes {
            node.until_node(other.name(), |record| record["state"] == "alive");
        }
    }
    let target = &nodes[0];
    let (stop, offered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let flooding = {
        let (stop, offered, to) = (Arc::clone(&stop), Arc::clone(&offered), target.addr());
        thread::spawn(move || offered.store(flood(to, len, &stop), Ordering::Relaxed))
    };
    let began = Instant::now();
    let stats = |what: &str| target.tell("stats")["counters"][what].as_u64().expect("a counter");
    let (received, mut early) = (stats("packets_received"), None);
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
    stop.store(true, Ordering::Relaxed);
    flooding.join().expect("the flood ends");
    let read = stats("packets_received") - received;
    let offered = offered.load(Ordering::Relaxed);
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

alone! {
    /// No member is suspected, no change of a member is lost, and memory stays flat.
    fn junk_of_64_bytes() {
        under_junk_of(64);
    }

    /// The same with full packets.
    fn junk_of_1400_bytes() {
        under_junk_of(1400);
    }
}
