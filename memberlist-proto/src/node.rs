//! What is known about a node: its name, its identity, its state.

use core::fmt;
use core::net::{IpAddr, SocketAddr};

use crate::time::Instant;

mod identity;
mod name;

pub use identity::{Identity, IdentityError, IdentityParts};
pub use name::{Name, NodeName};

/// What a member is believed to be. The numbers are those of the push/pull message.
///
/// Source: `NodeStateType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[repr(u8)]
pub enum State {
    /// Answers, as far as is known.
    Alive = 0,
    /// Accused of not answering, and not yet past its time to refute.
    Suspect = 1,
    /// Did not refute in time.
    Dead = 2,
    /// Announced its departure.
    Left = 3,
}

impl State {
    /// Whether the node counts as a member: alive or suspect.
    pub const fn is_live(self) -> bool {
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

/// The protocol versions a node understands and speaks, in the order of the `Vsn` field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Versions {
    /// Lowest protocol version understood.
    pub pmin: u8,
    /// Highest protocol version understood.
    pub pmax: u8,
    /// Protocol version spoken.
    pub pcur: u8,
    /// Lowest delegate (application) version understood.
    pub dmin: u8,
    /// Highest delegate version understood.
    pub dmax: u8,
    /// Delegate version spoken.
    pub dcur: u8,
}

impl Versions {
    /// The six bytes of the `Vsn` field.
    pub const fn to_bytes(self) -> [u8; 6] {
        [self.pmin, self.pmax, self.pcur, self.dmin, self.dmax, self.dcur]
    }

    /// The versions in the six bytes of a `Vsn` field.
    pub const fn from_bytes([pmin, pmax, pcur, dmin, dmax, dcur]: [u8; 6]) -> Self {
        Self { pmin, pmax, pcur, dmin, dmax, dcur }
    }
}

impl From<[u8; 6]> for Versions {
    fn from(bytes: [u8; 6]) -> Self {
        Self::from_bytes(bytes)
    }
}

impl From<Versions> for [u8; 6] {
    fn from(versions: Versions) -> Self {
        versions.to_bytes()
    }
}

/// A member as it was known at one moment. Cheap to clone: the identity is shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    identity: Identity,
    since: Instant,
    incarnation: u32,
    state: State,
}

impl Node {
    /// A node with these facts; `since` is when it entered `state`.
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

    /// The application's metadata, with "none" told from "empty" as on the wire.
    pub fn meta_or_nil(&self) -> Option<&[u8]> {
        self.identity.meta()
    }

    /// The versions it announced; `None` if it announced none.
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
