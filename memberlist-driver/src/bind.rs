//! Addresses: what to listen on and what to announce.

mod choice;

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;

use memberlist_proto::{Config, ConfigError, DEFAULT_PORT};
use socket2::{Domain, Protocol, Socket, Type};

use self::choice::Machine;
pub use self::choice::NoAddress;
use crate::log::{self, Log, Severity};
use crate::transport::Transport;
use crate::{Delegate, EventBounds};

/// How many times port 0 is tried until the port picked is free for both packets and streams (as in
/// Go).
const PORT_ATTEMPTS: usize = 10;
/// The size asked for the packet socket's receive buffer, in bytes (as in Go); halved until the
/// system accepts it.
const RECEIVE_BUFFER: usize = 2 << 20;
/// The maximum number of connections that wait to be accepted.
const BACKLOG: i32 = 1024;

/// The options that a node is started with, in addition to its [`Config`]: where it listens, and
/// what the application provides.
///
/// ```
/// use memberlist_driver::EventBounds;
/// use memberlist_driver::bind::Options;
///
/// let options = Options::bind("[::]:7946")
///     .advertise("10.0.0.1") // at the port that is bound
///     .events(EventBounds::new(1000, 1 << 20))
///     .metric_label("cluster", "blue");
/// assert_eq!(options.advertise, Some(([10, 0, 0, 1], 0).into()));
/// ```
#[derive(Clone)]
#[must_use = "options do nothing by themselves"]
#[non_exhaustive]
pub struct Options {
    /// The address to listen on, for packets (UDP) and streams (TCP) alike. Port 0 picks a port
    /// that is free for both; [`Handle::bound_address`](crate::Handle::bound_address) returns it.
    /// An unspecified IPv6 address, `[::]`, serves IPv4 as well.
    pub bind: SocketAddr,
    /// The address to announce to the cluster; `None` announces the bound one. Port 0 stands for
    /// the bound port, and an unspecified address for the bound address. If that is unspecified
    /// too, a private address of an interface that is up is chosen: the source address of packets
    /// to the Internet if it is private, else one of the default route's interface, else any other,
    /// IPv4 before IPv6. Set this if the machine has no private address, or has several and the
    /// wrong one is chosen.
    pub advertise: Option<SocketAddr>,
    /// The application's decisions; `None` decides as the defaults of [`Delegate`] do.
    pub delegate: Option<Arc<dyn Delegate>>,
    /// How many events, and bytes of them, may wait for the first reader, the one that starting the
    /// node returns.
    pub events: EventBounds,
    /// How packets and streams travel. All members of a cluster use the same transport.
    pub transport: Transport,
    /// Labels for everything that is published with the feature `metrics`, as names and values (Go:
    /// `MetricLabels`): they distinguish several nodes of one process.
    pub metric_labels: Vec<(String, String)>,
    /// The name servers that are asked for the SRV records of peers (`dnssrv+`, `dnssrvnoa+`), with
    /// the feature `srv`; if empty, those of the system. Plain host names are always resolved by
    /// the platform.
    pub name_servers: Vec<SocketAddr>,
    /// The folder into which all input to the node is recorded, and the limits of the recording;
    /// `None` records nothing. See [`record_to`](Self::record_to).
    #[cfg(feature = "record")]
    pub record: Option<(std::path::PathBuf, memberlist_record::RecordOptions)>,
    /// The first text that was given as an address and is not one; starting the node reports it.
    wrong: Option<InvalidAddress>,
}

impl Options {
    /// Records all input to the node, as segments in a folder. The folder is created if it does not
    /// exist, and must not be shared with another node. The recording replays byte for byte with
    /// the same version of this library (`memberlist replay`, or the crate `memberlist-record`; see
    /// `docs/recording.md` in the repository).
    ///
    /// A slow or full disk never delays the node: inputs are then missing from the recording, which
    /// [`Handle::recording`](crate::Handle::recording) counts and the log reports. Keys are not
    /// written to the recording, but the application's messages are.
    #[cfg(feature = "record")]
    pub fn record_to(
        mut self,
        folder: impl Into<std::path::PathBuf>,
        limits: memberlist_record::RecordOptions,
    ) -> Self {
        self.record = Some((folder.into(), limits));
        self
    }

    /// Options for listening on this address, with defaults for everything else. Accepts addresses,
    /// and text such as `10.0.0.1:7946`, `10.0.0.1` (with the port 7946) or `[::]:0`. If the text
    /// is not an address, starting the node fails with [`StartError::Address`].
    pub fn bind(address: impl Into<Address>) -> Self {
        let mut options = Self::default();
        if let Some((ip, port)) = options.take(address.into()) {
            options.bind = SocketAddr::new(ip, port.unwrap_or(DEFAULT_PORT));
        }
        options
    }

