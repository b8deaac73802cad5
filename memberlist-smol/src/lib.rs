//! Cluster membership, failure detection and gossip on smol, compatible with hashicorp/memberlist.
//!
//! A service that joins a cluster, follows its members, receives their messages, and finally
//! leaves:
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use memberlist_smol::{
//!     BroadcastKind, Config, Event, JoinPolicy, Memberlist, Options, Peer, Priority,
//! };
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     smol::block_on(serve())
//! }
//!
//! async fn serve() -> Result<(), Box<dyn std::error::Error>> {
//!     let mut args = std::env::args().skip(1); // NAME IP:PORT [SEED…]
//!     let name = args.next().ok_or("which name?")?;
//!     let bind = args.next().ok_or("which address?")?;
//!     let seeds: Vec<Peer> = args.map(|seed| seed.parse()).collect::<Result<_, _>>()?;
//!
//!     let mut config = Config::lan(name);
//!     config.meta = "port=8080".into(); // what other members need to know about this node
//!     config.seeds = seeds.clone(); // searched for again if they are ever lost
//!     let (node, mut events) = Memberlist::start(config, Options::bind(bind)).await?;
//!
//!     let reader = smol::spawn(async move {
//!         while let Some(event) = events.next().await {
//!             match event {
//!                 Event::Joined { node } => {
//!                     println!("{node} says {}", String::from_utf8_lossy(node.meta()));
//!                 }
//!                 Event::Departed { node, reason, .. } => println!("{node}: {reason}"),
//!                 Event::Message { payload, .. } => println!("heard {payload:?}"),
//!                 other => println!("{other}"),
//!             }
//!         }
//!     });
//!     if !seeds.is_empty() {
//!         let report = node.join_with(seeds, JoinPolicy::until_joined()).await?;
//!         println!("{report}"); // which peers were joined, and why others were not
//!     }
//!     node.broadcast("a new member says hello", BroadcastKind::Plain, Priority::Normal)?;
//!
//!     smol::unblock(|| std::io::stdin().lines().next()).await; // or whatever ends the service
//!     node.leave(Duration::from_secs(5)).await?;
//!     node.shutdown().await;
//!     reader.await;
//!     Ok(())
//! }
//! ```
//!
//! [`Memberlist`] is a running node and has the methods of [`Handle`], which never wait: those that
//! take time return an [`Operation`], a future. [`Events`] is a stream that reports everything that
//! happens as an [`Event`]. A [`Delegate`] makes the decisions that belong to the application.
//!
//! # Joining
//!
//! [`Handle::join`] exchanges the full state with peers: addresses, nodes, or text such as
//! `10.0.0.1:7946` or `db.example`. If no peer could be joined, the call fails with an error that
//! has the reason for each peer; the first node of a cluster therefore does not call it.
//! [`Handle::join_with`] retries as a [`JoinPolicy`] says. A node also searches for each peer in
//! [`Config::seeds`] that is not a live member, which heals a cluster that was split.
//!
//! ```
//! # use memberlist_smol::{Config, Memberlist, Options};
//! use memberlist_smol::Error;
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # smol::block_on(async {
//! # let (seed, mut heard) = Memberlist::start(Config::local("seed"), Options::bind("127.0.0.1:0")).await?;
//! # let (node, _events) = Memberlist::start(Config::local("node"), Options::bind("127.0.0.1:0")).await?;
//! # let address = seed.bound_address();
//!
//! match node.join([address]).await {
//!     // At least one peer was joined; the report also lists those that failed.
//!     Ok(report) => println!("{report}"),
//!     Err(Error::NotJoined(error)) => {
//!         for failure in &error.report.failed {
//!             eprintln!("{failure}"); // the peer and the reason
//!         }
//!         if let Some(address) = error.report.name_holder() {
//!             eprintln!("another node has this node's name: the one at {address}");
//!         }
//!     }
//!     Err(error) => return Err(error.into()),
//! }
//! # assert_eq!(node.num_members(), 2);
//! # let _ = (&mut heard, address);
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! # Members and events
//!
//! [`Handle::members`] lists the nodes that are alive or suspect, [`Handle::nodes`] also those that
//! are dead or have left, and [`Handle::member`] finds one by name; [`Handle::status`] says since
//! when each node has been in its state, and why. Changes are reported in order, as events:
//! [`Event::Joined`], [`Event::Updated`], [`Event::Suspected`], [`Event::Refuted`], and
//! [`Event::Departed`] with the reason. [`Handle::subscribe`] adds further readers. A reader that
//! falls too far behind loses messages, but can always learn the current state of every member: see
//! [`EventBounds`]. [`Handle::settled`] waits until the membership is stable.
//!
//! ```
//! # use memberlist_smol::{Config, Memberlist, Options};
//! use memberlist_smol::Event;
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # smol::block_on(async {
//! # let (seed, mut heard) = Memberlist::start(Config::local("seed"), Options::bind("127.0.0.1:0")).await?;
//! # let (node, _events) = Memberlist::start(Config::local("node"), Options::bind("127.0.0.1:0")).await?;
//! # let address = seed.bound_address();
//! # let _ = node.join([address]).await?;
//!
//! while let Some(event) = heard.next().await {
//!     if let Event::Joined { node } = event
//!         && node.name() == "node"
//!     {
//!         break;
//!     }
//! }
//! let mut names: Vec<_> = seed.members().iter().map(|it| it.name().to_string()).collect();
//! names.sort();
//! assert_eq!(names, ["node", "seed"]);
//! # let _ = (&mut heard, address);
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! # Messages
//!
//! | method | to | how | at most |
//! |---|---|---|---|
//! | [`Handle::send`] | one node | a datagram, which may be lost | a packet, about 1,400 bytes |
//! | [`Handle::send_reliable`] | one node | a stream; without an acknowledgement | 20 MiB |
//! | [`Handle::broadcast`] | random members; all of them, if receivers pass it on | gossip | a packet |
//! | [`Handle::disseminate`] | every member | gossip if it is short, else a stream to each member | 20 MiB |
//!
//! Each of them arrives as [`Event::Message`]. **A broadcast may arrive more than once**, and in a
//! different order at each member: receivers must recognize what they already know.
//!
//! ```
//! # use memberlist_smol::{Config, Memberlist, Options};
//! use memberlist_smol::Event;
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # smol::block_on(async {
//! # let (seed, mut heard) = Memberlist::start(Config::local("seed"), Options::bind("127.0.0.1:0")).await?;
//! # let (node, _events) = Memberlist::start(Config::local("node"), Options::bind("127.0.0.1:0")).await?;
//! # let address = seed.bound_address();
//! # let _ = node.join([address]).await?;
//!
//! seed.send("node", "by datagram")?; // a name, a node or an address
//! node.send_reliable("seed", "by stream").await?;
//! loop {
//!     let event = heard.next().await.ok_or("the node has ended")?;
//!     if let Event::Message { payload, .. } = event {
//!         assert_eq!(payload, "by stream");
//!         break;
//!     }
//! }
//! println!("{:?}", seed.ping("node").await?.rtt);
//! # let _ = (&mut heard, address);
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! # Your state
//!
//! What each node says about itself in a few bytes, such as its role or port, is its metadata: at
//! most 512 bytes, set in [`Config::meta`], changed by [`Handle::set_meta`], and known to every
//! member as [`Node::meta`]. Larger state, up to 20 MiB, is what [`Delegate::local_state`] returns:
//! it is sent with each full state exchange, and arrives as [`Event::RemoteState`] for the
//! application to merge. [`Delegate::admit`] and [`Delegate::admit_merge`] decide which nodes are
//! believed and which may join.
//!
//! ```
//! # use memberlist_smol::{Config, Memberlist, Options};
//! use memberlist_smol::{Delegate, Event, bytes::Bytes};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # smol::block_on(async {
//! # let (seed, mut heard) = Memberlist::start(Config::local("seed"), Options::bind("127.0.0.1:0")).await?;
//! # let (node, _events) = Memberlist::start(Config::local("node"), Options::bind("127.0.0.1:0")).await?;
//! # let address = seed.bound_address();
//!
//! struct Store;
//!
//! impl Delegate for Store {
//!     fn local_state(&self, _join: bool) -> Bytes {
//!         "everything I know".into()
//!     }
//! }
//!
//! let options = Options::bind("127.0.0.1:0").delegate(Store);
//! let (third, _) = Memberlist::start(Config::local("third"), options).await?;
//! third.join([address]).await?;
//! while let Some(event) = heard.next().await {
//!     if let Event::RemoteState { state, .. } = event {
//!         assert_eq!(state, "everything I know");
//!         break;
//!     }
//! }
//! third.set_meta("role=store", std::time::Duration::from_secs(5)).await?;
//! # let _ = node;
//! # let _ = (&mut heard, address);
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! # Keys
//!
//! With a key in [`Config::secret_keys`], all traffic is encrypted and authenticated: the first key
//! encrypts, and any of them decrypts. [`Key`] is made from bytes, from text in base64, or by
//! [`Key::generate`](GenerateKey). To change the key of a running cluster, take three steps, and
//! finish each on every node before the next:
//!
//! ```
//! # use memberlist_smol::{Config, Memberlist, Options};
//! use memberlist_smol::{GenerateKey, Key};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # smol::block_on(async {
//! # let (seed, mut heard) = Memberlist::start(Config::local("seed"), Options::bind("127.0.0.1:0")).await?;
//! # let (node, _events) = Memberlist::start(Config::local("node"), Options::bind("127.0.0.1:0")).await?;
//! # let address = seed.bound_address();
//!
//! let (old, new) = (Key::generate()?, Key::generate()?);
//! # let mut config = Config::local("encrypted");
//! config.secret_keys = vec![old.clone()];
//! # let (node, _) = Memberlist::start(config, Options::bind("127.0.0.1:0")).await?;
//! node.add_key(new.clone())?; // 1. every node can decrypt with it
//! node.use_key(&new)?; // 2. every node encrypts with it
//! node.remove_key(&old)?; // 3. no node accepts the old one any more
//! # let _ = (&seed, &heard);
//! # let _ = (&mut heard, address);
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! # Metrics
//!
//! [`Handle::stats`] counts everything that a node does, and [`Handle::health_score`] shows how
//! well it keeps up. The feature `metrics` publishes all of this through the facade of the crate
//! `metrics` to the recorder that the application installs, under the Go library's names where it
//! has them; [`Options::metric_label`] distinguishes several nodes of one process. The feature
//! `http` serves a page for people, and the same data as JSON.
//!
//! # Shutting down
//!
//! [`Handle::leave`] announces the departure: without it, the other members take some seconds to
//! notice, and report a failure. [`Handle::shutdown`] closes the sockets, as does dropping the last
//! handle. To find the same members again after a restart, save [`Handle::snapshot`] before the
//! shutdown, and pass it to [`Handle::recall`].
//!
//! ```
//! # use memberlist_smol::{Config, Memberlist, Options};
//! use memberlist_smol::Event;
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # smol::block_on(async {
//! # let (seed, mut heard) = Memberlist::start(Config::local("seed"), Options::bind("127.0.0.1:0")).await?;
//! # let (node, _events) = Memberlist::start(Config::local("node"), Options::bind("127.0.0.1:0")).await?;
//! # let address = seed.bound_address();
//! # let _ = node.join([address]).await?;
//!
//! node.leave(std::time::Duration::from_secs(5)).await?;
//! node.shutdown().await;
//! while let Some(event) = heard.next().await {
//!     if let Event::Departed { reason, .. } = event {
//!         assert_eq!(reason.to_string(), "left");
//!         break;
//!     }
//! }
//! # let _ = (&mut heard, address);
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! # Features
//!
//! * `tracing`, on by default: log lines, with the severity that the Go library gives them and the
//!   fields `node`, `peer`, `member` and `reason` where they apply, under the targets
//!   `memberlist::probe`, `memberlist::membership`, `memberlist::stream`, `memberlist::packet`,
//!   `memberlist::join`, `memberlist::rejoin`, `memberlist::address`, `memberlist::delegate` and
//!   `memberlist::record`.
//! * `metrics`: every figure of [`Stats`] through the facade of the crate `metrics`.
//! * `http`: a page about the node, its members and events, as a service for hyper and axum: the
//!   crate `memberlist-http`, re-exported as `http`.
//! * `tls`: transports over TLS, compatible with those of Alertmanager and of Grafana's programs.
//! * `record`: `Options::record_to` makes a recording of all input to the node, which replays byte
//!   for byte.
//! * `serde`: `Settings`, a configuration with its addresses, read from a document such as
//!   `docs/agent.toml` in the repository; `Serialize` and `Deserialize` for [`Config`] and its
//!   parts; `Serialize` for [`Node`], [`Event`], [`JoinReport`], [`Status`] and [`Stats`].
//!
//! # From Go
//!
//! | Go | here |
//! |---|---|
//! | `memberlist.Create(conf)` | [`Memberlist::start`] |
//! | `DefaultLANConfig()`, `BindAddr`, `BindPort` | [`Config::lan`], [`Options::bind`] |
//! | `Join` | [`Handle::join`]: joining no peer is an error, as is an empty list |
//! | `Members`, `LocalNode` | [`Handle::members`], [`Handle::local`] |
//! | `EventDelegate`, `NotifyMsg`, `MergeRemoteState` | [`Events`] |
//! | `NodeMeta`, `UpdateNode` | [`Config::meta`], [`Handle::set_meta`] |
//! | `LocalState`, `NotifyMerge`, `NotifyAlive` | [`Delegate`] |
//! | `TransmitLimitedQueue`, `GetBroadcasts` | [`Handle::broadcast`]; for queues of your own, [`Delegate::broadcasts`] |
//! | `SendBestEffort`, `SendReliable` | [`Handle::send`], [`Handle::send_reliable`] |
//! | `Leave`, `Shutdown` | [`Handle::leave`], [`Handle::shutdown`] |
//!
//! In the repository, `docs/from-go.md` lists every name, and `docs/differences.md` what behaves
//! differently.
#![cfg_attr(docsrs, feature(doc_cfg))]

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
pub use memberlist_driver::{RecordError, RecordOptions, RecordStats};
// How it is configured.
#[cfg(feature = "serde")]
pub use memberlist_driver::settings::{SettingError, Settings};
pub use memberlist_proto::{
    AdvertiseForm, Compression, Config, ConfigError, DEFAULT_PORT, Differences, Limits, Rejoin,
    Timing,
};
// A network, as `Config::cidrs_allowed` lists them.
#[doc(no_inline)]
pub use memberlist_proto::IpNet;
// Nodes, and their names.
pub use memberlist_proto::{
    Host, Identity, IdentityError, IdentityParts, Name, Node, NodeName, Peer, PeerError, State,
    Target, VersionKind, Versions, ZoneInfo, ZoneRole,
};
// Joining, and the other operations of an application.
pub use memberlist_proto::{
    BroadcastId, BroadcastKind, ExchangeError, ExchangeStep, ForgetError, FrameError, FrameTooLong,
    JoinError, JoinFailure, JoinPolicy, JoinRefused, JoinReport, LeaveReport, LookupFailure,
    MetaError, NotJoined, Oversized, PingError, Pong, Priority, Retry, SendError, StreamFailure,
    TlsFailure, VersionMismatch, WaitError,
};
// Events.
pub use memberlist_proto::{
    BroadcastEnd, Change, Channel, Departure, Event, ExchangeKind, OpId, Outcome, Refusal,
};
// The application's decisions, random keys, and the type of messages and states.
pub use memberlist_driver::{Delegate, GenerateKey, bytes};
pub use memberlist_proto::{Broadcast, Candidate, TransmitLimitedQueue, View};
// Encryption.
pub use memberlist_proto::{InvalidKey, Key, KeyId, KeyringError, ParseKeyError};
// The state of the node.
pub use memberlist_proto::{
    Counters, Decisions, Gauges, Instant, LostStatus, NodeStatus, RefusedStatus, SeedStatus, Stats,
    Status, Trouble,
};
// The page about the node.
#[cfg(feature = "http")]
pub use memberlist_http as http;
