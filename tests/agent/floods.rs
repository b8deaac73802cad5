//! What strangers can make the agent log.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use memberlist_proto::wire::message::{Alive, Message, Suspect};
use memberlist_tests::{Launch, Node, eventually};

/// The most log lines in a second, of all sources together.
const LINES: u64 = 140;
/// Rounds of the flood; each sends one packet of every kind.
const ROUNDS: u32 = 5000;

fn encoded(message: &Message<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    message.encode(&mut out);
    out
}

fn alive(node: &str, addr: [u8; 4], incarnation: u32) -> Vec<u8> {
    let (node, vsn) = (node.as_bytes(), Some(&[1, 5, 2, 0, 0, 0][..]));
    let alive = Alive { incarnation, node, addr: Some(&addr), port: 9, meta: None, vsn };
    encoded(&Message::Alive(alive))
}

/// Everything from a stranger that causes a log line, `ROUNDS` times.
fn flood(to: SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let send = |packet: &[u8]| socket.send_to(packet, to).expect("sent");
    for round in 0..ROUNDS {
        send(&[0x5a; 40]);
        send(&alive("refused", [0, 0, 0, 0], round));
        send(&alive("one", [127, 0, 0, 9], round));
        // The node refutes each, so the next needs a higher incarnation.
        let suspect = Suspect { incarnation: 2 * round, node: b"one", from: b"evil" };
        send(&encoded(&Message::Suspect(suspect)));
        if round % 50 == 0 {
            let mut stream = TcpStream::connect(to).expect("the kernel accepts");
            // Fails if the node has already closed it.
            let _ = stream.write_all(&[0x5a; 40]);
        }
        if round % 10 == 0 {
            // About as fast as the node can read.
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// How often the node had a reason to log a line.
fn reasons(node: &Node) -> u64 {
    let counters = node.tell("stats")["counters"].clone();
    let count = |name: &str| counters[name].as_u64().expect("a counter");
    ["packets_refused", "alive_refused", "conflicts", "refuted", "exchanges_failed"]
        .map(count)
        .iter()
        .sum()
}

#[test]
fn a_flood_writes_a_bounded_number_of_log_lines() {
    let node = Launch::agent("one").start();
    let began = Instant::now();
    flood(node.addr());
    let reasons = eventually("the end of the flood", || {
        let before = reasons(&node);
        std::thread::sleep(Duration::from_millis(200));
        if reasons(&node) == before {
            Ok(before)
        } else {
            Err("the node is still reading".to_owned())
        }
    });
    // The first and the last second may be partial.
    let most = LINES * (began.elapsed().as_secs() + 2);
    assert!(reasons > 2 * most, "not a flood: {reasons} reasons for at most {most} lines");
    let log = node.process().stderr();
    let lines = log.lines().count() as u64;
    println!("{reasons} reasons for a line, {lines} lines, at most {most}");
    assert!(lines <= most, "{lines} lines for {reasons} reasons, at most {most}");
    for what in [
        "packet from",
        "refused: ",
        "uses the name",
        "refuted an accusation",
        "accepted stream with",
    ] {
        assert!(log.contains(what), "no line with {what:?}\n{}", node.transcript());
    }
    assert!(log.contains("similar lines suppressed"), "{}", node.transcript());
}