    /// Announces this address to the cluster instead of the bound one. Accepts the same forms as
    /// [`bind`](Self::bind); without a port, the bound port is announced.
    pub fn advertise(mut self, address: impl Into<Address>) -> Self {
        if let Some((ip, port)) = self.take(address.into()) {
            self.advertise = Some(SocketAddr::new(ip, port.unwrap_or_default()));
        }
        self
    }

    /// Sets the delegate that makes the application's decisions. Pass an `Arc` of it if the
    /// application keeps it, too.
    pub fn delegate(mut self, delegate: impl Delegate) -> Self {
        self.delegate = Some(Arc::new(delegate));
        self
    }

    /// Sets how many events, and bytes of them, may wait for the first reader.
    pub fn events(mut self, bounds: EventBounds) -> Self {
        self.events = bounds;
        self
    }

    /// Adds a label to everything that is published with the feature `metrics`.
    pub fn metric_label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.metric_labels.push((name.into(), value.into()));
        self
    }

    /// Applies `change` to these options and returns them: for fields without a method of their
    /// own, in a chain of calls.
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// Fails with the first text that is not an address.
    pub(crate) fn check(&self) -> Result<(), StartError> {
        self.wrong.clone().map_or(Ok(()), |wrong| Err(wrong.into()))
    }

    fn take(&mut self, address: Address) -> Option<(IpAddr, Option<u16>)> {
        match address.0 {
            Ok(parts) => Some(parts),
            Err(text) => {
                self.wrong.get_or_insert(InvalidAddress { text });
                None
            }
        }
    }
}

/// An IP address with or without a port, converted from an address type or from text. Text that is
/// not an address is only reported when the node starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(Result<(IpAddr, Option<u16>), String>);

/// A text is not an IP address with or without a port.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not an address to listen on or to announce, as `IP` or `IP:PORT`", text.escape_debug())]
pub struct InvalidAddress {
    /// The text.
    pub text: String,
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self(Ok((address.ip(), Some(address.port()))))
    }
}

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Self {
        Self(Ok((ip, None)))
    }
}

impl<I: Into<IpAddr>> From<(I, u16)> for Address {
    fn from((ip, port): (I, u16)) -> Self {
        Self(Ok((ip.into(), Some(port))))
    }
}

impl From<&str> for Address {
    fn from(text: &str) -> Self {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return address.into();
        }
        let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
        Self(inner.unwrap_or(text).parse().map(|ip| (ip, None)).map_err(|_| text.to_owned()))
    }
}

impl From<String> for Address {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&String> for Address {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl Default for Options {
    /// Listens on every IPv4 address of this machine, port 7946.
    fn default() -> Self {
        Self {
            bind: SocketAddr::from(([0, 0, 0, 0], DEFAULT_PORT)),
            advertise: None,
            delegate: None,
            events: EventBounds::default(),
            transport: Transport::default(),
            metric_labels: Vec::new(),
            name_servers: Vec::new(),
            #[cfg(feature = "record")]
            record: None,
            wrong: None,
        }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("bind", &self.bind)
            .field("advertise", &self.advertise)
            .field("events", &self.events)
            .field("transport", &self.transport)
            .finish_non_exhaustive()
    }
}

/// Why a node could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address cannot be listened on, or the runtime cannot watch the socket.
    #[error("cannot listen on {socket} {address}: {source}")]
    Bind {
        /// For streams or for packets.
        socket: SocketKind,
        /// The address.
        address: SocketAddr,
        /// What the operating system reports.
        source: io::Error,
    },
    /// The text given as an address is not one.
    #[error(transparent)]
    Address(#[from] InvalidAddress),
    /// The node is bound to every address, and none of them is private: set an address to announce.
    #[error(transparent)]
    NoAddress(#[from] NoAddress),
    /// The node is bound to every address, and the system does not list them: set an address to
    /// announce.
    #[error(
        "bound to {bound}, and this machine's addresses cannot be listed ({source}): set an address to advertise"
    )]
    Interfaces {
        /// The address that the node is bound to.
        bound: IpAddr,
        /// Why the addresses cannot be listed.
        source: io::Error,
    },
    /// The configuration is not valid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// TLS cannot be used as configured. Needs the feature `tls`.
    #[cfg(feature = "tls")]
    #[error(transparent)]
    Tls(#[from] crate::transport::TlsError),
    /// The folder of the recording cannot be created or read, or no thread can be started.
    #[cfg(feature = "record")]
    #[error(transparent)]
    Record(#[from] memberlist_record::RecordError),
    /// The operating system provides no randomness.
    #[error("the operating system has no randomness: {0}")]
    Randomness(#[from] getrandom::Error),
}

/// One of a node's two sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketKind {
    /// For streams.
    Tcp,
    /// For packets.
    Udp,
}

impl fmt::Display for SocketKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        })
    }
}

