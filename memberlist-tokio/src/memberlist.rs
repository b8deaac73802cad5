//! The handle of a node, its options and its events.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use memberlist_proto::driver::{self, Delegate, EventBounds, Handle, Setup};
use memberlist_proto::{Config, ConfigError, DEFAULT_PORT, Event};

use crate::bind;
use crate::tasks::Sockets;

/// A running node: a [`Handle`] that was started on tokio. Cheap to clone; the node ends when the
/// last clone is dropped. Its methods are those of [`Handle`].
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
/// let loopback = || Options::bind(([127, 0, 0, 1], 0).into());
/// let (one, mut events) = Memberlist::start(Config::local("one"), loopback()).await?;
/// let (two, _) = Memberlist::start(Config::local("two"), loopback()).await?;
/// two.join(&[Peer::from(one.bound_address())]).await?;
///
/// let to_one = || Target::Member("one".into());
/// two.send(to_one(), b"by datagram, if it arrives")?;
/// two.send_reliable(to_one(), b"by stream").await?;
/// two.broadcast(b"by gossip, to all", BroadcastKind::Unique, Priority::Normal)?;
/// println!("round trip: {:?}", two.ping(to_one()).await?.rtt);
/// two.set_meta("version=2", Duration::from_secs(5)).await?;
///
/// let mut messages = Vec::new();
/// while messages.len() < 2 {
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

/// How a node meets the network and its user.
#[derive(Clone)]
pub struct Options {
    /// What to listen on, for packets and streams alike. Port 0 picks one that is free for both.
    pub bind: SocketAddr,
    /// What to announce to the cluster instead of the bound address. Port 0 stands for the bound
    /// port, and an unspecified address for the bound or a private one. Needed where `bind` is unspecified and this machine has no private address.
    pub advertise: Option<SocketAddr>,
    /// Answers the node's questions.
    pub delegate: Option<Arc<dyn Delegate>>,
    /// How many events may wait for their reader.
    pub events: EventBounds,
}

impl Options {
    /// To listen on this address, with everything else as by default.
    pub fn bind(address: SocketAddr) -> Self {
        Self { bind: address, ..Self::default() }
    }
}

impl Default for Options {
    /// Every IPv4 address of this machine, port 7946.
    fn default() -> Self {
        Self {
            bind: SocketAddr::from(([0, 0, 0, 0], DEFAULT_PORT)),
            advertise: None,
            delegate: None,
            events: EventBounds::default(),
        }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("bind", &self.bind)
            .field("advertise", &self.advertise)
            .field("events", &self.events)
            .finish_non_exhaustive()
    }
}

/// Why a node could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// Bound to every address, and none of them is private: say what to announce.
    #[error("bound to {0}, and this machine has no private address: set an address to advertise")]
    NoAddress(IpAddr),
    /// The configuration is not valid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The operating system has no randomness.
    #[error("no randomness: {0}")]
    Randomness(#[from] getrandom::Error),
}

impl Memberlist {
    /// Listens and starts a node, which knows nobody yet. The configuration's `advertise_addr`,
    /// `advertise_port` and `bind_port` are set by the options.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from running.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    #[allow(clippy::unused_async)] // Binding may have to wait one day, and for other runtimes does.
    pub async fn start(mut config: Config, options: Options) -> Result<(Self, Events), StartError> {
        let sockets = Sockets::bind(options.bind)?;
        let bound = sockets.address();
        let advertise = bind::advertised(options.advertise, bound)?;
        config.advertise_addr = advertise.ip();
        config.advertise_port = advertise.port();
        config.bind_port = bound.port();
        bind::warn_if_public(&config);
        let setup = Setup { delegate: options.delegate, events: options.events, log: bind::log() };
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)?;
        let (handle, events, driver) = driver::start(config, bound, setup, seed)?;
        sockets.run(driver);
        Ok((Self(handle), Events(events)))
    }
}

impl Deref for Memberlist {
    type Target = Handle;

    fn deref(&self) -> &Handle {
        &self.0
    }
}

/// What happens, in order, for one reader. Ends when the node has ended. A slow reader never
/// holds up the node: see [`EventBounds`].
#[derive(Debug)]
pub struct Events(driver::Events);

impl Events {
    /// The next event; `None` when the node has ended and everything was told.
    pub async fn next(&mut self) -> Option<Event> {
        std::future::poll_fn(|cx| self.0.poll_next(cx)).await
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.0.poll_next(cx)
    }
}
