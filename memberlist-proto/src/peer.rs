//! Peers to join and targets to send to, as people write them.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::convert::Infallible;
use core::fmt::{self, Write as _};
use core::net::{IpAddr, SocketAddr};
use core::str::FromStr;

use crate::node::{Name, Node, NodeName};

mod policy;

pub use self::policy::{JoinPolicy, Retry};

/// A peer by address or host name: `[name/]host[:port]`, with IPv6 addresses in brackets where a
/// port follows. The node's name ends at the first `/`, as in Go (`resolveAddr`).
///
/// A name may hold any bytes. In the text these are escaped as `%` and two hexadecimal digits: `/`,
/// `%`, `,`, white space, control characters and bytes that are not UTF-8. So is the first byte of a
/// name where the text would otherwise look like a network: `%310.0.0.1/24` is the node `10.0.0.1`
/// on the host `24`. All other names are written literally. A `%` without two hexadecimal digits
/// after it is an error. An empty name is written like no name.
///
/// A prefix of the host may say how it is looked up, as in Thanos and Mimir: `dns+` by its
/// addresses, as without a prefix; `dnssrv+` as a service, by SRV records and the addresses of
/// their targets, as in `dnssrv+_gossip._tcp.example`; `dnssrvnoa+` by SRV records whose targets
/// the platform's resolver looks up. A port that is given replaces those of the records.
///
/// A host is an IP address, or a name of letters and digits of any script, `-`, `_` and `.`. Parsing
/// what `Display` wrote returns the same peer, except for port 0 and for a [`Host::Name`] that
/// breaks this rule or holds an address.
///
/// ```
/// use memberlist_proto::{NodeName, Peer};
///
/// for text in ["10.0.0.1", "10.0.0.1:7946", "[::1]:7946", "::1", "db.example:7000", "n1/10.0.0.1"] {
///     assert_eq!(text.parse::<Peer>().unwrap().to_string(), text);
/// }
/// assert!(":7946".parse::<Peer>().is_err());
///
/// let address: core::net::SocketAddr = "10.0.0.1:7946".parse().unwrap();
/// let pod = Peer { name: Some(NodeName::from("ns/pod 0")), ..Peer::from(address) };
/// assert_eq!(pod.to_string(), "ns%2Fpod%200/10.0.0.1:7946");
/// assert_eq!(pod.to_string().parse(), Ok(pod));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Peer {
    /// The node's name, where known.
    pub name: Option<NodeName>,
    /// Where it is.
    pub host: Host,
    /// Its port; without one, this node's own `bind_port`.
    pub port: Option<u16>,
}

/// Where a peer is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Host {
    /// An IP address.
    Ip(IpAddr),
    /// A host name: the peer is at each of its addresses.
    Name(String),
    /// A service: the peer is where the SRV records of a name say, at their ports.
    Service {
        /// The name, such as `_gossip._tcp.example`.
        name: String,
        /// Who looks up the addresses of the records' targets.
        targets: Targets,
    },
}

/// Who looks up the addresses of the targets of SRV records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Targets {
    /// The name server that the records are from: `dnssrv+`.
    Server,
    /// The platform's resolver, which also knows its file of hosts: `dnssrvnoa+`.
    Platform,
}

impl Targets {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Server => "dnssrv+",
            Self::Platform => "dnssrvnoa+",
        }
    }
}

/// The receiver of a message or a ping: a member by name, or any address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Target {
    /// A known node, whatever its state.
    Member(NodeName),
    /// An address, known or not (Go: `SendToAddress`).
    Addr {
        /// The address.
        #[cfg_attr(feature = "serde", serde(with = "crate::serial::exact"))]
        addr: SocketAddr,
        /// The node's name, for transports that route by name.
        node: Option<NodeName>,
    },
}

/// The member of this name.
impl From<NodeName> for Target {
    fn from(name: NodeName) -> Self {
        Self::Member(name)
    }
}

/// Each of these names a member.
macro_rules! members {
    ($($name:ty)*) => { $(
        impl From<$name> for Target {
            fn from(name: $name) -> Self {
                Self::Member(name.into())
            }
        }
    )* };
}

members!(&NodeName Name<'_> &Node String &String);

/// The member of this name. For text that may be an address, [`Target::from_str`].
impl From<&str> for Target {
    fn from(name: &str) -> Self {
        Self::Member(name.into())
    }
}

impl From<Node> for Target {
    fn from(node: Node) -> Self {
        Self::from(&node)
    }
}

impl From<SocketAddr> for Target {
    fn from(addr: SocketAddr) -> Self {
        Self::Addr { addr, node: None }
    }
}

impl From<&Self> for Target {
    fn from(target: &Self) -> Self {
        target.clone()
    }
}

/// As an operator writes it: `IP:PORT` is an address, and any other text the name of a member.
impl FromStr for Target {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(text.parse::<SocketAddr>().map_or_else(|_| Self::from(text), Self::from))
    }
}

