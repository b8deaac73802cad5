//! A node's tasks, over any runtime: one for packets and time, one that accepts streams, and one for
//! each stream.

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

use memberlist_proto::{Config, ConfigError};

use self::accept::AcceptTask;
use self::guard::TaskGuard;
use self::packets::PacketTask;
use crate::bind::{self, Options, StartError, Transport};
use crate::driver::Driver;
use crate::events::Events;
use crate::handle::Handle;
use crate::log::{self, Log};
use crate::runtime::Runtime;
use crate::shared::{Setup, Shared};

/// Binds both sockets and starts a node on a runtime: the one function behind the `start` of every
/// adapter. The node knows no other node yet.
///
/// The options set the configuration's `advertise_addr`, `advertise_port` and `bind_port`. The node
/// ends when the last clone of the [`Handle`] is dropped, or with [`Handle::shutdown`].
///
/// # Errors
///
/// An address that cannot be listened on, a configuration that is not valid, and the others of
/// [`StartError`]. Nothing is left running then.
#[allow(clippy::unused_async)] // Binding may have to wait one day, as it does for other transports.
pub async fn start<R: Runtime>(
    runtime: R,
    config: Config,
    options: Options,
) -> Result<(Handle, Events), StartError> {
    let Opened { listener, packets, address, shared } = open(config, options)?;
    let failed = |transport| move |source| StartError::Bind { transport, address, source };
    let packets = runtime.packets(packets).map_err(failed(Transport::Udp))?;
    let listener = runtime.listener(listener).map_err(failed(Transport::Tcp))?;
    let driver = Driver::new(Arc::clone(&shared));
    let [guard, other] = TaskGuard::pair(&driver);
    let packet_task = PacketTask::new(runtime.clone(), driver, packets, address, guard);
    let accept_task = AcceptTask { runtime: runtime.clone(), listener, guard: other };
    runtime.spawn(packet_task.run());
    runtime.spawn(accept_task.run());
    Ok((Handle::new(&shared), Events::first(shared)))
}

/// A node that listens and has no tasks yet. Neither socket blocks.
struct Opened {
    listener: TcpListener,
    packets: UdpSocket,
    /// What both are bound to.
    address: SocketAddr,
    shared: Arc<Shared>,
}

fn open(mut config: Config, options: Options) -> Result<Opened, StartError> {
    let wanted = options.bind;
    let (listener, packets) = bind::sockets(wanted)?;
    let failed = |source| StartError::Bind { transport: Transport::Tcp, address: wanted, source };
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
        events: options.events,
        metric_labels: options.metric_labels,
    };
    let shared = node(config, address, setup, bind::seed()?)?;
    Ok(Opened { listener, packets, address, shared })
}

/// A node without sockets.
fn node(
    config: Config,
    bound: SocketAddr,
    setup: Setup,
    seed: [u8; 32],
) -> Result<Arc<Shared>, ConfigError> {
    Ok(Arc::new(Shared::new(config, bound, setup, seed)?))
}

/// What the future gives, unless `stop` is ready before; the future is dropped then.
async fn unless<T>(
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
