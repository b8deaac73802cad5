//! Everything that an operator asks a node for, at one moment.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::event::Departure;
use crate::node::{NodeName, State};
use crate::stats::Stats;

/// The state of a node and of its cluster, as `Memberlist::status` returns it: to be shown to
/// people, or serialized (feature `serde`). Times are ages in milliseconds.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Status {
    /// The name of this node.
    pub name: NodeName,
    /// The address it announces.
    pub addr: SocketAddr,
    /// Whether it has left.
    pub left: bool,
    /// Its local health score: 0 is healthy.
    pub health_score: u32,
    /// How many keys it has; without one nothing is encrypted.
    pub keys: usize,
    /// How long ago the last packet came that could be understood, if any did.
    pub last_packet_ms: Option<u64>,
    /// How long ago the last ping for this node came by packet, if any did: peers that consider it
    /// a member send them to the address it announces.
    pub last_ping_ms: Option<u64>,
    /// For how long no packet has answered its probes; `None` unless that was reported
    /// ([`Event::NothingReceived`](crate::Event::NothingReceived)) and no packet has come since.
    pub silent_ms: Option<u64>,
    /// For how long peers' states have not listed it; `None` unless that was reported
    /// ([`Event::NotListed`](crate::Event::NotListed)) and no peer has listed it since.
    pub unlisted_ms: Option<u64>,
    /// Every node that it knows, itself included, sorted by name.
    pub nodes: Vec<NodeStatus>,
    /// Its seeds, in the order of the configuration.
    pub seeds: Vec<SeedStatus>,
    /// The dead members that are looked for, in the order of their deaths.
    pub lost: Vec<LostStatus>,
    /// The latest news that it refused, the most recent last: at most 32.
    pub refused: Vec<RefusedStatus>,
    /// Counters, gauges and decisions.
    pub stats: Stats,
}

/// One node, as the node of this status knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct NodeStatus {
    /// Its name.
    pub name: NodeName,
    /// Its address; `None` if the address that it announced is neither 4 nor 16 bytes long.
    pub addr: Option<SocketAddr>,
    /// Its state.
    pub state: State,
    /// For how long it has been in that state.
    pub age_ms: u64,
    /// The incarnation last accepted.
    pub incarnation: u32,
    /// Bytes of metadata.
    pub meta_len: usize,
    /// Why it is not alive; `None` if it is, or if the reason is not known.
    pub why: Option<Trouble>,
}

/// Why a node is not alive.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Trouble {
    /// It is suspected.
    Suspected {
        /// Every node that accuses it, the first accuser first.
        by: Vec<NodeName>,
        /// How long it still has to refute.
        left_ms: u64,
    },
    /// It is no longer a member.
    Departed(Departure),
}

/// The state of one seed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SeedStatus {
    /// The seed as it was given.
    pub peer: String,
    /// Where it is: the addresses that its name was last resolved to.
    pub addresses: Vec<SocketAddr>,
    /// Whether there are addresses, and each is a live member's or this node's own.
    pub live: bool,
    /// How long ago it was last looked for, if ever.
    pub tried_ms: Option<u64>,
    /// Why that failed, if it did.
    pub error: Option<String>,
}

/// A member that died and is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct LostStatus {
    /// Its name, if it is known.
    pub name: Option<NodeName>,
    /// Where it was.
    pub addr: SocketAddr,
    /// How long ago it died.
    pub age_ms: u64,
}

/// News about a node that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct RefusedStatus {
    /// The node that the news was about.
    pub name: NodeName,
    /// The sender of the news.
    pub from: SocketAddr,
    /// Why it was refused.
    pub reason: String,
    /// How long ago.
    pub age_ms: u64,
}
