//! The handle of a node, its options and its events.

use std::ops::Deref;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use memberlist_proto::driver::bind::{self, Options, StartError};
use memberlist_proto::driver::{self, Handle, Setup};
use memberlist_proto::{Config, Event};

use crate::log;
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
        log::warn_if_public(&config);
        let setup = Setup {
            delegate: options.delegate,
            events: options.events,
            log: log::log(),
            metric_labels: options.metric_labels,
        };
        let (handle, events, driver) = driver::start(config, bound, setup, bind::seed()?)?;
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
/// holds up the node: see [`EventBounds`](driver::EventBounds).
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
