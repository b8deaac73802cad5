//! What is known about a node: its name, its identity, its versions, its state.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::time::Instant;

pub(crate) mod compatibility;
mod identity;
mod name;
#[cfg(feature = "serde")]
mod serial;
mod versions;
mod zone;

pub use identity::{Identity, IdentityError, IdentityParts};
pub use name::{Name, NodeName};
pub use versions::{VersionKind, Versions};
pub use zone::{ZoneInfo, ZoneRole};

/// Whether an address can be that of one node: packets to any other address are answered by no
/// host, or by many.
pub(crate) fn names_one_host(ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    let many = ip.is_multicast() || ip == IpAddr::V4(Ipv4Addr::BROADCAST);
    !ip.is_unspecified() && !many
}

/// What a member is believed to be. The numbers are those of push/pull messages.
///
/// Source: `NodeStateType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[repr(u8)]
pub enum State {
    /// It answers, as far as is known.
    Alive = 0,
    /// It is accused of not answering, and its time to refute is not over.
    Suspect = 1,
    /// It did not refute in time.
    Dead = 2,
    /// It announced its departure.
    Left = 3,
}

impl State {
    /// Whether the node counts as a member: alive or suspect.
    pub const fn is_live(self) -> bool {
        // A suspect is only accused. It counts as a member until its time to refute is over: Go lists
        // it (`Members`), probes it and gossips to it.
        matches!(self, Self::Alive | Self::Suspect)
    }

    /// The state with this number on the wire; `None` above 3.
    pub const fn from_u8(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::Alive,
            1 => Self::Suspect,
            2 => Self::Dead,
            3 => Self::Left,
            _ => return None,
        })
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Alive => "alive",
            Self::Suspect => "suspect",
            Self::Dead => "dead",
            Self::Left => "left",
        })
    }
}

/// A node as it was known at one moment. It is cheap to clone, since the identity is shared.
///
/// With the feature `serde`, JSON and other forms that people read have it as
///
/// ```json
/// {
///   "name": "db-1",
///   "address": "10.0.0.1:7946",
///   "meta": "role=db",
///   "versions": { "pmin": 1, "pmax": 5, "pcur": 2, "dmin": 0, "dmax": 0, "dcur": 0 },
///   "incarnation": 3,
///   "state": "alive",
///   "since": 12000000000
/// }
/// ```
///
/// Name and metadata are text where they are UTF-8, else a list of their bytes; metadata that is
/// nil, and unknown versions, are `null`; `since` is in nanoseconds of the clock of the node that
/// reports it. If the announced address has another form than 4 bytes of IPv4 or 16 of IPv6, there
/// is also `announced`, with its bytes and the port, and `address` may be `null`. A node that was
/// written like this is read back equal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    identity: Identity,
    since: Instant,
    incarnation: u32,
    state: State,
}

impl Node {
    /// A node with these facts. `since` is when it entered `state`.
    pub const fn new(identity: Identity, incarnation: u32, state: State, since: Instant) -> Self {
        Self { identity, since, incarnation, state }
    }

    /// Its name, unique in the cluster.
    pub fn name(&self) -> Name<'_> {
        self.identity.name()
    }

    /// Where it receives packets and streams; `None` if the address it announced is neither 4 nor
    /// 16 bytes long.
    pub fn address(&self) -> Option<SocketAddr> {
        self.identity.socket_addr()
    }

    /// Its IP address; `None` as for [`Node::address`].
    pub fn ip(&self) -> Option<IpAddr> {
        self.identity.ip()
    }

    /// The bytes of its address as it announced them; `None` if there were none.
    pub fn addr_bytes(&self) -> Option<&[u8]> {
        self.identity.addr_bytes()
    }

    /// The port for packets and streams.
    pub fn port(&self) -> u16 {
        self.identity.port()
    }

    /// The application's metadata; empty if there is none.
    pub fn meta(&self) -> &[u8] {
        self.identity.meta().unwrap_or_default()
    }

    /// The application's metadata; `None` for nil, which the wire distinguishes from empty.
    pub fn meta_or_nil(&self) -> Option<&[u8]> {
        self.identity.meta()
    }

    /// What its metadata says about its zone, in a cluster that has zones.
    pub fn zone(&self) -> ZoneInfo<'_> {
        ZoneInfo::of(self.meta())
    }

    /// The versions it announced; `None` if they are unknown.
    pub fn versions(&self) -> Option<Versions> {
        self.identity.versions()
    }

    /// The incarnation number last accepted.
    pub const fn incarnation(&self) -> u32 {
        self.incarnation
    }

    /// The state it is believed to be in.
    pub const fn state(&self) -> State {
        self.state
    }

    /// When it entered that state.
    pub const fn since(&self) -> Instant {
        self.since
    }

    /// Name, address, versions and metadata, shared.
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }
}

/// `name (address:port)`.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address() {
            Some(address) => write!(f, "{} ({address})", self.name()),
            None => write!(f, "{} (no address)", self.name()),
        }
    }
}

#[cfg(test)]
mod tests;
