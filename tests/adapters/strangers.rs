//! Peers that speak something else, a byte at a time or all at once, or end where they should not:
//! what the node says of them, and where it counts them.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use memberlist_driver::bind::Options;
use memberlist_driver::transport::{Framing, Tls, Transport, TransportStats};
use memberlist_driver::{Events, Handle};
use memberlist_proto::{Config, Event, ExchangeError, StreamFailure, TlsFailure};
use memberlist_tests::certificates::Authority;
use memberlist_tests::conformance::{Adapter as _, PATIENCE};

use crate::runtimes::Tokio;

/// The beginning of what a client of TLS says.
const GREETING: &[u8] = b"\x16\x03\x01\x00\xf4\x01\x00\x00\xf0\x03\x03rest";
const HTTP: &[u8] = b"GET / HTTP/1.1\r\nHost: node\r\n\r\n";
/// A length within bounds, and less than it announces.
const CUT: &[u8] = b"\x40\0\0\0\x0a\x06v0";

/// How a stranger ends.
#[derive(Clone, Copy, Debug)]
enum Ends {
    /// It says no more, and keeps its side open.
    Half,
    Closed,
    /// With bytes unread or none, so that the node sees a reset.
    Reset,
    /// It waits to be dropped.
    Waits,
}

async fn start(transport: Transport) -> (Handle, Events) {
    let options = Options::bind(([127, 0, 0, 1], 0)).with(|it| it.transport = transport);
    Tokio::start(Config::local("node"), options).await.expect("a free port")
}

fn tls(authority: &Authority) -> Tls {
    let issued = authority.issue("node", &["127.0.0.1"]);
    Tls::mutual(issued.certificate, issued.key, authority.file())
}

/// Says something in pieces, each in a segment of its own as far as the system lets it.
fn stranger(to: SocketAddr, words: &[u8], piece: usize, ends: Ends) {
    let mut stream = TcpStream::connect(to).expect("it listens");
    stream.set_nodelay(true).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a connection");
    for piece in words.chunks(piece) {
        // The node may have heard enough.
        if stream.write_all(piece).is_err() {
            return;
        }
        if piece.len() < words.len() {
            thread::sleep(Duration::from_millis(1));
        }
    }
    match ends {
        Ends::Closed => return,
        Ends::Half => drop(stream.shutdown(std::net::Shutdown::Write)),
        Ends::Reset => {
            return socket2::SockRef::from(&stream)
                .set_linger(Some(Duration::ZERO))
                .expect("a connection");
        }
        Ends::Waits => {}
    }
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
}

async fn until(node: &Handle, so: impl Fn(&TransportStats) -> bool) -> TransportStats {
    let begun = Instant::now();
    loop {
        let stats = node.transport_stats();
        if so(&stats) {
            return stats;
        }
        assert!(begun.elapsed() < PATIENCE, "{stats:?}");
        Tokio::sleep(Duration::from_millis(2)).await;
    }
}

/// A stranger leads to this, however its words are cut: the reason, and that of TLS.
async fn meets(
    transport: Transport,
    words: &'static [u8],
    ends: Ends,
    reason: &'static str,
    failure: Option<TlsFailure>,
) {
    let (node, _events) = start(transport).await;
    let to = node.bound_address();
    for (piece, times) in [(words.len(), 1), (1, 2), (3, 3)] {
        let said = thread::spawn(move || stranger(to, words, piece, ends));
        let stats =
            until(&node, |stats| stats.bad_connections >= times && stats.incoming == 0).await;
        said.join().expect("it is let go");
        let what = format!("{words:?} in pieces of {piece}, {ends:?}: {stats:?}");
        assert_eq!(stats.bad_by_reason, BTreeMap::from([(reason, times)]), "{what}");
        let failures = failure.map(|failure| (failure, times)).into_iter().collect();
        assert_eq!(stats.tls_failures, failures, "{what}");
        assert_eq!((stats.accepted, stats.refused, stats.handshakes), (times, 0, 0), "{what}");
        assert_eq!(
            (stats.unsettled, stats.partial_bytes, stats.arrived_bytes),
            (0, 0, 0),
            "{what}"
        );
    }
}

