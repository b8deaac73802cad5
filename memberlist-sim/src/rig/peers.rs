//! The peers of a node under test: what they send to it, and what it sends to them.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use memberlist_proto::wire::Scratch;
use memberlist_proto::wire::message::{Ack, Alive, Dead, Message, Nack, Suspect};
use memberlist_proto::wire::packet::{PacketLimits, Rules, Visit, open};
use memberlist_proto::{Keyring, Memberlist, NodeName, State, Transmit};

use super::Rig;

/// The version vector of a peer that understands everything.
pub const VSN: [u8; 6] = [1, 5, 2, 0, 0, 0];

/// A packet that the node has sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Where to.
    pub to: SocketAddr,
    /// Each message in a few words, with the sequence number of an ack or nack and the incarnation
    /// of other messages: `ping x`, `indirect x nack`, `ack 7`, `nack 7`, `suspect x 1`, `dead x
    /// 1`, `alive x 1`, `user text`.
    pub words: Vec<String>,
}

/// The state of the peers: what they have received, and whether they answer pings unasked.
pub(super) struct Peers {
    /// The address that messages come from.
    source: SocketAddr,
    /// The names of the peers that answer no pings; `None` if no peer answers.
    silent: Option<BTreeSet<String>>,
    /// What was sent while time passed.
    heard: Vec<Sent>,
    last_ping: Option<u32>,
}

impl Default for Peers {
    fn default() -> Self {
        Self { source: stranger(1), silent: None, heard: Vec::new(), last_ping: None }
    }
}

/// The address of a peer. It is derived from the number that follows the letters of its name, or
/// else from a checksum of the name: `n1` and `n2` have different addresses, `a1` and `b1` the same
/// one.
pub fn address(name: &str) -> SocketAddr {
    SocketAddr::from((addr(name), 7946))
}

/// The IP address of [`address`] as bytes.
pub fn addr(name: &str) -> [u8; 4] {
    let digits = name.trim_start_matches(|c: char| !c.is_ascii_digit());
    if let Ok(number) = digits.parse::<u32>() {
        let [_, high, mid, low] = number.to_be_bytes();
        return [10, 1 + (high & 0x7f), mid, low];
    }
    let sum = name.bytes().fold(0_u16, |sum, byte| sum.wrapping_mul(31) + u16::from(byte));
    let [high, low] = sum.to_be_bytes();
    [10, 200, high, low]
}

/// An address that [`address`] returns for no name.
pub fn stranger(number: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, number], 7946))
}

/// An encoded alive message for a peer at this address and port 7946, without metadata.
pub fn alive(name: &str, addr: &[u8], incarnation: u32) -> Vec<u8> {
    encoded(&Message::Alive(Alive {
        incarnation,
        node: name.as_bytes(),
        addr: Some(addr),
        port: 7946,
        meta: None,
        vsn: Some(&VSN),
    }))
}

/// Encodes a message; the bytes are also a complete packet without a label or other layers.
pub fn encoded(message: &Message<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    message.encode(&mut out);
    out
}

impl Rig {
    /// Sets the source address of the messages that are handed over from now on; it is
    /// [`stranger(1)`](stranger) at first.
    pub fn set_source(&mut self, source: SocketAddr) {
        self.peers.source = source;
    }

    /// Makes every peer answer pings while time passes, except those that are
    /// [silent](Self::silence).
    pub fn answer_from_now_on(&mut self) {
        self.peers.silent.get_or_insert_default();
    }

    /// Makes a peer answer no pings, while all others that are not silent answer them, as after
    /// [`answer_from_now_on`](Self::answer_from_now_on).
    pub fn silence(&mut self, name: &str) {
        self.peers.silent.get_or_insert_default().insert(name.to_owned());
    }

    /// Hands the node a message in a packet of its own.
    ///
    /// # Panics
    ///
    /// The node cannot read the packet, or refuses it.
    pub fn receive(&mut self, message: &Message<'_>) {
        let from = self.peers.source;
        self.packet(from, &encoded(message)).expect("a good packet");
    }

    /// Hands over an alive message for a peer at [its address](address).
    ///
    /// # Panics
    ///
    /// As of [`receive`](Self::receive).
    pub fn alive(&mut self, name: &str, incarnation: u32) {
        self.alive_with(name, incarnation, &VSN, b"");
    }

    /// Like [`alive`](Self::alive), with a version vector and metadata.
    ///
    /// # Panics
    ///
    /// As of [`receive`](Self::receive).
    pub fn alive_with(&mut self, name: &str, incarnation: u32, vsn: &[u8], meta: &[u8]) {
        self.receive(&Message::Alive(Alive {
            incarnation,
            node: name.as_bytes(),
            addr: Some(&addr(name)),
            port: 7946,
            meta: Some(meta),
            vsn: Some(vsn),
        }));
    }

    /// Hands over a suspect message about a peer, sent by `from`.
    ///
    /// # Panics
    ///
    /// As of [`receive`](Self::receive).
    pub fn suspect(&mut self, name: &str, incarnation: u32, from: &str) {
        let (node, from) = (name.as_bytes(), from.as_bytes());
        self.receive(&Message::Suspect(Suspect { incarnation, node, from }));
    }

