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

/// How often port 0 is tried until one is free for packets and streams (as in Go).
const PORT_ATTEMPTS: usize = 10;
/// What the packet socket's receive buffer should be, in bytes (as in Go); halved until accepted.
const RECEIVE_BUFFER: usize = 2 << 20;
/// The most connections that wait to be accepted.
const BACKLOG: i32 = 1024;

/// What a node is started with beside its [`Config`]: where it listens, and what its user brings.
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
    /// The address to listen on, for packets (UDP) and streams (TCP) alike. Port 0 picks one that is
    /// free for both; [`Handle::bound_address`](crate::Handle::bound_address) says which. An
    /// unspecified IPv6 address, `[::]`, serves IPv4 as well.
    pub bind: SocketAddr,
    /// The address to announce to the cluster, where it is not the bound one. Port 0 stands for the
    /// bound port, and an unspecified address for the bound one. If that is unspecified too, a private
    /// address of an interface that is up is chosen: the source address of packets to the Internet,
    /// else one of the default route's interface, else any other, IPv4 before IPv6. Needed where
    /// this machine has no private address, or has several and the wrong one is chosen.
    pub advertise: Option<SocketAddr>,
    /// The application's decisions; `None` decides as the defaults of [`Delegate`] do.
    pub delegate: Option<Arc<dyn Delegate>>,
    /// How many events may wait for a slow reader.
    pub events: EventBounds,
    /// How packets and streams travel. All members of a cluster use the same transport.
    pub transport: Transport,
    /// Labels of everything that is published with the feature `metrics`, as names and values (Go:
    /// `MetricLabels`): they tell apart several nodes of one process.
    pub metric_labels: Vec<(String, String)>,
    /// The name servers that are asked for the services of peers (`dnssrv+`, `dnssrvnoa+`), with the
    /// feature `srv`; none stands for those of the system. Host names are always the platform's to
    /// resolve.
    pub name_servers: Vec<SocketAddr>,
    /// Where everything that enters the node is recorded, if anywhere: see
    /// [`record_to`](Self::record_to).
    #[cfg(feature = "record")]
    pub record: Option<(std::path::PathBuf, memberlist_record::RecordOptions)>,
    /// A text that was given as an address and is none.
    wrong: Option<InvalidAddress>,
}

impl Options {
    /// Records everything that enters the node into segments in a folder, which is made if it is not
    /// there, and is for this node alone. The recording replays byte for byte with the same version
    /// of this library (`memberlist replay`, or the crate `memberlist-record`; docs/recording.md).
    ///
    /// A slow or full disk never holds the node up: inputs are dropped then, which
    /// [`Handle::recording`](crate::Handle::recording) counts and the log reports. Keys are not
    /// written, but the application's messages are.
    #[cfg(feature = "record")]
    pub fn record_to(
        mut self,
        folder: impl Into<std::path::PathBuf>,
        limits: memberlist_record::RecordOptions,
    ) -> Self {
        self.record = Some((folder.into(), limits));
        self
    }

    /// To listen on this address, with everything else as by default. Takes addresses and text such
    /// as `10.0.0.1:7946`, `10.0.0.1` (with the port 7946) or `[::]:0`; of a text that is no address
    /// the start of the node fails with [`StartError::Address`].
    pub fn bind(address: impl Into<Address>) -> Self {
        let mut options = Self::default();
        if let Some((ip, port)) = options.take(address.into()) {
            options.bind = SocketAddr::new(ip, port.unwrap_or(DEFAULT_PORT));
        }
        options
    }

    /// Announces this address instead of the bound one; without a port, at the bound port. Takes
    /// what [`bind`](Self::bind) takes.
    pub fn advertise(mut self, address: impl Into<Address>) -> Self {
        if let Some((ip, port)) = self.take(address.into()) {
            self.advertise = Some(SocketAddr::new(ip, port.unwrap_or_default()));
        }
        self
    }

    /// Asks this delegate what the application has to decide; an `Arc` of one, where the application
    /// keeps it.
    pub fn delegate(mut self, delegate: impl Delegate) -> Self {
        self.delegate = Some(Arc::new(delegate));
        self
    }

    /// Lets so many events wait for a slow reader.
    pub fn events(mut self, bounds: EventBounds) -> Self {
        self.events = bounds;
        self
    }

    /// Adds a label to everything that is published with the feature `metrics`.
    pub fn metric_label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.metric_labels.push((name.into(), value.into()));
        self
    }

    /// These options with some of them changed, as an expression.
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// The first text that is no address.
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

/// An IP address with or without a port, from whatever may be one: text that is none is found out
/// when the node starts.
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
    /// Every IPv4 address of this machine, port 7946.
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
    /// What was given as an address in text is none.
    #[error(transparent)]
    Address(#[from] InvalidAddress),
    /// Bound to every address, and none of them is private: an address to announce must be given.
    #[error(transparent)]
    NoAddress(#[from] NoAddress),
    /// Bound to every address, and the system does not list them: an address to announce must be
    /// given.
    #[error(
        "bound to {bound}, and this machine's addresses cannot be listed ({source}): set an address to advertise"
    )]
    Interfaces {
        /// What it listens on.
        bound: IpAddr,
        /// Why they cannot be listed.
        source: io::Error,
    },
    /// The configuration is not valid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// TLS cannot be used as configured. Feature `tls`.
    #[cfg(feature = "tls")]
    #[error(transparent)]
    Tls(#[from] crate::transport::TlsError),
    /// The folder of the recording cannot be made or read, or no thread can be started.
    #[cfg(feature = "record")]
    #[error(transparent)]
    Record(#[from] memberlist_record::RecordError),
    /// The operating system has no randomness.
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

/// A listener for streams and a socket for packets on one port, both in non-blocking mode, for
/// programs that drive the core by themselves; [`start`](crate::start) binds its own.
///
/// # Errors
///
/// [`StartError::Bind`] if the address cannot be listened on for both. Port 0 is tried ten times.
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

/// A seed for [`Memberlist::new`](memberlist_proto::Memberlist::new) from the operating system, from
/// which the nonces of encryption follow. For programs that drive the core by themselves.
///
/// # Errors
///
/// [`StartError::Randomness`] if the operating system has no randomness.
pub fn seed() -> Result<[u8; 32], StartError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)?;
    Ok(seed)
}

/// Whether a configuration announces a public address in clear text, which is rarely meant.
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
    // A node that restarts takes its port back at once.
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
