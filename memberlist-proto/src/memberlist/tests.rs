//! Each verb by its decision table: packets in, packets and events out.

mod accusers;
mod announcement;
mod bounds;
mod conditions;
mod counters;
mod decisions;
mod disseminate;
mod endings;
mod exactly;
mod flapping;
mod floods;
mod gossip;
mod hearing;
mod jobs;
mod join;
mod kept;
mod keys;
mod letters;
mod notices;
mod own_state;
mod probe;
mod queueing;
mod rarely;
mod reap;
mod rejoin;
mod relay;
#[cfg(feature = "checkpoint")]
mod replayed;
mod searched;
mod shares;
mod slices;
mod standing;
mod state;
mod status;
mod stream;
#[cfg(feature = "checkpoint")]
mod tampered;
mod user;
mod verdicts;

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use crate::config::{Compression, Config, Differences};
use crate::event::Event;
use crate::memberlist::Memberlist;
use crate::node::{Node, NodeName, State};
use crate::time::Instant;
use crate::transmit::{StreamId, StreamOp, Transmit};
use crate::wire::Scratch;
use crate::wire::message::{Ack, Alive, Dead, Message, Suspect};
use crate::wire::packet::{self, PacketLimits, Rules, Visit};

/// The version vector of a peer that understands everything.
pub(super) const VSN: [u8; 6] = [1, 5, 2, 0, 0, 0];

/// One node under test and the time it lives in.
pub(super) struct Rig {
    pub(super) node: Memberlist,
    pub(super) now: Instant,
    /// Whether every member answers pings while the test waits.
    pub(super) answering: bool,
    /// But for this one.
    pub(super) silent: &'static str,
}

/// A message as it was sent, copied out of its packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) to: SocketAddr,
    pub(super) text: String,
}

pub(super) fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], port))
}

pub(super) fn config() -> Config {
    let mut config = Config::lan("me");
    config.advertise_addr = [10, 0, 0, 1].into();
    config.advertise_port = 1;
    // Periodic activity only where a test asks for it.
    config.probe_interval = Duration::ZERO;
    config.gossip_interval = Duration::ZERO;
    config.push_pull_interval = Duration::ZERO;
    config.rejoin.interval = Duration::ZERO;
    // The time of a suspect depends on its accusers alone; see `verdicts`.
    config.differences = Differences {
        reap_without_probes: false,
        doubt_verdicts: false,
        ask_suspects: false,
        ..Differences::default()
    };
    config
}

impl Rig {
    pub(super) fn new() -> Self {
        Self::with(config())
    }

    pub(super) fn with(config: Config) -> Self {
        Self::with_delegate(config, None)
    }

    pub(super) fn with_delegate(
        config: Config,
        delegate: Option<alloc::sync::Arc<dyn crate::Hooks>>,
    ) -> Self {
        let now = Instant::from_nanos(1_000_000_000);
        let mut node = Memberlist::new(now, config, delegate, [7; 32]).expect("a valid node");
        assert!(matches!(node.poll_event(), Some(Event::Joined { .. })));
        Self { node, now, answering: false, silent: "" }
    }

