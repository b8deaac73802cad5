//! Cluster membership, failure detection and gossip on async-std, compatible with hashicorp/memberlist.
//!
//! ```
//! use memberlist_async_std::{Config, Memberlist, Options, Peer};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # async_std::task::block_on(async {
//! let loopback = || Options::bind("127.0.0.1:0");
//! let (one, _events) = Memberlist::start(Config::local("one"), loopback()).await?;
//! let (two, _events) = Memberlist::start(Config::local("two"), loopback()).await?;
//!
//! let report = two.join([one.bound_address()]).await?;
//! assert_eq!(report.joined, [one.bound_address()]);
//! assert_eq!(two.num_members(), 2);
//!
//! two.leave(std::time::Duration::from_secs(5)).await?;
//! two.shutdown().await;
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! [`Memberlist`] is a running node and has the methods of [`Handle`]. What happens is reported as an
//! [`Event`] by [`Events`]; what the application decides is asked of its [`Delegate`].
//!
//! # Features
//!
//! * `tracing`, on by default: log lines, at the severity that the Go library gives them, with the
//!   fields `node`, `peer`, `member` and `reason` where they apply, under the targets
//!   `memberlist::probe`, `memberlist::membership`, `memberlist::stream`, `memberlist::packet`,
//!   `memberlist::join`, `memberlist::rejoin`, `memberlist::address`,
//!   `memberlist::delegate` and `memberlist::record`.
//! * `metrics`: every figure of [`Stats`] through the facade of the crate `metrics`.
//! * `http`: a page about the node, its members and what happens, as a service for hyper and axum:
//!   the crate `memberlist-http` under the name `http`.
//! * `tls`: transports over TLS, as Alertmanager and Grafana's programs have them.
//! * `record`: `Options::record_to`, a recording of everything that enters the node, which replays byte
//!   for byte.
//! * `serde`: `Serialize` and `Deserialize` for [`Config`] and what it holds, `Serialize` for
//!   [`Status`] and [`Stats`].

mod memberlist;
mod runtime;

pub use crate::memberlist::Memberlist;
// The node.
pub use memberlist_driver::bind::{
    Address, InvalidAddress, NoAddress, Options, SocketKind, StartError,
};
pub use memberlist_driver::{Error, EventBounds, Events, Handle, Operation};
// How packets and streams travel.
pub use memberlist_driver::transport::{Bounds, Framing, Transport, TransportStats};
#[cfg(feature = "tls")]
pub use memberlist_driver::transport::{ClientAuth, Tls, TlsError};
#[cfg(feature = "record")]
pub use memberlist_driver::{RecordOptions, RecordStats};
// How it is configured.
#[cfg(feature = "serde")]
pub use memberlist_driver::settings::{SettingError, Settings};
pub use memberlist_proto::{
    AdvertiseForm, Compression, Config, ConfigError, DEFAULT_PORT, Differences, Limits, Rejoin,
    Timing,
};
// Nodes, and how they are named.
pub use memberlist_proto::{
    Host, Name, Node, NodeName, Peer, PeerError, State, Target, Versions, ZoneInfo, ZoneRole,
};
// Joining, and what else an application begins.
pub use memberlist_proto::{
    BroadcastId, BroadcastKind, ExchangeError, ForgetError, JoinError, JoinFailure, JoinPolicy,
    JoinRefused, JoinReport, LeaveReport, LookupFailure, MetaError, NotJoined, Oversized,
    PingError, Pong, Priority, Retry, SendError, StreamFailure, TlsFailure, VersionMismatch,
    WaitError,
};
// What is reported.
pub use memberlist_proto::{
    BroadcastEnd, Change, Channel, Departure, Event, ExchangeKind, OpId, Outcome, Refusal,
};
// What the application decides.
// Keys from the system's randomness; what messages and states are made of.
pub use memberlist_driver::{Delegate, GenerateKey, bytes};
pub use memberlist_proto::{Broadcast, Candidate, TransmitLimitedQueue, View};
// Encryption.
pub use memberlist_proto::{InvalidKey, Key, KeyringError, ParseKeyError};
// How the node stands.
pub use memberlist_proto::{
    Counters, Decisions, Gauges, Instant, LostStatus, NodeStatus, RefusedStatus, SeedStatus, Stats,
    Status, Trouble,
};
// A page about it.
#[cfg(feature = "http")]
pub use memberlist_http as http;
