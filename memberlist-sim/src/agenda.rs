//! What is going to happen, and when.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use memberlist_proto::{Instant, LookupId};

use crate::sim::NodeId;
use crate::stream::Arrival;

pub(crate) struct Due {
    pub(crate) at: Instant,
    pub(crate) sequence: u64,
    pub(crate) what: What,
}

/// Something on the agenda.
#[derive(Clone, Debug)]
pub(crate) enum What {
    Packet {
        to: NodeId,
        from: SocketAddr,
        payload: Bytes,
        honest: bool,
    },
    Wake {
        node: NodeId,
        life: u64,
    },
    Lookup {
        node: NodeId,
        life: u64,
        id: LookupId,
        found: Vec<IpAddr>,
    },
    Stream {
        node: NodeId,
        life: u64,
        arrival: Arrival,
    },
    /// The turn of something that has waited for a slow node.
    Turn {
        node: NodeId,
        life: u64,
        what: Box<What>,
    },
}

impl What {
    /// What it takes of a socket's buffer.
    pub(crate) fn bytes(&self) -> usize {
        if let Self::Packet { payload, .. } = self { payload.len() } else { 0 }
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.sequence) == (other.at, other.sequence)
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}