/// `NAME`, or `IP:PORT`, as [`Target::from_str`] reads it.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Member(name) => name.fmt(f),
            Self::Addr { addr, .. } => addr.fmt(f),
        }
    }
}

/// Why a text, or a node, cannot be used as a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeerError {
    /// There is nothing before the slash.
    #[error("the node name before `/` is empty")]
    EmptyName,
    /// The host is empty.
    #[error("there is no host")]
    NoHost,
    /// The port is not a number from 1 to 65535.
    #[error("the port is not a number from 1 to 65535")]
    Port,
    /// A bracket is missing, or the brackets do not hold an IPv6 address.
    #[error("the brackets do not hold an IPv6 address")]
    Brackets,
    /// An address and a prefix length.
    #[error(
        "this looks like a network, not like the address of a peer: leave out `/` and what follows"
    )]
    Network,
    /// The host has a character that no host name can have.
    #[error("the host is neither an IP address nor a host name")]
    Host,
    /// A node has announced no address that it can be reached at.
    #[error("the node has no address")]
    NoAddress,
    /// A `%` in the name is not the start of an escape.
    #[error("`%` in a node name must be followed by two hexadecimal digits; `%` itself is `%25`")]
    Escape,
}

impl Peer {
    /// The address, with `default_port` if the peer has no port; `None` if its host has to be
    /// looked up.
    pub fn address(&self, default_port: u16) -> Option<SocketAddr> {
        match self.host {
            Host::Ip(ip) => Some(SocketAddr::new(ip, self.port.unwrap_or(default_port))),
            Host::Name(_) | Host::Service { .. } => None,
        }
    }

    fn write_name(&self, name: Name<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = name.as_bytes();
        let mut rest = bytes;
        if let (Ok(text), Host::Name(host)) = (core::str::from_utf8(bytes), &self.host)
            && is_network(text, host)
        {
            let (first, others) = bytes.split_at(1);
            escape(first, f)?;
            rest = others;
        }
        for chunk in rest.utf8_chunks() {
            for letter in chunk.valid().chars() {
                if matches!(letter, '/' | '%' | ',')
                    || letter.is_whitespace()
                    || letter.is_control()
                {
                    escape(letter.encode_utf8(&mut [0; 4]).as_bytes(), f)?;
                } else {
                    f.write_char(letter)?;
                }
            }
            escape(chunk.invalid(), f)?;
        }
        Ok(())
    }
}

impl From<SocketAddr> for Peer {
    fn from(address: SocketAddr) -> Self {
        Self { name: None, host: Host::Ip(address.ip()), port: Some(address.port()) }
    }
}

impl From<&SocketAddr> for Peer {
    fn from(address: &SocketAddr) -> Self {
        Self::from(*address)
    }
}

/// Without a port: this node's own `bind_port`.
impl From<IpAddr> for Peer {
    fn from(ip: IpAddr) -> Self {
        Self { name: None, host: Host::Ip(ip), port: None }
    }
}

impl From<&Self> for Peer {
    fn from(peer: &Self) -> Self {
        peer.clone()
    }
}

/// The node at its address, with its name.
impl TryFrom<&Node> for Peer {
    type Error = PeerError;

    fn try_from(node: &Node) -> Result<Self, PeerError> {
        let address = node.address().ok_or(PeerError::NoAddress)?;
        Ok(Self { name: Some(node.name().into()), ..Self::from(address) })
    }
}

impl TryFrom<Node> for Peer {
    type Error = PeerError;

    fn try_from(node: Node) -> Result<Self, PeerError> {
        Self::try_from(&node)
    }
}

/// Every form of text is parsed.
macro_rules! from_text {
    ($($text:ty)*) => { $(
        impl TryFrom<$text> for Peer {
            type Error = PeerError;

            fn try_from(text: $text) -> Result<Self, PeerError> {
                text.parse()
            }
        }
    )* };
}

from_text!(&str &&str String &String);

/// For conversions that cannot fail.
impl From<Infallible> for PeerError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl FromStr for Peer {
    type Err = PeerError;

