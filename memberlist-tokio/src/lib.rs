//! Cluster membership, failure detection and gossip on tokio, compatible with
//! hashicorp/memberlist.
//!
//! ```
//! use memberlist_tokio::{Config, Memberlist, Options, Peer};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let loopback = || Options::bind("127.0.0.1:0".parse().unwrap());
//! let (one, _events) = Memberlist::start(Config::local("one"), loopback()).await?;
//! let (two, _events) = Memberlist::start(Config::local("two"), loopback()).await?;
//!
//! let report = two.join(&[Peer::from(one.bound_address())]).await?;
//! assert_eq!(report.joined, [one.bound_address()]);
//! assert_eq!(two.num_members(), 2);
//!
//! two.leave(std::time::Duration::from_secs(5)).await?;
//! two.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! What happens is told by [`Events`]; what the application must decide is asked of a
//! [`Delegate`]. Everything else is of `memberlist-proto`, and documented there.

mod memberlist;
mod stream;
mod tasks;

pub use memberlist_driver::bind::{NoAddress, Options, StartError, Transport};
pub use memberlist_driver::{Delegate, Error, EventBounds, Events, Operation};
pub use memberlist_proto::*;

pub use crate::memberlist::Memberlist;
