//! The memberlist gossip protocol (SWIM and Lifeguard) as a deterministic state machine without
//! IO, byte-compatible with hashicorp/memberlist.
//!
//! [`Memberlist`] is one node. Its driver hands in packets, stream bytes and the time, and carries
//! out what the node asks for:
//!
//! ```
//! use memberlist_proto::{Config, Event, Instant, Memberlist, Peer};
//! use std::collections::VecDeque;
//!
//! // Two nodes and a perfect network between them, in virtual time.
//! let mut now = Instant::from_nanos(1);
//! let node = |name: &str, port: u16, seed: u8| {
//!     let mut config = Config::local(name);
//!     config.advertise_port = port;
//!     Memberlist::new(now, config, None, [seed; 32])
//! };
//! let mut nodes = [node("one", 1, 1)?, node("two", 2, 2)?];
//!
//! // Each node is given the other's record: a join would need streams, and here are only packets.
//! nodes[0].restore(now, [nodes[1].local()]);
//! nodes[1].restore(now, [nodes[0].local()]);
//! for _ in 0..200 {
//!     now = nodes.iter().filter_map(Memberlist::poll_timeout).min().unwrap().max(now);
//!     for from in 0..2 {
//!         nodes[from].handle_timeout(now);
//!         while let Some(packet) = nodes[from].poll_transmit() {
//!             let to = usize::from(packet.to.port() == 2);
//!             let source = ([127, 0, 0, 1], from as u16 + 1).into();
//!             nodes[to].handle_packet(now, source, &packet.payload)?;
//!         }
//!     }
//! }
//! assert_eq!(nodes[0].num_members(), 2);
//! assert_eq!(nodes[0].health_score(), 0);
//! assert!(nodes[0].stats().counters.probes > 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A real driver also opens the streams that [`poll_stream`](Memberlist::poll_stream) asks for,
//! resolves the names of [`poll_lookup`](Memberlist::poll_lookup), answers
//! [`poll_request`](Memberlist::poll_request) and passes the events of
//! [`poll_event`](Memberlist::poll_event) to the application. `memberlist-tokio` contains such a
//! driver.
//!
//! The modules under [`wire`] and [`security`] are public for tools and tests; their API may
//! change in any release before 1.0.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod awareness;
pub mod broadcast;
mod bucket;
mod builds;
mod config;
mod decider;
#[cfg(feature = "checkpoint")]
mod digest;
mod dissemination;
mod event;
mod exchange;
mod farewells;
mod flaps;
mod follow;
mod hearing;
mod hooks;
mod index;
mod input;
mod job;
mod letters;
mod memberlist;
mod members;
mod node;
mod notices;
mod operations;
mod outbox;
mod peer;
mod peer_states;
mod probes;
mod queues;
mod rng;
pub mod security;
#[cfg(feature = "serde")]
mod serial;
mod shares;
mod spare;
mod stats;
mod status;
mod suspects;
mod suspicion;
mod time;
mod timers;
mod transmit;
mod wanted;
pub mod wire;

pub use crate::broadcast::{Broadcast, TransmitLimitedQueue};
pub use crate::config::{
    AdvertiseForm, Compression, Config, ConfigError, DEFAULT_PORT, Differences, Limits, Oversized,
    Rejoin, Timing, fields,
};
pub use crate::decider::Decision;
#[cfg(feature = "checkpoint")]
pub use crate::digest::write_plain;
pub use crate::event::{
    BroadcastEnd, BroadcastId, Change, Channel, Departure, Event, ExchangeError, ExchangeKind,
    ExchangeStep, ForgetError, JoinError, JoinFailure, JoinRefused, JoinReport, LeaveReport,
    MetaError, NotJoined, OpId, Outcome, PingError, Pong, Refusal, SendError, VersionMismatch,
    WaitError,
};
pub use crate::hooks::{Candidate, Hooks, View};
pub use crate::input::{Command, Input, InputError, Reply};
pub use crate::job::{Job, JobId, JobOutput};
pub use crate::memberlist::Memberlist;
#[cfg(feature = "checkpoint")]
pub use crate::memberlist::checkpoint::{CORE_HASH, CheckpointError, Restoring, Tap};
pub use crate::node::{
    Identity, IdentityError, IdentityParts, Name, Node, NodeName, State, VersionKind, Versions,
    ZoneInfo, ZoneRole,
};
pub use crate::peer::{Host, JoinPolicy, Peer, PeerError, Retry, Target, Targets};
pub use crate::queues::{BroadcastKind, Priority};
pub use crate::security::{InvalidKey, Key, KeyId, Keyring, KeyringError, ParseKeyError};
#[doc(hidden)] // For the transports of the driver.
pub use crate::shares::{may_take_place, source_of};
pub use crate::stats::{Counters, Decisions, Gauges, Stats};
pub use crate::status::{LostStatus, NodeStatus, RefusedStatus, SeedStatus, Status, Trouble};
pub use crate::time::Instant;
pub use crate::transmit::{
    Answer, Lookup, LookupFailure, LookupId, Request, RequestId, RequestKind, StreamFailure,
    StreamId, StreamOp, TlsFailure, Transmit,
};
pub use crate::wire::frame::{FrameError, FrameTooLong};
pub use crate::wire::packet::PacketError;
// The type of the networks in `Config::cidrs_allowed`.
#[doc(no_inline)]
pub use ipnet::IpNet;