    fn from_str(text: &str) -> Result<Self, PeerError> {
        let (name, rest) = match text.split_once('/') {
            Some(("", _)) => return Err(PeerError::EmptyName),
            Some((name, rest)) if is_network(name, rest) => return Err(PeerError::Network),
            Some((name, rest)) => (Some(unescape(name)?), rest),
            None => (None, text),
        };
        let (host, port) = split_port(rest)?;
        let port = port.map(parse_port).transpose()?;
        Ok(Self { name, host, port })
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = self.name.as_ref().filter(|name| !name.is_empty()) {
            self.write_name(name.as_name(), f)?;
            f.write_char('/')?;
        }
        match (&self.host, self.port) {
            (Host::Ip(ip), Some(port)) => write!(f, "{}", SocketAddr::new(*ip, port)),
            (Host::Ip(ip), None) => write!(f, "{ip}"),
            (Host::Name(name), Some(port)) => write!(f, "{name}:{port}"),
            (Host::Name(name), None) => f.write_str(name),
            (Host::Service { name, targets }, Some(port)) => {
                write!(f, "{}{name}:{port}", targets.prefix())
            }
            (Host::Service { name, targets }, None) => write!(f, "{}{name}", targets.prefix()),
        }
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Peer {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if to.is_human_readable() {
            return to.collect_str(self);
        }
        // The text does not distinguish port 0 from none, and a recording must.
        (&self.name, &self.host, self.port).serialize(to)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Peer {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        if !from.is_human_readable() {
            let (name, host, port) = serde::Deserialize::deserialize(from)?;
            return Ok(Self { name, host, port });
        }
        let text = <String as serde::Deserialize>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

fn split_port(text: &str) -> Result<(Host, Option<&str>), PeerError> {
    for targets in [Targets::Server, Targets::Platform] {
        if let Some(rest) = text.strip_prefix(targets.prefix()) {
            return match split_address(rest)? {
                (Host::Name(name), port) => Ok((Host::Service { name, targets }, port)),
                // An address has no SRV records.
                _ => Err(PeerError::Host),
            };
        }
    }
    split_address(text.strip_prefix("dns+").unwrap_or(text))
}

fn split_address(text: &str) -> Result<(Host, Option<&str>), PeerError> {
    if let Some(rest) = text.strip_prefix('[') {
        let (inside, after) = rest.split_once(']').ok_or(PeerError::Brackets)?;
        let ip: core::net::Ipv6Addr = inside.parse().map_err(|_| PeerError::Brackets)?;
        let port = match after {
            "" => None,
            _ => Some(after.strip_prefix(':').ok_or(PeerError::Brackets)?),
        };
        return Ok((Host::Ip(IpAddr::V6(ip)), port));
    }
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Ok((Host::Ip(ip), None));
    }
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    if host.is_empty() {
        return Err(PeerError::NoHost);
    }
    let host = match host.parse::<IpAddr>() {
        Ok(ip) => Host::Ip(ip),
        Err(_) => Host::Name(host_name(host)?),
    };
    Ok((host, port))
}

/// Accepts whatever a resolver might know. Any other text is a mistake, which would otherwise show
/// only as look-ups that keep failing.
fn host_name(text: &str) -> Result<String, PeerError> {
    let allowed = |letter: char| match letter {
        '-' | '_' | '.' => true,
        _ if letter.is_ascii() => letter.is_ascii_alphanumeric(),
        _ => !letter.is_whitespace() && !letter.is_control(),
    };
    if text.chars().all(allowed) {
        return Ok(text.to_owned());
    }
    let network = text.split_once('/').is_some_and(|(address, length)| is_network(address, length));
    Err(if network { PeerError::Network } else { PeerError::Host })
}

/// Whether `address/rest` is a network in CIDR notation, with or without a port.
fn is_network(address: &str, rest: &str) -> bool {
    let length = rest.split(':').next().unwrap_or_default();
    let inside = address.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let bits = match inside.unwrap_or(address).parse() {
        Ok(IpAddr::V4(_)) => 32,
        Ok(IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    length.bytes().all(|byte| byte.is_ascii_digit())
        && length.parse::<u8>().is_ok_and(|length| length <= bits)
}

fn escape(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "%{byte:02X}"))
}

fn unescape(text: &str) -> Result<NodeName, PeerError> {
    let mut parts = text.split('%');
    let mut name = Vec::from(parts.next().unwrap_or_default());
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).ok_or(PeerError::Escape)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(PeerError::Escape);
        }
        name.push(u8::from_str_radix(digits, 16).map_err(|_| PeerError::Escape)?);
        name.extend_from_slice(rest.as_bytes());
    }
    Ok(NodeName::from(&*name))
}

fn parse_port(text: &str) -> Result<u16, PeerError> {
    match text.parse::<u16>() {
        Ok(0) | Err(_) => Err(PeerError::Port),
        Ok(port) => Ok(port),
    }
}

#[cfg(test)]
mod tests;
