//! One node in virtual time, and peers that say what the test lets them say.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use memberlist_proto::wire::Scratch;
use memberlist_proto::wire::message::{Ack, Alive, Dead, Message, Nack, Suspect};
use memberlist_proto::wire::packet::{self, PacketLimits, Rules, Visit};
use memberlist_proto::{
    Config, Delegate, Differences, Event, Instant, Memberlist, NodeName, State, StreamOp,
};

/// The version vector of a peer that understands everything.
pub const VSN: [u8; 6] = [1, 5, 2, 0, 0, 0];

pub struct One {
    pub node: Memberlist,
    pub now: Instant,
    /// Those that answer no ping; all others do.
    pub silent: Vec<&'static str>,
    /// What was sent while time passed.
    heard: Vec<Sent>,
    last_ping: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    pub to: SocketAddr,
    /// The messages of one packet, each in a few words.
    pub words: Vec<String>,
}

/// Where a peer is: those of one name have one address.
pub fn address(name: &str) -> SocketAddr {
    SocketAddr::from((addr(name), 7946))
}

pub fn addr(name: &str) -> [u8; 4] {
    let sum = name.bytes().fold(0_u16, |sum, byte| sum.wrapping_mul(31) + u16::from(byte));
    let [high, low] = sum.to_be_bytes();
    [10, 1, high, low]
}

/// A node named `me` that does nothing by itself.
pub fn config() -> Config {
    let mut config = Config::lan("me");
    config.advertise_addr = [10, 0, 0, 1].into();
    config.probe_interval = Duration::ZERO;
    config.gossip_interval = Duration::ZERO;
    config.push_pull_interval = Duration::ZERO;
    config.enable_compression = false;
    config.differences = Differences { random_phase: false, ..Differences::default() };
    config
}

/// The same, probing one member a second.
pub fn probing() -> Config {
    Config { probe_interval: Duration::from_secs(1), ..config() }
}

impl One {
    pub fn new(config: Config) -> Self {
        Self::with(config, None)
    }

    pub fn with(config: Config, delegate: Option<Arc<dyn Delegate>>) -> Self {
        let now = Instant::from_nanos(1_000_000_000);
        let node = Memberlist::new(now, config, delegate, [3; 32]).expect("a valid configuration");
        let mut one = Self { node, now, silent: Vec::new(), heard: Vec::new(), last_ping: None };
        one.events();
        one
    }

    pub fn receive(&mut self, message: &Message<'_>) {
        let mut bytes = Vec::new();
        message.encode(&mut bytes);
        self.node.handle_packet(self.now, address("peer"), &bytes).expect("a good packet");
        self.node.check_invariants().expect("invariants");
    }

    pub fn alive(&mut self, name: &str, incarnation: u32) {
        self.alive_with(name, incarnation, &VSN, b"");
    }

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

    pub fn suspect(&mut self, name: &str, incarnation: u32, from: &str) {
        let (node, from) = (name.as_bytes(), from.as_bytes());
        self.receive(&Message::Suspect(Suspect { incarnation, node, from }));
    }

    pub fn dead(&mut self, name: &str, incarnation: u32, from: &str) {
        let (node, from) = (name.as_bytes(), from.as_bytes());
        self.receive(&Message::Dead(Dead { incarnation, node, from }));
    }

    pub fn state(&self, name: &str) -> Option<(State, u32)> {
        let node = self.node.member(&NodeName::from(name))?;
        Some((node.state(), node.incarnation()))
    }

    pub fn queued(&self) -> u64 {
        self.node.stats().gauges.membership_queue
    }

    pub fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.node.poll_event()).collect()
    }

    pub fn joined(&mut self) -> usize {
        self.events().iter().filter(|event| matches!(event, Event::Joined { .. })).count()
    }

    pub fn stream_ops(&mut self) -> Vec<StreamOp> {
        std::iter::from_fn(|| self.node.poll_stream()).collect()
    }

    /// What was sent since the last call.
    pub fn sent(&mut self) -> Vec<Sent> {
        self.hear();
        std::mem::take(&mut self.heard)
    }

    /// Whether something was sent since the last call of `sent`.
    pub fn heard_of(&self, words: &str) -> bool {
        self.heard.iter().any(|sent| sent.words.iter().any(|it| it == words))
    }

    /// The number of the newest ping of all.
    pub fn last_number(&mut self) -> u32 {
        self.hear();
        self.last_ping.expect("a ping was sent")
    }

    /// Whoever was pinged last answers.
    pub fn answer_last(&mut self) {
        let seq_no = self.last_number();
        self.receive(&Message::Ack(Ack { seq_no, payload: None }));
    }

    /// A helper says that it got no answer, for the newest ping of all.
    pub fn nack_everything(&mut self) {
        let sequence = self.last_number();
        self.receive(&Message::Nack(Nack { seq_no: sequence }));
    }

    /// Lets time pass; whoever is not silent answers pings at once.
    pub fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        self.wait_until(end, |_| false);
    }

    /// Lets time pass until something is so; whether it became so.
    pub fn wait_until(&mut self, end: Instant, mut wanted: impl FnMut(&mut Self) -> bool) -> bool {
        while let Some(due) = self.node.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.node.handle_timeout(self.now);
            self.node.check_invariants().expect("invariants");
            for sequence in self.hear() {
                self.receive(&Message::Ack(Ack { seq_no: sequence, payload: None }));
            }
            if wanted(self) {
                return true;
            }
        }
        self.now = end;
        self.node.handle_timeout(end);
        wanted(self)
    }

    /// Takes in what was sent; the numbers of the pings that are answered.
    fn hear(&mut self) -> Vec<u32> {
        let mut answered = Vec::new();
        while let Some(transmit) = self.node.poll_transmit() {
            let messages = opened(&transmit.payload);
            for (words, ping) in &messages {
                let silent = self.silent.iter().any(|name| words == &format!("ping {name}"));
                self.last_ping = ping.or(self.last_ping);
                answered.extend(ping.filter(|_| !silent));
            }
            let words = messages.into_iter().map(|(words, _)| words).collect();
            self.heard.push(Sent { to: transmit.to, words });
        }
        answered
    }
}

/// The messages of a packet in words, and the number of each ping.
fn opened(payload: &[u8]) -> Vec<(String, Option<u32>)> {
    struct Collect(Vec<(String, Option<u32>)>);
    impl Visit for Collect {
        fn message(&mut self, message: Message<'_>, _: &[u8]) {
            let ping = match &message {
                Message::Ping(ping) => Some(ping.seq_no),
                _ => None,
            };
            self.0.push((words(&message), ping));
        }
    }
    let rules = Rules {
        label: b"",
        skip_inbound_label_check: false,
        keyring: None,
        verify_incoming: true,
        limits: PacketLimits::default(),
    };
    let mut collect = Collect(Vec::new());
    packet::open(payload, &rules, &mut Scratch::default(), &mut collect).expect("our own packet");
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