    /// Hands over a dead message about a peer, sent by `from`; if that is the peer itself, it
    /// leaves.
    ///
    /// # Panics
    ///
    /// As of [`receive`](Self::receive).
    pub fn dead(&mut self, name: &str, incarnation: u32, from: &str) {
        let (node, from) = (name.as_bytes(), from.as_bytes());
        self.receive(&Message::Dead(Dead { incarnation, node, from }));
    }

    /// A node's state and incarnation in the table; `None` if it is unknown.
    pub fn state(&self, name: &str) -> Option<(State, u32)> {
        let node = self.node().member(&NodeName::from(name))?;
        Some((node.state(), node.incarnation()))
    }

    /// How many messages about members wait to be gossiped.
    pub fn queued(&self) -> u64 {
        self.node().stats().gauges.membership_queue
    }

    /// The packets since the last call, in words.
    pub fn sent(&mut self) -> Vec<Sent> {
        self.hear();
        core::mem::take(&mut self.peers.heard)
    }

    /// Whether a message was sent while time passed and has not been taken by
    /// [`sent`](Self::sent) yet.
    pub fn heard_of(&self, words: &str) -> bool {
        self.peers.heard.iter().any(|sent| sent.words.iter().any(|it| it == words))
    }

    /// The sequence number of the ping that was sent last.
    ///
    /// # Panics
    ///
    /// There was none.
    pub fn last_number(&mut self) -> u32 {
        self.hear();
        self.peers.last_ping.expect("a ping was sent")
    }

    /// Answers the ping that was sent last with an ack.
    ///
    /// # Panics
    ///
    /// There was no ping.
    pub fn answer_last(&mut self) {
        let seq_no = self.last_number();
        self.receive(&Message::Ack(Ack { seq_no, payload: None }));
    }

    /// Answers with a nack, as a helper in an indirect probe that got no answer itself.
    ///
    /// # Panics
    ///
    /// There was no ping.
    pub fn nack_last(&mut self) {
        let seq_no = self.last_number();
        self.receive(&Message::Nack(Nack { seq_no }));
    }

    /// Every message of a packet, opened with the node's own label and keys.
    ///
    /// # Panics
    ///
    /// It cannot be opened.
    pub fn messages(&self, packet: &Transmit) -> Vec<Vec<u8>> {
        opened(self.node(), packet)
    }

    /// Answers the pings that were sent, if peers answer pings.
    pub(super) fn answer_pings(&mut self) {
        if self.peers.silent.is_none() {
            return;
        }
        for seq_no in self.hear() {
            self.receive(&Message::Ack(Ack { seq_no, payload: None }));
        }
    }

    /// Reads what was sent; returns the sequence numbers of the pings to answer.
    fn hear(&mut self) -> Vec<u32> {
        let mut answered = Vec::new();
        for packet in self.packets() {
            let mut all = Vec::new();
            for bytes in self.messages(&packet) {
                let message = Message::decode(&bytes).expect("it was decoded before");
                if let Message::Ping(ping) = &message {
                    self.peers.last_ping = Some(ping.seq_no);
                    if self.peers.answers(ping.node) {
                        answered.push(ping.seq_no);
                    }
                }
                all.push(words(&message));
            }
            self.peers.heard.push(Sent { to: packet.to, words: all });
        }
        answered
    }
}

impl Peers {
    fn answers(&self, name: &[u8]) -> bool {
        let silent = |silent: &BTreeSet<String>| silent.iter().any(|it| it.as_bytes() == name);
        self.silent.as_ref().is_some_and(|them| !silent(them))
    }
}

fn opened(node: &Memberlist, packet: &Transmit) -> Vec<Vec<u8>> {
    struct Collect(Vec<Vec<u8>>);
    impl Visit for Collect {
        fn message(&mut self, _: Message<'_>, bytes: &[u8]) {
            self.0.push(bytes.to_vec());
        }
    }
    let config = node.config();
    let ring: Keyring = node.keys().into_iter().collect();
    let rules = Rules {
        label: &config.label,
        skip_inbound_label_check: false,
        accept_labels: &[],
        keyring: Some(&ring),
        verify_incoming: config.gossip_verify_outgoing,
        limits: PacketLimits::default(),
    };
    let mut collect = Collect(Vec::new());
    let result = open(&packet.payload, &rules, &mut Scratch::default(), &mut collect);
    result.expect("the node's own packet");
    collect.0
}

fn words(message: &Message<'_>) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match message {
        Message::Ping(it) => format!("ping {}", text(it.node)),
        Message::IndirectPing(it) => {
            format!("indirect {}{}", text(it.node), if it.nack { " nack" } else { "" })
        }
        Message::Ack(it) => format!("ack {}", it.seq_no),
        Message::Nack(it) => format!("nack {}", it.seq_no),
        Message::Suspect(it) => format!("suspect {} {}", text(it.node), it.incarnation),
        Message::Dead(it) => format!("dead {} {}", text(it.node), it.incarnation),
        Message::Alive(it) => format!("alive {} {}", text(it.node), it.incarnation),
        Message::User(it) => format!("user {}", text(it)),
    }
}
