//! What recording costs a node: `cost [DIR]` answers pings with and without a recorder, in turn, and
//! prints the time that each took in nanoseconds, encoding and digest included, sockets left out.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Instant as Clock;

use memberlist_proto::wire::message::{Message, Ping};
use memberlist_proto::{Config, Instant, Memberlist};
use memberlist_record::{RecordOptions, Recorder};

/// Pings in one round, and rounds of each kind.
const PINGS: u64 = 200_000;
const ROUNDS: usize = 9;

fn main() {
    let folder = std::env::args().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = folder.join("memberlist-record-cost");
    let (mut plain, mut recorded) = (node(), node());
    let options = RecordOptions::default().with(|it| it.patient = true);
    let start = Instant::from_nanos(1);
    let handle = Recorder::start(&mut recorded, start, [3; 32], &folder, &options, |_| {});
    let handle = handle.expect("a folder");
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        without.push(answer(&mut plain, round));
        with.push(answer(&mut recorded, round));
    }
    let (without, with) = (median(without), median(with));
    println!(
        "{without} ns without a recorder, {with} ns with one: {} ns",
        with.saturating_sub(without)
    );
    println!("{:?}", handle.stats());
    drop(recorded);
    handle.wait(std::time::Duration::from_secs(60));
    let _ = std::fs::remove_dir_all(folder);
}

fn node() -> Memberlist {
    let mut config = Config::lan("me");
    config.limits.replies_per_second = 1_000_000;
    Memberlist::new(Instant::from_nanos(1), config, None, [3; 32]).expect("valid")
}

/// Nanoseconds for each of a round of pings.
fn answer(node: &mut Memberlist, round: usize) -> u64 {
    let mut packet = Vec::new();
    let (name, source_node) = (&b"me"[..], &b"you"[..]);
    Message::Ping(Ping { seq_no: 9, node: name, source_addr: None, source_port: 0, source_node })
        .encode(&mut packet);
    let from = SocketAddr::from(([10, 0, 0, 9], 7946));
    let begun = Clock::now();
    for number in 0..PINGS {
        // As often as a busy node is pinged, and within the limits of strangers.
        let now = Instant::from_nanos((round as u64 * PINGS + number) * 10_000 + 2);
        let _ = node.handle_packet(now, from, &packet);
        while node.poll_transmit().is_some() || node.poll_event().is_some() {}
    }
    u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX) / PINGS
}

fn median(mut rounds: Vec<u64>) -> u64 {
    rounds.sort_unstable();
    rounds[rounds.len() / 2]
}
