//! Everything an operator asks a node for, at one moment.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::event::Departure;
use crate::node::{NodeName, State};
use crate::stats::Stats;

/// How a node and its cluster stand, as `status` reports it:
/// to be shown to people, or serialized (feature `serde`). Times are ages in milliseconds.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Status {
    /// This node.
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
    /// For how long no packet has answered its probes, if that was reported
    /// ([`Event::NothingReceived`](crate::Event::NothingReceived)) and none has come since.
    pub silent_ms: Option<u64>,
    /// For how long peers' states have lacked it, if that was reported
    /// ([`Event::NotListed`](crate::Event::NotListed)) and no peer has listed it since.
    pub unlisted_ms: Option<u64>,
    /// Every node it knows, itself too, by name.
    pub nodes: Vec<NodeStatus>,
    /// Its seeds, in the order of the configuration.
    pub seeds: Vec<SeedStatus>,
    /// The dead that are looked for, those that died first before the others.
    pub lost: Vec<LostStatus>,
    /// News that it refused lately, the latest last: at most 32.
    pub refused: Vec<RefusedStatus>,
    /// Queue depths and all that is counted.
    pub stats: Stats,
}

/// One node, as another knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct NodeStatus {
    /// Its name.
    pub name: NodeName,
    /// Its address, if it is one that can be sent to.
    pub addr: Option<SocketAddr>,
    /// Its state.
    pub state: State,
    /// For how long it has been in that state.
    pub age_ms: u64,
    /// The incarnation last accepted.
    pub incarnation: u32,
    /// Bytes of metadata.
    pub meta_len: usize,
    /// Why it is not alive.
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

/// One seed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SeedStatus {
    /// The seed as it was given.
    pub peer: String,
    /// Where it is: what its name was last resolved to.
    pub addresses: Vec<SocketAddr>,
    /// Whether each of them is a live member's, or this node's own.
    pub live: bool,
    /// How long ago it was last looked for, if ever.
    pub tried_ms: Option<u64>,
    /// Why that failed, if it did.
    pub error: Option<String>,
}

/// One that died and is looked for.
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

/// One refusal.
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