    pub(super) fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.node.poll_timeout().filter(|due| *due <= end) {
            self.now = due.max(self.now);
            self.node.handle_timeout(self.now);
            self.node.check_invariants().expect("invariants");
            if self.answering {
                self.answer_pings();
            }
        }
        self.now = end;
        self.node.handle_timeout(end);
    }

    fn answer_pings(&mut self) {
        let silent = alloc::format!("ping {} ", self.silent);
        let answered = |text: &str| text.starts_with("ping") && !text.starts_with(&silent);
        for ping in self.sent().iter().filter(|sent| answered(&sent.text)) {
            let sequence = ping.text.rsplit('#').next().and_then(|it| it.parse().ok());
            let seq_no = sequence.expect("a ping has a number");
            self.receive(&Message::Ack(Ack { seq_no, payload: None }));
        }
    }

    pub(super) fn receive(&mut self, message: &Message<'_>) {
        self.receive_from(address(9), message);
    }

    pub(super) fn receive_from(&mut self, from: SocketAddr, message: &Message<'_>) {
        let mut bytes = Vec::new();
        message.encode(&mut bytes);
        self.node.handle_packet(self.now, from, &bytes).expect("a good packet");
        self.node.check_invariants().expect("invariants");
    }

    /// News that the member `name` at `address(port)` is alive.
    pub(super) fn alive(&mut self, name: &str, port: u16, incarnation: u32) {
        self.alive_with(name, port, incarnation, b"", Some(&VSN));
    }

    pub(super) fn alive_with(
        &mut self,
        name: &str,
        port: u16,
        incarnation: u32,
        meta: &[u8],
        vsn: Option<&[u8]>,
    ) {
        self.receive(&Message::Alive(Alive {
            incarnation,
            node: name.as_bytes(),
            addr: Some(&[10, 0, 0, 1]),
            port,
            meta: Some(meta),
            vsn,
        }));
    }

    /// So many members, `n0` at port 2 and so on, are known without any news of them.
    pub(super) fn restore(&mut self, members: u16) {
        let peers = (0..members).map(|index| {
            let name = alloc::format!("n{index}");
            let peer = Config { advertise_port: 2 + index, ..config() };
            let peer = Config { name: name.as_str().into(), ..peer };
            Memberlist::new(self.now, peer, None, [1; 32]).expect("a node").local()
        });
        let peers: Vec<Node> = peers.collect();
        self.node.restore(self.now, peers);
    }

    pub(super) fn suspect(&mut self, name: &str, incarnation: u32, from: &str) {
        let (node, from) = (name.as_bytes(), from.as_bytes());
        self.receive(&Message::Suspect(Suspect { incarnation, node, from }));
    }

    pub(super) fn dead(&mut self, name: &str, incarnation: u32, from: &str) {
        let (node, from) = (name.as_bytes(), from.as_bytes());
        self.receive(&Message::Dead(Dead { incarnation, node, from }));
    }

    pub(super) fn member(&self, name: &str) -> Node {
        self.node.member(&NodeName::from(name)).expect("a known node")
    }

    pub(super) fn knows(&self, name: &str) -> bool {
        self.node.member(&NodeName::from(name)).is_some()
    }

    pub(super) fn state(&self, name: &str) -> (State, u32) {
        let node = self.member(name);
        (node.state(), node.incarnation())
    }

    /// The events since the last call, each in a few words.
    pub(super) fn events(&mut self) -> Vec<String> {
        let mut reported = Vec::new();
        while let Some(event) = self.node.poll_event() {
            reported.push(describe(&event));
        }
        reported
    }

    pub(super) fn transmits(&mut self) -> Vec<Transmit> {
        core::iter::from_fn(|| self.node.poll_transmit()).collect()
    }

    /// Every stream that is to be opened, and where to.
    pub(super) fn connects(&mut self) -> Vec<(StreamId, SocketAddr)> {
        let ops = core::iter::from_fn(|| self.node.poll_stream());
        let connect = |op| match op {
            StreamOp::Connect { id, to, .. } => Some((id, to)),
            _ => None,
        };
        ops.filter_map(connect).collect()
    }

    pub(super) fn departures(&mut self) -> Vec<String> {
        self.events().into_iter().filter(|reported| reported.starts_with("departed")).collect()
    }

    /// The messages sent since the last call, each in a few words.
    pub(super) fn sent(&mut self) -> Vec<Sent> {
        let transmits = self.transmits();
        transmits.iter().flat_map(|it| opened(it.to, &it.payload)).collect()
    }

    /// What is queued for gossip, taken out by making the node gossip to its members.
    pub(super) fn queued(&self) -> u64 {
        self.node.stats().gauges.membership_queue
    }
}

pub(super) fn opened(to: SocketAddr, payload: &[u8]) -> Vec<Sent> {
    struct Collect(SocketAddr, Vec<Sent>);
    impl Visit for Collect {
        fn message(&mut self, message: Message<'_>, _: &[u8]) {
            self.1.push(Sent { to: self.0, text: words(&message) });
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
    let mut collect = Collect(to, Vec::new());
    packet::open(payload, &rules, &mut Scratch::default(), &mut collect).expect("an honest packet");
    collect.1
}

fn words(message: &Message<'_>) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match message {
        Message::Ping(it) => alloc::format!("ping {} #{}", text(it.node), it.seq_no),
        Message::IndirectPing(it) => {
            let nack = if it.nack { " nack" } else { "" };
            alloc::format!("indirect {} #{}{nack}", text(it.node), it.seq_no)
        }
        Message::Ack(it) => alloc::format!("ack {}", it.seq_no),
        Message::Nack(it) => alloc::format!("nack {}", it.seq_no),
        Message::Suspect(it) => {
            alloc::format!("suspect {} {} by {}", text(it.node), it.incarnation, text(it.from))
        }
        Message::Dead(it) => {
            alloc::format!("dead {} {} by {}", text(it.node), it.incarnation, text(it.from))
        }
        Message::Alive(it) => alloc::format!("alive {} {}", text(it.node), it.incarnation),
        Message::User(it) => alloc::format!("user {}", text(it)),
    }
}

fn describe(event: &Event) -> String {
    use alloc::format;
    match event {
        Event::Joined { node } => format!("joined {}", node.name()),
        Event::Updated { node, .. } => format!("updated {}", node.name()),
        Event::Departed { node, reason, .. } => format!("departed {} {reason:?}", node.name()),
        Event::Suspected { node, by } => format!("suspected {} by {by}", node.name()),
        Event::Refuted { node, .. } => format!("refuted {} {}", node.name(), node.incarnation()),
        Event::Conflict { existing, claimant } => {
            format!("conflict {} {}", existing.name(), claimant.port())
        }
        Event::Refused { node, reason, .. } => format!("refused {node}: {reason}"),
        Event::Message { payload, .. } => format!("message {}", String::from_utf8_lossy(payload)),
        Event::Pinged { node, .. } => format!("pinged {}", node.name()),
        Event::Health { score } => format!("health {score}"),
        Event::NamePoisoned { .. } => "poisoned".to_string(),
        Event::OnlyByStream { node } => format!("only by stream {}", node.name()),
        other => format!("{other:?}"),
    }
}
