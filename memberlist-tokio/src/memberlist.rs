//! The handle of a node.

use std::ops::Deref;

use memberlist_driver::bind::{Options, StartError};
use memberlist_driver::{Events, Handle};
use memberlist_proto::Config;

use crate::runtime::Tokio;

/// A running node: a [`Handle`] that was started on tokio, with its methods. Cheap to clone, and
/// usable from everywhere; the node ends when the last clone is dropped.
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
    /// Listens and starts a node, which knows no other node yet. The options set the configuration's
    /// `advertise_addr`, `advertise_port` and `bind_port`.
    ///
    /// # Errors
    ///
    /// An address that cannot be listened on, a configuration that is not valid, and the others of
    /// [`StartError`]. Nothing is left running then.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with its IO and time drivers enabled.
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
