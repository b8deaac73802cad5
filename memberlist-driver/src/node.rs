//! A node's tasks, on any runtime: one for packets and timers, one that accepts streams, and one
//! for each stream.

mod accept;
mod guard;
mod intake;
mod packets;
mod stream;
mod turns;

use std::future::{Future, poll_fn};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use memberlist_proto::Config;

use self::accept::AcceptTask;
pub(crate) use self::guard::Keep;
use self::guard::TaskGuard;
use self::packets::PacketTask;
use crate::bind::{self, Options, SocketKind, StartError};
use crate::driver::Driver;
use crate::events::Events;
use crate::handle::Handle;
use crate::log::{self, Log};
use crate::runtime::Runtime;
use crate::shared::{Setup, Shared};
use crate::transport::{Framed, Framing, Hub, Security, Transport};

/// Binds the sockets and starts a node on a runtime; the `start` of every adapter calls this
/// function. The node knows no other node yet: call [`Handle::join`] next.
///
/// Whatever the configuration has in `advertise_addr`, `advertise_port` and `bind_port` is replaced
/// by what the options say. The node ends when the last clone of the [`Handle`] is dropped, or with
/// [`Handle::shutdown`].
///
/// # Errors
///
/// [`StartError`], for example if the address cannot be bound or the configuration is not valid.
/// Nothing is left running then.
#[allow(clippy::unused_async)] // Binding may have to wait one day, as it does for other transports.
pub async fn start<R: Runtime>(
    runtime: R,
    config: Config,
    options: Options,
) -> Result<(Handle, Events), StartError> {
    let transport = options.transport.clone();
    let security = security(&transport)?;
    let Opened { listener, packets, address, advertised, shared } = open(config, options)?;
    let failed = |socket| move |source| StartError::Bind { socket, address, source };
    let packets = packets.map(|packets| runtime.packets(packets)).transpose();
    let packets = packets.map_err(failed(SocketKind::Udp))?;
    let listener = runtime.listener(listener).map_err(failed(SocketKind::Tcp))?;
    let driver = Driver::new(Arc::clone(&shared));
    let guards = TaskGuard::pair(&driver);
    match (packets, transport.framing()) {
        (Some(packets), _) => run(&runtime, driver, packets, listener, address, guards),
        (None, framing) => {
            let framing = framing.unwrap_or(Framing::Alertmanager);
            let keep = guards[0].keep();
            let hub = Hub::new(framing, transport.limits, advertised, driver.clone(), keep);
            let framed = Framed::new(runtime, hub, security);
            let (mailbox, entrance) = (framed.mailbox(), framed.entrance(listener));
            run(&framed, driver, mailbox, entrance, address, guards);
        }
    }
    Ok((Handle::new(&shared), Events::first(shared)))
}

/// Spawns the tasks of a node.
fn run<R: Runtime>(
    runtime: &R,
    driver: Driver,
    packets: R::Packets,
    listener: R::Listener,
    address: SocketAddr,
    [guard, other]: [TaskGuard; 2],
) {
    let packet_task = PacketTask::new(runtime.clone(), driver, packets, address, guard);
    let accept_task = AcceptTask { runtime: runtime.clone(), listener, guard: other };
    runtime.spawn(packet_task.run());
    runtime.spawn(accept_task.run());
}

/// The security of connections, as the transport configures it.
#[allow(clippy::unnecessary_wraps)] // Without the feature `tls` there is nothing to read.
fn security(transport: &Transport) -> Result<Security, StartError> {
    #[cfg(feature = "tls")]
    if let Some(tls) = transport.tls_settings() {
        let certificates = crate::transport::Certificates::load(tls.clone())?;
        return Ok(Security::Tls(Arc::new(certificates)));
    }
    let _ = transport;
    Ok(Security::Plain)
}

/// A node that listens and has no tasks yet. Both sockets are in non-blocking mode.
struct Opened {
    listener: TcpListener,
    /// `None` if packets travel over connections.
    packets: Option<UdpSocket>,
    /// The address that both are bound to.
    address: SocketAddr,
    advertised: SocketAddr,
    shared: Arc<Shared>,
}

fn open(mut config: Config, options: Options) -> Result<Opened, StartError> {
    options.check()?;
    let wanted = options.bind;
    let (listener, packets) = match options.transport.framing() {
        None => bind::sockets(wanted).map(|(listener, packets)| (listener, Some(packets)))?,
        Some(_) => (bind::streams_only(wanted)?, None),
    };
    options.transport.adapt(&mut config);
    let failed = |source| StartError::Bind { socket: SocketKind::Tcp, address: wanted, source };
    let address = listener.local_addr().map_err(failed)?;
    let log = Log::new(&config.name);
    let advertise = bind::advertised(options.advertise, address, &log)?;
    config.advertise_addr = advertise.ip();
    config.advertise_port = advertise.port();
    config.bind_port = address.port();
    if bind::announces_in_clear(&config) {
        log.write_once(|| log::in_clear(advertise));
    }
    let setup = Setup {
        delegate: options.delegate,
        one_name: options.transport.requires_names(),
        events: options.events,
        metric_labels: options.metric_labels,
        name_servers: options.name_servers,
        #[cfg(feature = "record")]
        record: options.record,
    };
    let shared = node(config, address, setup, bind::seed()?)?;
    Ok(Opened { listener, packets, address, advertised: advertise, shared })
}

/// A node without sockets.
fn node(
    config: Config,
    bound: SocketAddr,
    setup: Setup,
    seed: [u8; 32],
) -> Result<Arc<Shared>, StartError> {
    Ok(Arc::new(Shared::new(config, bound, setup, seed)?))
}

/// Waits for the future; `None` if `stop` is ready first, and then the future is dropped.
pub(crate) async fn unless<T>(
    mut stop: impl FnMut(&Context<'_>) -> Poll<()>,
    future: impl Future<Output = T>,
) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|cx| {
        if stop(cx).is_ready() {
            return Poll::Ready(None);
        }
        future.as_mut().poll(cx).map(Some)
    })
    .await
}
