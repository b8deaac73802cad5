//! The network between the nodes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use memberlist_proto::Instant;

use crate::chance::Chance;
use crate::seat::NodeId;

/// How the link from one node to another behaves, in that direction. Probabilities are from 0 to 1,
/// and drawn for each datagram, connection or write.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link {
    /// The shortest latency.
    pub latency_min: Duration,
    /// The longest latency. It is drawn uniformly for every datagram and every part of a stream, so
    /// that datagrams overtake one another; a stream stays in order.
    pub latency_max: Duration,
    /// The probability that a datagram is lost.
    pub loss: f64,
    /// The probability that a datagram is sent twice; each copy may be lost or changed.
    pub duplication: f64,
    /// The probability that one bit of a datagram is flipped.
    pub corruption: f64,
    /// The longest datagram that passes, in bytes; longer ones are lost.
    pub mtu: usize,
    /// Bytes of datagrams per second; `None` for no limit.
    pub bandwidth: Option<u32>,
    /// How many bytes of datagrams may wait to be sent, if the bandwidth is limited; a datagram
    /// that does not fit is lost.
    pub queue: usize,
    /// The time that opening a connection takes in addition to the latency.
    pub connect: Duration,
    /// The probability that a connection is refused.
    pub refusal: f64,
    /// The probability that a write resets its stream instead of arriving.
    pub reset: f64,
    /// The probability that a write silences its stream: from then on nothing arrives on it, in
    /// either direction, and neither end notices.
    pub silence: f64,
    /// The most bytes of a write that arrive at once; a longer write arrives in several parts.
    pub chunk: usize,
    /// Whether datagrams pass at all.
    pub packets: bool,
    /// Whether connections and stream data pass at all.
    pub streams: bool,
}

impl Default for Link {
    /// A latency of 0.5 to 1.5 ms, no losses or other faults, no limits.
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

/// All links between the nodes: a default, and those that were set for a pair of nodes.
#[derive(Clone, Debug, Default)]
pub struct Network {
    default: Link,
    links: BTreeMap<(NodeId, NodeId), Link>,
    cut: BTreeSet<(NodeId, NodeId)>,
    /// Until when each link of limited bandwidth is busy with what it carries.
    busy: BTreeMap<(NodeId, NodeId), Instant>,
    names: BTreeMap<String, Vec<IpAddr>>,
}

impl Network {
    /// Sets how every link behaves for which [`set_link`](Self::set_link) was not called.
    pub fn set_default(&mut self, link: Link) {
        self.default = link;
    }

    /// How a link behaves that was not set for its pair of nodes.
    pub fn default_link(&self) -> Link {
        self.default
    }

    /// Sets how the link from one node to another behaves; the other direction stays as it is.
    pub fn set_link(&mut self, from: NodeId, to: NodeId, link: Link) {
        self.links.insert((from, to), link);
    }

    /// How the link from one node to another behaves.
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

    /// Resets every link to [`Link::default`], and undoes every cut. Host names stay.
    pub fn calm(&mut self) {
        *self = Self { names: core::mem::take(&mut self.names), ..Self::default() };
    }

    /// Sets the addresses to which a host name resolves, on every node. Without any, as for a name
    /// that was not set, a look-up fails.
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

    /// The copies of a datagram that arrive: none, one or two.
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

    /// How long a datagram waits in the queue and takes to be sent; `None` if it is lost, because
    /// it is too long or the queue is full.
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

/// One copy of a datagram that arrives.
pub(crate) struct Copy {
    pub(crate) after: Duration,
    pub(crate) payload: Bytes,
    /// Whether it arrives exactly as it was sent.
    pub(crate) honest: bool,
}

fn corrupted(chance: &mut Chance, payload: &Bytes) -> Bytes {
    let mut bytes = payload.to_vec();
    let index = chance.below(bytes.len() as u64) as usize;
    bytes[index] ^= 1 << chance.below(8);
    bytes.into()
}
