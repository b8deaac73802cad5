//! A deterministic network of memberlist nodes in virtual time.
//!
//! A [`Sim`] holds nodes (the real state machine of `memberlist-proto`), the network between them
//! and the virtual time. One seed determines everything: the same calls with the same seed give the
//! same run, as [`Sim::trace_hash`] shows. The [laws] of the protocol are checked at every step;
//! the simulator panics with the seed when a node breaks one.
//!
//! ```
//! use std::time::Duration;
//!
//! use memberlist_sim::{Config, Sim};
//!
//! let mut sim = Sim::new(42);
//! let nodes: Vec<_> = (0..5).map(|index| sim.start(Config::lan(format!("n{index}").as_str()))).collect();
//! for node in &nodes[1..] {
//!     sim.join(*node, nodes[0]);
//! }
//! sim.run_for(Duration::from_secs(5));
//! assert!(sim.agreement().is_ok());
//!
//! sim.crash(nodes[4]);
//! let noticed = sim.run_until(Duration::from_secs(60), |sim| {
//!     nodes[..4].iter().all(|node| sim.node(*node).num_members() == 4)
//! });
//! assert!(noticed.is_some());
//! ```
//!
//! The code of an application takes part as an [`App`]: it sees its node's events, answers its
//! questions and calls its methods.
//!
//! [`script`] runs scenarios written as text. [`rig`] drives a single node in a test.
#![cfg_attr(docsrs, feature(doc_cfg))]

/// The tutorial, run as a test.
#[cfg(doctest)]
#[doc = include_str!("../../docs/simulation.md")]
pub struct Tutorial;

mod agenda;
mod app;
mod bound;
mod chance;
pub mod laws;
mod network;
pub mod rig;
pub mod script;
mod seat;
mod seats;
mod sim;
mod streams;
mod trace;

// The types that applications and scenarios name; everything else is in `memberlist-proto`.
pub use memberlist_proto::{
    Answer, BroadcastKind, Channel, Compression, Config, Event, Hooks, Instant, Memberlist, Node,
    NodeName, OpId, Outcome, Peer, Priority, RequestKind, State, Target, ZoneRole,
};

pub use crate::app::{App, Silent, Spread};
pub use crate::network::{Link, Network};
pub use crate::seat::{Fault, NodeId};
pub use crate::sim::{Sent, Sim};
