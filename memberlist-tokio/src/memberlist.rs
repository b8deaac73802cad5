//! The handle of a node.

use std::ops::Deref;

use memberlist_driver::bind::{Options, StartError};
use memberlist_driver::{Events, Handle};
use memberlist_proto::Config;

use crate::runtime::Tokio;

/// A running node on tokio, with all methods of [`Handle`]. Cheap to clone, and usable from any
/// thread or task; the node ends when the last clone is dropped.
///
/// ```
/// use std::time::Duration;
///
/// use memberlist_tokio::{
///     BroadcastKind, Config, Event, Memberlist, Options, Peer, Priority, Target,
/// };
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let loopback = || Options::bind(([127, 0, 0, 1], 0));
/// let (one, mut events) = Memberlist::start(Config::local("one"), loopback()).await?;
/// let (two, _) = Memberlist::start(Config::local("two"), loopback()).await?;
/// two.join([one.bound_address()]).await?;
///
/// let to_one = || Target::Member("one".into());
/// two.send(to_one(), b"by datagram, if it arrives")?;
/// two.send_reliable(to_one(), b"by stream").await?;
/// two.broadcast(b"by gossip, to all", BroadcastKind::Unique, Priority::Normal)?;
/// two.disseminate(&vec![7; 100_000])?; // too long for gossip: by stream, to all
/// println!("round trip: {:?}", two.ping(to_one()).await?.rtt);
/// two.set_meta("version=2", Duration::from_secs(5)).await?;
///
/// let mut messages = Vec::new();
/// while messages.len() < 3 {
///     match events.next().await.expect("ends only with the node") {
///         Event::Joined { node } => println!("{node} is here"),
///         Event::Message { payload, .. } => messages.push(payload),
///         _ => {}
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Memberlist(Handle);

impl Memberlist {
    /// Binds the sockets and starts a node, which knows no other node yet: call
    /// [`join`](Handle::join) next. Whatever the configuration has in `advertise_addr`,
    /// `advertise_port` and `bind_port` is replaced by what the options say.
    ///
    /// # Errors
    ///
    /// [`StartError`], for example if the address cannot be bound or the configuration is not
    /// valid. Nothing is left running then.
    ///
    /// # Panics
    ///
    /// If called outside a tokio runtime, or if the runtime's IO or time driver is not enabled.
    pub async fn start(config: Config, options: Options) -> Result<(Self, Events), StartError> {
        let (handle, events) = memberlist_driver::start(Tokio, config, options).await?;
        Ok((Self(handle), events))
    }
}

impl Deref for Memberlist {
    type Target = Handle;

    fn deref(&self) -> &Handle {
        &self.0
    }
}
