//! What lies between the nodes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use memberlist_proto::Instant;

use crate::chance::Chance;
use crate::seat::NodeId;

/// How one direction between two nodes behaves. Probabilities are from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link {
    /// The shortest time that anything takes.
    pub latency_min: Duration,
    /// The longest; drawn evenly for every packet, so that packets overtake one another.
    pub latency_max: Duration,
    /// Datagrams that get lost.
    pub loss: f64,
    /// Datagrams that arrive twice.
    pub duplication: f64,
    /// Datagrams of which one byte is changed.
    pub corruption: f64,
    /// The longest datagram that passes, in bytes.
    pub mtu: usize,
    /// Bytes of datagrams a second; `None` for no limit.
    pub bandwidth: Option<u32>,
    /// How many bytes of datagrams wait for their turn, where the bandwidth is limited; what comes
    /// when they are full is lost.
    pub queue: usize,
    /// What opening a connection takes beyond the latency.
    pub connect: Duration,
    /// Connections that are refused.
    pub refusal: f64,
    /// Writes to a stream that cut it instead of arriving.
    pub reset: f64,
    /// Writes to a stream after which nothing of it arrives any more, in either direction, which
    /// neither end notices.
    pub silence: f64,
    /// The most bytes of a stream that arrive at once.
    pub chunk: usize,
    /// Whether datagrams pass at all.
    pub packets: bool,
    /// Whether streams pass at all.
    pub streams: bool,
}

impl Default for Link {
    /// 0.5 to 1.5 ms, nothing lost.
    fn default() -> Self {
        Self {
            latency_min: Duration::from_micros(500),
            latency_max: Duration::from_micros(1500),
            loss: 0.0,
            duplication: 0.0,
            corruption: 0.0,
            mtu: usize::MAX,
            bandwidth: None,
            queue: 64 << 10,
            connect: Duration::ZERO,
            refusal: 0.0,
            reset: 0.0,
            silence: 0.0,
            chunk: 16 << 10,
            packets: true,
            streams: true,
        }
    }
}

/// All links: one for all nodes, and others where they were set.
#[derive(Clone, Debug, Default)]
pub struct Network {
    default: Link,
    links: BTreeMap<(NodeId, NodeId), Link>,
    cut: BTreeSet<(NodeId, NodeId)>,
    /// Until when each link of limited bandwidth has something to carry.
    busy: BTreeMap<(NodeId, NodeId), Instant>,
    names: BTreeMap<String, Vec<IpAddr>>,
}

impl Network {
    /// Makes every link without one of its own behave like this.
    pub fn set_default(&mut self, link: Link) {
        self.default = link;
    }

    /// How a link without a behaviour of its own behaves.
    pub fn default_link(&self) -> Link {
        self.default
    }

    /// Makes one direction behave like this.
    pub fn set_link(&mut self, from: NodeId, to: NodeId, link: Link) {
        self.links.insert((from, to), link);
    }

    /// How one direction behaves.
    pub fn link(&self, from: NodeId, to: NodeId) -> Link {
        self.links.get(&(from, to)).copied().unwrap_or(self.default)
    }

    /// Lets nothing pass from one node to another; the other direction stays as it is.
    pub fn cut(&mut self, from: NodeId, to: NodeId) {
        self.cut.insert((from, to));
    }

    /// Lets nothing pass between the two groups, in either direction.
    pub fn partition(&mut self, one: &[NodeId], other: &[NodeId]) {
        for from in one {
            for to in other {
                self.cut(*from, *to);
                self.cut(*to, *from);
            }
        }
    }

    /// Undoes the cuts between the two groups, in both directions.
    pub fn reconnect(&mut self, one: &[NodeId], other: &[NodeId]) {
        for from in one {
            for to in other {
                self.cut.remove(&(*from, *to));
                self.cut.remove(&(*to, *from));
            }
        }
    }

    /// Undoes every cut.
    pub fn heal(&mut self) {
        self.cut.clear();
    }

    /// Makes every link as good as by default, and undoes every cut.
    pub fn calm(&mut self) {
        *self = Self { names: core::mem::take(&mut self.names), ..Self::default() };
    }

    /// Lets a host name be resolved.
    pub fn name(&mut self, host: &str, addresses: Vec<IpAddr>) {
        self.names.insert(host.into(), addresses);
    }

    /// The addresses of a host name, none if it cannot be resolved.
    pub(crate) fn resolve(&self, host: &str) -> Vec<IpAddr> {
        self.names.get(host).cloned().unwrap_or_default()
    }

    pub(crate) fn is_cut(&self, from: NodeId, to: NodeId) -> bool {
        self.cut.contains(&(from, to))
    }

    pub(crate) fn latency(&self, chance: &mut Chance, from: NodeId, to: NodeId) -> Duration {
        let link = self.link(from, to);
        chance.between(link.latency_min, link.latency_max)
    }

    /// What becomes of a datagram: each copy that arrives.
    pub(crate) fn carry(
        &mut self,
        chance: &mut Chance,
        now: Instant,
        from: NodeId,
        to: NodeId,
        payload: &Bytes,
    ) -> [Option<Copy>; 2] {
        let link = self.link(from, to);
        let twice = chance.happens(link.duplication);
        let mut copy = || {
            let wait = self.queue(now, from, to, payload.len())?;
            let after = wait + self.latency(chance, from, to);
            if !link.packets || self.is_cut(from, to) || chance.happens(link.loss) {
                return None;
            }
            let honest = payload.is_empty() || !chance.happens(link.corruption);
            let payload = if honest { payload.clone() } else { corrupted(chance, payload) };
            Some(Copy { after, payload, honest })
        };
        [copy(), if twice { copy() } else { None }]
    }

    /// How long a datagram waits for its turn and takes to be sent; `None` if there is no room for
    /// it or it is too long.
    fn queue(&mut self, now: Instant, from: NodeId, to: NodeId, bytes: usize) -> Option<Duration> {
        let link = self.link(from, to);
        if bytes > link.mtu {
            return None;
        }
        let Some(rate) = link.bandwidth else { return Some(Duration::ZERO) };
        let takes = |bytes: usize| {
            Duration::from_nanos(
                (bytes as u64).saturating_mul(1_000_000_000) / u64::from(rate.max(1)),
            )
        };
        let busy = self.busy.entry((from, to)).or_insert(now);
        let wait = busy.saturating_duration_since(now);
        if wait + takes(bytes) > takes(link.queue) {
            return None;
        }
        let wait = wait + takes(bytes);
        *busy = now + wait;
        Some(wait)
    }
}

/// A datagram that arrives.
pub(crate) struct Copy {
    pub(crate) after: Duration,
    pub(crate) payload: Bytes,
    /// Whether it is as it was sent.
    pub(crate) honest: bool,
}

fn corrupted(chance: &mut Chance, payload: &Bytes) -> Bytes {
    let mut bytes = payload.to_vec();
    let index = chance.below(bytes.len() as u64) as usize;
    bytes[index] ^= 1 << chance.below(8);
    bytes.into()
}
