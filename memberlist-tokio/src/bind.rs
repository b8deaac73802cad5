//! Addresses: what to listen on and what to announce.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use memberlist_proto::Config;
use memberlist_proto::driver::LogSink;
use socket2::{Domain, Protocol, Socket, Type};

use crate::memberlist::StartError;

/// How often port 0 is tried until one is free for packets and streams (as in Go).
const PORT_ATTEMPTS: usize = 10;
/// What the packet socket's receive buffer should be, in bytes (as in Go); halved until accepted.
const RECEIVE_BUFFER: usize = 2 << 20;
/// The most connections that wait to be accepted.
const BACKLOG: i32 = 1024;

/// A listener and a packet socket on one port.
pub(crate) fn sockets(
    address: SocketAddr,
) -> Result<(std::net::TcpListener, UdpSocket), StartError> {
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
pub(crate) fn advertised(
    wanted: Option<SocketAddr>,
    bound: SocketAddr,
) -> Result<SocketAddr, StartError> {
    let port = wanted.map(|wanted| wanted.port()).filter(|port| *port != 0);
    let port = port.unwrap_or(bound.port());
    let known = [wanted.map(|wanted| wanted.ip()), Some(bound.ip())];
    let ip = match known.into_iter().flatten().find(|ip| !ip.is_unspecified()) {
        Some(ip) => ip,
        None => private_address(bound.is_ipv6()).ok_or(StartError::NoAddress(bound.ip()))?,
    };
    Ok(SocketAddr::new(ip, port))
}

/// Announcing a public address in clear text is rarely meant.
pub(crate) fn warn_if_public(config: &Config) {
    if config.secret_keys.is_empty() && !is_private(config.advertise_addr) {
        #[cfg(feature = "tracing")]
        tracing::warn!(
            node = %config.name,
            "announcing the public address {} without encryption",
            config.advertise_addr
        );
    }
}

/// Where log lines go.
#[cfg(feature = "tracing")]
#[allow(clippy::unnecessary_wraps)] // Without the feature there is none.
pub(crate) fn log() -> Option<LogSink> {
    use memberlist_proto::driver::log::Severity;
    Some(|node, severity, line| match severity {
        Severity::Error => tracing::error!(%node, "{line}"),
        Severity::Warning => tracing::warn!(%node, "{line}"),
        Severity::Info => tracing::info!(%node, "{line}"),
        Severity::Debug => tracing::debug!(%node, "{line}"),
    })
}

/// Where log lines go.
#[cfg(not(feature = "tracing"))]
pub(crate) fn log() -> Option<LogSink> {
    None
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
