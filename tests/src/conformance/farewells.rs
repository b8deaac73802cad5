//! The packets and messages that a node still sends when it ends.

use std::io::{ErrorKind, Read as _};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::thread;
use std::time::Duration;

use memberlist_driver::{Events, Handle};
use memberlist_proto::Target;
use memberlist_proto::wire::Scratch;
use memberlist_proto::wire::message::{Alive, Message};
use memberlist_proto::wire::packet::{PacketLimits, Rules, Visit, open};

use super::{Adapter, Kit as _, PATIENCE, encoded, loopback, quick};

/// How many times a node leaves: a single lost packet among all of these is noticed.
const LEAVES: usize = 50;
const MESSAGES: usize = 200;

/// A leave that is reported as sent has been handed to the socket, and a shutdown does not withdraw
/// any of its packets.
pub async fn no_packet_of_a_leave_is_lost<A: Adapter>() {
    let peer = Peer::new();
    for round in 0..LEAVES {
        let (node, _events) = peer.meet::<A>().await;
        let gossiped = node.config().expect("it runs").retransmit_mult as usize;
        let report = A::in_time(node.leave(PATIENCE)).await.expect("in time");
        let expected = gossiped + report.sent_directly;
        // In the other rounds nothing is shut down before the check: the process could end here.
        if round % 2 == 0 {
            drop(node.shutdown());
        }
        // On one machine the kernel delivers a packet while it is sent: what was handed to the
        // socket has arrived.
        let heard = peer.hear().iter().filter(|it| **it == Heard::Leave).count();
        assert_eq!(heard, expected, "round {round}");
        A::in_time(node.shutdown()).await;
        assert_eq!(peer.hear().iter().filter(|it| **it == Heard::Leave).count(), 0);
    }
}

/// What was sent before a shutdown arrives.
pub async fn what_was_sent_before_a_shutdown_arrives<A: Adapter>() {
    let peer = Peer::new();
    let (node, _events) = peer.meet::<A>().await;
    for _ in 0..MESSAGES {
        node.send(Target::Member("peer".into()), b"last words").expect("a member");
    }
    A::in_time(node.shutdown()).await;
    // All sockets are closed: nothing more arrives.
    let heard = peer.hear().iter().filter(|it| **it == Heard::Message).count();
    assert_eq!(heard, MESSAGES);
}

/// A message that is being written when its node is shut down is written to its end.
pub async fn a_message_under_way_survives_a_shutdown<A: Adapter>() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let to = Target::Addr { addr: listener.local_addr().expect("bound"), node: None };
    // More than the sockets hold, so that the shutdown comes in the middle of it.
    let message = vec![7; 8 << 20];
    let config = quick("n").with(|it| it.compression = memberlist_proto::Compression::None);
    let (node, _events) = A::start(config, loopback()).await.expect("a free port");
    let sent = node.send_reliable(to, &message);
    listener.set_nonblocking(true).expect("a socket");
    let mut accepted = None;
    A::eventually(|| {
        accepted = accepted.take().or_else(|| listener.accept().ok());
        accepted.is_some() && node.stats().counters.stream_bytes_sent > 0
    })
    .await;
    let shutdown = node.shutdown();
    let gone = node.stats().counters.stream_bytes_sent;
    assert!(gone < message.len() as u64, "all of it is in the sockets");
    let (mut stream, _) = accepted.expect("accepted");
    // It reads without a pause, because the node waits for a second at most.
    let reader = thread::spawn(move || {
        stream.set_nonblocking(false).expect("a socket");
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).map(|_| heard.len())
    });
    A::in_time(shutdown).await;
    let heard = reader.join().expect("it only reads").expect("no reset");
    assert!(heard > message.len(), "{heard} bytes of {}", message.len());
    drop(sent);
}

/// A member that only listens.
struct Peer(UdpSocket);

#[derive(PartialEq, Eq)]
enum Heard {
    Leave,
    Message,
    Other,
}

impl Peer {
    fn new() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        socket.set_nonblocking(true).expect("a socket");
        Self(socket)
    }

    /// A node that has this peer as its only other member, and only gossips.
    async fn meet<A: Adapter>(&self) -> (Handle, Events) {
        let config = quick("n").with(|it| {
            it.probe_interval = Duration::ZERO;
            it.push_pull_interval = Duration::ZERO;
            it.gossip_interval = Duration::from_millis(2);
        });
        let (node, events) = A::start(config, loopback()).await.expect("a free port");
        self.0.send_to(&self.alive(), node.bound_address()).expect("sent");
        A::eventually(|| node.num_members() == 2).await;
        (node, events)
    }

    fn alive(&self) -> Vec<u8> {
        let SocketAddr::V4(address) = self.0.local_addr().expect("bound") else {
            panic!("an IPv4 address")
        };
        let alive = Message::Alive(Alive {
            incarnation: 1,
            node: b"peer",
            addr: Some(&address.ip().octets()),
            port: address.port(),
            meta: None,
            vsn: Some(&[1, 5, 2, 0, 0, 0]),
        });
        encoded(&alive)
    }

    /// What has arrived since the last call.
    fn hear(&self) -> Vec<Heard> {
        struct Collect(Vec<Heard>);
        impl Visit for Collect {
            fn message(&mut self, message: Message<'_>, _: &[u8]) {
                self.0.push(match message {
                    Message::Dead(dead) if dead.node == dead.from => Heard::Leave,
                    Message::User(_) => Heard::Message,
                    _ => Heard::Other,
                });
            }
        }
        let rules = Rules {
            label: b"",
            skip_inbound_label_check: false,
            accept_labels: &[],
            keyring: None,
            verify_incoming: true,
            limits: PacketLimits::default(),
        };
        let (mut heard, mut buffer) = (Collect(Vec::new()), vec![0; 1 << 16]);
        loop {
            match self.0.recv(&mut buffer) {
                Ok(len) => open(&buffer[..len], &rules, &mut Scratch::default(), &mut heard)
                    .expect("a good packet"),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return heard.0,
                Err(error) => panic!("{error}"),
            }
        }
    }
}
