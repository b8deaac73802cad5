//! From a configuration to a node with its sockets.

use std::net::{SocketAddr, TcpListener, UdpSocket};

use super::bind::{self, Options, StartError, Transport};
use super::log::Severity;
use super::{Driver, Events, Handle, LogSink, Setup, start};
use memberlist_proto::Config;

/// A node that listens and waits for an adapter to drive it. Neither socket blocks.
#[derive(Debug)]
pub struct Opened {
    /// For streams.
    pub listener: TcpListener,
    /// For packets.
    pub packets: UdpSocket,
    /// What both are bound to.
    pub address: SocketAddr,
    /// For the user.
    pub handle: Handle,
    /// For the user, too.
    pub events: Events,
    /// For the adapter's tasks.
    pub driver: Driver,
}

/// Listens and makes a node, which knows nobody yet. The configuration's `advertise_addr`,
/// `advertise_port` and `bind_port` are set by the options.
///
/// # Errors
///
/// Whatever keeps it from running.
pub fn open(mut config: Config, options: Options) -> Result<Opened, StartError> {
    let wanted = options.bind;
    let (listener, packets) = bind::sockets(wanted)?;
    let address = listener.local_addr().map_err(|source| StartError::Bind {
        transport: Transport::Tcp,
        address: wanted,
        source,
    })?;
    let advertise = bind::advertised(options.advertise, address)?;
    config.advertise_addr = advertise.ip();
    config.advertise_port = advertise.port();
    config.bind_port = address.port();
    let log = sink();
    if let Some(log) = log.filter(|_| bind::announces_in_clear(&config)) {
        let line = std::format!("announcing the public address {advertise} without encryption");
        log(&config.name, Severity::Warning, &line);
    }
    let setup = Setup {
        delegate: options.delegate,
        events: options.events,
        log,
        metric_labels: options.metric_labels,
    };
    let (handle, events, driver) = start(config, address, setup, bind::seed()?)?;
    Ok(Opened { listener, packets, address, handle, events, driver })
}

/// Where log lines go.
#[cfg(feature = "tracing")]
#[allow(clippy::unnecessary_wraps)] // Without the feature there is none.
fn sink() -> Option<LogSink> {
    Some(|node, severity, line| match severity {
        Severity::Error => tracing::error!(%node, "{line}"),
        Severity::Warning => tracing::warn!(%node, "{line}"),
        Severity::Info => tracing::info!(%node, "{line}"),
        Severity::Debug => tracing::debug!(%node, "{line}"),
    })
}

/// Where log lines go.
#[cfg(not(feature = "tracing"))]
fn sink() -> Option<LogSink> {
    None
}
