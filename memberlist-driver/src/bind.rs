//! Addresses: what to listen on and what to announce.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;

use socket2::{Domain, Protocol, Socket, Type};

use super::{Delegate, EventBounds};
use memberlist_proto::DEFAULT_PORT;
use memberlist_proto::{Config, ConfigError};

/// How often port 0 is tried until one is free for packets and streams (as in Go).
const PORT_ATTEMPTS: usize = 10;
/// What the packet socket's receive buffer should be, in bytes (as in Go); halved until accepted.
const RECEIVE_BUFFER: usize = 2 << 20;
/// The most connections that wait to be accepted.
const BACKLOG: i32 = 1024;

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
    /// Labels of everything that is published with the feature `metrics` (Go: `MetricLabels`):
    /// they tell several nodes of one process apart.
    pub metric_labels: Vec<(String, String)>,
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
            metric_labels: Vec::new(),
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

/// A listener and a packet socket on one port, neither of which blocks.
///
/// # Errors
///
/// The address cannot be listened on.
pub fn sockets(address: SocketAddr) -> Result<(std::net::TcpListener, UdpSocket), StartError> {
    let mut attempts = if address.port() == 0 { PORT_ATTEMPTS } else { 1 };
    loop {
        attempts -= 1;
        match pair(address) {
            Ok(sockets) => return Ok(sockets),
            Err(error) if attempts > 0 && error.kind() == io::ErrorKind::AddrInUse => {}
            Err(source) => return Err(StartError::Bind { address, source }),
        }
    }
}

/// What to tell the cluster.
///
/// # Errors
///
/// Bound to every address, and none of them is private.
pub fn advertised(wanted: Option<SocketAddr>, bound: SocketAddr) -> Result<SocketAddr, StartError> {
    let port = wanted.map(|wanted| wanted.port()).filter(|port| *port != 0);
    let port = port.unwrap_or(bound.port());
    let known = [wanted.map(|wanted| wanted.ip()), Some(bound.ip())];
    let ip = match known.into_iter().flatten().find(|ip| !ip.is_unspecified()) {
        Some(ip) => ip,
        None => private_address(bound.is_ipv6()).ok_or(StartError::NoAddress(bound.ip()))?,
    };
    Ok(SocketAddr::new(ip, port))
}

/// A seed for [`start`](super::start), from the operating system.
///
/// # Errors
///
/// The operating system has no randomness.
pub fn seed() -> Result<[u8; 32], StartError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)?;
    Ok(seed)
}

/// Whether a configuration announces a public address in clear text, which is rarely meant.
pub fn announces_in_clear(config: &Config) -> bool {
    config.secret_keys.is_empty() && !is_private(config.advertise_addr)
}

fn pair(address: SocketAddr) -> io::Result<(std::net::TcpListener, UdpSocket)> {
    let listener = socket(address, Type::STREAM, Protocol::TCP)?;
    // A node that restarts takes its port back at once.
    #[cfg(unix)]
    listener.set_reuse_address(true)?;
    listener.bind(&address.into())?;
    listener.listen(BACKLOG)?;
    let listener = std::net::TcpListener::from(listener);
    let address = SocketAddr::new(address.ip(), listener.local_addr()?.port());
    let packets = socket(address, Type::DGRAM, Protocol::UDP)?;
    packets.bind(&address.into())?;
    let mut size = RECEIVE_BUFFER;
    while packets.set_recv_buffer_size(size).is_err() && size > 1 {
        size /= 2;
    }
    Ok((listener, packets.into()))
}

fn socket(address: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    if address.is_ipv6() {
        // The unspecified address is meant to listen on IPv4 too.
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// The private address that this machine would send from; nothing is sent to find it.
fn private_address(v6: bool) -> Option<IpAddr> {
    let outward: [(IpAddr, IpAddr); 2] = [
        (Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(192, 0, 2, 1).into()),
        (Ipv6Addr::UNSPECIFIED.into(), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into()),
    ];
    let source = |(local, remote): (IpAddr, IpAddr)| {
        let socket = UdpSocket::bind((local, 0)).ok()?;
        socket.connect((remote, 9)).ok()?;
        let ip = socket.local_addr().ok()?.ip();
        (is_private(ip) && !ip.is_loopback()).then_some(ip)
    };
    source(outward[0]).or_else(|| source(outward[1]).filter(|_| v6))
}

fn is_private(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let shared = ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64;
            ip.is_private() || ip.is_loopback() || ip.is_link_local() || shared
        }
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}