/// Binds a listener for streams and a socket for packets to the same port, both in non-blocking
/// mode: for programs that drive the core themselves. [`start`](crate::start) binds its own.
///
/// # Errors
///
/// [`StartError::Bind`] if one of them cannot be bound to the address. With port 0, up to ten ports
/// are tried.
pub fn sockets(address: SocketAddr) -> Result<(TcpListener, UdpSocket), StartError> {
    let mut attempts = if address.port() == 0 { PORT_ATTEMPTS } else { 1 };
    loop {
        attempts -= 1;
        match pair(address) {
            Ok(sockets) => return Ok(sockets),
            Err(StartError::Bind { source, .. })
                if attempts > 0 && source.kind() == io::ErrorKind::AddrInUse => {}
            Err(error) => return Err(error),
        }
    }
}

/// The address to announce to the cluster; the log says which and why.
pub(crate) fn advertised(
    wanted: Option<SocketAddr>,
    bound: SocketAddr,
    log: &Log,
) -> Result<SocketAddr, StartError> {
    let say = |severity, address, why: fmt::Arguments<'_>| {
        let text = format!("listening on {bound}, announcing {address}: {why}");
        log.write_once(|| log::announcing(severity, address, text));
    };
    let port = wanted.map(|wanted| wanted.port()).filter(|port| *port != 0);
    let port = port.unwrap_or(bound.port());
    let given = wanted.map(|wanted| wanted.ip()).filter(|ip| !ip.is_unspecified());
    if let Some(ip) = given {
        let address = SocketAddr::new(ip, port);
        say(Severity::Debug, address, format_args!("as configured"));
        return Ok(address);
    }
    if !bound.ip().is_unspecified() {
        let address = SocketAddr::new(bound.ip(), port);
        say(Severity::Debug, address, format_args!("what it listens on"));
        return Ok(address);
    }
    let machine =
        Machine::look().map_err(|source| StartError::Interfaces { bound: bound.ip(), source })?;
    let choice = machine.choose(bound.ip())?;
    let address = SocketAddr::new(choice.ip, port);
    let severity = if choice.is_a_guess() { Severity::Warning } else { Severity::Info };
    say(severity, address, format_args!("{choice}"));
    Ok(address)
}

/// A random seed for [`Memberlist::new`](memberlist_proto::Memberlist::new) from the operating
/// system: for programs that drive the core themselves. The nonces of encryption are derived from
/// it, so it must never be used twice.
///
/// # Errors
///
/// [`StartError::Randomness`] if the operating system provides no randomness.
pub fn seed() -> Result<[u8; 32], StartError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)?;
    Ok(seed)
}

/// Whether a configuration announces a public address without encryption, which is rarely intended.
pub(crate) fn announces_in_clear(config: &Config) -> bool {
    config.secret_keys.is_empty() && !is_private(config.advertise_addr)
}

/// A listener alone, for transports that carry packets over connections.
pub(crate) fn streams_only(address: SocketAddr) -> Result<TcpListener, StartError> {
    let failed = |source| StartError::Bind { socket: SocketKind::Tcp, address, source };
    listener(address).map_err(failed)
}

fn pair(address: SocketAddr) -> Result<(TcpListener, UdpSocket), StartError> {
    let failed = |source| StartError::Bind { socket: SocketKind::Tcp, address, source };
    let listener = listener(address).map_err(failed)?;
    let port = listener.local_addr().map_err(failed)?.port();
    let address = SocketAddr::new(address.ip(), port);
    let failed = |source| StartError::Bind { socket: SocketKind::Udp, address, source };
    let packets = packets(address).map_err(failed)?;
    Ok((listener, packets))
}

fn listener(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = socket(address, Type::STREAM, Protocol::TCP)?;
    // A node that restarts can bind its port again at once.
    #[cfg(unix)]
    listener.set_reuse_address(true)?;
    listener.bind(&address.into())?;
    listener.listen(BACKLOG)?;
    Ok(listener.into())
}

fn packets(address: SocketAddr) -> io::Result<UdpSocket> {
    let packets = socket(address, Type::DGRAM, Protocol::UDP)?;
    packets.bind(&address.into())?;
    let mut size = RECEIVE_BUFFER;
    while packets.set_recv_buffer_size(size).is_err() && size > 1 {
        size /= 2;
    }
    Ok(packets.into())
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

fn is_private(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            // Shared address space (RFC 6598) and benchmarking (RFC 2544).
            let [first, second, ..] = ip.octets();
            let shared = first == 100 && second & 0xc0 == 64;
            let benchmarking = first == 198 && second & 0xfe == 18;
            ip.is_private() || ip.is_loopback() || ip.is_link_local() || shared || benchmarking
        }
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests;