#[test]
fn a_stranger_at_a_plain_port_is_known() {
    use Framing::{Alertmanager, Dskit};
    Tokio::block_on(async {
        for framing in [Alertmanager, Dskit] {
            for ends in [Ends::Waits, Ends::Half, Ends::Closed] {
                meets(Transport::tcp(framing), GREETING, ends, "tls", None).await;
            }
        }
        for ends in [Ends::Waits, Ends::Half, Ends::Closed] {
            meets(Transport::tcp(Alertmanager), HTTP, ends, "too_long", None).await;
            meets(Transport::tcp(Dskit), HTTP, ends, "kind", None).await;
        }
        // What ends within a frame, and within what may be a greeting.
        for ends in [Ends::Half, Ends::Closed] {
            meets(Transport::tcp(Alertmanager), CUT, ends, "cut", None).await;
            meets(Transport::tcp(Alertmanager), &GREETING[..4], ends, "cut", None).await;
            meets(Transport::tcp(Dskit), b"\x01\x0e127.0.0.1:7946", ends, "cut", None).await;
            meets(
                Transport::tcp(Dskit),
                b"\x01\x0e127.0.0.1:7946and sixteen bytes more",
                ends,
                "digest",
                None,
            )
            .await;
            meets(Transport::tcp(Dskit), &GREETING[..4], ends, "kind", None).await;
        }
        meets(Transport::tcp(Alertmanager), CUT, Ends::Reset, "reset", None).await;
        meets(Transport::tcp(Dskit), b"\x01\x0e127.0.0.1:7946", Ends::Reset, "reset", None).await;
    });
}

#[test]
fn a_stranger_at_a_port_of_tls_is_known() {
    let authority = Authority::new();
    let over = |framing| Transport::tls(framing, tls(&authority));
    let plain = Some(TlsFailure::PlainText);
    Tokio::block_on(async {
        for framing in [Framing::Alertmanager, Framing::Dskit] {
            for ends in [Ends::Waits, Ends::Half, Ends::Closed] {
                // One byte is enough: of a stream of dskit's, of other protocols.
                for words in [HTTP, b"\x02\x06", b"\x06\x83\xa4", CUT] {
                    meets(over(framing), words, ends, "handshake", plain).await;
                }
            }
            for ends in [Ends::Half, Ends::Closed, Ends::Reset] {
                for len in [1, 4, 9] {
                    let cut = Some(TlsFailure::Cut);
                    meets(over(framing), &GREETING[..len], ends, "handshake", cut).await;
                }
            }
        }
    });
}

/// A connection that is opened and closed, as many look whether a port is open, is not held against it.
#[test]
fn a_connection_without_a_word_is_not_bad() {
    Tokio::block_on(async {
        for framing in [Framing::Alertmanager, Framing::Dskit] {
            let (node, _events) = start(Transport::tcp(framing)).await;
            drop(TcpStream::connect(node.bound_address()).expect("it listens"));
            let stats = until(&node, |stats| stats.accepted == 1 && stats.incoming == 0).await;
            assert_eq!(stats.bad_connections, 0, "{stats:?}");
        }
    });
}

/// A node without TLS says what it meets on a stream, from either side, however it is cut.
#[test]
fn tls_at_a_port_for_streams_is_known() {
    Tokio::block_on(async {
        let (node, mut events) = start(Transport::udp_tcp()).await;
        let to = node.bound_address();
        for piece in [GREETING.len(), 1, 2] {
            let said = thread::spawn(move || stranger(to, GREETING, piece, Ends::Waits));
            let met = loop {
                match tokio::time::timeout(PATIENCE, events.next()).await.expect("in time") {
                    Some(Event::ExchangeFailed { error, .. }) => break error,
                    Some(_) => {}
                    None => panic!("the node runs"),
                }
            };
            said.join().expect("it is let go");
            assert_eq!(met, ExchangeError::Stream(StreamFailure::UnexpectedTls), "{piece}");
        }
        // A peer that answers with an alert, by single bytes.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let answers = thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("the node connects");
            stream.set_nodelay(true).expect("a connection");
            let _ = stream.read(&mut [0; 64]);
            for byte in [0x15, 3, 3, 0, 2, 2, 50] {
                let _ = stream.write_all(&[byte]);
                thread::sleep(Duration::from_millis(5));
            }
        });
        let error = node.join([address]).await.expect_err("it is no member").to_string();
        assert!(error.contains("the peer speaks TLS"), "{error}");
        answers.join().expect("it has answered");
    });
}

