use std::net::SocketAddr;
use std::time::Duration;

use allocation_counter::{AllocationInfo, measure};
use memberlist_proto::wire::message::{Alive, Message};
use memberlist_proto::{Config, Counters, Event, Instant, Memberlist, PacketError, StreamOp};

/// A version vector that everybody accepts.
pub(crate) const VSN: [u8; 6] = [1, 5, 2, 0, 0, 0];

/// One node in virtual time, without periodic activity of its own.
pub(crate) struct Target {
    pub(crate) node: Memberlist,
    pub(crate) now: Instant,
}

/// What something has cost, in bytes.
#[derive(Debug)]
pub(crate) struct Cost {
    /// At the highest point, beyond what there was before.
    pub(crate) peak: usize,
    /// Allocated in all, however short it lived: what the work of copying grows with.
    pub(crate) total: usize,
    /// Kept afterwards.
    pub(crate) kept: i64,
}

impl From<AllocationInfo> for Cost {
    fn from(info: AllocationInfo) -> Self {
        let bytes = |count: u64| usize::try_from(count).expect("a count of bytes");
        Self {
            peak: bytes(info.bytes_max),
            total: bytes(info.bytes_total),
            kept: info.bytes_current,
        }
    }
}

/// What `work` costs; shown by `--nocapture`.
pub(crate) fn cost(what: &str, received: usize, work: impl FnOnce()) -> Cost {
    let cost = Cost::from(measure(work));
    println!("{what}: {received} bytes received, {cost:?}");
    cost
}

impl Target {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::lan("me");
        config.advertise_addr = [10, 0, 0, 1].into();
        config.probe_interval = Duration::ZERO;
        config.gossip_interval = Duration::ZERO;
        config.push_pull_interval = Duration::ZERO;
        change(&mut config);
        let now = Instant::from_nanos(1_000_000_000);
        let node = Memberlist::new(now, config, None, [7; 32]).expect("a valid configuration");
        let mut target = Self { node, now };
        target.events();
        target
    }

    pub(crate) fn packet(&mut self, from: SocketAddr, packet: &[u8]) -> Result<(), PacketError> {
        self.node.handle_packet(self.now, from, packet)
    }

    pub(crate) fn message(&mut self, from: SocketAddr, message: &Message<'_>) {
        self.packet(from, &encoded(message)).expect("a good packet");
    }

    pub(crate) fn alive(&mut self, name: &str, incarnation: u32) {
        let address = member_address(name);
        let message = alive(name, &address, incarnation);
        self.packet(stranger(1), &message).expect("a good packet");
    }

    /// Lets time pass, with every timer on the way.
    pub(crate) fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.node.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.node.handle_timeout(self.now);
        }
        self.now = end;
        self.node.handle_timeout(end);
        self.node.check_invariants().expect("invariants");
    }

    pub(crate) fn events(&mut self) -> Vec<Event> {
        core::iter::from_fn(|| self.node.poll_event()).collect()
    }

    /// Bytes of datagrams sent since the last call.
    pub(crate) fn bytes_sent(&mut self) -> usize {
        core::iter::from_fn(|| self.node.poll_transmit()).map(|it| it.payload.len()).sum()
    }

    pub(crate) fn stream_ops(&mut self) -> Vec<StreamOp> {
        core::iter::from_fn(|| self.node.poll_stream()).collect()
    }

    pub(crate) fn counters(&self) -> Counters {
        self.node.stats().counters
    }
}

/// An address that no member has.
pub(crate) fn stranger(number: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, number], 7946))
}

/// An address of its own for each name that ends in a number.
pub(crate) fn member_address(name: &str) -> [u8; 4] {
    let digits = name.trim_start_matches(|c: char| !c.is_ascii_digit());
    let [_, high, mid, low] = digits.parse::<u32>().unwrap_or_default().to_be_bytes();
    [10, 1 + high, mid, low]
}

pub(crate) fn alive(name: &str, addr: &[u8], incarnation: u32) -> Vec<u8> {
    encoded(&Message::Alive(Alive {
        incarnation,
        node: name.as_bytes(),
        addr: Some(addr),
        port: 7946,
        meta: None,
        vsn: Some(&VSN),
    }))
}

pub(crate) fn encoded(message: &Message<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    message.encode(&mut out);
    out
}
