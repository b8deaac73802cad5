//! What lies between the nodes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use memberlist_proto::Instant;

use crate::sim::NodeId;

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
    /// Writes to a stream after which nothing of it arrives any more, in either direction, and
    /// nobody is told.
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

/// All links: one for everybody, and others where it was said so.
#[derive(Clone, Debug, Default)]
pub struct Network {
    default: Link,
    links: BTreeMap<(NodeId, NodeId), Link>,
    cut: BTreeSet<(NodeId, NodeId)>,
    /// Until when each link of limited bandwidth has something to carry.
    busy: BTreeMap<(NodeId, NodeId), Instant>,
    pub(crate) names: BTreeMap<String, Vec<std::net::IpAddr>>,
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

    /// Undoes every cut.
    pub fn heal(&mut self) {
        self.cut.clear();
    }

    /// Makes every link as good as by default, and undoes every cut.
    pub fn calm(&mut self) {
        *self = Self { names: core::mem::take(&mut self.names), ..Self::default() };
    }

    /// Lets a host name be resolved.
    pub fn name(&mut self, host: &str, addresses: Vec<std::net::IpAddr>) {
        self.names.insert(host.into(), addresses);
    }

    /// How long a datagram waits for its turn and takes to be sent; `None` if there is no room for
    /// it or it is too long.
    pub(crate) fn carry(
        &mut self,
        now: Instant,
        from: NodeId,
        to: NodeId,
        bytes: usize,
    ) -> Option<Duration> {
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

    pub(crate) fn is_cut(&self, from: NodeId, to: NodeId) -> bool {
        self.cut.contains(&(from, to))
    }
}