/// Packets in plain text to a port of TLS are known as unsent, and why is logged and counted.
#[test]
fn packets_to_a_port_of_tls_are_unsent() {
    let authority = Authority::new();
    Tokio::block_on(async {
        for framing in [Framing::Alertmanager, Framing::Dskit] {
            let (node, _events) = start(Transport::tcp(framing)).await;
            let (peer, _heard) = start(Transport::tls(framing, tls(&authority))).await;
            let to = || memberlist_proto::Target::Addr { addr: peer.bound_address(), node: None };
            let mut sent = 0;
            let stats = until_sent(&node, || {
                node.send(to(), "x").expect("the node runs");
                sent += 1;
            });
            let stats = stats.await;
            assert_eq!(stats.packets_unsent, sent, "{stats:?}");
            let met = until(&peer, |stats| stats.tls_failures.contains_key(&TlsFailure::PlainText));
            assert_eq!(met.await.bad_by_reason.keys().collect::<Vec<_>>(), [&"handshake"]);
        }
    });
}

/// Sends until the peer has failed twice, and all that was sent is known as unsent.
async fn until_sent(node: &Handle, mut send: impl FnMut()) -> TransportStats {
    let begun = Instant::now();
    while node.transport_stats().failed < 2 {
        send();
        assert!(begun.elapsed() < PATIENCE, "{:?}", node.transport_stats());
        Tokio::sleep(Duration::from_millis(20)).await;
    }
    until(node, |stats| stats.queued_bytes == 0).await
}

/// The time that a frame has begins with it, not with one before: a connection on which some frame is
/// always under way stands for as long as each of them arrives in time.
#[test]
fn frames_may_follow_each_other_without_a_pause() {
    let limit = Duration::from_millis(400);
    let transport = || {
        let mut transport = Transport::tcp(Framing::Alertmanager);
        transport.limits.handshake_time = limit;
        transport
    };
    Tokio::block_on(async {
        let (node, _events) = start(transport()).await;
        let frame = Framing::Alertmanager.packet(([127, 0, 0, 1], 9).into(), b"\x08hello");
        let mut stream = TcpStream::connect(node.bound_address()).expect("it listens");
        stream.set_nodelay(true).expect("a connection");
        // Each write ends within a frame.
        let (mut written, mut whole) = (frame[..9].to_vec(), 0);
        let begun = Instant::now();
        while begun.elapsed() < 4 * limit {
            stream.write_all(&written).expect("the node reads");
            written = [&frame[9..], &frame[..9]].concat();
            whole += 1;
            Tokio::sleep(Duration::from_millis(40)).await;
        }
        let stats = node.transport_stats();
        assert_eq!((stats.bad_connections, stats.incoming), (0, 1), "{stats:?}");
        assert_eq!(stats.partial_bytes, 9, "{stats:?}");
        assert_eq!(node.stats().counters.packets_received, whole - 1);
        // One that does not go on is given up.
        let stats = until(&node, |stats| stats.incoming == 0).await;
        assert_eq!(stats.bad_by_reason, BTreeMap::from([("timed_out", 1)]));
    });
}

/// More connections than there may be are refused, and each says of what there were too many.
#[test]
fn refusals_are_counted_by_what_there_is_too_much_of() {
    let limited = |change: fn(&mut memberlist_driver::transport::Limits)| {
        let mut transport = Transport::tcp(Framing::Alertmanager);
        change(&mut transport.limits);
        transport
    };
    Tokio::block_on(async {
        for (transport, of) in [
            (limited(|limits| limits.connections = 3), "refused_in_all"),
            (limited(|limits| limits.connections_per_peer = 3), "refused_of_source"),
            (
                limited(|limits| (limits.handshakes, limits.handshakes_per_peer) = (4, 1)),
                "refused_unsettled",
            ),
        ] {
            let (node, _events) = start(transport).await;
            let connect = |_| TcpStream::connect(node.bound_address()).expect("it listens");
            let open: Vec<_> = (0..5).map(connect).collect();
            let stats = until(&node, |stats| stats.accepted + stats.refused == 5).await;
            assert_eq!((stats.accepted, stats.incoming, stats.unsettled), (3, 3, 3), "{stats:?}");
            assert_eq!((stats.refused, stats.bad_connections), (2, 0), "{stats:?}");
            let reason = stats.iter().find(|(name, _)| *name == of);
            assert_eq!(reason, Some((of, 2)), "{stats:?}");
            drop(open);
            until(&node, |stats| (stats.incoming, stats.unsettled) == (0, 0)).await;
        }
    });
}
