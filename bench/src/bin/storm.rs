//! STORM: one node on tokio with two workers that knows many members, and clients that ask for its
//! full state as fast as it answers. How long do pings take meanwhile, and is any answered later
//! than a probe waits? `cargo run --release --bin storm -- 10000 120 10` measures 10,000 members
//! and 120 clients for 10 seconds each: alone, with clients that bring nothing new, and with
//! clients that each bring a change, after which the state has to be encoded and compressed anew.

use std::error::Error;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use memberlist_proto::wire::Scratch;
use memberlist_proto::wire::compress::Algorithm;
use memberlist_proto::wire::frame::{
    FrameLimits, FrameReader, FrameRules, FrameSealing, Progress, Role, seal_frame,
};
use memberlist_proto::wire::message::{Message, Ping};
use memberlist_proto::wire::push_pull::{NodeState, encode_header, encode_state};
use memberlist_tokio::{Config, Memberlist, Options};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const PAUSE: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(10);
const RULES: FrameRules<'static> = FrameRules {
    label: b"",
    skip_inbound_label_check: false,
    accept_labels: &[],
    keyring: None,
    verify_incoming: false,
    limits: LIMITS,
    known: None,
};
const LIMITS: FrameLimits = FrameLimits {
    max_encrypted: 20 << 20,
    max_nodes: 1 << 20,
    max_user_state: 20 << 20,
    max_user_message: 20 << 20,
    max_decompressed: 40 << 20,
    max_compressed: 20 << 20,
    max_plain_push_pull: 40 << 20,
    max_small: 64 << 10,
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Storm {
    Calm,
    NothingNew,
    News,
}

fn main() -> Result<()> {
    let mut numbers = std::env::args().skip(1).map(|word| word.parse::<u64>());
    let mut number = |otherwise| numbers.next().unwrap_or(Ok(otherwise));
    let (members, clients, seconds) = (number(10_000)?, number(120)?, number(10)?);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut config = Config::lan("node");
    // Its members do not exist, and could not answer.
    config.probe_interval = Duration::ZERO;
    let timeout = config.probe_timeout;
    let options = Options::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let (node, _events) = runtime.block_on(Memberlist::start(config, options))?;
    let to = node.bound_address();
    ask(to, &state(0..members, 1))?;
    while node.num_members() as u64 <= members {
        thread::sleep(PAUSE);
    }
    println!(
        "| {members} members, {clients} clients | answers/s | pings | median | 99 % | longest | beyond {timeout:?} |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|");
    for (what, storm) in
        [("alone", Storm::Calm), ("nothing new", Storm::NothingNew), ("news", Storm::News)]
    {
        let until = Instant::now() + Duration::from_secs(seconds);
        let answers = Arc::new(AtomicU64::new(0));
        let number = if storm == Storm::Calm { 0 } else { clients };
        let asking: Vec<_> = (0..number)
            .map(|client| {
                let answers = Arc::clone(&answers);
                thread::spawn(move || keep_asking(to, client, storm, until, &answers))
            })
            .collect();
        let mut took = ping_until(to, until)?;
        for client in asking {
            drop(client.join());
        }
        took.sort_unstable();
        let at = |percent: usize| took[(took.len() - 1) * percent / 100];
        let late = took.iter().filter(|it| **it > timeout).count();
        println!(
            "| {what} | {} | {} | {:.1?} | {:.1?} | {:.1?} | {late} |",
            answers.load(Ordering::Relaxed) / seconds,
            took.len(),
            at(50),
            at(99),
            at(100),
        );
    }
    runtime.block_on(node.shutdown());
    Ok(())
}

/// Asks for the state again and again until `until`, with or without a change.
fn keep_asking(to: SocketAddr, client: u64, storm: Storm, until: Instant, answers: &AtomicU64) {
    for round in 2.. {
        let incarnation = if storm == Storm::News { round } else { 1 };
        let frame = state(client..client + 1, incarnation);
        if Instant::now() >= until {
            return;
        }
        if ask(to, &frame).is_ok() {
            answers.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Sends a state, and reads the answer until it is complete.
fn ask(to: SocketAddr, frame: &[u8]) -> Result<()> {
    let mut stream = TcpStream::connect(to)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(frame)?;
    let mut reader = FrameReader::new(Role::Initiator);
    let mut buffer = vec![0; 64 << 10];
    loop {
        let len = stream.read(&mut buffer)?;
        if len == 0 {
            return Err("no answer".into());
        }
        // The answer is not opened: that would cost as much as the node's own work.
        if reader.feed_some(&buffer[..len], &RULES, 0)? != Progress::Reading {
            return Ok(());
        }
    }
}

/// Pings until `until`; returns how long each answer took.
fn ping_until(to: SocketAddr, until: Instant) -> Result<Vec<Duration>> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let (mut took, mut ping, mut buffer) = (Vec::new(), Vec::new(), [0; 2048]);
    while Instant::now() < until {
        ping.clear();
        Message::Ping(Ping { seq_no: took.len() as u32, ..Ping::default() }).encode(&mut ping);
        let begun = Instant::now();
        socket.send_to(&ping, to)?;
        // A lost answer counts as late, too.
        let _ = socket.recv(&mut buffer);
        took.push(begun.elapsed());
        thread::sleep(PAUSE);
    }
    Ok(took)
}

/// An encoded full state with these members.
fn state(members: std::ops::Range<u64>, incarnation: u32) -> Bytes {
    let mut out = Vec::new();
    encode_header(&mut out, false, (members.end - members.start) as usize, 0);
    for member in members {
        let name = format!("member-{member:06}");
        let addr = (0x0a00_0001 + member as u32).to_be_bytes();
        let record = NodeState {
            name: name.as_bytes(),
            addr: Some(&addr),
            port: 7946,
            incarnation,
            vsn: Some(&[1, 5, 2, 0, 0, 0]),
            ..NodeState::default()
        };
        encode_state(&mut out, &record);
    }
    let sealing = FrameSealing {
        label: b"",
        key: None,
        nonce: [0; 12],
        compress: Some(Algorithm::Lzw),
        only_if_smaller: true,
    };
    seal_frame(&out, &sealing, &mut Scratch::new()).expect("within the limits")
}
