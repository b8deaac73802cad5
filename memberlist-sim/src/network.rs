//! What lies between the nodes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

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
    /// Connections that are refused.
    pub refusal: f64,
    /// Writes to a stream that cut it instead of arriving.
    pub reset: f64,
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
            refusal: 0.0,
            reset: 0.0,
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

    pub(crate) fn is_cut(&self, from: NodeId, to: NodeId) -> bool {
        self.cut.contains(&(from, to))
    }
}
